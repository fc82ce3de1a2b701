import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Leftovers } from '../../src/compute/leftovers.ts';
import { quietLog } from '../quiet_log.ts';

test('what fails is tried again until it succeeds, and then no more', async () => {
  let attempts = 0;
  const takeBack = async () => {
    attempts += 1;
    if (attempts < 3) throw new Error('libvirt is away');
  };
  const leftovers = new Leftovers({ takeBack, log: quietLog(), firstDelayMs: 5 });
  await leftovers.take('uuid');
  await expect.poll(() => attempts).toBe(3);
  await sleep(50);
  expect(attempts).toBe(3);
});

test('stopping ends the attempts, also while one is under way', async () => {
  let attempts = 0;
  const underWay = Promise.withResolvers<never>();
  const takeBack = () => {
    attempts += 1;
    return underWay.promise;
  };
  const leftovers = new Leftovers({ takeBack, log: quietLog(), firstDelayMs: 5 });
  const taking = leftovers.take('uuid');
  leftovers.stop();
  underWay.reject(new Error('the agent is stopping'));
  await taking;
  await sleep(50);
  expect(attempts).toBe(1);
});
