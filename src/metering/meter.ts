/**
 * Reads all guests once per period and hands their samples on. One call to the hypervisor serves them all, and a cycle
 * that fails costs that cycle only. A new guest is watched more often until it has reported once, so that its first
 * sample does not wait for the period to come round.
 */
import type { GuestStatistics } from '../compute_driver.ts';
import type { Logger } from '../log.ts';
import { freshUsageKib, memorySamples, type Sample, type SampleOptions } from './samples.ts';

export type MeterOptions = SampleOptions & {
  readonly periodMs: number;
  readonly readStatistics: (uuids?: readonly string[]) => Promise<readonly GuestStatistics[]>;
  /** Hands samples on; rejects where they could not be delivered. */
  readonly publish: (samples: readonly Sample[]) => Promise<void>;
  readonly log: Logger;
};

/** How often a new guest is looked at until it reports. */
const WATCH_INTERVAL_MS = 500;

export class Meter {
  readonly #options: MeterOptions;
  /** New guests, and until when (monotonic ms) they are watched. */
  readonly #watched = new Map<string, number>();
  #cycleTimer: NodeJS.Timeout | undefined;
  #watchTimer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #stopped = true;

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopped = false;
    this.#scheduleCycle(performance.now() + this.#options.periodMs);
  }

  /** Stops and waits for what is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#cycleTimer);
    clearTimeout(this.#watchTimer);
    await this.#working;
  }

  /** A guest was started: its first sample goes out as soon as it has reported. */
  watch(uuid: string): void {
    if (this.#stopped) return;
    // A driver reports when it comes up or with the first period; after a few of these the cycle is enough.
    this.#watched.set(uuid, performance.now() + 60_000 + 2 * this.#options.balloonPeriodMs);
    this.#scheduleWatch();
  }

  unwatch(uuid: string): void {
    this.#watched.delete(uuid);
  }

  #scheduleCycle(due: number): void {
    if (this.#stopped) return;
    this.#cycleTimer = setTimeout(
      () => {
        this.#working = this.#working
          .then(() => this.#cycle())
          // From now, not from when it was due: cycles that overrun must not pile up.
          .then(() => this.#scheduleCycle(Math.max(due + this.#options.periodMs, performance.now())));
      },
      Math.max(0, due - performance.now()),
    );
  }

  async #cycle(): Promise<void> {
    await this.#sampleAll(
      () => this.#options.readStatistics(),
      () => true,
    );
  }

  #scheduleWatch(): void {
    if (this.#stopped || this.#watched.size === 0 || this.#watchTimer !== undefined) return;
    this.#watchTimer = setTimeout(() => {
      this.#working = this.#working
        .then(() => this.#watchOnce())
        .finally(() => {
          this.#watchTimer = undefined;
          this.#scheduleWatch();
        });
    }, WATCH_INTERVAL_MS);
  }

  async #watchOnce(): Promise<void> {
    const now = performance.now();
    for (const [uuid, until] of this.#watched) if (until < now) this.#watched.delete(uuid);
    const uuids = [...this.#watched.keys()];
    await this.#sampleAll(
      () => this.#options.readStatistics(uuids),
      (guest) => this.#hasReported(guest),
    );
  }

  async #sampleAll(
    read: () => Promise<readonly GuestStatistics[]>,
    isWanted: (guest: GuestStatistics) => boolean,
  ): Promise<void> {
    const { log, publish } = this.#options;
    try {
      const guests = (await read()).filter(isWanted);
      const clock = { nowMs: Date.now(), monotonicS: Number(process.hrtime.bigint()) / 1e9 };
      const samples = guests.flatMap((guest) => memorySamples(guest, clock, this.#options));
      if (samples.length === 0) return;
      await publish(samples);
      for (const guest of guests) if (this.#hasReported(guest)) this.#watched.delete(guest.instance.uuid);
    } catch (error) {
      log.error('samples of one cycle are missing', { error: String(error) });
    }
  }

  #hasReported(guest: GuestStatistics): boolean {
    return freshUsageKib(guest.balloon, Date.now(), this.#options.balloonPeriodMs) !== undefined;
  }
}
