// Our notification listener beside Debian's own oslo.messaging, and through what brokers and consumers do to it.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  BrokerConnection,
  NotificationListener,
  Notifier,
  type HeardNotification,
  type NotificationListenerOptions,
} from '../src/rpc/index.ts';
import { Broker, Link } from './broker.ts';
import { PythonProgram } from './oslo/python.ts';
import { EXCHANGE, sealed, Stage, until } from './oslo/stage.ts';

let stage: Stage;
let topics = 0;

beforeAll(async () => {
  stage = await Stage.set('client-notifications');
});

afterAll(() => stage?.clear());

type Over = Partial<NotificationListenerOptions> & { topic: string };

async function listen(over: Over, on = stage.broker): Promise<NotificationListener> {
  const options = { exchange: EXCHANGE, priorities: ['info', 'error'] as const, logger: stage.logger, ...over };
  const listener = await NotificationListener.open(on, options);
  onTestFinished(() => listener.close());
  return listener;
}

/** A topic of this test alone, and a sender on it: each notification has its number as payload. */
function topicOfItsOwn(): { topic: string; send: (...numbers: number[]) => Promise<void> } {
  topics += 1;
  const topic = `topic-${topics}`;
  const notifier = new Notifier(stage.broker);
  const send = async (...numbers: number[]): Promise<void> => {
    for (const payload of numbers)
      await notifier.notify({ exchange: EXCHANGE, topic, publisherId: 'p', eventType: 'e', priority: 'info', payload });
  };
  return { topic, send };
}

async function take(listener: NotificationListener, count: number): Promise<HeardNotification[]> {
  const heard: HeardNotification[] = [];
  while (heard.length < count) {
    const one = await listener.next();
    if (one === null) break;
    heard.push(one);
  }
  return heard;
}

async function finish(listener: NotificationListener, count: number): Promise<unknown[]> {
  const numbers: unknown[] = [];
  for (let left = count; left > 0; left -= 1) {
    const [one] = await take(listener, 1);
    one?.done();
    numbers.push(one?.notification.payload);
  }
  return numbers;
}

const numbersOf = (heard: readonly HeardNotification[]): unknown[] => heard.map((one) => one.notification.payload);

async function queueOf(name: string): Promise<{ messages_ready: number; messages_unacknowledged: number } | undefined> {
  const found = (await stage.api.queues(stage.vhost)).find((queue) => queue.name === name);
  return found && { messages_ready: found.messages_ready, messages_unacknowledged: found.messages_unacknowledged };
}

const settled = (name: string, ready: number, unacknowledged: number): Promise<void> =>
  until(async () => {
    const queue = await queueOf(name);
    return queue?.messages_ready === ready && queue.messages_unacknowledged === unacknowledged;
  });

describe('oslo.messaging', () => {
  test.each(['messagingv2', 'messaging'])('its notifications, driver %s', async (driver) => {
    const { topic } = topicOfItsOwn();
    const listener = await listen({ topic });
    const python = PythonProgram.start('notifier.py', stage.osloUrl, EXCHANGE, topic, driver);
    onTestFinished(() => python.stop());
    const context = { user_id: 'u', request_id: 'req-1' };
    const event_type = 'compute.instance.create.end';
    await python.ask({ priority: 'info', event_type, payload: { instance_id: 'i-1' }, context });
    await python.ask({ priority: 'error', event_type, payload: { instance_id: 'i-2' } });
    const [info, error] = await take(listener, 2);
    expect(info?.notification).toMatchObject({
      eventType: 'compute.instance.create.end',
      priority: 'INFO',
      publisherId: 'py.host1',
      payload: { instance_id: 'i-1' },
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/),
      context: expect.objectContaining({ user_id: 'u', request_id: 'req-1' }),
    });
    expect(error?.notification).toMatchObject({ priority: 'ERROR', payload: { instance_id: 'i-2' } });
  });

  test('a pool is shared with its listener: each notification goes to one of both', async () => {
    const { topic, send } = topicOfItsOwn();
    const python = PythonProgram.start('listener.py', stage.osloUrl, EXCHANGE, topic, 'shared');
    onTestFinished(() => python.stop());
    await python.heard((line) => line['event'] === 'ready');
    const listener = await listen({ topic, pool: 'shared', prefetch: 1 });
    await send(1, 2, 3, 4);
    // Ours keeps the one that it has: the others go to Python.
    const [ours] = await take(listener, 1);
    expect(ours?.notification).toMatchObject({ eventType: 'e', priority: 'INFO' });
    const others = [1, 2, 3, 4].filter((number) => number !== ours?.notification.payload);
    for (const number of others) await python.heard((line) => line['payload'] === number);
    ours?.done();
    await settled('shared', 0, 0);
  });
});

