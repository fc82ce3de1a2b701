import { readdirSync, readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';
import type { Channel, Options } from 'amqplib';
import { describe, expect, test } from 'vitest';
import { API_VERSION, apiEndpoint } from '../../src/api/endpoint.ts';
import { parseArgs, withFaults } from '../../src/api/faults.ts';
import { viewPlan } from '../../src/api/plan_views.ts';
import {
  createInstanceArgs,
  hostArgs,
  instanceArgs,
  instanceRequestOf,
  planInstanceArgs,
  planWishOf,
  usageArgs,
  usageQueryOf,
} from '../../src/api/schemas.ts';
import { viewUsage } from '../../src/api/usage_view.ts';
import { viewHost, viewInstance } from '../../src/api/views.ts';
import { ERROR_CLASSES } from '../../src/errors.ts';
import { guestSamples, METERS } from '../../src/metering/samples.ts';
import { lifecycleNotification } from '../../src/notifications/lifecycle.ts';
import { asyncApiDocument, asyncApiText } from '../../src/reference/asyncapi.ts';
import { FAILURE_NAMES } from '../../src/reference/asyncapi_messages.ts';
import { asyncApiPage } from '../../src/reference/asyncapi_page.ts';
import { exampleFailures } from '../../src/reference/example_failures.ts';
import { METHODS } from '../../src/reference/methods.ts';
import {
  encodeFailure,
  encodeHeartbeat,
  encodeNotification,
  encodeRequest,
  encodeResult,
} from '../../src/rpc/envelope.ts';
import { RemoteFault } from '../../src/rpc/index.ts';
import { declareDeadLetterQueue } from '../../src/rpc/dead_letters.ts';
import { naiveUtc, safeContext } from '../../src/rpc/notifier.ts';
import {
  declareBoundQueue,
  declareFanoutQueue,
  declareReplyQueue,
  fanoutQueue,
  replyQueue,
  serverQueue,
} from '../../src/rpc/topology.ts';
import { topologyFlags } from '../../src/settings/broker_options.ts';
import { settingsSchema } from '../../src/settings/schema.ts';
import { CONTEXT, coreOf } from '../compute/core.ts';
import { instanceOf, UUID } from '../domain/instances.ts';
import { WireCheck } from './wire_check.ts';

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const text = asyncApiText();
const asRead = new WireCheck(text);
const asWritten = new WireCheck(text, true);

/** What does not fit the message, also where no field is allowed that the document does not name. */
const problemsOf = (message: string, body: string) => [
  ...asRead.problems(message, body),
  ...asWritten.problems(message, body),
];

const ids = { msgId: 'f'.repeat(32), uniqueId: '0'.repeat(32) };

const requestBody = (method: string, args: Record<string, unknown>, version: string | null) =>
  encodeRequest({
    ...ids,
    method,
    args,
    namespace: null,
    version,
    replyQueue: 'reply_x',
    monitorTimeoutSeconds: 3,
    context: { user_id: 'u', roles: [] },
  });

const notificationBody = (eventType: string, priority: string, payload: unknown) =>
  encodeNotification({
    messageId: '19b3f605-e028-4d46-bce0-012768c15656',
    publisherId: 'compute.cmp1',
    eventType,
    priority: priority.toUpperCase(),
    payload,
    timestamp: naiveUtc(new Date()),
    uniqueId: ids.uniqueId,
    context: safeContext({ user_id: 'u', auth_token: 'secret' }),
  });

test('docs/asyncapi.yaml and its page are what the schemas write (npm run docs:write)', () => {
  expect(file('docs/asyncapi.yaml')).toBe(text);
  expect(file('docs/asyncapi.md')).toBe(asyncApiPage());
});

test('AsyncAPI’s own parser has nothing against it but that there is a newer AsyncAPI', async () => {
  const { document, diagnostics } = await new Parser().parse(text);
  expect(diagnostics.filter(({ code }) => code !== 'asyncapi-latest-version')).toEqual([]);
  expect(document?.info().version()).toBe(API_VERSION);
  expect(document?.operations().filterByReceive()).toHaveLength(METHODS.length + 2);
  expect(document?.operations().filterBySend()).toHaveLength(4);
});

test('every method of the API and every class of error is in it, and no other', () => {
  const { methods } = apiEndpoint({
    compute: coreOf([]).compute,
    usage: async (query) => ({ ...query, untilMs: query.toMs, sinceMs: 0, rows: [] }),
    host: 'cmp1',
    served: () => ({
      readiness: { ready: true, reasons: [] },
      requests: { taken: 0, waiting: 0, unreadable: 0 },
    }),
  });
  const served = methods instanceof Map ? [...methods.keys()] : Object.keys(methods);
  expect(new Set(METHODS.map(({ name }) => name))).toEqual(new Set(served));
  const classes = [...Object.keys(ERROR_CLASSES), 'InternalError', 'NoSuchMethod', 'UnsupportedVersion'];
  expect(new Set(FAILURE_NAMES)).toEqual(new Set(classes.map((name) => `failure.${name}`)));
  expect(asRead.messageNames).toEqual(expect.arrayContaining(FAILURE_NAMES));
});

test('exchanges and queues are those that the agent declares by default', async () => {
  const settings = settingsSchema.parse({});
  const { rpc, metering, notifications } = settings;
  const flags = topologyFlags(settings);
  const declared: unknown[] = [];
  const channel: Channel = Object({
    connection: {},
    assertExchange: async (
      name: string,
      type: string,
      { durable = true, autoDelete = false }: Options.AssertExchange,
    ) => void declared.push({ name, type, durable, autoDelete }),
    assertQueue: async (name: string, options: Options.AssertQueue) =>
      void declared.push({ name, ...queueOf(options) }),
    bindQueue: async (name: string, exchange: string, routingKey: string) =>
      void declared.push({ name, exchange, routingKey }),
  });
  await declareBoundQueue(channel, rpc.exchange, rpc.topic, flags);
  await declareBoundQueue(channel, rpc.exchange, serverQueue(rpc.topic, '{host}'), flags);
  await declareFanoutQueue(channel, rpc.topic, fanoutQueue(rpc.topic, '{id}'), flags);
  await declareReplyQueue(channel, replyQueue('{id}'));
  await declareDeadLetterQueue(channel, rpc.topic);
  for (const priority of ['info', 'error']) {
    await declareBoundQueue(channel, notifications.exchange, `${notifications.topic}.${priority}`, flags);
  }
  await declareBoundQueue(channel, metering.exchange, `${metering.topic}.sample`, flags);

  const channels: { bindings: { amqp: Record<string, Record<string, unknown>> } }[] = Object.values(
    Object(asyncApiDocument()['channels']),
  );
  const told = channels.flatMap(({ bindings: { amqp } }) => {
    const { exchange, queue, 'x-queue': behind, 'x-arguments': args } = amqp;
    const { vhost: _vhost, ...named } = exchange ?? {};
    const { vhost: _same, ...own } = queue ?? {};
    const { routingKey, ...bound } = behind ?? {};
    return queue === undefined
      ? [named, bound, { name: bound['name'], exchange: named['name'], routingKey }]
      : [{ ...own, ...(args && { arguments: args }) }];
  });
  expect(new Set(told.map(sorted))).toEqual(new Set(declared.map(sorted)));
});

test('every example fits its message; what has none needs a hypervisor or a disk', () => {
  const examples = Object.entries(asRead.document.components.messages).flatMap(([name, { examples: list = [] }]) =>
    list.map(({ payload }) => [name, JSON.stringify(payload)] as const),
  );
  expect(examples.flatMap(([name, body]) => problemsOf(name, body))).toEqual([]);
  expect(asRead.messageNames.filter((name) => examples.every(([other]) => other !== name))).toEqual([
    'failure.InstanceNotFound',
    'failure.InstanceConflict',
    'failure.ImageNotFound',
    'failure.FlavorDiskSmallerThanImage',
    'failure.InstanceSpawnFailed',
    'failure.HypervisorError',
    'failure.HypervisorUnavailable',
    'failure.InternalError',
    'dead_letter',
  ]);
});

describe('messages of the agent fit the document', () => {
  const { compute, events } = coreOf([64, 8]);
  /** What the API's door does with each method. */
  const calls: Readonly<Record<string, (args: unknown) => Promise<unknown>>> = {
    create_instance: async (args) => {
      const request = instanceRequestOf(parseArgs(createInstanceArgs, 'create_instance', args));
      return viewInstance(await compute.createInstance(request, CONTEXT), 'cmp1');
    },
    delete_instance: async (args) => {
      await compute.deleteInstance(parseArgs(instanceArgs, 'delete_instance', args).uuid, CONTEXT);
      return null;
    },
    get_instance: async (args) =>
      viewInstance(await compute.getInstance(parseArgs(instanceArgs, 'get_instance', args).uuid), 'cmp1'),
    list_instances: async () => (await compute.listInstances()).map((info) => viewInstance(info, 'cmp1')),
    get_host: async (args) => viewHost(await compute.getHost(parseArgs(hostArgs, 'get_host', args)), API_VERSION),
    plan_instance: async (args) =>
      viewPlan(await compute.planInstance(planWishOf(parseArgs(planInstanceArgs, 'plan_instance', args)))),
    get_usage: async (args) => {
      const query = usageQueryOf(parseArgs(usageArgs, 'get_usage', args), Date.now());
      const row = { projectId: 'p', node: 0, pageSizeKib: 2048, runningPageMs: 5n, keptPageMs: 2n ** 60n };
      return viewUsage({ ...query, untilMs: query.toMs, sinceMs: 0, rows: [row] }, 'cmp1');
    },
  };
  const call = (method: string, args: unknown) => withFaults(async () => calls[method]?.(args));
  const flavor = { name: 'f', vcpus: 1, memory_mb: 32 };
  const good = { uuid: UUID, name: 'web', project_id: 'p', user_id: 'u', flavor };
  const wish = { flavor: { vcpus: 1, memory_mb: 64 } };

  test.each<[string, Record<string, unknown>]>([
    ['create_instance', { ...good, image: null, metadata: { a: '' } }],
    ['get_instance', { uuid: UUID.toUpperCase() }],
    ['list_instances', {}],
    ['get_host', {}],
    ['get_host', { holders: true }],
    ['plan_instance', wish],
    ['plan_instance', { ...wish, count: 40 }],
    ['plan_instance', { ...wish, fill: true }],
    ['plan_instance', { flavor: { vcpus: 6, memory_mb: 36, extra_specs: { 'hw:numa_nodes': '3' } }, count: 2 }],
    ['get_usage', { from: '2026-11-01T00:00:00Z' }],
    ['get_usage', { from: '2026-11-01T02:00:00+02:00', to: '2026-12-01T00:00:00Z', project_id: 'p' }],
    ['delete_instance', { uuid: UUID }],
  ])('%s %j', async (method, args) => {
    for (const version of [API_VERSION, '1.0', null]) {
      expect(problemsOf(`${method}.request`, requestBody(method, args, version))).toEqual([]);
    }
    const answer = await call(method, args);
    expect(problemsOf(`${method}.result`, encodeResult(ids.msgId, ids.uniqueId, answer))).toEqual([]);
  });

  const faultOf = async (method: string, args: unknown): Promise<RemoteFault> => {
    const fault: unknown = await call(method, args).catch((error: unknown) => error);
    if (!(fault instanceof RemoteFault)) throw new Error(`${method} was served`);
    return fault;
  };

  test.each<[string, string, Record<string, unknown>]>([
    ['InstanceNotFound', 'get_instance', { uuid: '46b5e582-9784-4efc-9a0f-000000000000' }],
    ['ImageNotFound', 'create_instance', { ...good, image: 'none' }],
    ['UnsupportedExtraSpec', 'plan_instance', { ...wish, image_properties: { hw_disk_bus: 'scsi' } }],
  ])('%s', async (className, method, args) => {
    const fault = await faultOf(method, args);
    expect(fault.className).toBe(className);
    expect(problemsOf(`failure.${className}`, encodeFailure(ids.msgId, ids.uniqueId, fault))).toEqual([]);
  });

  test.each<[string, Record<string, unknown>]>([
    ['InvalidRequest', { ...good, nmae: 'x' }],
    ['ComputeResourcesUnavailable', { ...good, flavor: { ...flavor, memory_mb: 2048 } }],
    ['MemoryNotWholePages', { ...good, flavor: { ...flavor, memory_mb: 33 } }],
    ['MemoryPageSizeInvalid', { ...good, flavor: { ...flavor, extra_specs: { 'hw:mem_page_size': '2mb' } } }],
    ['MemoryPageSizeNotSupported', { ...good, flavor: { ...flavor, extra_specs: { 'hw:mem_page_size': '16' } } }],
  ])('%s, and its example begins and is built alike', async (className, args) => {
    const fault = await faultOf('create_instance', args);
    const example = exampleFailures().get(className);
    expect(problemsOf(`failure.${className}`, encodeFailure(ids.msgId, ids.uniqueId, fault))).toEqual([]);
    expect(example?.message.slice(0, 16)).toBe(fault.message.slice(0, 16));
    expect(shapeOf(example?.kwargs)).toEqual(shapeOf(fault.kwargs));
  });

  test('heartbeats', () => {
    expect(problemsOf('heartbeat', encodeHeartbeat(ids.msgId, ids.uniqueId))).toEqual([]);
  });

  test('what the core told of those instances', () => {
    const kinds = ['create.start', 'create.end', 'create.error', 'delete.start', 'delete.end'];
    expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(kinds));
    for (const event of events) {
      const { eventType, priority, payload } = lifecycleNotification(event, 'cmp1', '2026-11-01T00:00:00.000Z');
      expect(problemsOf(eventType, notificationBody(eventType, priority, payload))).toEqual([]);
    }
  });

  test.each([{}, { metadata: {} }, { imageId: null }])('samples of an instance with %j', (over) => {
    const nowMs = Date.parse('2026-11-22T01:16:13.651Z');
    const guest = {
      instance: instanceOf(over),
      powerState: 'running' as const,
      domainName: 'hugenode-x',
      architecture: 'x86_64',
      balloon: { availableKib: 94_800, usableKib: 73_156, swapInKib: 0, swapOutKib: 0, lastUpdateS: nowMs / 1000 },
      residentKib: 239_124,
      actualKib: 131_072,
      cpuNs: 12_345_678_901n,
      vcpus: 1,
      stateNumber: 1,
      held: [
        { node: 0, pageSizeKib: 2048, pages: 64 },
        { node: 1, pageSizeKib: 2048, pages: 32 },
      ],
    };
    const options = { host: 'cmp1', memoryUnit: 'MiB', telemetrySecret: '', meters: METERS };
    const samples = guestSamples(guest, { state: 'fresh', ageMs: 0 }, { nowMs, monotonicS: 1 }, options);
    expect(samples).toHaveLength(METERS.length);
    const body = notificationBody('telemetry.polling', 'sample', { samples });
    expect(problemsOf('telemetry.polling', body)).toEqual([]);
  });
});

