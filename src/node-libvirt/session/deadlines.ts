/**
 * Time-outs of many calls by one timer. A timer per call would cost more than the rest of the call; here the usual call,
 * answered long before its time, costs a comparison.
 */
import { LONGEST_DELAY_MS } from '../timers.ts';

export type Expiring = {
  /** On performance.now()'s clock; Infinity for never. */
  readonly deadline: number;
  expire(): void;
};

export class Deadlines {
  readonly #pending: () => readonly Expiring[];
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Infinity;

  /** @param pending what may expire; asked when the timer fires */
  constructor(pending: () => readonly Expiring[]) {
    this.#pending = pending;
  }

  watch({ deadline }: Expiring): void {
    if (deadline < this.#firesAt) this.#arm(deadline);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#firesAt = Infinity;
  }

  #arm(at: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = at;
    const delayMs = Math.min(Math.max(at - performance.now(), 0), LONGEST_DELAY_MS);
    // The socket, not this timer, is what keeps the process alive. Rounded up: a timer that fires early finds nothing.
    this.#timer = setTimeout(this.#fire, Math.ceil(delayMs)).unref();
  }

  readonly #fire = (): void => {
    this.#firesAt = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const one of this.#pending()) {
      if (one.deadline <= now) one.expire();
      else next = Math.min(next, one.deadline);
    }
    // Expiring may have run user code that started calls, and these may have armed the timer already.
    if (next < this.#firesAt) this.#arm(next);
  };
}
