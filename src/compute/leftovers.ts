/**
 * Guests of builds that did not come to an end and could not be taken back at once, because the hypervisor was away or
 * the guest would not die. Each is tried again, less and less often, until it is gone: a page must not be stranded
 * for want of one more attempt.
 */
import type { Logger } from '../log.ts';

export type LeftoversOptions = {
  /** Takes the guest back if its build is still unfinished; rejects where that cannot be done now. */
  readonly takeBack: (uuid: string) => Promise<void>;
  readonly log: Logger;
  readonly firstDelayMs?: number;
};

const FIRST_DELAY_MS = 2_000;
const LONGEST_DELAY_MS = 60_000;

export class Leftovers {
  readonly #options: LeftoversOptions;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isStopped = false;

  constructor(options: LeftoversOptions) {
    this.#options = options;
  }

  /** Takes one back now; where that fails, later. Never rejects. */
  async take(uuid: string): Promise<void> {
    await this.#attempt(uuid, this.#options.firstDelayMs ?? FIRST_DELAY_MS);
  }

  /** No further attempts, also where one is under way. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #attempt(uuid: string, delayMs: number): Promise<void> {
    this.#timers.delete(uuid);
    const { takeBack, log } = this.#options;
    try {
      await takeBack(uuid);
    } catch (error) {
      log.error('an unfinished build could not be taken back, trying again later', {
        instance: uuid,
        error: String(error),
        delay_ms: delayMs,
      });
      if (this.#isStopped) return;
      const timer = setTimeout(() => void this.#attempt(uuid, Math.min(2 * delayMs, LONGEST_DELAY_MS)), delayMs);
      clearTimeout(this.#timers.get(uuid));
      this.#timers.set(uuid, timer);
    }
  }
}
