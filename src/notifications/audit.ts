/**
 * Tells after each audit period which instances are there. What was told is noted with what is told, so that a period is
 * told once, whenever the agent ends; one that ended while it was away is told when it is back.
 */
import type { GuestInfo } from '../compute_driver.ts';
import type { InstanceEvent } from '../compute/events.ts';
import type { Logger } from '../log.ts';
import { periodAt, periodsSince, type AuditUnit } from './audit_periods.ts';

export type AuditOptions = {
  readonly unit: AuditUnit;
  readonly listGuests: () => Promise<readonly GuestInfo[]>;
  /** When the period that was told last ended (ISO 8601). */
  readonly told: () => string | undefined;
  /** Takes the events and the note of what was told, both or neither. */
  readonly tell: (events: readonly InstanceEvent[], told: string) => void;
  readonly log: Logger;
  readonly now?: () => number;
};

/** An agent that was away for longer tells the newest ones. */
const MOST_PERIODS = 48;
/** The clock may be set meanwhile. */
const LONGEST_WAIT_MS = 60_000;

export class Audit {
  readonly #options: AuditOptions;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #isStopped = true;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isStopped = false;
    this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#working;
  }

  #run(): void {
    this.#working = this.#check().then(() => {
      if (this.#isStopped) return;
      const { unit } = this.#options;
      const now = this.#now();
      const untilNextMs = Date.parse(periodAt(now, unit).ending) - now;
      this.#timer = setTimeout(() => this.#run(), Math.min(Math.max(untilNextMs, 1), LONGEST_WAIT_MS));
    });
  }

  async #check(): Promise<void> {
    const { unit, told, tell, listGuests, log } = this.#options;
    try {
      const last = told();
      if (last === undefined) {
        // Nothing was ours to tell before the first start.
        tell([], periodAt(this.#now(), unit).beginning);
        return;
      }
      const periods = periodsSince(last, this.#now(), unit, MOST_PERIODS);
      const newest = periods.at(-1);
      if (newest === undefined) return;
      const guests = await listGuests();
      const events = periods.flatMap((period) =>
        guests.flatMap((guest) => {
          const { instance, powerState } = guest;
          const { createdAt, launchedAt } = instance;
          if (launchedAt === null || Date.parse(launchedAt) >= Date.parse(period.ending)) return [];
          return [
            {
              kind: 'exists' as const,
              instance,
              createdAt,
              launchedAt,
              context: { attributes: {} },
              powerState,
              ...period,
            },
          ];
        }),
      );
      tell(events, newest.ending);
      log.info('audit told', { periods: periods.length, instances: guests.length, ending: newest.ending });
    } catch (error) {
      log.warn('audit not told, trying again', { error: String(error) });
    }
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}
