/** The core's answers in the API's words: snake case, memory in MiB. Also read by our own client, so both are schemas. */
import { z } from 'zod';
import type { GuestInfo, PowerState } from '../compute_driver.ts';
import type { HostReport } from '../compute/host_report.ts';
import type { PageHoldersReport } from '../compute/page_holders_report.ts';
import type { Readiness, RequestCounts } from '../rpc/index.ts';
import { mibFromKib } from '../units.ts';

export const instanceView = z.object({
  uuid: z.string(),
  name: z.string(),
  project_id: z.string(),
  user_id: z.string(),
  host: z.string(),
  vm_state: z.enum(['building', 'active', 'paused', 'suspended', 'stopped', 'error']),
  power_state: z.string(),
  flavor: z.object({
    id: z.string().nullable(),
    name: z.string(),
    vcpus: z.number(),
    memory_mb: z.number(),
    disk_gb: z.number(),
    extra_specs: z.record(z.string(), z.string()),
  }),
  image: z.string().nullable(),
  image_properties: z.record(z.string(), z.string()).default({}),
  metadata: z.record(z.string(), z.string()),
  placement: z.array(
    z.object({
      guest_cell: z.number(),
      node: z.number(),
      page_size_kib: z.number(),
      pages: z.number(),
      memory_mb: z.number(),
      vcpus: z.array(z.number()),
      pins: z.array(z.object({ vcpu: z.number(), cpu: z.number() })).default([]),
      emulator_cpus: z.array(z.number()).default([]),
      /** Pages that other nodes give (memory mode preferred). Since 1.1. */
      elsewhere: z.array(z.object({ node: z.number(), pages: z.number() })).default([]),
    }),
  ),
  created_at: z.string(),
  launched_at: z.string().nullable(),
  domain_name: z.string(),
  console_log: z.string(),
});

const holderName = z.object({
  /** Null where the process is no guest of ours. */
  instance: z.object({ uuid: z.string(), name: z.string() }).nullable(),
  pid: z.number(),
  command: z.string(),
});

/** Since 1.1. */
const holdersView = z.object({
  available: z.boolean(),
  pools: z.array(
    z.object({
      node: z.number(),
      page_size_kib: z.number(),
      total: z.number(),
      free: z.number(),
      promised: z.number(),
      holders: z.array(holderName.extend({ pages: z.number(), also_mapped: z.number() })),
      unexplained: z.number(),
    }),
  ),
  unreadable: z.array(holderName.extend({ hugetlb_kib: z.number() })),
});

/** The node as the agent's own decisions see it: all that a plan elsewhere needs. Since 1.1. */
const capacityView = z.object({
  shared_cpus: z.array(z.number()),
  pinnable_cpus: z.array(z.number()),
  pinned_cpus: z.array(z.number()),
  siblings: z.array(z.array(z.number())),
  memory_kib: z.number(),
  memory_used_kib: z.number(),
  shared_vcpus: z.number(),
  pools: z.array(
    z.object({
      page_size_kib: z.number(),
      total: z.number(),
      used: z.number(),
      reserved: z.number(),
      /** Of those the ones that the kernel has free all the same. */
      set_aside: z.number(),
    }),
  ),
});

/** What the operator decided. Since 1.1. */
const rulesView = z.object({
  strategy: z.enum(['spread', 'pack']),
  page_size_preference: z.enum(['largest', 'best-fit']),
  memory_mode: z.enum(['strict', 'preferred']),
  cpu_shared_set: z.array(z.number()).nullable(),
  cpu_dedicated_set: z.array(z.number()).nullable(),
  default_mem_page_size: z.string(),
  /** What guests may still take beside their pages; null where it is not known. */
  ordinary_memory: z
    .object({ left_kib: z.number(), overhead_kib: z.number(), base_page_size_kib: z.number() })
    .nullable(),
});

const BALLOON_STATES = ['fresh', 'stale', 'never', 'no-driver', 'off'] as const;

/** What samples are made of, and whether they go out. Since 1.1. */
const meteringView = z.object({
  cycles: z.number(),
  /** Left out because the one before took longer than a period. */
  overruns: z.number(),
  failures: z.number(),
  samples: z.number(),
  /** Guests whose statistics are in each state, as last read. */
  balloons: z.record(z.enum(BALLOON_STATES), z.number()),
  /** Guests of which no memory usage is known, at most a hundred; null where they never reported. */
  not_fresh: z.array(
    z.object({ instance: z.string(), state: z.enum(BALLOON_STATES), age_seconds: z.number().nullable() }),
  ),
});

