/**
 * Reads all guests once per period and hands their samples on. One call to the hypervisor serves them all, and a cycle
 * that fails costs that cycle only; one that takes longer than a period costs the next one, and is counted. A new guest is
 * watched more often until it has reported once, so that its first sample does not wait for the period to come round.
 */
import type { GuestStatistics, StatisticsOptions } from '../compute_driver.ts';
import type { Logger } from '../log.ts';
import { BalloonWatch, type BalloonReading, type SampleClock } from './balloon.ts';
import { jitterMs, untilNextMs } from './cycle_times.ts';
import { guestSamples, type Sample, type SampleOptions } from './samples.ts';

export type MeterOptions = SampleOptions & {
  readonly periodMs: number;
  /** Of guests without a balloon period of their own. */
  readonly balloonPeriodMs: number;
  /** Longest time that the hypervisor is waited for, in ms. */
  readonly deadlineMs: number;
  readonly readStatistics: (
    uuids: readonly string[] | undefined,
    options: StatisticsOptions,
  ) => Promise<readonly GuestStatistics[]>;
  /** Takes samples for good; one message each. */
  readonly publish: (messages: readonly (readonly Sample[])[]) => void;
  readonly log: Logger;
};

export type MeterFigures = {
  /** Since the start: cycles done, left out because the one before was not done, and failed. */
  readonly cycles: number;
  readonly overruns: number;
  readonly failures: number;
  readonly samples: number;
  /** Of the guests that run, as last read. */
  readonly balloons: ReadonlyMap<string, BalloonReading>;
};

/** How often a new guest is looked at until it reports. */
const WATCH_INTERVAL_MS = 500;
/** Ceilometer's own agent sends 50 in one message, and takes more. */
const SAMPLES_PER_MESSAGE = 100;

export class Meter {
  readonly #options: MeterOptions;
  readonly #offsetMs: number;
  readonly #balloons: BalloonWatch;
  readonly #needsCpu: boolean;
  /** New guests, and until when (monotonic ms) they are watched. */
  readonly #watched = new Map<string, number>();
  readonly #counts = { cycles: 0, overruns: 0, failures: 0, samples: 0 };
  #cycleTimer: NodeJS.Timeout | undefined;
  #watchTimer: NodeJS.Timeout | undefined;
  #cycle: Promise<void> | undefined;
  #watching: Promise<void> = Promise.resolve();
  #lastBeganMs = -Infinity;
  #isFailing = false;
  #isOverrunning = false;
  #isStopped = true;

  constructor(options: MeterOptions) {
    this.#options = options;
    this.#offsetMs = jitterMs(options.host, options.periodMs);
    this.#balloons = new BalloonWatch(options.balloonPeriodMs, options.log);
    this.#needsCpu = options.meters.some((meter) => meter === 'cpu' || meter === 'vcpus');
  }

  start(): void {
    this.#isStopped = false;
    this.#schedule();
  }

  /** Stops and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#cycleTimer);
    clearTimeout(this.#watchTimer);
    await Promise.all([this.#cycle, this.#watching]);
  }

  /** A guest was started: its first sample goes out as soon as it has reported. */
  watch(uuid: string): void {
    if (this.#isStopped) return;
    // A driver reports when it comes up or with the first period; after a few of these the cycle is enough.
    this.#watched.set(uuid, performance.now() + 60_000 + 2 * this.#options.balloonPeriodMs);
    this.#scheduleWatch();
  }

  unwatch(uuid: string): void {
    this.#watched.delete(uuid);
  }

  get figures(): MeterFigures {
    return { ...this.#counts, balloons: this.#balloons.readings };
  }

  #schedule(): void {
    if (this.#isStopped) return;
    const { periodMs } = this.#options;
    const sinceLastMs = performance.now() - this.#lastBeganMs;
    const delayMs = untilNextMs(Date.now(), periodMs, this.#offsetMs, sinceLastMs);
    this.#cycleTimer = setTimeout(() => {
      this.#lastBeganMs = performance.now();
      this.#begin();
      this.#schedule();
    }, delayMs);
  }

  #begin(): void {
    const { log } = this.#options;
    if (this.#cycle !== undefined) {
      this.#counts.overruns += 1;
      if (!this.#isOverrunning) log.warn('a cycle of samples takes longer than a period: others are left out');
      this.#isOverrunning = true;
      return;
    }
    this.#isOverrunning = false;
    this.#cycle = this.#sampleAll().finally(() => {
      this.#cycle = undefined;
    });
  }

  async #sampleAll(): Promise<void> {
    const { log } = this.#options;
    try {
      const guests = await this.#read();
      const uuids = new Set(guests.map(({ instance }) => instance.uuid));
      this.#publish(guests, () => true);
      this.#balloons.forgetAllBut(uuids);
      this.#counts.cycles += 1;
      if (this.#isFailing) log.info('samples go out again');
      this.#isFailing = false;
    } catch (error) {
      this.#counts.failures += 1;
      // Once, not in every cycle in which the hypervisor is away.
      if (!this.#isFailing) log.error('samples of one cycle are missing', { error: String(error) });
      this.#isFailing = true;
    }
  }

  #scheduleWatch(): void {
    if (this.#isStopped || this.#watched.size === 0 || this.#watchTimer !== undefined) return;
    this.#watchTimer = setTimeout(() => {
      this.#watching = this.#watchOnce().finally(() => {
        this.#watchTimer = undefined;
        this.#scheduleWatch();
      });
    }, WATCH_INTERVAL_MS);
  }

  async #watchOnce(): Promise<void> {
    const now = performance.now();
    for (const [uuid, until] of this.#watched) if (until < now) this.#watched.delete(uuid);
    try {
      const guests = await this.#read([...this.#watched.keys()]);
      this.#publish(guests, (balloon) => balloon?.state === 'fresh');
    } catch (error) {
      this.#options.log.debug('a new guest could not be looked at', { error: String(error) });
    }
  }

  #read(uuids?: readonly string[]): Promise<readonly GuestStatistics[]> {
    const { readStatistics, deadlineMs } = this.#options;
    return readStatistics(uuids, { cpu: this.#needsCpu, deadlineMs });
  }

  #publish(guests: readonly GuestStatistics[], isWanted: (balloon: BalloonReading | undefined) => boolean): void {
    const clock: SampleClock = { nowMs: Date.now(), monotonicS: Number(process.hrtime.bigint()) / 1e9 };
    const samples: Sample[] = [];
    const reported: string[] = [];
    for (const guest of guests) {
      const balloon = this.#balloons.observe(guest, clock);
      if (balloon?.state === 'fresh') reported.push(guest.instance.uuid);
      if (isWanted(balloon)) samples.push(...guestSamples(guest, balloon, clock, this.#options));
    }
    if (samples.length > 0) this.#options.publish(inMessages(samples));
    this.#counts.samples += samples.length;
    for (const uuid of reported) this.#watched.delete(uuid);
  }
}

function inMessages(samples: readonly Sample[]): Sample[][] {
  const count = Math.ceil(samples.length / SAMPLES_PER_MESSAGE);
  return Array.from({ length: count }, (_, nth) =>
    samples.slice(nth * SAMPLES_PER_MESSAGE, (nth + 1) * SAMPLES_PER_MESSAGE),
  );
}
