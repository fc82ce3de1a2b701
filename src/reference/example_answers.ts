/**
 * One request, host and instance, put through the code that answers real ones: examples that cannot say what the agent
 * would not. Pure, and the same every time.
 */
import { decide } from '../admission/decide.ts';
import { HostAccount } from '../admission/host_cells.ts';
import type { HostMemory } from '../admission/host_memory.ts';
import { DEFAULT_RULES } from '../admission/rules.ts';
import { API_VERSION } from '../api/endpoint.ts';
import { createInstanceArgs, instanceRequestOf, planInstanceArgs } from '../api/schemas.ts';
import { viewUsage } from '../api/usage_view.ts';
import { viewHost, viewInstance } from '../api/views.ts';
import type { GuestInfo } from '../compute_driver.ts';
import type { InstanceEvent } from '../compute/events.ts';
import { describeHost } from '../compute/host_report.ts';
import { placementRequestOf } from '../compute/placement_request.ts';
import { NO_TUNING, type Instance } from '../instance.ts';
import { planOnInventory } from '../inventory/plan_inventory.ts';
import { guestSamples, type Sample } from '../metering/samples.ts';
import { signSample } from '../metering/signature.ts';
import { lifecycleNotification, type LifecycleNotification } from '../notifications/lifecycle.ts';
import { settingsSchema } from '../settings/schema.ts';
import type { Json } from './json_schema.ts';

export const EXAMPLE_HOST = 'compute-1';
export const EXAMPLE_UUID = '46b5e582-9784-4efc-9a0f-360244828e3f';

const { metering } = settingsSchema.parse({});
const CREATED = '2026-11-22T01:41:09.000Z';
const LAUNCHED = '2026-11-22T01:41:09.495Z';
const DELETED = '2026-11-22T02:10:03.120Z';

const CREATE = {
  uuid: EXAMPLE_UUID,
  name: 'web-1',
  project_id: 'b7d6f2b0c3ff4a5f8f6a8f0d0c7b1a11',
  user_id: '7c1f3a90a1d84c2c9d0b6f1f2e3d4c55',
  flavor: { id: '42', name: 'hp.small', vcpus: 1, memory_mb: 128, extra_specs: { 'hw:mem_page_size': '2MB' } },
  image: 'tiny',
  metadata: { 'metering.stack': 'blue' },
};

/** Two nodes with a pool of 512 pages each. */
export const EXAMPLE_MEMORY: HostMemory = {
  cells: [0, 1].map((node) => ({
    node,
    cpus: [2 * node, 2 * node + 1],
    siblings: [[2 * node], [2 * node + 1]],
    memoryKib: 8_388_608,
    free: [
      { pageSizeKib: 4, pages: 1_500_000, total: 1_835_008 },
      { pageSizeKib: 2048, pages: 512, total: 512 },
    ],
  })),
  promised: [],
  availableKib: 12_000_000,
  guests: [],
};

const instance = admitted();

const guest: GuestInfo = {
  instance,
  powerState: 'running',
  domainName: `hugenode-${EXAMPLE_UUID}`,
  consoleLogPath: `/var/lib/hugenode/instances/${EXAMPLE_UUID}/console.log`,
};

const instanceAnswer = viewInstance(guest, EXAMPLE_HOST);
const hostAnswer = exampleHost();
const PLAN = { flavor: { vcpus: 1, memory_mb: 768, extra_specs: { 'hw:mem_page_size': '2MB' } }, count: 3 };

const USAGE = { from: '2026-11-01T00:00:00Z', to: '2026-12-01T00:00:00Z' };

/** Arguments and answer of each method. */
export const EXAMPLE_CALLS: Readonly<Record<string, { readonly args: Json; readonly result: unknown }>> = {
  create_instance: { args: CREATE, result: instanceAnswer },
  delete_instance: { args: { uuid: EXAMPLE_UUID }, result: null },
  get_instance: { args: { uuid: EXAMPLE_UUID }, result: instanceAnswer },
  list_instances: { args: {}, result: [instanceAnswer] },
  get_host: { args: {}, result: hostAnswer },
  plan_instance: { args: PLAN, result: planOnInventory(hostAnswer, planInstanceArgs.parse(PLAN)) },
  get_usage: { args: USAGE, result: exampleUsage() },
};

