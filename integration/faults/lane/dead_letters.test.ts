/** What could not be read, on a real broker: kept over its restart, listed, put back on its way, dropped, bounded. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BrokerConnection, deadLetterQueue, sortDeadLetters, type DeadLetter } from '../../../src/rpc/index.ts';
import { createArgs, flavorOf } from '../../agent.ts';
import { QUIET } from '../../agent_process.ts';
import { Link } from '../../broker.ts';
import { until } from '../../oslo/stage.ts';
import { FakeBed } from '../beds.ts';
import { FaultStage } from '../fault_stage.ts';
import { RawCaller } from '../raw_caller.ts';

const QUEUE = deadLetterQueue('hugenode');
const BOUND = 10_000;
const MAX_BYTES = 4096;
const GARBAGE = Buffer.from('not a request: {');

let bed: FakeBed;
let stage: FaultStage;
let link: Link;
let broker: BrokerConnection;

beforeAll(async () => {
  bed = await FakeBed.make();
  stage = await FaultStage.set({ bed, overrides: { 'rpc.max_message_bytes': MAX_BYTES } });
  link = await Link.to(() => stage.broker.amqpPort);
  const transportUrl = stage.broker.url(stage.vhost, link.port);
  broker = await BrokerConnection.open({ transportUrl, clientName: 'dead letters', logger: QUIET });
});

afterAll(async () => {
  await broker?.close();
  await link?.close();
  await stage?.clear();
});

async function put(bodies: readonly Buffer[]): Promise<void> {
  await stage.onChannel(async (channel) => {
    for (const body of bodies) {
      channel.publish('hugenode', `hugenode.${stage.host}`, body, {
        contentType: 'text/plain',
        headers: { from: 'a test' },
      });
    }
    await channel.waitForConfirms();
  });
}

async function letters(): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  await sortDeadLetters(broker, 'hugenode', (letter) => {
    found.push(letter);
    return 'leave';
  });
  return found;
}

const untilCount = (count: number) =>
  until(async () => (await stage.broker.messageCount(stage.vhost, QUEUE)) === count, 30_000);

test('poison is kept with its reason and its way, is still there after a restart, and keeps its place when looked at', async () => {
  await put([Buffer.concat([GARBAGE, Buffer.from('1')]), Buffer.from('{"oslo.version": "9.0"}'), GARBAGE]);
  await untilCount(3);
  await stage.broker.restart('graceful');
  await stage.untilReady();
  await until(() => broker.isConnected, 30_000);
  for (let look = 0; look < 2; look += 1) {
    expect(await letters()).toMatchObject([
      { number: 1, exchange: 'hugenode', routingKey: `hugenode.${stage.host}`, contentType: 'text/plain' },
      { number: 2, body: Buffer.from('{"oslo.version": "9.0"}') },
      { number: 3, body: GARBAGE },
    ]);
  }
  for (const { reason, receivedAt } of await letters()) {
    expect(reason).not.toBe('');
    expect(Date.parse(receivedAt)).toBeGreaterThan(Date.now() - 120_000);
  }
});

test('one is dropped, the others are left', async () => {
  const counts = await sortDeadLetters(broker, 'hugenode', ({ number }) => (number === 2 ? 'drop' : 'leave'));
  expect(counts).toEqual({ left: 2, replayed: 0, dropped: 1 });
  expect((await letters()).map(({ body }) => body.toString())).toEqual([`${String(GARBAGE)}1`, String(GARBAGE)]);
});

test('poison that is put back on its way comes back', async () => {
  const counts = await sortDeadLetters(broker, 'hugenode', ({ number }) => (number === 1 ? 'replay' : 'drop'));
  expect(counts).toEqual({ left: 0, replayed: 1, dropped: 1 });
  await untilCount(1);
  expect(await letters()).toMatchObject([{ number: 1, routingKey: `hugenode.${stage.host}` }]);
  expect(await sortDeadLetters(broker, 'hugenode', () => 'drop')).toEqual({ left: 0, replayed: 0, dropped: 1 });
});

test('a request that was refused for its size is built once the limit is raised and it is put back', async () => {
  const caller = await RawCaller.open(stage.broker.url(stage.vhost), stage.host);
  const uuid = randomUUID();
  const metadata = Object.fromEntries(Array.from({ length: 50 }, (_, nth) => [`note ${nth}`, 'x'.repeat(100)]));
  caller.send({ id: 'large', method: 'create_instance', args: createArgs({ uuid, flavor: flavorOf(40), metadata }) });
  await untilCount(1);
  expect(bed.starts).toEqual([]);
  expect(await stage.agent.end('SIGTERM')).toBe(0);
  await stage.startAgent({ 'rpc.max_message_bytes': 16 * MAX_BYTES });
  expect(await sortDeadLetters(broker, 'hugenode', () => 'replay')).toMatchObject({ replayed: 1 });
  await until(async () => (await bed.uuids()).includes(uuid));
  await until(() => caller.answersOf('large').some(({ result }) => result !== null));
  expect(await letters()).toEqual([]);
  await caller.close();
});

test(`the queue holds ${BOUND}: beyond, the oldest go`, async () => {
  const excess = 10;
  await put(Array.from({ length: BOUND + excess }, (_, nth) => Buffer.from(`poison ${nth}`)));
  await untilCount(BOUND);
  await until(async () => (await stage.broker.messageCount(stage.vhost, `hugenode.${stage.host}`)) === 0, 60_000);
  await untilCount(BOUND);
  const bodies = (await letters()).map(({ body }) => Number(String(body).split(' ')[1]));
  expect(bodies).toHaveLength(BOUND);
  expect(new Set(bodies).size).toBe(BOUND);
  // Handled side by side, so roughly in the order of arrival: the newest is there.
  expect(bodies).toContain(BOUND + excess - 1);
  // The broker needs seconds to put so many back to their places, and none to lose them.
  await stage.broker.purgeQueue(stage.vhost, QUEUE);
  expect((await stage.caller(0).call('get_host', {}, 30)).is).toBe('answered');
});
