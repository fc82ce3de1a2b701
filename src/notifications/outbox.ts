/**
 * Sends what the core tells, in order and without making it wait. Bounded: while the broker is away the newest are
 * kept up to the bound, the oldest go, and each loss is logged.
 */
import type { Logger } from '../log.ts';

export type OutboxOptions<T> = {
  readonly send: (item: T) => Promise<void>;
  readonly describe: (item: T) => Record<string, unknown>;
  readonly bound: number;
  readonly log: Logger;
};

export class Outbox<T> {
  readonly #options: OutboxOptions<T>;
  readonly #waiting: T[] = [];
  #sending: Promise<void> | undefined;

  constructor(options: OutboxOptions<T>) {
    this.#options = options;
  }

  /** Takes an item; never throws, never waits. */
  post(item: T): void {
    const { bound, describe, log } = this.#options;
    this.#waiting.push(item);
    if (this.#waiting.length > bound) {
      const lost = this.#waiting.shift();
      if (lost !== undefined) log.error('a notification is lost: too many wait for the broker', describe(lost));
    }
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending;
  }

  async #sendAll(): Promise<void> {
    const { send, describe, log } = this.#options;
    for (let item = this.#waiting.shift(); item !== undefined; item = this.#waiting.shift()) {
      try {
        await send(item);
      } catch (error) {
        log.error('a notification is lost: it could not be sent', { ...describe(item), error: String(error) });
      }
    }
  }
}
