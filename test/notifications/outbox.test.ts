import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Outbox } from '../../src/notifications/outbox.ts';
import { quietLog } from '../quiet_log.ts';

test('sends in order, one after the other, and loses only what fails', async () => {
  const sent: number[] = [];
  const log = quietLog();
  const outbox = new Outbox<number>({
    bound: 100,
    log,
    describe: (item) => ({ item }),
    send: async (item) => {
      await sleep(10 - item);
      if (item === 3) throw new Error('no broker');
      sent.push(item);
    },
  });
  for (const item of [1, 2, 3, 4, 5]) outbox.post(item);
  await outbox.drained();
  outbox.post(6);
  await outbox.drained();
  expect(sent).toEqual([1, 2, 4, 5, 6]);
  expect(log.lines).toEqual([['error', 'a notification is lost: it could not be sent']]);
});

test('the bound drops the oldest and says so', async () => {
  const sent: number[] = [];
  const log = quietLog();
  const gate = Promise.withResolvers<void>();
  const outbox = new Outbox<number>({
    bound: 2,
    log,
    describe: (item) => ({ item }),
    send: async (item) => {
      await gate.promise;
      sent.push(item);
    },
  });
  for (const item of [1, 2, 3, 4, 5]) outbox.post(item);
  gate.resolve();
  await outbox.drained();
  expect(sent).toEqual([1, 4, 5]);
  expect(log.lines).toHaveLength(2);
});
