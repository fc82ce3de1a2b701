/**
 * The clock of the record. Times are wall clock, so that they mean something on a bill; durations are monotonic, so that
 * a clock that is set makes no second twice and none negative. Pure.
 *
 *   - Between two readings of the same boot, exactly the monotonic time passes, across restarts of the agent too.
 *   - A wall clock that was set forward: the record goes on there, and the hole between is nobody's.
 *   - A wall clock that was set back: the record goes on from where it was, ahead of the wall clock by that much, because
 *     the times before it are written already.
 *   - After a boot of the host nothing monotonic is known: the wall clock counts, but never to before the last reading.
 */

/** What the machine's clocks say at one moment. */
export type ClockReading = {
  readonly wallMs: number;
  /** Whole ms since some moment of this boot of the host; the same for every process of it. */
  readonly monotonicMs: number;
  readonly bootId: string;
};

/** The last moment that is written. */
export type Beat = {
  readonly atMs: number;
  readonly monotonicMs: number;
  readonly bootId: string;
};

export type Advance = {
  /** Where what went on since the last beat has come to; the last beat itself where there was none to go on from. */
  readonly untilMs: number;
  /** The beat of now: later than `untilMs` where the wall clock was set forward. */
  readonly beat: Beat;
  /** By how much the record is ahead of the wall clock, in ms. */
  readonly aheadMs: number;
};

/** Deviations up to this are rounding, and the slow corrections of a time service. */
const TOLERANCE_MS = 2_000;

/** From the last beat to now. */
export function advance(last: Beat | undefined, { wallMs, monotonicMs, bootId }: ClockReading): Advance {
  const wall = Math.round(wallMs);
  const untilMs = untilOf(last, wall, { monotonicMs, bootId });
  const atMs = wall > untilMs + TOLERANCE_MS ? wall : untilMs;
  const aheadMs = Math.max(0, atMs - wall);
  return { untilMs, beat: { atMs, monotonicMs, bootId }, aheadMs: aheadMs > TOLERANCE_MS ? aheadMs : 0 };
}

function untilOf(last: Beat | undefined, wall: number, now: { monotonicMs: number; bootId: string }): number {
  if (last === undefined) return wall;
  if (last.bootId !== now.bootId) return Math.max(last.atMs, wall);
  return last.atMs + Math.max(0, now.monotonicMs - last.monotonicMs);
}
