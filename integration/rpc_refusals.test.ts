// What the broker refuses because something else exists under the name: told once, with what exists, what was wanted
// and what to do; taken as it is where that is set; tried again after a loss until somebody has put it right.

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Notifier, RpcClient, RpcServer, type BrokerConnection, type TopologyFlags } from '../src/rpc/index.ts';
import { PythonProgram } from './oslo/python.ts';
import { Calls, EXCHANGE, Stage, until } from './oslo/stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.set('rpc-refusals');
});

afterAll(() => stage?.clear());

async function serve(topic: string, flags: TopologyFlags, on: BrokerConnection = stage.broker, exchange = EXCHANGE) {
  const calls = new Calls();
  const options = { exchange, topic, server: 'ours', endpoints: calls.endpoints, flags, logger: stage.logger };
  const server = await RpcServer.start(on, options);
  onTestFinished(() => server.stop(1_000));
  return calls;
}

async function osloServer(exchange: string, topic: string, options: string): Promise<void> {
  const oslo = PythonProgram.start('server.py', `${stage.osloUrl}?${options}`, exchange, topic, 'theirs');
  onTestFinished(() => oslo.stop());
  await oslo.heard((line) => line['event'] === 'ready');
}

const toldOf = (name: string, level: string): string[] =>
  stage.logged.filter((line) => line.startsWith(level) && line.includes(name));

describe('at start', () => {
  // What oslo has declared, how we declare, what we say.
  test.each<[string, string, TopologyFlags, RegExp]>([
    [
      'durable',
      'amqp_durable_queues=true',
      {},
      /exchange r-durable .*exists with durable true, and durable false is wanted: set rpc\.queues to durable/,
    ],
    [
      'classic',
      '',
      { durable: true },
      /exists with durable false, and durable true is wanted: set rpc\.queues to classic/,
    ],
    [
      'quorum',
      'rabbit_quorum_queue=true',
      { durable: true },
      /queue t-quorum .*exists with x-queue-type quorum, and .* is wanted: set rpc\.queues to quorum/,
    ],
    [
      'limited',
      'rabbit_quorum_queue=true&rabbit_quorum_delivery_limit=5',
      { quorum: true },
      /queue t-limited .*exists with x-delivery-limit 5, and no x-delivery-limit is wanted: set rpc\.quorum_delivery_limit to 5/,
    ],
    [
      'vanishing',
      'amqp_auto_delete=true',
      {},
      /exists with auto_delete true, and auto_delete false is wanted: set rpc\.auto_delete_queues to true/,
    ],
  ])('oslo has it %s', async (name, options, flags, words) => {
    await osloServer(`r-${name}`, `t-${name}`, options);
    const refused = serve(`t-${name}`, flags, stage.broker, `r-${name}`);
    await expect(refused).rejects.toMatchObject({ code: 'topology', message: expect.stringMatching(words) });
    await expect(refused).rejects.toThrow('or delete the');
  });

  test('the exchange is of another kind', async () => {
    const channel = await stage.rawChannel();
    await channel.assertExchange('r-direct', 'direct', { durable: false });
    for (const adoptExisting of [false, true]) {
      const refused = serve('t-direct', { adoptExisting }, stage.broker, 'r-direct');
      await expect(refused).rejects.toThrow(/exists with type direct, and type topic is wanted: use another name/);
    }
  });

  test('a client whose fanout exchange is refused is told by the call', async () => {
    const channel = await stage.rawChannel();
    await channel.assertExchange('t-fan_fanout', 'fanout', { durable: true, autoDelete: true });
    const client = await RpcClient.open(stage.broker, { exchange: EXCHANGE, topic: 't-fan', logger: stage.logger });
    onTestFinished(() => client.close());
    await expect(client.fanoutCast('echo', {})).rejects.toMatchObject({
      code: 'topology',
      message: expect.stringContaining('exchange t-fan_fanout'),
    });
  });

  test('a notifier is told each time, and asks the broker once', async () => {
    const channel = await stage.rawChannel();
    await channel.assertQueue('r-notes.info', { durable: true });
    const notifier = new Notifier(stage.broker);
    const note = {
      exchange: EXCHANGE,
      topic: 'r-notes',
      publisherId: 'p',
      eventType: 'e',
      priority: 'info',
      payload: 1,
    };
    for (let n = 0; n < 20; n++) {
      await expect(notifier.notify({ ...note, priority: 'info' })).rejects.toMatchObject({
        code: 'topology',
        message: expect.stringContaining('queue r-notes.info in virtual host rpc-refusals exists with durable true'),
      });
    }
    expect(toldOf('r-notes.info', 'warn')).toHaveLength(1);
  });
});

