import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GuestStatistics } from '../../src/compute_driver.ts';
import { balloonReading, BalloonWatch, freshnessMs } from '../../src/metering/balloon.ts';
import { quietLog } from '../quiet_log.ts';
import { guestOf, NOW } from './guests.ts';

const reported = (ageS: number): Partial<GuestStatistics> => ({
  balloon: { availableKib: 100, usableKib: 30, lastUpdateS: NOW / 1000 - ageS },
});

function silent(over: Partial<GuestStatistics>): GuestStatistics {
  const { balloon: _none, ...guest } = guestOf(over);
  return guest;
}

test('a slow period is given two of them', () => {
  expect(freshnessMs(10_000)).toBe(30_000);
  expect(freshnessMs(60_000)).toBe(120_000);
});

test.each<[string, GuestStatistics, number, string]>([
  ['reported just now', guestOf(reported(1)), 1000, 'fresh'],
  ['reported too long ago', guestOf(reported(31)), 1000, 'stale'],
  ['of a guest with a slow period', guestOf({ ...reported(100), balloonPeriodMs: 60_000 }), 0, 'fresh'],
  ['of a guest without period', guestOf({ ...reported(31), balloonPeriodMs: 0 }), 0, 'stale'],
  ['reported half a second ahead', guestOf(reported(-0.5)), 0, 'fresh'],
  ['reported in the future', guestOf(reported(-5)), 0, 'stale'],
  ['unchanged for long by the clock that is never set', guestOf(reported(1)), 31_000, 'stale'],
  ['never reported, new', silent({ watchedMs: 5000 }), 0, 'never'],
  ['never reported, for long', silent({ watchedMs: 120_000 }), 0, 'no-driver'],
  ['never reported, paused for long', silent({ watchedMs: 600_000, powerState: 'paused' }), 0, 'never'],
  ['without balloon', silent({ hasBalloon: false }), 0, 'off'],
])('statistics %s', (_what, guest, unchangedMs, state) => {
  expect(balloonReading(guest, NOW, unchangedMs, 10_000).state).toBe(state);
});

function watchOf() {
  const log = quietLog();
  const watch = new BalloonWatch(10_000, log);
  let monotonicS = 100;
  const observe = (guest: GuestStatistics, { wallS = 0, laterS = 0 } = {}) => {
    monotonicS += laterS;
    return watch.observe(guest, { nowMs: NOW + wallS * 1000, monotonicS })?.state;
  };
  return { watch, log, observe };
}

test('each change of the state is logged once, and the usual start of a guest is not', () => {
  const { log, observe } = watchOf();
  observe(silent({ watchedMs: 1000 }));
  observe(guestOf(reported(1)));
  observe(guestOf(reported(1)));
  expect(log.lines).toEqual([['info', 'the guest reports its memory']]);
  for (const wallS of [60, 70, 80]) observe(guestOf(reported(1)), { wallS, laterS: 10 });
  observe(guestOf(reported(-80)), { wallS: 80 });
  expect(log.lines.slice(1)).toEqual([
    ['warn', 'no memory usage is known of a guest'],
    ['info', 'the guest reports its memory'],
  ]);
});

test('a clock that is set back does not make old statistics new', () => {
  const { observe } = watchOf();
  const paused = guestOf(reported(2));
  expect(observe(paused)).toBe('fresh');
  // Set back by 25 s while 40 s pass: 15 s by the wall clock.
  expect(observe(paused, { wallS: 15, laterS: 40 })).toBe('stale');
  // Set back by an hour: what was said is in the future.
  expect(observe(paused, { wallS: -3600, laterS: 0 })).toBe('stale');
});

test('a clock that is set forward makes them old until the guest reports anew', () => {
  const { observe } = watchOf();
  expect(observe(guestOf(reported(2)))).toBe('fresh');
  expect(observe(guestOf(reported(2)), { wallS: 3600, laterS: 10 })).toBe('stale');
  expect(observe(guestOf(reported(-3599)), { wallS: 3600, laterS: 10 })).toBe('fresh');
});

test('a guest that could not be asked has not changed', () => {
  const { watch, log, observe } = watchOf();
  observe(guestOf(reported(1)));
  const { hasBalloon: _unknown, ...busy } = silent({});
  expect(observe(busy)).toBeUndefined();
  expect(log.lines).toEqual([]);
  expect([...watch.readings.values()]).toEqual([{ state: 'fresh', ageMs: 1000 }]);
  watch.forgetAllBut(new Set());
  expect(watch.readings.size).toBe(0);
});

test('fresh means: said within the time, whatever the clocks do', () => {
  const step = fc.record({
    laterS: fc.integer({ min: 0, max: 100 }),
    stepS: fc.integer({ min: -5000, max: 5000 }),
    reports: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const watch = new BalloonWatch(10_000, quietLog());
      let wallS = NOW / 1000;
      let monotonicS = 0;
      let said: { lastUpdateS: number; at: number } | undefined;
      for (const { laterS, stepS, reports } of steps) {
        monotonicS += laterS;
        wallS += laterS + stepS;
        if (reports) said = { lastUpdateS: wallS, at: monotonicS };
        if (said === undefined) continue;
        const guest = guestOf({ balloon: { availableKib: 2, usableKib: 1, lastUpdateS: said.lastUpdateS } });
        const reading = watch.observe(guest, { nowMs: wallS * 1000, monotonicS });
        // The cycle that sees a report first may be as late as a cycle takes.
        const tooOld = monotonicS - said.at > 30 && reading?.state === 'fresh';
        expect(tooOld).toBe(false);
        expect(reading?.ageMs).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});
