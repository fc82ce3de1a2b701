// Every way in which oslo.messaging declares its exchanges and queues, next to ours: oslo first and we after it, we
// first and oslo after us, and both work together. What was declared is read from the broker.

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { decodeNotification } from '../src/rpc/envelope.ts';
import { Notifier, parseTransportUrl, RpcClient, RpcServer, type TopologyFlags } from '../src/rpc/index.ts';
import { declarations, type DeclaredQueue } from './oslo/declarations.ts';
import { PythonProgram } from './oslo/python.ts';
import { Calls, Stage } from './oslo/stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.set('rpc-topology');
});

afterAll(() => stage?.clear());

const QUORUM = { 'x-queue-type': 'quorum' };
const HALF_AN_HOUR = { 'x-expires': 1_800_000 };

type Expected = {
  exchange: object;
  /** The queues of topic, server and notifications. */
  shared: object;
  fanoutExchange: object;
  fanoutQueue: object;
  replyQueue: object;
};

const CLASSIC: Expected = {
  exchange: { type: 'topic', durable: false, auto_delete: false },
  shared: { durable: false, auto_delete: false, arguments: {} },
  fanoutExchange: { type: 'fanout', durable: false, auto_delete: true },
  fanoutQueue: { durable: false, auto_delete: false, arguments: HALF_AN_HOUR },
  replyQueue: { durable: false, auto_delete: false, arguments: HALF_AN_HOUR },
};
const DURABLE_EXCHANGE = { type: 'topic', durable: true, auto_delete: false };

/** Name, oslo's options, what both sides must declare. */
const TOPOLOGIES: [string, string, Expected][] = [
  ['classic', '', CLASSIC],
  [
    'durable',
    'amqp_durable_queues=true',
    { ...CLASSIC, exchange: DURABLE_EXCHANGE, shared: { durable: true, auto_delete: false, arguments: {} } },
  ],
  [
    'quorum',
    'rabbit_quorum_queue=true',
    { ...CLASSIC, exchange: DURABLE_EXCHANGE, shared: { durable: true, auto_delete: false, arguments: QUORUM } },
  ],
  [
    'quorum-with-limits',
    'rabbit_quorum_queue=true&rabbit_quorum_delivery_limit=3&rabbit_quroum_max_memory_length=1000&rabbit_quroum_max_memory_bytes=1000000',
    {
      ...CLASSIC,
      exchange: DURABLE_EXCHANGE,
      shared: {
        durable: true,
        auto_delete: false,
        arguments: {
          ...QUORUM,
          'x-delivery-limit': 3,
          'x-max-in-memory-length': 1_000,
          'x-max-in-memory-bytes': 1_000_000,
        },
      },
    },
  ],
  [
    'auto-delete',
    'amqp_auto_delete=true',
    {
      ...CLASSIC,
      exchange: { type: 'topic', durable: false, auto_delete: true },
      shared: { durable: false, auto_delete: true, arguments: {} },
    },
  ],
  [
    'durable-auto-delete',
    'amqp_durable_queues=true&amqp_auto_delete=true',
    {
      ...CLASSIC,
      exchange: { type: 'topic', durable: true, auto_delete: true },
      shared: { durable: true, auto_delete: true, arguments: {} },
    },
  ],
  [
    'short-lived',
    'rabbit_transient_queues_ttl=60',
    {
      ...CLASSIC,
      fanoutQueue: { durable: false, auto_delete: false, arguments: { 'x-expires': 60_000 } },
      replyQueue: { durable: false, auto_delete: false, arguments: { 'x-expires': 60_000 } },
    },
  ],
];

const flagsOf = (options: string): TopologyFlags => parseTransportUrl(`rabbit://h/?${options}`).options.flags;
const osloUrl = (options: string): string => `${stage.osloUrl}?${options}`;

