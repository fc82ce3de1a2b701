import fc from 'fast-check';
import { expect, test } from 'vitest';
import { advance, type Beat, type ClockReading } from '../../src/usage/record_clock.ts';

const reading = (wallMs: number, monotonicMs: number, bootId = 'boot-1'): ClockReading => ({
  wallMs,
  monotonicMs,
  bootId,
});
const beat = (atMs: number, monotonicMs: number, bootId = 'boot-1'): Beat => ({ atMs, monotonicMs, bootId });

test('the first reading is the wall clock', () => {
  expect(advance(undefined, reading(1_000.4, 7))).toEqual({ untilMs: 1_000, beat: beat(1_000, 7), aheadMs: 0 });
});

test('within a boot the monotonic time passes, whatever the wall clock rounds to', () => {
  expect(advance(beat(1_000, 0), reading(1_499, 500))).toEqual({ untilMs: 1_500, beat: beat(1_500, 500), aheadMs: 0 });
});

test('a clock set forward leaves a hole that is nobody’s', () => {
  const { untilMs, beat: next } = advance(beat(1_000, 0), reading(3_601_500, 500));
  expect([untilMs, next.atMs]).toEqual([1_500, 3_601_500]);
});

test('a clock set back: the record goes on ahead of it', () => {
  const { untilMs, beat: next, aheadMs } = advance(beat(3_600_000, 0), reading(500, 500));
  expect([untilMs, next.atMs, aheadMs]).toEqual([3_600_500, 3_600_500, 3_600_000]);
});

test('after a boot the wall clock counts, but never to before what is written', () => {
  expect(advance(beat(1_000, 900, 'boot-0'), reading(5_000, 3)).untilMs).toBe(5_000);
  expect(advance(beat(9_000, 900, 'boot-0'), reading(5_000, 3)).untilMs).toBe(9_000);
});

test('property: never back, and exactly the time that passed', () => {
  const step = fc.record({ passedMs: fc.nat(100_000), setMs: fc.integer({ min: -1e7, max: 1e7 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let [wallMs, monotonicMs] = [1e9, 0];
      let last = advance(undefined, reading(wallMs, monotonicMs)).beat;
      for (const { passedMs, setMs } of steps) {
        wallMs += passedMs + setMs;
        monotonicMs += passedMs;
        const { untilMs, beat: next } = advance(last, reading(wallMs, monotonicMs));
        expect(untilMs - last.atMs).toBe(passedMs);
        expect(next.atMs).toBeGreaterThanOrEqual(untilMs);
        last = next;
      }
    }),
  );
});
