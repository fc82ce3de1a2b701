/**
 * Sends what the core tells, in order and without making it wait. While the broker is away items wait, up to a bound;
 * beyond it the oldest go, and each loss is logged.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';

export type OutboxOptions<T> = {
  readonly send: (item: T) => Promise<void>;
  /** Whether an error of `send` passes by itself, so that the item is to be sent again. */
  readonly isPassing: (error: unknown) => boolean;
  readonly describe: (item: T) => Record<string, unknown>;
  readonly bound: number;
  readonly retryDelayMs: number;
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
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when nothing waits any more, or after `timeoutMs`; what waits then is logged as lost. */
  async drained(timeoutMs: number): Promise<void> {
    const timeUp = new AbortController();
    await Promise.race([this.#sending, sleep(timeoutMs, undefined, { signal: timeUp.signal }).catch(() => undefined)]);
    timeUp.abort();
    const { describe, log } = this.#options;
    for (const item of this.#waiting.splice(0)) log.error('a notification is lost: the agent ends', describe(item));
  }

  async #sendAll(): Promise<void> {
    for (;;) {
      const item = this.#waiting[0];
      if (item === undefined) break;
      const isDone = await this.#trySend(item);
      // By identity: the bound may have dropped it meanwhile.
      if (isDone && this.#waiting[0] === item) this.#waiting.shift();
    }
    // In the same turn as the look above, so that no item can slip in between unseen.
    this.#sending = undefined;
  }

  async #trySend(item: T): Promise<boolean> {
    const { send, isPassing, describe, retryDelayMs, log } = this.#options;
    try {
      await send(item);
      return true;
    } catch (error) {
      if (isPassing(error)) {
        await sleep(retryDelayMs);
        return false;
      }
      log.error('a notification is lost: it could not be sent', { ...describe(item), error: String(error) });
      return true;
    }
  }
}
