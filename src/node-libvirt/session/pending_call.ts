/**
 * One call from the caller's side: it settles once, by reply, failure, time-out or abort, whichever is first. Its place
 * on the connection is the session's affair and may outlive it.
 *
 *   queued --sent--> waiting --reply--> settled, place free
 *      |                |
 *      |                '--time-out or abort--> settled, place kept until the late reply comes and is dropped
 *      '--time-out or abort--> settled, never sent
 */
import type { Procedure } from '../procedures/procedure.ts';
import type { Packet } from '../wire/packet.ts';
import type { Expiring } from './deadlines.ts';

export type CallOptions = {
  /** Frees the caller; libvirt goes on with what it was told, since a call cannot be taken back. */
  readonly signal?: AbortSignal;
  /** Counts from the call, time in the queue included; default is the connection's callTimeoutMs. Infinity: none. */
  readonly timeoutMs?: number;
};

/** Who gives a call its place; is told when its caller stops waiting. */
export type CallOwner = {
  timeoutError(call: PendingCall): Error;
  abandoned(call: PendingCall): void;
};

export class PendingCall implements Expiring {
  readonly procedure: Procedure;
  readonly serial: number;
  readonly deadline: number;
  readonly timeoutMs: number;
  requestSent = false;
  /** The request of a call that waits for a place. */
  packet: Buffer | undefined;
  readonly #owner: CallOwner;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (packet: Packet) => void;
  readonly #reject: (reason: unknown) => void;
  #isSettled = false;

  /** @param resolve decodes the reply and fulfils the caller's promise; what it throws rejects the call */
  constructor(
    owner: CallOwner,
    procedure: Procedure,
    serial: number,
    options: CallOptions,
    timeoutMs: number,
    resolve: (packet: Packet) => void,
    reject: (reason: unknown) => void,
  ) {
    this.procedure = procedure;
    this.serial = serial;
    this.timeoutMs = timeoutMs;
    this.deadline = timeoutMs === Infinity ? Infinity : performance.now() + timeoutMs;
    this.#owner = owner;
    this.#signal = options.signal;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal?.addEventListener('abort', this, { once: true });
  }

  /** Whether the caller waits no more; its reply may be dropped undecoded. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** The reply came. */
  deliver(packet: Packet): void {
    if (!this.#settle()) return;
    try {
      this.#resolve(packet);
    } catch (error) {
      this.#reject(error);
    }
  }

  fail(reason: unknown): void {
    if (this.#settle()) this.#reject(reason);
  }

  expire(): void {
    if (!this.#isSettled) this.#abandon(this.#owner.timeoutError(this));
  }

  /** The signal's; being the listener itself saves a closure per call. */
  handleEvent(): void {
    if (!this.#isSettled) this.#abandon(this.#signal?.reason);
  }

  #abandon(reason: unknown): void {
    this.fail(reason);
    this.#owner.abandoned(this);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#signal?.removeEventListener('abort', this);
    return true;
  }
}