async function ourServer(exchange: string, topic: string, flags: TopologyFlags) {
  const { endpoints } = new Calls();
  const options = { exchange, topic, server: 'ours', endpoints, flags, logger: stage.logger };
  const server = await RpcServer.start(stage.broker, options);
  onTestFinished(() => server.stop(1_000));
}

async function osloServer(exchange: string, topic: string, options: string): Promise<PythonProgram> {
  const oslo = PythonProgram.start('server.py', osloUrl(options), exchange, topic, 'theirs');
  onTestFinished(() => oslo.stop());
  await oslo.heard((line) => line['event'] === 'ready');
  return oslo;
}

function osloClient(exchange: string, options: string): PythonProgram {
  const oslo = PythonProgram.start('client.py', osloUrl(options), exchange);
  onTestFinished(() => oslo.stop());
  return oslo;
}

async function ourClient(exchange: string, topic: string, flags: TopologyFlags): Promise<RpcClient> {
  const client = await RpcClient.open(stage.broker, { exchange, topic, flags, logger: stage.logger });
  onTestFinished(() => client.close());
  return client;
}

const matching = (queues: readonly DeclaredQueue[], prefix: string): readonly DeclaredQueue[] =>
  queues.filter(({ name }) => name.startsWith(prefix));

/** All that servers on one topic have declared, as it must be; the fanout queues of both alike. */
async function expectDeclared(exchange: string, topic: string, expected: Expected): Promise<void> {
  const { queues, exchanges, bindings } = await declarations(stage.vhost);
  const named = (name: string) => queues.find((queue) => queue.name === name);
  expect(exchanges.find(({ name }) => name === exchange)).toMatchObject(expected.exchange);
  expect(exchanges.find(({ name }) => name === `${topic}_fanout`)).toMatchObject(expected.fanoutExchange);
  for (const queue of [topic, `${topic}.ours`, `${topic}.theirs`]) {
    expect(named(queue)).toMatchObject({ ...expected.shared, exclusive: false });
    expect(named(queue)?.arguments).toEqual(Reflect.get(expected.shared, 'arguments'));
    expect(bindings).toContainEqual({ source: exchange, destination: queue, routing_key: queue });
  }
  const fanout = matching(queues, `${topic}_fanout_`);
  expect(fanout).toHaveLength(2);
  for (const queue of fanout) {
    expect(queue).toMatchObject({ ...expected.fanoutQueue, exclusive: false });
    expect(bindings).toContainEqual({ source: `${topic}_fanout`, destination: queue.name, routing_key: topic });
  }
}

