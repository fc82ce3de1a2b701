/**
 * One call from the caller's side: it settles once, by reply, failure, time-out or abort, whichever is first. Its place
 * on the connection is the session's affair and may outlive it.
 *
 *   queued --sent--> waiting --reply--> settled, place free
 *      |                |
 *      |                '--time-out or abort--> settled, place kept until the late reply comes and is dropped
 *      '--time-out or abort--> settled, never sent
 */
import type { Procedure } from './procedures.ts';

export type CallOptions = {
  /** Frees the caller; libvirt goes on with what it was told, since a call cannot be taken back. */
  readonly signal?: AbortSignal;
  /** Counts from the call, time in the queue included; default is the connection's callTimeoutMs. Infinity: none. */
  readonly timeoutMs?: number;
};

export type PendingCallSettings = {
  readonly procedure: Procedure;
  readonly serial: number;
  readonly packet: Buffer;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  /** Decodes the reply and fulfils the caller's promise; may throw. */
  readonly deliver: (payload: Buffer) => void;
  /** Decodes the refusal and rejects the caller's promise; may throw. */
  readonly refuse: (payload: Buffer) => void;
  readonly reject: (reason: unknown) => void;
  /** Makes the error of a time-out. */
  readonly timeoutError: (call: PendingCall) => Error;
  /** The caller stopped waiting before there was a reply. */
  readonly onAbandon: (call: PendingCall) => void;
};

/** The longest delay a Node timer has; beyond, setTimeout would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class PendingCall {
  readonly procedure: Procedure;
  readonly serial: number;
  requestSent = false;
  readonly #settings: PendingCallSettings;
  #timer: NodeJS.Timeout | undefined;
  #packet: Buffer | undefined;
  #isSettled = false;

  constructor(settings: PendingCallSettings) {
    this.procedure = settings.procedure;
    this.serial = settings.serial;
    this.#settings = settings;
    this.#packet = settings.packet;
    const { signal, timeoutMs } = settings;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    // The socket, not this timer, is what keeps the process alive.
    if (timeoutMs <= LONGEST_TIMER_MS) this.#timer = setTimeout(this.#onTimeout, timeoutMs).unref();
  }

  /** The request, given away once: a large one is not kept while its reply is awaited. */
  takePacket(): Buffer {
    const packet = this.#packet;
    if (packet === undefined) throw new Error(`${this.procedure.name} was sent already`);
    this.#packet = undefined;
    this.requestSent = true;
    return packet;
  }

  /** The reply came; too late, and it is dropped undecoded. */
  deliver(payload: Buffer): void {
    this.#answer(payload, this.#settings.deliver);
  }

  /** As deliver, for a reply that is an error. */
  refuse(payload: Buffer): void {
    this.#answer(payload, this.#settings.refuse);
  }

  fail(reason: unknown): void {
    if (this.#settle()) this.#settings.reject(reason);
  }

  #answer(payload: Buffer, take: (payload: Buffer) => void): void {
    if (!this.#settle()) return;
    try {
      take(payload);
    } catch (error) {
      this.#settings.reject(error);
    }
  }

  readonly #onAbort = (): void => {
    this.#abandon(this.#settings.signal?.reason);
  };

  readonly #onTimeout = (): void => {
    this.#abandon(this.#settings.timeoutError(this));
  };

  #abandon(reason: unknown): void {
    if (this.#isSettled) return;
    this.fail(reason);
    this.#settings.onAbandon(this);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#settings.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}
