/**
 * Keeps one connection open: opens it again after a loss, with growing, jittered pauses, and subscribes anew. Small and
 * explicit: no call is repeated, for only its caller knows whether that is safe, and after each loss `onUp` is told how
 * long events were missed, so that it can list what there is.
 *
 *   opening --> preparing (subscriptions, onUp) --> up --lost--> opening ...
 *      |             |                               '--lost soon--> waiting --> opening ...
 *      '----fails----'--> waiting --> opening ...
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortable } from '../abortable.ts';
import { CallTimeoutError, ConnectionClosedError } from '../errors.ts';
import type { EventName, EventOf } from '../events/definitions.ts';
import type { SubscribeOptions } from '../events/event_center.ts';
import type { Listener, Subscription } from '../events/event_hub.ts';
import type { CloseReason } from '../session/session.ts';
import { LONGEST_DELAY_MS } from '../timers.ts';
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
  /**
   * Pause after the first failure; default 200. It doubles up to `maxDelayMs`, and half of it is random. A connection
   * that was lost before it was `maxDelayMs` old counts as a failure; after a longer life the next attempt is at once.
   */
  readonly minDelayMs?: number;
  /** Default 10000. */
  readonly maxDelayMs?: number;
  /**
   * Runs on each new connection before {@link Reconnecting.connection} gives it out to others; a failure counts as one
   * to open. It may close the link.
   */
  readonly onUp?: (connection: Connection, up: ConnectionUp) => void | Promise<void>;
  /** Is told of each loss and of each failed attempt, and how long the pause before the next one is. */
  readonly onDown?: (error: Error, retryInMs: number) => void;
  /**
   * Is told of each subscription that a new connection refused (LibvirtError: e.g. the daemon does not know the event)
   * and that is dropped therefore; default is process.emitWarning.
   */
  readonly onSubscriptionError?: (error: Error, name: EventName) => void;
};

export type WaitOptions = { readonly signal?: AbortSignal };

type Wish = {
  readonly name: EventName;
  /** Subscribes on a connection; keeps the subscription that stands. */
  readonly establish: (connection: Connection) => Promise<void>;
};

type Lost = { readonly reason: CloseReason; readonly at: number };

/**
 * @param open is called for each connection; its signal is aborted by close(). One that comes after that is closed.
 * @example reconnecting((signal) => connect('qemu:///system', { signal }))
 */
export function reconnecting(
  open: (signal: AbortSignal) => Promise<Connection>,
  options: ReconnectingOptions = {},
): Reconnecting {
  return new Reconnecting(open, options);
}

export class Reconnecting implements AsyncDisposable {
  readonly #openOne: (signal: AbortSignal) => Promise<Connection>;
  readonly #options: ReconnectingOptions;
  readonly #stop = new AbortController();
  readonly #wishes = new Set<Wish>();
  /** Of whose onUp the code is that runs. */
  readonly #onUpOf = new AsyncLocalStorage<Connection>();
  readonly #loop: Promise<void>;
  /** Not given out yet. */
  #preparing: Connection | undefined;
  #current: Connection | undefined;
  #next = promised();

  /** @internal use reconnecting() */
  constructor(open: (signal: AbortSignal) => Promise<Connection>, options: ReconnectingOptions) {
    this.#openOne = open;
    this.#options = options;
    this.#loop = this.#run();
  }

  /** The connection, if it is up just now. */
  get current(): Connection | undefined {
    return this.#current?.isClosed === true ? undefined : this.#current;
  }