describe.each(TOPOLOGIES)('%s', (name, options, expected) => {
  const flags = flagsOf(options);

  test.each([
    ['oslo first', true],
    ['we first', false],
  ])('servers, %s: the same declarations, and calls both ways', async (order, isOsloFirst) => {
    const exchange = `x-${name}`;
    const topic = `${name}-${isOsloFirst ? 1 : 2}`;
    if (!isOsloFirst) await ourServer(exchange, topic, flags);
    await osloServer(exchange, topic, options);
    if (isOsloFirst) await ourServer(exchange, topic, flags);
    await expectDeclared(exchange, topic, expected);

    const theirs = osloClient(exchange, options);
    const call = { op: 'call', topic, server: 'ours', method: 'echo', args: { value: order } };
    expect(await theirs.ask(call)).toEqual({ result: order });
    const replies = matching((await declarations(stage.vhost)).queues, 'reply_').filter(
      ({ exclusive, arguments: { 'x-expires': expires } }) =>
        !exclusive && expires === Reflect.get(Reflect.get(expected.replyQueue, 'arguments'), 'x-expires'),
    );
    expect(replies).toContainEqual(expect.objectContaining(expected.replyQueue));

    const ours = await ourClient(exchange, topic, flags);
    expect(await ours.call('echo', { value: order }, { server: 'theirs', version: '1.3' })).toMatchObject({
      value: order,
    });
  });

  test('fanout casts reach both, whoever sends', async () => {
    const exchange = `x-${name}`;
    const topic = `${name}-3`;
    const calls = new Calls();
    const server = await RpcServer.start(stage.broker, {
      exchange,
      topic,
      server: 'ours',
      endpoints: calls.endpoints,
      flags,
      logger: stage.logger,
    });
    onTestFinished(() => server.stop(1_000));
    const oslo = await osloServer(exchange, topic, options);
    const theirs = osloClient(exchange, options);
    await theirs.ask({ op: 'fanout', topic, method: 'echo', args: { value: 'from oslo' } });
    const ours = await ourClient(exchange, topic, flags);
    await ours.fanoutCast('note', { value: 'from us' });
    await oslo.heard((line) => line['value'] === 'from us');
    await expect.poll(() => calls.seen.map(({ args }) => args['value'])).toContain('from oslo');
  });

  test.each([
    ['oslo publishes first', true],
    ['we publish first', false],
  ])('notifications, %s: one queue, kept for a listener of oslo', async (_order, isOsloFirst) => {
    const exchange = `x-${name}`;
    const topic = `${name}-n${isOsloFirst ? 1 : 2}`;
    const notifier = new Notifier(stage.broker, { flags });
    const oslo = PythonProgram.start('notifier.py', osloUrl(options), exchange, topic, 'messagingv2');
    onTestFinished(() => oslo.stop());
    const told = { exchange, topic, publisherId: 'p', eventType: 'ours', priority: 'info', payload: 1 } as const;
    const theirs = { priority: 'info', event_type: 'theirs', payload: 2 };
    const both = [() => oslo.ask(theirs), () => notifier.notify(told)];
    for (const tell of isOsloFirst ? both : both.toReversed()) await tell();

    const { queues, bindings } = await declarations(stage.vhost);
    const queue = queues.find((one) => one.name === `${topic}.info`);
    expect(queue).toMatchObject(expected.shared);
    expect(queue?.arguments).toEqual(Reflect.get(expected.shared, 'arguments'));
    expect(bindings).toContainEqual({ source: exchange, destination: `${topic}.info`, routing_key: `${topic}.info` });

    const listener = PythonProgram.start('listener.py', osloUrl(options), exchange, topic);
    onTestFinished(() => listener.stop());
    for (const event of ['ours', 'theirs']) await listener.heard((line) => line['event_type'] === event);
  });
});

test('quorum queues that delete themselves: the broker has none, and says so', async () => {
  const flags = flagsOf('rabbit_quorum_queue=true&amqp_auto_delete=true');
  await expect(ourServer('x-both', 'both', flags)).rejects.toThrow('set rpc.auto_delete_queues to false');
});