const sealed = (inner: unknown) => JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(inner) });

test.each([
  ...['create.start', 'create.end', 'create.error', 'delete.start', 'delete.end', 'update', 'exists'].map((kind) => [
    `compute.instance.${kind}`,
    `test/vectors/metering/nova.unversioned.compute.instance.${kind}.json`,
  ]),
  ['telemetry.polling', 'test/vectors/metering/telemetry.polling.memory.usage.json'],
])('%s as Nova and Ceilometer send it fits, too', (name = '', path = '') => {
  expect(problemsOf(name, sealed(JSON.parse(file(path)).inner_message))).toEqual([]);
});

test.each([
  ['call-no-such-method.json', 'failure.NoSuchMethod'],
  ['call-unsupported-version.json', 'failure.UnsupportedVersion'],
  ['call-monitor-heartbeats.json', 'heartbeat'],
])('a reply of oslo.messaging fits: %s', (name, message) => {
  expect(readdirSync(new URL('../rpc/captures/', import.meta.url))).toContain(name);
  const captured: { routing_key: string; body: string }[] = JSON.parse(file(`test/rpc/captures/${name}`));
  const replies = captured.filter(({ routing_key: key }) => key.startsWith('reply_'));
  expect(replies.some(({ body }) => problemsOf(message, body).length === 0)).toBe(true);
});

