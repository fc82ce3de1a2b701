// Our RPC against Debian's own oslo.messaging (Python) on a real broker, in both directions.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  BrokerConnection,
  BrokerUnavailableError,
  MessagingTimeout,
  Notifier,
  RemoteError,
  UnroutableError,
} from '../src/rpc/index.ts';
import { PythonProgram } from './oslo/python.ts';
import { EXCHANGE, sealed, Stage, unsealed, until } from './oslo/stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.set('rpc-conformance');
});

afterAll(() => stage?.clear());

describe('oslo.messaging calls us', () => {
  test('calls, to any server and to one, with namespace, context and text of all kinds', async () => {
    const { calls } = await stage.serving('t1');
    const value = { text: 'é 漢字 😀 \u0000 "\\ \u2028', big: 2 ** 53, list: [1.5, null, true] };
    const order = { op: 'call', topic: 't1', method: 'echo', args: { value } };
    expect(await stage.python.ask({ ...order, context: { request_id: 'req-1', user_id: 'u' } })).toEqual({
      result: value,
    });
    expect(await stage.python.ask({ ...order, server: 'host1', version: '1.1' })).toEqual({ result: value });
    expect(
      await stage.python.ask({ op: 'call', topic: 't1', method: 'ping', namespace: 'admin', version: '2.0' }),
    ).toEqual({
      result: 'pong',
    });
    expect(calls.seen[0]).toMatchObject({ requestId: 'req-1', context: { request_id: 'req-1', user_id: 'u' } });
  });

  test('a megabyte there and back', async () => {
    await stage.serving('t2');
    const value = 'ü'.repeat(2 ** 20);
    expect(await stage.python.ask({ op: 'call', topic: 't2', method: 'echo', args: { value } })).toEqual({
      result: value,
    });
  });

  test('casts and fanout casts', async () => {
    const { calls } = await stage.serving('t3');
    const order = { topic: 't3', method: 'echo' };
    await stage.python.ask({ ...order, op: 'cast', args: { value: 'any' } });
    await stage.python.ask({ ...order, op: 'cast', args: { value: 'one' }, server: 'host1' });
    await stage.python.ask({ ...order, op: 'fanout', args: { value: 'every' } });
    await until(() => calls.seen.length === 3);
    expect(calls.seen.map(({ args }) => args['value'])).toEqual(expect.arrayContaining(['any', 'one', 'every']));
  });

  test('a call monitor hears that a slow method is at work', async () => {
    await stage.serving('t4');
    const order = { op: 'call', topic: 't4', method: 'sleep', args: { ms: 4_500 }, timeout: 20, monitor: 2 };
    expect(await stage.python.ask(order)).toEqual({ result: 'slept' });
  });

  test.each([
    ['unknown method', { method: 'nope' }, 'NoSuchMethod', 'Endpoint does not support RPC method nope'],
    ['private method', { method: '_x' }, 'NoSuchMethod', 'Endpoint does not support RPC method _x'],
    [
      'newer version',
      { method: 'echo', version: '1.3' },
      'UnsupportedVersion',
      'Endpoint does not support RPC version 1.3. Attempted method: echo',
    ],
    [
      'unknown namespace',
      { method: 'echo', namespace: 'x' },
      'UnsupportedVersion',
      'Endpoint does not support RPC version 1.0. Attempted method: echo',
    ],
    ['fault of ours', { method: 'noPages' }, 'NoPages', 'no hugepages on node 1'],
    [
      'unknown error',
      { method: 'broken', context: { request_id: 'req-7' } },
      'InternalError',
      'Internal error (request req-7)',
    ],
    [
      'unwritable result',
      { method: 'unwritable' },
      'InternalError',
      'The outcome of unwritable cannot be written as JSON',
    ],
  ])('failure: %s', async (name, order, className, message) => {
    const topic = `t5-${name.replaceAll(' ', '-')}`;
    await stage.serving(topic);
    expect(await stage.python.ask({ op: 'call', topic, ...order })).toEqual({
      error: { type: 'RemoteError', exc_type: className, message },
    });
  });

  test('failure: a class that the caller knows is rebuilt there', async () => {
    await stage.serving('t6');
    const { error } = await stage.python.ask({ op: 'call', topic: 't6', method: 'badValue' });
    expect(error).toMatchObject({ type: 'ValueError', message: expect.stringContaining('not a number') });
  });

  test('heartbeats end with the final reply, also for a method there is not', async () => {
    await stage.serving('t7');
    const channel = await stage.rawChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const endings: unknown[] = [];
    await channel.consume(queue, (message) => endings.push(unsealed(message?.content)['ending']), { noAck: true });
    for (const [method, args] of [
      ['nope', {}],
      ['sleep', { ms: 2_500 }],
    ] as const) {
      channel.publish(EXCHANGE, 't7', sealed({ method, args, _msg_id: method, _reply_q: queue, _timeout: 2 }));
    }
    await sleep(5_000);
    expect(endings).toEqual([true, false, false, true]);
  });
});