describe('after a loss', () => {
  test('it is told once, tried again, and heard as soon as it is put right', async () => {
    const { link, far } = await stage.linked();
    const calls = await serve('t-changed', {}, far);
    link.cut();
    await until(() => !far.isConnected);
    const channel = await stage.rawChannel();
    await channel.deleteQueue('t-changed.ours');
    await channel.assertQueue('t-changed.ours', { durable: true });
    link.heal();

    await until(() => toldOf('still refused', 'debug').some((line) => line.includes('t-changed.ours')), 30_000);
    const errors = toldOf('t-changed.ours', 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain('exists with durable true, and durable false is wanted');

    await channel.deleteQueue('t-changed.ours');
    const client = await RpcClient.open(stage.broker, { exchange: EXCHANGE, topic: 't-changed', logger: stage.logger });
    onTestFinished(() => client.close());
    await until(async () => (await client.call('echo', { value: 1 }, { server: 'ours' }).catch(() => 0)) === 1, 40_000);
    expect(calls.seen.length).toBeGreaterThan(0);
  });
});

describe('with adopt_existing_queues', () => {
  const flags = { adoptExisting: true };

  test.each([
    ['durable', 'amqp_durable_queues=true'],
    ['quorum', 'rabbit_quorum_queue=true'],
    ['vanishing', 'amqp_auto_delete=true'],
  ])('what oslo has declared %s is used, by server, client and notifier', async (name, options) => {
    const [exchange, topic] = [`a-${name}`, `at-${name}`];
    await osloServer(exchange, topic, options);
    await serve(topic, flags, stage.broker, exchange);
    const oslo = PythonProgram.start('client.py', `${stage.osloUrl}?${options}`, exchange);
    onTestFinished(() => oslo.stop());
    const call = { op: 'call', topic, server: 'ours', method: 'echo', args: { value: 1 } };
    expect(await oslo.ask(call)).toEqual({ result: 1 });

    const client = await RpcClient.open(stage.broker, { exchange, topic, flags, logger: stage.logger });
    onTestFinished(() => client.close());
    expect(await client.call('echo', { value: 2 }, { server: 'theirs' })).toMatchObject({ value: 2 });

    const listener = PythonProgram.start('listener.py', `${stage.osloUrl}?${options}`, exchange, `${topic}-notes`);
    onTestFinished(() => listener.stop());
    await listener.heard((line) => line['event'] === 'ready');
    const notifier = new Notifier(stage.broker, { flags });
    const note = { exchange, topic: `${topic}-notes`, publisherId: 'p', eventType: 'e', payload: 1 } as const;
    await notifier.notify({ ...note, priority: 'info' });
    await listener.heard((line) => line['event_type'] === 'e');
    expect(toldOf(`exchange ${exchange} `, 'warn').join('\n')).toContain('used as it is');
  });

  test('what is not there is declared as wanted, also after it was deleted', async () => {
    const channel = await stage.rawChannel();
    await channel.assertQueue('at-gone', { durable: true });
    const { link, far } = await stage.linked();
    await serve('at-gone', flags, far);
    await channel.deleteQueue('at-gone');
    await until(async () =>
      (await stage.api.queues(stage.vhost)).some(({ name, durable }) => name === 'at-gone' && !durable),
    );
    link.cut();
    await until(() => !far.isConnected);
    link.heal();
    const client = await RpcClient.open(stage.broker, { exchange: EXCHANGE, topic: 'at-gone', logger: stage.logger });
    onTestFinished(() => client.close());
    expect(await client.call('echo', { value: 1 }, { timeoutMs: 20_000 })).toBe(1);
  });
});
