/**
 * Keeps the history of who held which pages. The host is looked at when something happened to a guest and once per
 * heartbeat; each look is written whole. A look that fails is a gap, as the agent's death is one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import { changeOf, type Holding } from './history.ts';
import { advance, type ClockReading } from './record_clock.ts';
import { usageRows, type UsageQuery, type UsageReport } from './usage_report.ts';
import type { UsageStore } from './usage_store.ts';

export type UsageRecorderOptions = {
  readonly store: UsageStore;
  readonly readClock: () => ClockReading;
  readonly readPresent: () => Promise<readonly Holding[]>;
  /** Longest time between two looks: what a gap can cost. */
  readonly heartbeatMs: number;
  readonly log: Logger;
};

/** Least time between two looks: what happens together is looked at once. */
const SPACING_MS = 200;
/** How long a question or the end of the agent waits for a look. */
const PATIENCE_MS = 3_000;

export class UsageRecorder {
  readonly #options: UsageRecorderOptions;
  /** Before the first look nobody looked for an unknown time. */
  #isAfterGap = true;
  #isStopped = false;
  #looking: Promise<boolean> | undefined;
  #isAskedAgain = false;
  #timer: NodeJS.Timeout | undefined;
  #aheadMs = 0;

  constructor(options: UsageRecorderOptions) {
    this.#options = options;
  }

  /** Resolves after the first look, whether or not it succeeded, and in any case soon. */
  async start(): Promise<void> {
    await this.#lookInTime();
  }

  /** Something happened to a guest: looks soon. */
  notice(): void {
    if (this.#isStopped) return;
    if (this.#looking !== undefined) this.#isAskedAgain = true;
    else this.#schedule(SPACING_MS);
  }

  /** What was held in that span, as of now. Where the host cannot be read, as of the last look. */
  async report(query: UsageQuery): Promise<UsageReport> {
    await this.#lookInTime();
    const { store } = this.#options;
    const untilMs = store.beat()?.atMs ?? 0;
    return {
      fromMs: query.fromMs,
      toMs: query.toMs,
      untilMs,
      sinceMs: store.sinceMs() ?? untilMs,
      rows: usageRows(store.sums(query)),
    };
  }

  /** A last look, so that an orderly restart costs nothing; then closes the store. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#lookInTime();
    this.#options.store.close();
  }

  async #lookInTime(): Promise<void> {
    const patience = new AbortController();
    await Promise.race([
      this.#look(),
      sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
  }

  /** One at a time; whoever comes while one is under way gets the one after it, which has seen what it knows of. */
  async #look(): Promise<boolean> {
    const before = this.#looking;
    if (before !== undefined) {
      await before;
      if (this.#looking !== undefined) return this.#looking;
    }
    this.#looking = this.#lookNow().finally(() => {
      this.#looking = undefined;
      this.#schedule(this.#isAskedAgain ? SPACING_MS : this.#options.heartbeatMs);
      this.#isAskedAgain = false;
    });
    return this.#looking;
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#look(), delayMs);
    this.#timer.unref();
  }

  async #lookNow(): Promise<boolean> {
    const { store, readClock, readPresent, log } = this.#options;
    try {
      // Before the reading: what is found was there by then, or has begun since, which the next look would not mend.
      const clock = readClock();
      const present = await readPresent();
      const last = store.beat();
      const { untilMs, beat, aheadMs } = advance(last, clock);
      const change = changeOf({
        open: store.open(),
        present,
        lastMs: last?.atMs ?? untilMs,
        untilMs,
        fromMs: beat.atMs,
        isAfterGap: this.#isAfterGap,
      });
      store.write(change, beat);
      if (this.#isAfterGap && last !== undefined) this.#tellOfGap(untilMs - last.atMs, change.closed.length);
      this.#isAfterGap = false;
      this.#tellOfClock(aheadMs);
      return true;
    } catch (error) {
      // Once per gap.
      if (!this.#isAfterGap || this.#isStopped) {
        log.error('usage is not written: what ends before the next look is billed up to the last one only', {
          error: String(error),
        });
      }
      this.#isAfterGap = true;
      return false;
    }
  }

  #tellOfGap(gapMs: number, ended: number): void {
    this.#options.log.info('usage goes on after a gap: what ran through it is billed through it', { gapMs, ended });
  }

  #tellOfClock(aheadMs: number): void {
    const isNew = aheadMs > 0 && this.#aheadMs === 0;
    this.#aheadMs = aheadMs;
    if (!isNew) return;
    this.#options.log.warn(
      'the clock was set back: the record of usage goes on ahead of it, so that no time is billed twice',
      {
        aheadMs,
      },
    );
  }
}