test.each([
  ['another envelope', 'heartbeat', (body: string) => body.replace('2.0', '2.1')],
  ['a heartbeat that ends', 'heartbeat', (body: string) => body.replace('false', 'true')],
  ['a reply without an id', 'heartbeat', (body: string) => body.replace('_msg_id', '_message_id')],
  ['a heartbeat in place of an answer', 'get_instance.result', (body: string) => body],
  ['a heartbeat in place of a failure', 'failure.InstanceNotFound', (body: string) => body],
])('%s does not fit', (_what, message, change) => {
  expect(asRead.problems(message, change(encodeHeartbeat(ids.msgId, ids.uniqueId)))).not.toEqual([]);
});

test('a field that the document does not name is found out, and is no error to a reader', () => {
  const [name, payload] = [
    'compute.instance.delete.end',
    JSON.parse(file('test/vectors/metering/nova.unversioned.compute.instance.delete.end.json')),
  ];
  const body = sealed({ ...payload.inner_message, payload: { ...payload.inner_message.payload, surprise: 1 } });
  expect(asRead.problems(name, body)).toEqual([]);
  expect(asWritten.problems(name, body)).toEqual(
    expect.arrayContaining([expect.objectContaining({ params: { additionalProperty: 'surprise' } })]),
  );
});

/** Options of amqplib as what they become on the wire. */
function queueOf(options: Options.AssertQueue) {
  const { durable = true, autoDelete = false, exclusive = false, expires, maxLength, overflow } = options;
  const args = {
    ...(expires !== undefined && { 'x-expires': expires }),
    ...(maxLength !== undefined && { 'x-max-length': maxLength }),
    ...(overflow !== undefined && { 'x-overflow': overflow }),
  };
  return { durable, autoDelete, exclusive, ...(Object.keys(args).length > 0 && { arguments: args }) };
}

function sorted(value: unknown): string {
  return JSON.stringify(Object.entries(Object(value)).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

/** Keys all the way down, without what they hold. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));
}
