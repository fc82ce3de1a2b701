/** When to poll: at multiples of the period, so that samples of all hosts line up, each host at an offset of its own. Pure. */
import { createHash } from 'node:crypto';

/** This part of a period is what hosts are spread over, so that they do not all publish in the same instant. */
const SPREAD = 0.1;

/** The host's own offset, in ms: the same at each start. */
export function jitterMs(host: string, periodMs: number): number {
  const fraction = createHash('sha256').update(host).digest().readUInt32BE(0) / 2 ** 32;
  return Math.floor(fraction * periodMs * SPREAD);
}

/**
 * Until the next poll, in ms.
 * @param nowMs wall clock. It may have been set meanwhile, so two polls are at least half a period apart, and at most
 * one and a half.
 * @param sinceLastMs since the last poll began, by a clock that is never set; Infinity where there was none.
 */
export function untilNextMs(nowMs: number, periodMs: number, offsetMs: number, sinceLastMs: number): number {
  const into = (((nowMs - offsetMs) % periodMs) + periodMs) % periodMs;
  const left = periodMs - into;
  return sinceLastMs + left < periodMs / 2 ? left + periodMs : left;
}