describe('acknowledgement', () => {
  test('the broker keeps what is more than the prefetch until something is taken', async () => {
    const { topic, send } = topicOfItsOwn();
    const listener = await listen({ topic, pool: 'slow', prefetch: 2 });
    await send(1, 2, 3, 4, 5);
    await settled('slow', 3, 2);
    const [first] = await take(listener, 1);
    await sleep(100);
    await settled('slow', 3, 2);
    first?.done();
    await settled('slow', 2, 2);
    expect(await finish(listener, 4)).toEqual([2, 3, 4, 5]);
    await settled('slow', 0, 0);
  });

  test('what a listener leaves is for the next one of the pool, also while nobody listens', async () => {
    const { topic, send } = topicOfItsOwn();
    const first = await listen({ topic, pool: 'left' });
    await send(1, 2);
    expect(numbersOf(await take(first, 1))).toEqual([1]);
    await first.close();
    expect(await first.next()).toBeNull();
    await send(3);
    expect(await finish(await listen({ topic, pool: 'left' }), 3)).toEqual([1, 2, 3]);
    await settled('left', 0, 0);
  });

  test('what is not wanted, cannot be read or came before is settled and not handed over', async () => {
    const { topic, send } = topicOfItsOwn();
    const listener = await listen({ topic, pool: 'sorted', isWanted: ({ payload }) => payload !== 1 });
    const channel = await stage.rawChannel();
    const publish = (body: Buffer): boolean =>
      channel.publish(EXCHANGE, `${topic}.info`, body, { contentType: 'application/json' });
    const twice = sealed({ event_type: 'e', priority: 'INFO', payload: 2, _unique_id: 'twice' });
    await send(1);
    publish(Buffer.from('{'));
    publish(twice);
    publish(twice);
    // Without an id nothing can be known to be the same.
    for (const _ of [1, 2]) publish(Buffer.from(JSON.stringify({ event_type: 'e', priority: 'INFO', payload: 3 })));
    expect(await finish(listener, 3)).toEqual([2, 3, 3]);
    publish(twice);
    await send(4);
    expect(await finish(listener, 1)).toEqual([4]);
    await settled('sorted', 0, 0);
  });

  test('a queue of its own ends with the listener', async () => {
    const { topic } = topicOfItsOwn();
    const own = async (): Promise<number> =>
      (await stage.api.queues(stage.vhost)).filter(({ name }) => name.startsWith(`${topic}_listener_`)).length;
    const listener = await listen({ topic });
    expect(await own()).toBe(1);
    await listener.close();
    await until(async () => (await own()) === 0);
  });
});

describe('outages', () => {
  test('a pool: what was in hand is not heard again, what waited is, and what came meanwhile too', async () => {
    const { topic, send } = topicOfItsOwn();
    const { link, far } = await stage.linked();
    const listener = await listen({ topic, pool: 'outage' }, far);
    await send(1, 2, 3);
    const [inHand] = await take(listener, 1);
    link.cut();
    await until(() => !far.isConnected);
    inHand?.done();
    await send(4);
    link.heal();
    expect(await finish(listener, 3)).toEqual([2, 3, 4]);
    await settled('outage', 0, 0);
  });

  test('a queue of its own: what was heard is handed over before more is asked for', async () => {
    const { topic, send } = topicOfItsOwn();
    const { link, far } = await stage.linked();
    const listener = await listen({ topic, prefetch: 2 }, far);
    await send(1, 2, 3);
    await sleep(200);
    link.cut();
    await until(() => !far.isConnected);
    link.heal();
    const waiting = async (): Promise<number | undefined> =>
      (await stage.api.queues(stage.vhost)).find(({ name }) => name.startsWith(`${topic}_listener_`))?.messages_ready;
    await until(async () => (await waiting()) === 0);
    await sleep(100);
    await send(4, 5, 6);
    // Not consumed: who takes nothing is sent nothing.
    await until(async () => (await waiting()) === 3);
    // 3 was in the queue that ended with the connection.
    expect(await finish(listener, 5)).toEqual([1, 2, 4, 5, 6]);
  });

  test('a durable pool loses nothing when the broker restarts', async () => {
    const broker = await Broker.start();
    onTestFinished(() => broker.stop());
    const link = await Link.to(() => broker.amqpPort);
    onTestFinished(() => link.close());
    const options = { transportUrl: broker.url('/', link.port), clientName: 'test', logger: stage.logger };
    const far = await BrokerConnection.open(options);
    onTestFinished(() => far.close());
    const flags = { durable: true };
    const listener = await listen({ topic: 'kept', pool: 'kept', flags, prefetch: 2 }, far);
    const notifier = new Notifier(far, { flags });
    const told = { exchange: EXCHANGE, topic: 'kept', publisherId: 'p', eventType: 'e', priority: 'info' } as const;
    for (const payload of [1, 2, 3]) await notifier.notify({ ...told, payload });
    const [inHand] = await take(listener, 1);
    await broker.restart('graceful');
    inHand?.done();
    await far.whenReady(AbortSignal.timeout(60_000));
    await notifier.notify({ ...told, payload: 4 });
    expect(await finish(listener, 3)).toEqual([2, 3, 4]);
  }, 120_000);

  test('a queue that is deleted is there again', async () => {
    const { topic, send } = topicOfItsOwn();
    const listener = await listen({ topic, pool: 'deleted' });
    await stage.api.deleteQueue(stage.vhost, 'deleted');
    await until(async () => (await queueOf('deleted')) !== undefined);
    await sleep(100);
    await send(1);
    expect(await finish(listener, 1)).toEqual([1]);
  });

  test('a queue with other flags is refused', async () => {
    const { topic } = topicOfItsOwn();
    const channel = await stage.rawChannel();
    await channel.assertQueue('other-flags', { durable: true });
    await expect(listen({ topic, pool: 'other-flags' })).rejects.toMatchObject({ code: 'topology' });
  });
});
