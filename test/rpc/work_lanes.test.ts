/** Places at work: kinds that do not hold each other up, and waiting that ends. */
import { expect, test } from 'vitest';
import { WorkLanes, type LaneWish } from '../../src/rpc/work_lanes.ts';

const wish = (lane: string | undefined, over: Partial<LaneWish> = {}): LaneWish => {
  return { lane, patienceMs: Infinity, longestMs: 60_000, ...over };
};

/** Work that ends when told to. */
function gated() {
  const gate = Promise.withResolvers<void>();
  const state = { begun: false };
  const work = async () => {
    state.begun = true;
    await gate.promise;
  };
  return { state, work, end: gate.resolve, fail: gate.reject };
}

const turn = () => new Promise(setImmediate);

test('as many of a lane as it has places are at work, the others in their order; other lanes go on', async () => {
  const lanes = new WorkLanes({ build: 2 });
  const jobs = Array.from({ length: 4 }, gated);
  const ends = jobs.map((job) => lanes.run(wish('build'), job.work));
  const quick = gated();
  const quickEnd = lanes.run(wish('quick'), quick.work);
  const unnamed = gated();
  const unnamedEnd = lanes.run(wish(undefined), unnamed.work);
  await turn();
  const begun = () => jobs.map(({ state }) => state.begun);
  expect(begun()).toEqual([true, true, false, false]);
  expect([quick.state.begun, unnamed.state.begun]).toEqual([true, true]);
  expect(lanes.waitingCount).toBe(2);
  jobs[1]?.end();
  expect(await ends[1]).toBe('done');
  await turn();
  expect(begun()).toEqual([true, true, true, false]);
  for (const job of [...jobs, quick, unnamed]) job.end();
  expect(await Promise.all([...ends, quickEnd, unnamedEnd])).toEqual(Array(6).fill('done'));
  expect(lanes.waitingCount).toBe(0);
});

test('work that fails gives its place back', async () => {
  const lanes = new WorkLanes({ build: 1 });
  await expect(lanes.run(wish('build'), () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await lanes.run(wish('build'), async () => {})).toBe('done');
});

test('who waits no longer is not begun, and leaves no gap behind', async () => {
  const lanes = new WorkLanes({ build: 1 });
  const first = gated();
  const firstEnd = lanes.run(wish('build'), first.work);
  const impatient = gated();
  expect(await lanes.run(wish('build', { patienceMs: 5 }), impatient.work)).toBe('expired');
  const patient = gated();
  expect(await lanes.run(wish('build', { longestMs: 5 }), patient.work)).toBe('too-long');
  expect([impatient.state.begun, patient.state.begun]).toEqual([false, false]);
  const last = lanes.run(wish('build'), async () => {});
  first.end();
  expect(await Promise.all([firstEnd, last])).toEqual(['done', 'done']);
});

test('stopped, it begins nothing and lets go of all that wait', async () => {
  const lanes = new WorkLanes({ build: 1 });
  const first = gated();
  const firstEnd = lanes.run(wish('build'), first.work);
  const waiting = lanes.run(wish('build'), async () => {});
  lanes.stop();
  expect(await waiting).toBe('stopped');
  expect(await lanes.run(wish('build'), async () => {})).toBe('stopped');
  first.end();
  expect(await firstEnd).toBe('done');
});
