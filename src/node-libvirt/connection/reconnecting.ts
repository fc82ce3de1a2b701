/**
 * Keeps one connection open: opens it again after a loss, with growing, jittered pauses, and subscribes anew. Small and
 * explicit: no call is repeated, for only its caller knows whether that is safe, and after each loss `onUp` is told how
 * long events were missed, so that it can list what there is.
 *
 *   opening --> up --lost--> waiting --> opening --> up ...
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionClosedError } from '../errors.ts';
import type { EventName, EventOf } from '../events/definitions.ts';
import type { SubscribeOptions } from '../events/event_center.ts';
import type { Listener, Subscription } from '../events/event_hub.ts';
import type { CloseReason } from '../session/session.ts';
import type { Connection } from './connection.ts';

export type ConnectionUp = {
  /** Attempts that it took. */
  readonly attempts: number;
  /** Undefined for the first connection. */
  readonly lost: Loss | undefined;
};

/** What the time without a connection cost. Calls that were under way have failed and say whether they had been sent. */
export type Loss = {
  readonly reason: CloseReason;
  /** From the loss until the subscriptions stood again: events of this time were missed. */
  readonly gapMs: number;
  /** The subscriptions that missed them. */
  readonly subscriptions: readonly EventName[];
};

export type ReconnectingOptions = {
  /** Pause after the first failure; default 200. It doubles up to `maxDelayMs`, and half of it is random. */
  readonly minDelayMs?: number;
  /** Default 10000. */
  readonly maxDelayMs?: number;
  /** Runs on each new connection before {@link Reconnecting.connection} gives it out; a failure counts as one to open. */
  readonly onUp?: (connection: Connection, up: ConnectionUp) => void | Promise<void>;
  /** Is told of each loss (retryInMs 0) and of each failed attempt. It must not throw. */
  readonly onDown?: (error: Error, retryInMs: number) => void;
};

export type WaitOptions = { readonly signal?: AbortSignal };

type Wish = {
  readonly name: EventName;
  /** Subscribes on a connection; keeps the subscription that stands. */
  readonly establish: (connection: Connection) => Promise<void>;
};

export function reconnecting(open: () => Promise<Connection>, options: ReconnectingOptions = {}): Reconnecting {
  return new Reconnecting(open, options);
}

export class Reconnecting implements AsyncDisposable {
  readonly #openOne: () => Promise<Connection>;
  readonly #options: ReconnectingOptions;
  readonly #stop = new AbortController();
  readonly #wishes = new Set<Wish>();
  readonly #loop: Promise<void>;
  #current: Connection | undefined;
  #next = promised();

  /** @internal use reconnecting() */
  constructor(open: () => Promise<Connection>, options: ReconnectingOptions) {
    this.#openOne = open;
    this.#options = options;
    this.#loop = this.#run();
  }

  /** The connection, if it is up just now. */
  get current(): Connection | undefined {
    return this.#current?.isClosed === true ? undefined : this.#current;
  }

  /**
   * The connection that is up, or the next one.
   * @throws the signal's reason; {ConnectionClosedError} after close().
   */
  async connection({ signal }: WaitOptions = {}): Promise<Connection> {
    signal?.throwIfAborted();
    if (this.current !== undefined) return this.current;
    if (signal === undefined) return this.#next.promise;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([this.#next.promise, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * As Connection.subscribe, on this connection and each that follows. Resolves at once; where there is a connection it
   * is subscribed to before.
   * @throws {LibvirtError} as Connection.subscribe, where there is a connection and it refuses.
   */
  async subscribe<N extends EventName>(
    name: N,
    listener: Listener<EventOf<N>>,
    options: Omit<SubscribeOptions, 'signal'> = {},
  ): Promise<Subscription> {
    let standing: Subscription | undefined;
    const wish: Wish = {
      name,
      establish: async (connection) => {
        standing = await connection.subscribe(name, listener, options);
        if (!this.#wishes.has(wish)) await standing.close();
      },
    };
    this.#wishes.add(wish);
    const close = async () => {
      this.#wishes.delete(wish);
      await standing?.close();
    };
    try {
      if (this.current !== undefined) await wish.establish(this.current);
    } catch (error) {
      // One that went with its connection is made anew on the next.
      if (!(error instanceof ConnectionClosedError)) {
        await close();
        throw error;
      }
    }
    return { close, [Symbol.asyncDispose]: close };
  }

  /** Closes the connection and opens no more. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#current?.close();
    await this.#loop;
    this.#next.reject(new ConnectionClosedError('close() was called: no connection will come', false));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    let lost: { readonly reason: CloseReason; readonly at: number } | undefined;
    for (;;) {
      const connection = await this.#open(lost);
      if (connection === undefined) return;
      const reason = await connection.closed;
      lost = { reason, at: performance.now() };
      if (reason.kind !== 'requested') this.#options.onDown?.(reason.error, 0);
    }
  }

  /** Tries until there is a connection; undefined after close(). */
  async #open(
    lost: { readonly reason: CloseReason; readonly at: number } | undefined,
  ): Promise<Connection | undefined> {
    const { signal } = this.#stop;
    for (let attempts = 1; !signal.aborted; attempts += 1) {
      try {
        const connection = await this.#openOne();
        await this.#prepare(connection, attempts, lost);
        return connection;
      } catch (error) {
        const delayMs = this.#delayMs(attempts);
        if (!signal.aborted) this.#options.onDown?.(error instanceof Error ? error : new Error(String(error)), delayMs);
        await sleep(delayMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  /** Subscribes, tells and gives out. One that fails on the way is closed: libvirtd takes a limited number of them. */
  async #prepare(
    connection: Connection,
    attempts: number,
    lost: { readonly reason: CloseReason; readonly at: number } | undefined,
  ): Promise<void> {
    try {
      const established = await this.#establish(connection, new Set());
      const subscriptions = [...established].map(({ name }) => name);
      const loss = lost && { reason: lost.reason, gapMs: performance.now() - lost.at, subscriptions };
      await this.#options.onUp?.(connection, { attempts, lost: loss });
      // Those that came meanwhile.
      await this.#establish(connection, established);
      this.#stop.signal.throwIfAborted();
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#current = connection;
    const next = this.#next;
    this.#next = promised();
    next.resolve(connection);
  }

  /** Makes the subscriptions that are not there yet. A set hands out what is added while it is walked through. */
  async #establish(connection: Connection, established: Set<Wish>): Promise<Set<Wish>> {
    for (const wish of this.#wishes) {
      if (established.has(wish)) continue;
      established.add(wish);
      await wish.establish(connection);
    }
    return established;
  }

  /** Half to the whole of a delay that doubles: many clients must not knock in step. */
  #delayMs(attempts: number): number {
    const { minDelayMs = 200, maxDelayMs = 10_000 } = this.#options;
    return Math.min(maxDelayMs, minDelayMs * 2 ** (attempts - 1)) * (0.5 + Math.random() / 2);
  }
}

function promised(): PromiseWithResolvers<Connection> {
  const next = Promise.withResolvers<Connection>();
  // Nobody may be waiting when close() rejects it.
  next.promise.catch(() => undefined);
  return next;
}