/** Messages that wait for the broker, by kind; and since the start those sent, and those lost. Since 1.1. */
const spoolView = z.record(
  z.string(),
  z.object({ waiting: z.number(), bytes: z.number(), sent: z.number(), lost: z.number() }),
);

export const hostView = z.object({
  host: z.string(),
  api_version: z.string(),
  /** Whether requests are heard and answered, and why not. Since 1.1. */
  readiness: z.object({ ready: z.boolean(), reasons: z.array(z.string()) }).optional(),
  /** Taken and not answered yet, of these waiting for a place, and unreadable since the start. Since 1.1. */
  requests: z.object({ taken: z.number(), waiting: z.number(), unreadable: z.number() }).optional(),
  metering: meteringView.optional(),
  spool: spoolView.optional(),
  instances: z.number(),
  shut_off_instances: z.enum(['keep', 'release']).default('keep'),
  rules: rulesView.optional(),
  nodes: z.array(
    z.object({
      node: z.number(),
      cpus: z.array(z.number()),
      pools: z.array(
        z.object({
          page_size_kib: z.number(),
          total: z.number(),
          free: z.number(),
          claimed: z.number(),
          reserved: z.number(),
          held_by_instances: z.number().nullable(),
          kept_for_shut_off: z.number().default(0),
        }),
      ),
      capacity: capacityView.optional(),
    }),
  ),
  promised: z.array(z.object({ page_size_kib: z.number(), pages: z.number() })),
  /** Only where it was asked for. */
  holders: holdersView.optional(),
});

export type InstanceView = z.output<typeof instanceView>;
export type HostView = z.output<typeof hostView>;
export type HolderName = z.output<typeof holderName>;
export type HoldersView = z.output<typeof holdersView>;

/** What a server tells of itself. */
export type ServedState = {
  readonly readiness: Readiness;
  readonly requests: RequestCounts;
  readonly metering?: MeteringState;
  readonly spool?: z.output<typeof spoolView>;
};

type BalloonState = (typeof BALLOON_STATES)[number];

export type MeteringState = {
  readonly cycles: number;
  readonly overruns: number;
  readonly failures: number;
  readonly samples: number;
  /** By instance. */
  readonly balloons: ReadonlyMap<string, { readonly state: BalloonState; readonly ageMs: number | null }>;
};

const MOST_NOT_FRESH = 100;

const JUST_SERVED: ServedState = {
  readiness: { ready: true, reasons: [] },
  requests: { taken: 0, waiting: 0, unreadable: 0 },
};

const VM_STATE: Readonly<Record<PowerState, InstanceView['vm_state']>> = {
  running: 'active',
  paused: 'paused',
  suspended: 'suspended',
  shutdown: 'stopped',
  crashed: 'error',
  pending: 'building',
};

export function viewInstance(info: GuestInfo, host: string): InstanceView {
  const { instance } = info;
  const { flavor } = instance;
  return {
    uuid: instance.uuid,
    name: instance.name,
    project_id: instance.projectId,
    user_id: instance.userId,
    host,
    vm_state: instance.launchedAt === null ? 'building' : VM_STATE[info.powerState],
    power_state: info.powerState,
    flavor: {
      id: flavor.id,
      name: flavor.name,
      vcpus: flavor.vcpus,
      memory_mb: flavor.memoryMib,
      disk_gb: flavor.diskGib,
      extra_specs: flavor.extraSpecs,
    },
    image: instance.imageId,
    image_properties: instance.imageProperties,
    metadata: instance.metadata,
    placement: instance.placement.map((cell) => ({
      guest_cell: cell.guestCell,
      node: cell.node,
      page_size_kib: cell.pageSizeKib,
      pages: cell.pages,
      memory_mb: mibFromKib(cell.memoryKib),
      vcpus: [...cell.vcpus],
      pins: [...cell.pins],
      emulator_cpus: [...cell.emulatorCpus],
      elsewhere: cell.elsewhere.map(({ node, pages }) => ({ node, pages })),
    })),
    created_at: instance.createdAt,
    launched_at: instance.launchedAt,
    domain_name: info.domainName,
    console_log: info.consoleLogPath,
  };
}

