/** A broker that goes down at the worst moment: in the same breath as it opens a connection or a channel. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { BrokerConnection, RpcServer } from '../../src/rpc/index.ts';
import { encode, fakeBroker, type Hook } from './fake_broker.ts';

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const GOING_DOWN = { replyCode: 320, replyText: 'CONNECTION_FORCED', classId: 0, methodId: 0 };

async function connectedTo(hook: Hook) {
  const broker = await fakeBroker(hook);
  onTestFinished(() => broker.close());
  const connection = await BrokerConnection.open({ transportUrl: broker.url, clientName: 'test', logger: QUIET });
  onTestFinished(() => connection.close());
  return { broker, connection };
}

const outcomeOf = (connection: BrokerConnection) =>
  connection.publish('', 'q', 'x').then(
    () => 'taken',
    () => 'not now',
  );

test('while it opens the channel for publishing: the agent publishes again on another connection', {
  timeout: 10_000,
}, async () => {
  const { connection } = await connectedTo(({ method, connection: nth, channel }, write) => {
    if (nth !== 1 || method !== 'ConfirmSelect') return false;
    write(encode('ConfirmSelectOk', channel, {}), encode('ConnectionClose', 0, GOING_DOWN));
    return true;
  });
  await expect.poll(() => outcomeOf(connection), { timeout: 8000, interval: 100 }).toBe('taken');
});

test('while it opens a connection anew: the agent connects once more', { timeout: 15_000 }, async () => {
  let lost = false;
  const { broker, connection } = await connectedTo(({ method, connection: nth }, write) => {
    if (nth === 1 && method === 'BasicPublish') {
      lost = true;
      write(encode('ConnectionClose', 0, GOING_DOWN));
      return true;
    }
    if (nth !== 2 || method !== 'ConnectionOpen') return false;
    write(encode('ConnectionOpenOk', 0, { knownHosts: '' }), encode('ConnectionClose', 0, GOING_DOWN));
    return true;
  });
  await expect(connection.publish('', 'q', 'x')).rejects.toThrow('publish');
  expect(lost).toBe(true);
  await expect.poll(() => outcomeOf(connection), { timeout: 8000, interval: 100 }).toBe('taken');
  expect(Math.max(...broker.received.map((one) => one.connection))).toBeGreaterThanOrEqual(3);
});

test('a server that is stopped while it begins to listen ends what it began', async () => {
  let consumed = 0;
  const stopping = Promise.withResolvers<RpcServer>();
  const { broker, connection } = await connectedTo(({ method, connection: nth }, write) => {
    if (method !== 'BasicConsume') return false;
    consumed += 1;
    // The channel of the first connection is lost; on the second, stop comes between the declarations and the answers.
    if (nth === 2 && consumed === 4) void stopping.promise.then((server) => server.stop(100));
    if (nth === 1 && consumed === 3) setTimeout(() => write(encode('ConnectionClose', 0, GOING_DOWN)), 50);
    return false;
  });
  const server = await RpcServer.start(connection, {
    exchange: 'x',
    topic: 't',
    server: 's',
    endpoints: [],
    logger: QUIET,
  });
  stopping.resolve(server);
  await expect
    .poll(() => broker.received.filter((one) => one.connection === 2 && one.method === 'BasicCancel').length, {
      timeout: 8000,
    })
    .toBeGreaterThan(0);
  await sleep(50);
  const second = broker.received.filter((one) => one.connection === 2);
  expect(second.some((one) => one.method === 'QueueDelete')).toBe(true);
});
