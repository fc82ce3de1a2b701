// Our RPC through outages: connections cut and silenced, queues and channels closed by the broker, servers stopped.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BrokerConnection, BrokerUnavailableError, RpcServer } from '../src/rpc/index.ts';
import { Link } from './broker.ts';
import { Calls, EXCHANGE, sealed, Stage, unsealed, until } from './oslo/stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.set('rpc-outages');
});

afterAll(() => stage?.clear());

describe('outages', () => {
  test('after a cut the server hears again, and the request at work is answered exactly once', async () => {
    const { link, far } = await stage.linked();
    const { calls } = await stage.serving('o1', far);
    const ours = await stage.client('o1');
    // A client of ours drops a second answer in silence: this one is counted on a queue of its own.
    const channel = await stage.rawChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const answers: unknown[] = [];
    await channel.consume(queue, (message) => answers.push(unsealed(message?.content)['result']), { noAck: true });
    const request = { method: 'sleep', args: { ms: 1_500 }, _msg_id: 'm1', _reply_q: queue, _unique_id: 'u1' };
    channel.publish(EXCHANGE, 'o1.host1', sealed(request), { contentType: 'application/json' });
    await until(() => calls.seen.length === 1);

    link.cut();
    await until(() => !far.isConnected);
    await expect(far.publish('', 'x', 'x')).rejects.toBeInstanceOf(BrokerUnavailableError);
    await sleep(300);
    link.heal();

    await until(() => answers.length > 0);
    expect(await ours.call('echo', { value: 2 }, { server: 'host1' })).toBe(2);
    await sleep(500);
    expect(answers).toEqual(['slept']);
    // The redelivered request joined the first run.
    expect(calls.seen.filter(({ method }) => method === 'sleep')).toHaveLength(1);
    expect(
      stage.logged.filter((line) => line.includes('duplicate request') && line.includes('"redelivered":true')),
    ).not.toEqual([]);
  });

  test('the outcome of a method that ends during the outage arrives after it', async () => {
    const { link, far } = await stage.linked();
    const { calls } = await stage.serving('o2', far);
    const inFlight = stage.python.ask({ op: 'call', topic: 'o2', method: 'sleep', args: { ms: 500 }, timeout: 20 });
    await until(() => calls.seen.length === 1);
    link.cut();
    await sleep(1_500);
    link.heal();
    expect(await inFlight).toEqual({ result: 'slept' });
    expect(calls.seen).toHaveLength(1);
  });

  test('a client that was cut off gets its reply queue back', async () => {
    const { link, far } = await stage.linked();
    await stage.serving('o3');
    const ours = await stage.client('o3', far);
    const inFlight = ours.call('sleep', { ms: 500 }, { timeoutMs: 20_000 });
    await sleep(200);
    link.cut();
    await sleep(1_000);
    link.heal();
    expect(await inFlight).toBe('slept');
  });

  test('the next host is tried when one does not answer, at first and after a loss', async () => {
    const [first, second] = [await Link.to(() => stage.api.amqpPort), await Link.to(() => stage.api.amqpPort)];
    first.cut();
    const hosts = [first, second].map(({ port }) => `guest:guest@127.0.0.1:${port}`).join(',');
    const broker = await BrokerConnection.open({
      transportUrl: `rabbit://${hosts}/${stage.vhost}`,
      clientName: 'conformance',
      logger: stage.logger,
    });
    const { calls } = await stage.serving('o9', broker);
    first.heal();
    second.cut();
    const ours = await stage.client('o9');
    await until(() => !broker.isConnected);
    expect(await ours.call('echo', { value: 6 }, { server: 'host1' })).toBe(6);
    expect(calls.seen).toHaveLength(1);

    await broker.close();
    await first.close();
    await second.close();
  });

  test('a deleted queue is declared and consumed again', async () => {
    const { calls } = await stage.serving('o4');
    const channel = await stage.rawChannel();
    await channel.deleteQueue('o4.host1');
    await until(() => stage.logged.some((line) => line.includes('queue consumed again') && line.includes('o4.host1')));
    const ours = await stage.client('o4');
    expect(await ours.call('echo', { value: 3 }, { server: 'host1' })).toBe(3);
    expect(calls.seen).toHaveLength(1);
  });

  test('a channel closed by the broker comes back without the others', async () => {
    const { calls } = await stage.serving('o5');
    // No such exchange: the broker closes the publishing channel, and only that.
    await expect(stage.broker.publish('nowhere', 'x', 'x')).rejects.toBeInstanceOf(BrokerUnavailableError);
    const order = { op: 'call', topic: 'o5', method: 'echo', args: { value: 4 } };
    expect(await stage.python.ask(order)).toEqual({ result: 4 });
    expect(calls.seen).toHaveLength(1);
    expect(stage.broker.isConnected).toBe(true);
  });

  test('a silent broker is found by heartbeats', async () => {
    const { link, far } = await stage.linked();
    await stage.serving('o6', far);
    link.silence();
    await until(() => !far.isConnected, 30_000);
    link.heal();
    const ours = await stage.client('o6');
    // It waits in the queue until the server is back.
    expect(await ours.call('echo', { value: 5 }, { timeoutMs: 30_000 })).toBe(5);
  });

  test('stop leaves neither consumers nor the fanout queue, and waits for what runs', async () => {
    const { server } = await stage.serving('o7');
    const ours = await stage.client('o7');
    const inFlight = ours.call('sleep', { ms: 800 });
    await until(() => server.requestCounts.taken === 1);
    await server.stop();
    expect(await inFlight).toBe('slept');
    const channel = await stage.rawChannel();
    expect((await channel.checkQueue('o7')).consumerCount).toBe(0);
    expect((await stage.api.queues(stage.vhost)).filter(({ name }) => name.startsWith('o7_fanout_'))).toEqual([]);
  });

  test('a request that a stopped server left unfinished is delivered again', async () => {
    const { link, far } = await stage.linked();
    const first = new Calls();
    const server = await RpcServer.start(far, {
      exchange: EXCHANGE,
      topic: 'o8',
      server: 'host1',
      endpoints: first.endpoints,
      logger: stage.logger,
    });
    const channel = await stage.rawChannel();
    channel.publish(EXCHANGE, 'o8', sealed({ method: 'sleep', args: { ms: 60_000 }, _unique_id: 'unfinished' }));
    await until(() => first.seen.length === 1);
    // As a killed process: nothing is acknowledged.
    link.cut();
    const { calls } = await stage.serving('o8');
    await until(() => calls.seen.length === 1);
    await server.stop(0);
    expect(first.seen[0]?.signal.aborted).toBe(true);
  });
});
