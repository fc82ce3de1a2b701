import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Outbox, type OutboxOptions } from '../../src/notifications/outbox.ts';
import { quietLog } from '../quiet_log.ts';

class BrokerAway extends Error {}

function outboxOf(send: (item: number) => Promise<void>, over: Partial<OutboxOptions<number>> = {}) {
  const log = quietLog();
  const outbox = new Outbox<number>({
    bound: 100,
    retryDelayMs: 5,
    log,
    describe: (item) => ({ item }),
    isPassing: (error) => error instanceof BrokerAway,
    send,
    ...over,
  });
  return { outbox, log };
}

test('sends in order, one after the other, and loses only what fails for good', async () => {
  const sent: number[] = [];
  const { outbox, log } = outboxOf(async (item) => {
    await sleep(10 - item);
    if (item === 3) throw new Error('cannot be encoded');
    sent.push(item);
  });
  for (const item of [1, 2, 3, 4, 5]) outbox.post(item);
  await outbox.drained(1000);
  outbox.post(6);
  await outbox.drained(1000);
  expect(sent).toEqual([1, 2, 4, 5, 6]);
  expect(log.lines).toEqual([['error', 'a notification is lost: it could not be sent']]);
});

test('while the broker is away items wait, and go out in order when it is back', async () => {
  const sent: number[] = [];
  let away = true;
  const { outbox, log } = outboxOf(async (item) => {
    if (away) throw new BrokerAway();
    sent.push(item);
  });
  for (const item of [1, 2, 3]) outbox.post(item);
  await sleep(30);
  expect(sent).toEqual([]);
  away = false;
  await outbox.drained(1000);
  expect(sent).toEqual([1, 2, 3]);
  expect(log.lines).toEqual([]);
});

test('the bound drops the oldest and says so', async () => {
  const sent: number[] = [];
  let away = true;
  const { outbox, log } = outboxOf(
    async (item) => {
      if (away) throw new BrokerAway();
      sent.push(item);
    },
    { bound: 2 },
  );
  for (const item of [1, 2, 3, 4, 5]) outbox.post(item);
  away = false;
  await outbox.drained(1000);
  expect(sent).toEqual([4, 5]);
  expect(log.lines).toHaveLength(3);
});

test('an item posted in any turn around the end of the one before is sent', async () => {
  for (let turns = 0; turns < 8; turns += 1) {
    const sent: number[] = [];
    const { outbox } = outboxOf(async (item) => void sent.push(item));
    outbox.post(1);
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    outbox.post(2);
    await outbox.drained(1000);
    await nextTurn();
    expect(sent).toEqual([1, 2]);
  }
});

test('an agent that ends does not wait for ever, and says what it did not send', async () => {
  const { outbox, log } = outboxOf(async () => {
    throw new BrokerAway();
  });
  outbox.post(1);
  await outbox.drained(20);
  expect(log.lines).toEqual([['error', 'a notification is lost: the agent ends']]);
});