describe('we call oslo.messaging', () => {
  let oslo: PythonProgram;

  beforeAll(async () => {
    oslo = PythonProgram.start('server.py', stage.osloUrl, EXCHANGE, 'py', 'pyhost');
    await oslo.heard((line) => line['event'] === 'ready');
  });
  afterAll(() => oslo.stop());

  test('calls, casts, fanout casts', async () => {
    const ours = await stage.client('py');
    const options = { server: 'pyhost', version: '1.3', context: { user_id: 'ü' } };
    expect(await ours.call('echo', { value: ['漢', 1] }, options)).toEqual({ value: ['漢', 1], user: 'ü' });
    expect(await ours.call('ping', {}, { namespace: 'admin', version: '2.0' })).toBe('pong');
    expect(await ours.call('echo', { value: 'x'.repeat(2 ** 20) })).toMatchObject({ user: null });

    await ours.cast('note', { value: 'cast' });
    await ours.fanoutCast('note', { value: 'fanout' });
    for (const value of ['cast', 'fanout']) await oslo.heard((line) => line['value'] === value);
  });

  test('what it raised is a RemoteError of its class', async () => {
    const ours = await stage.client('py');
    const error = await ours.call('fail', {}).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({
      className: 'NoPages',
      module: '__main__',
      message: 'no hugepages',
      args: ['no hugepages'],
      kwargs: { node: 1 },
    });
    await expect(ours.call('nope', {})).rejects.toMatchObject({ className: 'NoSuchMethod' });
    await expect(ours.call('echo', {}, { version: '1.4' })).rejects.toMatchObject({ className: 'UnsupportedVersion' });
  });

  test('patience ends: in all, in silence, by signal; heartbeats prolong it', async () => {
    const ours = await stage.client('py');
    const slow = (options: object): Promise<unknown> => ours.call('sleep', { seconds: 3 }, options);
    await Promise.all([
      expect(slow({ timeoutMs: 300 })).rejects.toBeInstanceOf(MessagingTimeout),
      expect(slow({ callMonitorTimeoutS: 1 })).rejects.toThrow('silent for 1000 ms'),
      expect(slow({ signal: AbortSignal.timeout(200) })).rejects.toMatchObject({ name: 'TimeoutError' }),
      expect(slow({ callMonitorTimeoutS: 2 })).resolves.toBe(3),
    ]);
  });

  test('a server that is not there is told at once', async () => {
    const ours = await stage.client('py');
    const startedAt = performance.now();
    const lost = ours.call('echo', {}, { server: 'elsewhere' });
    await expect(lost).rejects.toBeInstanceOf(UnroutableError);
    await expect(lost).rejects.toThrow('py.elsewhere');
    await expect(ours.cast('echo', {}, { server: 'elsewhere' })).rejects.toBeInstanceOf(UnroutableError);
    await ours.cast('echo', {}, { server: 'elsewhere', mandatory: false });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

describe('notifications', () => {
  test('are kept for a listener that starts later, and carry no secret', async () => {
    const notifier = new Notifier(stage.broker);
    const notification = {
      exchange: EXCHANGE,
      topic: 'notifications',
      publisherId: 'compute.host1',
      eventType: 'compute.instance.create.end',
      payload: { name: 'ü' },
      context: { user_id: 'u', auth_token: 'secret' },
    };
    await notifier.notify({ ...notification, priority: 'info' });
    await notifier.notify({ ...notification, priority: 'error' });

    const listener = PythonProgram.start('listener.py', stage.osloUrl, EXCHANGE, 'notifications');
    onTestFinished(() => listener.stop());
    for (const event of ['info', 'error']) {
      expect(await listener.heard((line) => line['event'] === event)).toMatchObject({
        context: expect.not.objectContaining({ auth_token: expect.anything() }),
        publisher_id: 'compute.host1',
        event_type: 'compute.instance.create.end',
        payload: { name: 'ü' },
        metadata: { message_id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      });
    }
  });
});

describe('what should not happen', () => {
  test('the same _unique_id runs once', async () => {
    const { calls } = await stage.serving('d1');
    const channel = await stage.rawChannel();
    const body = sealed({ method: 'sleep', args: { ms: 300 }, _unique_id: 'once' });
    for (let copy = 0; copy < 3; copy++) channel.publish(EXCHANGE, 'd1', body);
    await sleep(600);
    channel.publish(EXCHANGE, 'd1', body);
    channel.publish(EXCHANGE, 'd1', sealed({ method: 'echo', args: { value: 'last' } }));
    await until(() => calls.seen.some(({ method }) => method === 'echo'));
    await until(async () => (await channel.checkQueue('d1')).messageCount === 0);
    expect(calls.seen.filter(({ method }) => method === 'sleep')).toHaveLength(1);
  });

  test('malformed bodies leave the server alive, and are answered where they can be', async () => {
    const { server } = await stage.serving('d2');
    const channel = await stage.rawChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const to = { _msg_id: 'm', _reply_q: queue };
    const silent = [Buffer.from(''), Buffer.from('{'), Buffer.from([0xff]), Buffer.from('[]'), sealed([]), sealed({})];
    const answered = [
      sealed({ ...to }),
      sealed({ ...to, method: 'echo', args: [] }),
      sealed({ ...to, method: 'echo', _timeout: 'soon' }),
      Buffer.from(
        sealed({ ...to, method: 'echo' })
          .toString()
          .replace('2.0', '9.0'),
      ),
    ];
    for (const body of [...silent, ...answered]) channel.publish(EXCHANGE, 'd2', body);

    await until(async () => (await channel.checkQueue(queue)).messageCount === answered.length);
    const reply = await channel.get(queue, { noAck: true });
    expect(unsealed(reply ? reply.content : undefined)).toMatchObject({
      result: null,
      ending: true,
      _msg_id: 'm',
      failure: expect.stringContaining('"class":"InternalError"'),
    });
    expect(await stage.python.ask({ op: 'call', topic: 'd2', method: 'echo', args: { value: 1 } })).toEqual({
      result: 1,
    });
    await until(() => server.requestCounts.taken === 0);
  });

  test('an answer that cannot be read ends its call at once', async () => {
    const channel = await stage.rawChannel();
    await channel.assertQueue('d5', { durable: false });
    await channel.bindQueue('d5', EXCHANGE, 'd5');
    const answerer = (message: ConsumeMessage | null) => {
      const { _msg_id, _reply_q } = unsealed(message?.content);
      // Without `ending` nobody knows whether this is an answer or a sign of life.
      const body = sealed({ _msg_id, result: 1, failure: null });
      channel.sendToQueue(String(_reply_q), body, { contentType: 'application/json' });
    };
    await channel.consume('d5', answerer, { noAck: true });
    const ours = await stage.client('d5');
    await expect(ours.call('echo', {}, { timeoutMs: 30_000 })).rejects.toMatchObject({ code: 'unreadable' });
  });

  test('a caller that is gone does not hold up others', async () => {
    const { server } = await stage.serving('d3');
    const channel = await stage.rawChannel();
    for (let n = 0; n < 100; n++) {
      channel.publish(EXCHANGE, 'd3', sealed({ method: 'echo', _msg_id: `gone-${n}`, _reply_q: 'reply_gone' }));
    }
    const startedAt = performance.now();
    expect(await stage.python.ask({ op: 'call', topic: 'd3', method: 'echo', args: { value: 1 } })).toEqual({
      result: 1,
    });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await until(() => server.requestCounts.taken === 0);
  });

  test('a queue with other flags is refused with a reason', async () => {
    const channel = await stage.rawChannel();
    await channel.assertQueue('d4', { durable: true });
    await expect(stage.serving('d4')).rejects.toMatchObject({
      code: 'topology',
      message: expect.stringContaining('exists with durable true, and durable false is wanted'),
    });
  });

  test('no secret is logged', async () => {
    await stage.serving('d5');
    const context = { auth_token: 'hush-token', request_id: 'req-9' };
    await stage.python.ask({ op: 'call', topic: 'd5', method: 'echo', args: { value: 'hush-value' }, context });
    await stage.python.ask({ op: 'call', topic: 'd5', method: 'noPages', context });
    const lines = stage.logged.join('\n');
    expect(lines).toContain('req-9');
    expect(lines).not.toMatch(/hush|guest/);
  });

  test.each([
    ['a wrong password', () => stage.api.url(stage.vhost).replace('guest:guest', 'guest:hush')],
    ['a dead port', () => 'rabbit://guest:hush@127.0.0.1:1/x'],
  ])('%s is told without the password', async (_name, transportUrl) => {
    const opening = BrokerConnection.open({
      transportUrl: transportUrl(),
      clientName: 'conformance',
      initialRetries: 1,
      logger: stage.logger,
    });
    await expect(opening).rejects.toBeInstanceOf(BrokerUnavailableError);
    await expect(opening).rejects.not.toThrow(/hush/);
    expect(stage.logged.join('\n')).not.toContain('hush');
  });
});