describe('quorum queues for what is transient (newer oslo.messaging)', () => {
  // impl_rabbit.py of oslo.messaging 17: declare_fanout_consumer and fanout_send with rabbit_transient_quorum_queue.
  const flags = { transientQuorum: true, transientExpiresMs: 1_800_000 };
  const args = { 'x-expires': 1_800_000, 'x-queue-type': 'quorum' };

  test.each([
    ['oslo first', true],
    ['we first', false],
  ])('%s: fanout exchange and queue are durable', async (_order, isOsloFirst) => {
    const topic = `transient-${isOsloFirst ? 1 : 2}`;
    const channel = await stage.rawChannel();
    const declareAsOslo = async (): Promise<void> => {
      await channel.assertExchange(`${topic}_fanout`, 'fanout', { durable: true, autoDelete: true });
      await channel.assertQueue(`${topic}_fanout_py`, { durable: true, autoDelete: false, arguments: args });
      await channel.bindQueue(`${topic}_fanout_py`, `${topic}_fanout`, topic);
    };
    if (isOsloFirst) await declareAsOslo();
    await ourServer('x-transient', topic, flags);
    if (!isOsloFirst) await declareAsOslo();

    const fanout = matching((await declarations(stage.vhost)).queues, `${topic}_fanout_`);
    expect(fanout).toHaveLength(2);
    for (const queue of fanout) expect(queue).toMatchObject({ durable: true, auto_delete: false, arguments: args });
  });

  test('our fanout casts go through it', async () => {
    const calls = new Calls();
    const options = {
      exchange: 'x-transient',
      topic: 'transient-4',
      server: 'ours',
      endpoints: calls.endpoints,
      flags,
    };
    const server = await RpcServer.start(stage.broker, { ...options, logger: stage.logger });
    onTestFinished(() => server.stop(1_000));
    const ours = await ourClient('x-transient', 'transient-4', flags);
    await ours.fanoutCast('echo', { value: 4 });
    await expect.poll(() => calls.seen.length).toBe(1);
  });

  test('what a caller of newer oslo declares for its replies gets them', async () => {
    await ourServer('x-transient', 'transient-3', flags);
    const channel = await stage.rawChannel();
    const queue = 'reply_host1:nova-api:1';
    await channel.assertQueue(queue, { durable: true, autoDelete: false, arguments: args });
    const message = JSON.stringify({ method: 'echo', args: { value: 3 }, _msg_id: 'm', _reply_q: queue });
    const body = JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': message });
    channel.publish('x-transient', 'transient-3', Buffer.from(body), { contentType: 'application/json' });
    await expect.poll(async () => (await channel.checkQueue(queue)).messageCount).toBe(1);
  });
});

describe('notifications', () => {
  const told = { publisherId: 'p', eventType: 'e', priority: 'info', payload: { n: 2n ** 60n } } as const;
  const context = { user_id: 'u', request_id: 'r', auth_token: 'hush', service_catalog: [1] };

  test.each(['messagingv2', 'messaging'] as const)('driver %s, both ways', async (format) => {
    const [exchange, topic] = ['x-drivers', `driver-${format}`];
    const notifier = new Notifier(stage.broker, { format });
    const listener = PythonProgram.start('listener.py', stage.osloUrl, exchange, topic);
    onTestFinished(() => listener.stop());
    await listener.heard((line) => line['event'] === 'ready');
    await notifier.notify({ ...told, exchange, topic, context });
    const heard = await listener.heard((line) => line['event_type'] === 'e');
    expect(heard).toMatchObject({ publisher_id: 'p', context: { user_id: 'u', request_id: 'r' } });
    expect(JSON.stringify(heard)).not.toMatch(/hush|service_catalog/);

    const oslo = PythonProgram.start('notifier.py', stage.osloUrl, exchange, `${topic}-back`, format);
    onTestFinished(() => oslo.stop());
    await oslo.ask({ priority: 'sample', event_type: 'theirs', payload: { ü: 1 }, context: { user_id: 'x' } });
    const channel = await stage.rawChannel();
    const message = await channel.get(`${topic}-back.sample`, { noAck: true });
    if (!message) throw new Error('no notification');
    expect(message.content.includes('oslo.version')).toBe(format === 'messagingv2');
    expect(decodeNotification(message.content, message.properties)).toMatchObject({
      accepted: true,
      message: {
        eventType: 'theirs',
        priority: 'SAMPLE',
        publisherId: 'py.host1',
        payload: { ü: 1 },
        context: { user_id: 'x' },
      },
    });
  });

  test('without declaring the queue: nothing is kept until somebody listens', async () => {
    const [exchange, topic] = ['x-undeclared', 'undeclared'];
    const notifier = new Notifier(stage.broker, { declaresQueues: false });
    await notifier.notify({ ...told, exchange, topic });
    expect((await declarations(stage.vhost)).queues.map(({ name }) => name)).not.toContain('undeclared.info');

    const listener = PythonProgram.start('listener.py', stage.osloUrl, exchange, topic);
    onTestFinished(() => listener.stop());
    await listener.heard((line) => line['event'] === 'ready');
    await notifier.notify({ ...told, eventType: 'second', exchange, topic });
    await listener.heard((line) => line['event_type'] === 'second');
  });
});
