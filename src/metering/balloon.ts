/**
 * How far a guest's balloon statistics can be trusted. QEMU keeps the last ones for ever, also while the guest is paused
 * or asked no more, so only their age tells (contract: at most two periods, and at least 30 s).
 */
import type { GuestStatistics } from '../compute_driver.ts';
import type { Logger } from '../log.ts';

/**
 * `fresh`: as of now. `stale`: too old, of a guest that is paused, stuck or asked no more. `never`: not yet. `no-driver`:
 * it runs, and has not said a word for long. `off`: it has no balloon.
 */
export const BALLOON_STATES = ['fresh', 'stale', 'never', 'no-driver', 'off'] as const;
export type BalloonState = (typeof BALLOON_STATES)[number];

/** `ageMs` is null where the guest never reported. */
export type BalloonReading = { readonly state: BalloonState; readonly ageMs: number | null };

export type SampleClock = {
  /** Wall clock, which can be set. */
  readonly nowMs: number;
  /** A clock that is never set. */
  readonly monotonicS: number;
};

/** A driver reports within seconds of its start; Windows takes longer. */
const NO_DRIVER_AFTER_MS = 120_000;
/** libvirt tells whole seconds: up to this far ahead is rounding, beyond it a clock was set. */
const ROUNDING_MS = 1000;

/** Statistics older than this are not current: two periods, but at least 30 s for guests that answer slowly. */
export function freshnessMs(balloonPeriodMs: number): number {
  return Math.max(2 * balloonPeriodMs, 30_000);
}

/**
 * The state of one guest's statistics. Pure.
 * @param unchangedMs since when the guest has reported nothing new, by a clock that is never set.
 */
export function balloonReading(
  guest: GuestStatistics,
  nowMs: number,
  unchangedMs: number,
  standardPeriodMs: number,
): BalloonReading {
  const { balloon, hasBalloon, powerState, watchedMs = 0 } = guest;
  if (hasBalloon === false) return { state: 'off', ageMs: null };
  if (balloon === undefined) {
    const isSilent = powerState === 'running' && watchedMs >= NO_DRIVER_AFTER_MS;
    return { state: isSilent ? 'no-driver' : 'never', ageMs: null };
  }
  const byWallClock = nowMs - balloon.lastUpdateS * 1000;
  const ageMs = Math.max(byWallClock, unchangedMs, 0);
  const isFresh = byWallClock >= -ROUNDING_MS && ageMs <= freshnessMs(periodOf(guest, standardPeriodMs));
  return { state: isFresh ? 'fresh' : 'stale', ageMs };
}

/** The guest's own period where it has one. */
function periodOf({ balloonPeriodMs }: GuestStatistics, standardPeriodMs: number): number {
  return balloonPeriodMs === undefined || balloonPeriodMs === 0 ? standardPeriodMs : balloonPeriodMs;
}

type Watched = { lastUpdateS: number | undefined; sinceS: number; reading: BalloonReading | undefined };

/** Follows the statistics of all guests and says once when one of them changes its state. */
export class BalloonWatch {
  readonly #periodMs: number;
  readonly #log: Logger;
  readonly #guests = new Map<string, Watched>();

  /** @param periodMs what a guest has that has no period of its own. */
  constructor(periodMs: number, log: Logger) {
    this.#periodMs = periodMs;
    this.#log = log;
  }

  /** Undefined where the hypervisor could not ask the guest now: nothing is known, and nothing has changed. */
  observe(guest: GuestStatistics, clock: SampleClock): BalloonReading | undefined {
    if (guest.balloon === undefined && guest.hasBalloon === undefined) return undefined;
    const { uuid } = guest.instance;
    const lastUpdateS = guest.balloon?.lastUpdateS;
    let watched = this.#guests.get(uuid);
    if (watched === undefined || watched.lastUpdateS !== lastUpdateS) {
      watched = { lastUpdateS, sinceS: clock.monotonicS, reading: watched?.reading };
      this.#guests.set(uuid, watched);
    }
    const unchangedMs = (clock.monotonicS - watched.sinceS) * 1000;
    const reading = balloonReading(guest, clock.nowMs, unchangedMs, this.#periodMs);
    if (watched.reading?.state !== reading.state) this.#tell(guest, watched.reading, reading);
    watched.reading = reading;
    return reading;
  }

  /** Guests that do not run any more. */
  forgetAllBut(uuids: ReadonlySet<string>): void {
    for (const uuid of this.#guests.keys()) if (!uuids.has(uuid)) this.#guests.delete(uuid);
  }

  /** As last observed. */
  get readings(): ReadonlyMap<string, BalloonReading> {
    return new Map(
      [...this.#guests].flatMap(([uuid, { reading }]) => (reading === undefined ? [] : [[uuid, reading] as const])),
    );
  }

  #tell(guest: GuestStatistics, before: BalloonReading | undefined, { state, ageMs }: BalloonReading): void {
    // A guest that has just been started is expected to be silent, and then to report.
    const isNews = before !== undefined || (state !== 'never' && state !== 'fresh');
    if (!isNews) return;
    const fields = { instance: guest.instance.uuid, balloon: state, power_state: guest.powerState, age_ms: ageMs };
    if (state === 'fresh') this.#log.info('the guest reports its memory', fields);
    else this.#log.warn('no memory usage is known of a guest', fields);
  }
}
