import { expect, test } from 'vitest';
import { RecentRequests } from '../../src/rpc/recent_requests.ts';

test('a duplicate waits for the end of the first run and does not run', async () => {
  const recent = new RecentRequests(10);
  const first = Promise.withResolvers<void>();
  let runs = 0;
  const work = (): Promise<void> => {
    runs++;
    return first.promise;
  };
  const running = recent.once('a', work);
  let isOver = false;
  const duplicate = recent.once('a', work).finally(() => (isOver = true));
  await new Promise(setImmediate);
  expect({ runs, isOver }).toEqual({ runs: 1, isOver: false });

  first.resolve();
  expect(await Promise.all([running, duplicate])).toEqual(['ran', 'duplicate']);
  expect(await recent.once('a', work)).toBe('duplicate');
  expect(runs).toBe(1);
});

test('the oldest finished are forgotten beyond the limit, those at work never', async () => {
  const recent = new RecentRequests(2);
  const slow = Promise.withResolvers<void>();
  const atWork = recent.once('slow', () => slow.promise);
  for (const id of ['a', 'b', 'c']) await recent.once(id, async () => {});

  expect(await recent.once('c', async () => {})).toBe('duplicate');
  expect(await recent.once('a', async () => {})).toBe('ran');
  slow.resolve();
  expect(await recent.once('slow', async () => {})).toBe('duplicate');
  expect(await atWork).toBe('ran');
});

test('the failure of a run is the failure of its duplicates', async () => {
  const recent = new RecentRequests(2);
  await expect(recent.once('a', () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  await expect(recent.once('a', () => Promise.resolve())).rejects.toThrow('lost');
});
