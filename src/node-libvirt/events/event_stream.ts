/**
 * Events as an async iterable. The reader of the socket puts them in and never waits: when the consumer is slower for
 * long, the oldest go, and `dropped` tells how many, so that the consumer can list what there is instead.
 */
import type { Subscription } from './event_hub.ts';

export const DEFAULT_BUFFER_SIZE = 1024;

type Waiting<E> = {
  readonly resolve: (result: IteratorResult<E, undefined>) => void;
  readonly reject: (reason: unknown) => void;
};

export class EventStream<E> implements AsyncIterableIterator<E, undefined>, AsyncDisposable {
  readonly #bufferSize: number;
  /** Undefined until the subscription stands. */
  #subscription: Subscription | undefined;
  #buffer: E[] = [];
  #waiting: Waiting<E>[] = [];
  #dropped = 0;
  #isEnded = false;
  #error: unknown;

  constructor(bufferSize = DEFAULT_BUFFER_SIZE) {
    if (!Number.isInteger(bufferSize) || bufferSize < 1)
      throw new RangeError(`bufferSize must be an integer of 1 or more, not ${bufferSize}`);
    this.#bufferSize = bufferSize;
  }

  /** Events that were pushed out because nobody took them in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Events that wait to be taken. */
  get buffered(): number {
    return this.#buffer.length;
  }

  /** @internal the listener of the subscription */
  readonly push = (event: E): void => {
    if (this.#isEnded) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return waiting.resolve({ done: false, value: event });
    this.#buffer.push(event);
    if (this.#buffer.length <= this.#bufferSize) return;
    this.#buffer.shift();
    this.#dropped += 1;
  };

  /** @internal what close() ends */
  attach(subscription: Subscription): this {
    this.#subscription = subscription;
    return this;
  }

  /** Ends it: what is buffered can still be taken, then the iteration ends, or fails where there is an error. */
  end(error?: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) this.#settle(one);
  }

  async next(): Promise<IteratorResult<E, undefined>> {
    const event = this.#buffer.shift();
    if (event !== undefined) return { done: false, value: event };
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject };
      if (this.#isEnded) this.#settle(waiting);
      else this.#waiting.push(waiting);
    });
  }

  /** Called by `for await` where it is left early. */
  async return(): Promise<IteratorResult<E, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** Ends the subscription; what is buffered is forgotten. */
  async close(): Promise<void> {
    this.#buffer = [];
    this.end();
    await this.#subscription?.close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** An error is told once; afterwards the iteration has ended, as a generator's has. */
  #settle({ resolve, reject }: Waiting<E>): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) resolve({ done: true, value: undefined });
    else reject(error);
  }
}