  /**
   * The connection that is up, or the next one. For `onUp`, and what it calls, it is the one that `onUp` was given.
   * @throws the signal's reason; {ConnectionClosedError} after close().
   */
  async connection({ signal }: WaitOptions = {}): Promise<Connection> {
    signal?.throwIfAborted();
    if (this.current !== undefined) return this.current;
    const own = this.#onUpOf.getStore();
    // To wait for the next would be to wait for the end of onUp. What outlives its onUp waits like everybody else.
    if (own !== undefined && own === this.#preparing) return own;
    return abortable(this.#next.promise, signal);
  }

  /**
   * As Connection.subscribe, on this connection and each that follows. Resolves at once; where there is a connection it
   * is subscribed to before.
   * @throws {LibvirtError} as Connection.subscribe, where there is a connection and it refuses. Refusals of later
   * connections go to `onSubscriptionError`.
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

  /**
   * Closes the connection, also one that is being opened or prepared, and opens no more. Waits for none of the
   * callbacks: it may be called from them.
   */
  async close(): Promise<void> {
    const reason = new ConnectionClosedError('close() was called: no connection will come', false);
    this.#stop.abort(reason);
    this.#next.reject(reason);
    await (this.#preparing ?? this.#current)?.close();
    await this.#loop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Waits for nothing that close() does not end. */
  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { maxDelayMs = MAX_DELAY_MS } = this.#options;
    let lost: Lost | undefined;
    let attempts = 0;
    /** In a row: attempts that failed, and connections that did not live long. */
    let failures = 0;
    while (!signal.aborted) {
      attempts += 1;
      let error: Error | undefined;
      try {
        const connection = await this.#open(attempts, lost);
        const upAt = performance.now();
        const reason = await connection.closed;
        lost = { reason, at: performance.now() };
        attempts = 0;
        failures = lost.at - upAt < maxDelayMs ? failures + 1 : 0;
        if (reason.kind !== 'requested') error = reason.error;
      } catch (cause) {
        failures += 1;
        error = toError(cause);
      }
      await this.#pause(failures, error);
    }
  }

  /** Opens a connection, subscribes, tells and gives out. */
  async #open(attempts: number, lost: Lost | undefined): Promise<Connection> {
    const { signal } = this.#stop;
    const connection = await abortable(this.#openOne(signal), signal, (late) => late.close());
    // From here on close() closes it.
    this.#preparing = connection;
    try {
      signal.throwIfAborted();
      await this.#prepare(connection, attempts, lost);
      return connection;
    } catch (error) {
      // libvirtd takes a limited number of them.
      await connection.close();
      throw error;
    } finally {
      this.#preparing = undefined;
    }
  }

  async #prepare(connection: Connection, attempts: number, lost: Lost | undefined): Promise<void> {
    const { signal } = this.#stop;
    const { onUp } = this.#options;
    const asked = new Set<Wish>();
    await this.#establish(connection, asked);
    const subscriptions = [...asked].filter((wish) => this.#wishes.has(wish)).map(({ name }) => name);
    const loss = lost && { reason: lost.reason, gapMs: performance.now() - lost.at, subscriptions };
    signal.throwIfAborted();
    if (onUp !== undefined)
      await abortable(
        this.#onUpOf.run(connection, async () => onUp(connection, { attempts, lost: loss })),
        signal,
      );
    // Those that came meanwhile. Without a pause behind the last look: a wish that comes later finds #current.
    while (this.#lacks(asked)) await this.#establish(connection, asked);
    signal.throwIfAborted();
    if (connection.isClosed) throw new ConnectionClosedError('the new connection was lost at once', false);
    this.#current = connection;
    const next = this.#next;
    this.#next = promised();
    next.resolve(connection);
  }

  #lacks(asked: ReadonlySet<Wish>): boolean {
    return [...this.#wishes].some((wish) => !asked.has(wish));
  }

  /**
   * Makes the subscriptions that are not there yet. A set hands out what is added while it is walked through. One that
   * cannot be made on a sound connection would keep each new one from coming up, so it is dropped.
   */
  async #establish(connection: Connection, asked: Set<Wish>): Promise<void> {
    for (const wish of this.#wishes) {
      if (asked.has(wish)) continue;
      asked.add(wish);
      try {
        await wish.establish(connection);
      } catch (error) {
        if (connection.isClosed || error instanceof ConnectionClosedError || error instanceof CallTimeoutError)
          throw error;
        this.#wishes.delete(wish);
        const { onSubscriptionError = warnOfSubscription } = this.#options;
        guarded('onSubscriptionError', () => onSubscriptionError(toError(error), wish.name));
      }
    }
  }

  async #pause(failures: number, error: Error | undefined): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    const delayMs = failures === 0 ? 0 : this.#delayMs(failures);
    if (error !== undefined) guarded('onDown', () => this.#options.onDown?.(error, delayMs));
    if (delayMs > 0) await sleep(delayMs, undefined, { signal }).catch(() => undefined);
  }

  /** Half to the whole of a delay that doubles: many clients must not knock in step. */
  #delayMs(failures: number): number {
    const { minDelayMs = 200, maxDelayMs = MAX_DELAY_MS } = this.#options;
    const most = Math.min(maxDelayMs, LONGEST_DELAY_MS);
    return Math.min(most, minDelayMs * 2 ** Math.min(failures - 1, MOST_DOUBLINGS)) * (0.5 + Math.random() / 2);
  }
}

const MAX_DELAY_MS = 10_000;
/** From a millisecond to more than any timer has. */
const MOST_DOUBLINGS = 32;

function promised(): PromiseWithResolvers<Connection> {
  const next = Promise.withResolvers<Connection>();
  // Nobody may be waiting when close() rejects it.
  next.promise.catch(() => undefined);
  return next;
}

/** What a callback throws must not end the loop. */
function guarded(name: string, callback: () => unknown): void {
  const warn = (error: unknown) => process.emitWarning(`${name} of reconnecting() failed: ${toError(error).message}`);
  try {
    const outcome = callback();
    if (outcome instanceof Promise) outcome.catch(warn);
  } catch (error) {
    warn(error);
  }
}

function warnOfSubscription(error: Error, name: EventName): void {
  process.emitWarning(`the subscription to ${name} is dropped: ${error.message}`);
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