/** @param served of the server that answers; whoever answers is heard, so ready is what it is without one. */
export function viewHost(report: HostReport, apiVersion: string, served: ServedState = JUST_SERVED): HostView {
  const { readiness, requests, metering, spool } = served;
  return {
    host: report.host,
    api_version: apiVersion,
    readiness: { ready: readiness.ready, reasons: [...readiness.reasons] },
    requests: { ...requests },
    ...(metering === undefined ? {} : { metering: viewMetering(metering) }),
    ...(spool === undefined ? {} : { spool: { ...spool } }),
    instances: report.instances,
    shut_off_instances: report.rules.shutOffInstances,
    rules: viewRules(report),
    nodes: report.nodes.map(({ node, cpus, pools, capacity }) => ({
      node,
      cpus: [...cpus],
      capacity: viewCapacity(capacity),
      pools: pools.map((pool) => ({
        page_size_kib: pool.pageSizeKib,
        total: pool.totalPages,
        free: pool.freePages,
        claimed: pool.claimedPages,
        reserved: pool.reservedPages,
        held_by_instances: pool.heldPages,
        kept_for_shut_off: pool.keptPages,
      })),
    })),
    promised: report.promised.map(({ pageSizeKib, pages }) => ({ page_size_kib: pageSizeKib, pages })),
    ...(report.holders === undefined ? {} : { holders: viewHolders(report.holders) }),
  };
}

function viewMetering({ cycles, overruns, failures, samples, balloons }: MeteringState): HostView['metering'] {
  const list = [...balloons];
  const countOf = (state: BalloonState) => list.filter(([, balloon]) => balloon.state === state).length;
  return {
    cycles,
    overruns,
    failures,
    samples,
    balloons: {
      fresh: countOf('fresh'),
      stale: countOf('stale'),
      never: countOf('never'),
      'no-driver': countOf('no-driver'),
      off: countOf('off'),
    },
    not_fresh: list
      .filter(([, { state }]) => state !== 'fresh')
      .slice(0, MOST_NOT_FRESH)
      .map(([instance, { state, ageMs }]) => ({
        instance,
        state,
        age_seconds: ageMs === null ? null : Math.round(ageMs / 100) / 10,
      })),
  };
}

function viewRules({ rules, defaultPageSize, memory }: HostReport): HostView['rules'] {
  return {
    strategy: rules.strategy,
    page_size_preference: rules.pageSizePreference,
    memory_mode: rules.memoryMode,
    cpu_shared_set: rules.cpuSharedSet && [...rules.cpuSharedSet],
    cpu_dedicated_set: rules.cpuDedicatedSet && [...rules.cpuDedicatedSet],
    default_mem_page_size: defaultPageSize,
    ordinary_memory: memory && {
      left_kib: memory.leftKib,
      overhead_kib: memory.overheadKib,
      base_page_size_kib: memory.basePageSizeKib,
    },
  };
}

function viewCapacity(cell: HostReport['nodes'][number]['capacity']): HostView['nodes'][number]['capacity'] {
  return {
    shared_cpus: [...cell.sharedCpus],
    pinnable_cpus: [...cell.pinnableCpus],
    pinned_cpus: [...cell.pinnedCpus],
    siblings: cell.siblings.map((core) => [...core]),
    memory_kib: cell.memoryKib,
    memory_used_kib: cell.memoryUsedKib,
    shared_vcpus: cell.cpusUsed,
    pools: cell.pools.map(({ sizeKib, total, used, reserved, setAside = reserved }) => {
      return { page_size_kib: sizeKib, total, used, reserved, set_aside: setAside };
    }),
  };
}

function viewHolders(report: PageHoldersReport): HoldersView {
  return {
    available: report.available,
    pools: report.pools.map((pool) => ({
      node: pool.node,
      page_size_kib: pool.pageSizeKib,
      total: pool.totalPages,
      free: pool.freePages,
      promised: pool.promisedPages,
      holders: pool.holders.map((holder) => ({
        ...viewHolderName(holder),
        pages: holder.pages,
        also_mapped: holder.alsoMappedPages,
      })),
      unexplained: pool.unexplainedPages,
    })),
    unreadable: report.unreadable.map((holder) => ({ ...viewHolderName(holder), hugetlb_kib: holder.hugetlbKib })),
  };
}

function viewHolderName({ instance, pid, command }: HolderName): HolderName {
  return { instance, pid, command };
}