function exampleUsage() {
  const span = { fromMs: Date.parse(USAGE.from), toMs: Date.parse(USAGE.to) };
  const heldMs = BigInt(Date.parse(DELETED) - Date.parse(LAUNCHED));
  const rows = instance.placement.map(({ node, pageSizeKib, pages }) => ({
    projectId: instance.projectId,
    node,
    pageSizeKib,
    runningPageMs: BigInt(pages) * heldMs,
    keptPageMs: 0n,
  }));
  return viewUsage({ ...span, untilMs: span.toMs + 9_300, sinceMs: Date.parse(CREATED), rows }, EXAMPLE_HOST);
}

function admitted(): Instance {
  const request = instanceRequestOf(createInstanceArgs.parse(CREATE));
  const claimant = { instanceUuid: request.uuid, projectId: request.projectId };
  const decision = decide(claimant, placementRequestOf(request, 'large'), EXAMPLE_MEMORY, DEFAULT_RULES, []);
  if (decision.outcome !== 'admitted') throw new Error('the example does not fit its host');
  return {
    ...request,
    placement: decision.placement,
    tuning: NO_TUNING,
    createdAt: CREATED,
    launchedAt: LAUNCHED,
  };
}

function exampleHost() {
  const pages = instance.placement.map((cell) => ({
    node: cell.node,
    pageSizeKib: cell.pageSizeKib,
    pages: cell.pages,
  }));
  const taken = new Map(pages.map((one) => [`${one.node} ${one.pageSizeKib}`, one.pages]));
  const memory: HostMemory = {
    ...EXAMPLE_MEMORY,
    cells: EXAMPLE_MEMORY.cells.map((cell) => ({
      ...cell,
      free: cell.free.map((pool) => ({
        ...pool,
        pages: pool.pages - (taken.get(`${cell.node} ${pool.pageSizeKib}`) ?? 0),
      })),
    })),
    guests: [
      {
        instanceUuid: instance.uuid,
        projectId: instance.projectId,
        placement: instance.placement,
        isRunning: true,
      },
    ],
  };
  const report = describeHost({
    host: EXAMPLE_HOST,
    instances: 1,
    account: new HostAccount(memory, DEFAULT_RULES, [], true),
    totals: memory.cells.flatMap(({ node, free }) =>
      free.map(({ pageSizeKib, total }) => ({ node, pageSizeKib, pages: total })),
    ),
    held: pages,
    defaultPageSize: 'large',
  });
  return viewHost(report, API_VERSION);
}

/** Each kind of lifecycle notification, of that instance. */
export function exampleNotifications(): readonly LifecycleNotification[] {
  const moment = { instance, createdAt: CREATED, launchedAt: LAUNCHED, context: { attributes: {} } };
  const building = { ...moment, launchedAt: null };
  const error = { errorClass: 'InstanceSpawnFailed', message: 'the guest could not be started' } as const;
  const events: readonly InstanceEvent[] = [
    { kind: 'create.start', ...building },
    { kind: 'create.end', ...moment },
    { kind: 'create.error', ...building, error },
    { kind: 'delete.start', ...moment },
    { kind: 'delete.end', ...moment, deletedAt: DELETED },
    { kind: 'update', ...moment, oldPowerState: 'running', powerState: 'shutdown', at: DELETED },
    {
      kind: 'exists',
      ...moment,
      powerState: 'running',
      beginning: '2026-11-01T00:00:00.000Z',
      ending: '2026-12-01T00:00:00.000Z',
    },
  ];
  return events.map((event) => lifecycleNotification(event, EXAMPLE_HOST, '2026-11-01T00:00:00.000Z'));
}

/** Samples of that instance. Each real one has an id of its own; here they are fixed, and signed anew. */
export function exampleSamples(): readonly Sample[] {
  const nowMs = Date.parse('2026-11-22T01:41:19.302Z');
  const statistics = {
    ...guest,
    architecture: 'x86_64',
    balloon: { availableKib: 94_800, usableKib: 72_876, lastUpdateS: nowMs / 1000 - 2 },
    residentKib: 239_124,
    held: [{ node: 0, pageSizeKib: 2048, pages: 64 }],
  };
  const secret = metering.telemetry_secret;
  const options = {
    host: EXAMPLE_HOST,
    memoryUnit: metering.memory_unit,
    telemetrySecret: secret,
    meters: ['memory.usage', 'memory.resident'],
  } as const;
  const balloon = { state: 'fresh', ageMs: 2000 } as const;
  return guestSamples(statistics, balloon, { nowMs, monotonicS: 2421.5 }, options).map((sample, index) => {
    const renamed = { ...sample, message_id: `4f206a12-e612-41f1-bb2e-02fc0000000${index + 1}` };
    return { ...renamed, message_signature: signSample(renamed, secret) };
  });
}
