import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { jitterMs, untilNextMs } from '../../src/metering/cycle_times.ts';

test('hosts are spread over a tenth of the period, each always at the same place', () => {
  const offsets = Array.from({ length: 200 }, (_, nth) => jitterMs(`host-${nth}`, 10_000));
  expect(Math.max(...offsets)).toBeLessThan(1000);
  expect(Math.max(...offsets) - Math.min(...offsets)).toBeGreaterThan(800);
  expect(jitterMs('host-7', 10_000)).toBe(offsets[7]);
});

test('polls are at multiples of the period and the offset', () => {
  expect(untilNextMs(1_000_400, 10_000, 400, Infinity)).toBe(10_000);
  expect(untilNextMs(1_003_000, 10_000, 400, Infinity)).toBe(7400);
  // A timer that fires a little early does not poll twice.
  expect(untilNextMs(1_010_399, 10_000, 400, 0)).toBe(10_001);
});

test('whatever the wall clock does, polls are half a period to one and a half apart', () => {
  const steps = fc.array(fc.integer({ min: -100_000_000, max: 100_000_000 }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1000, max: 600_000 }), fc.nat(1000), (clockSteps, periodMs, offsetMs) => {
      let wall = 1_700_000_000_000;
      for (const clockStep of clockSteps) {
        wall += clockStep;
        const delay = untilNextMs(wall, periodMs, offsetMs, 0);
        expect(delay).toBeGreaterThanOrEqual(periodMs / 2);
        expect(delay).toBeLessThanOrEqual(1.5 * periodMs);
        wall += delay;
        expect((wall - offsetMs) % periodMs).toBe(0);
      }
    }),
  );
});
