/**
 * One registration: made with the daemon once, while there is at least one listener here, and its events handed to each
 * of them. The socket's reader never waits for a listener and a listener that fails hurts nobody else.
 */
import { abortable } from '../abortable.ts';

export type Subscription = AsyncDisposable & {
  /** Ends it: the listener is not called any more. Repeating it is harmless. */
  close(): Promise<void>;
};

export type EventHubSettings = {
  /** Registers with the daemon, resolves to the callbackID. */
  readonly register: () => Promise<number>;
  readonly deregister: (callbackId: number) => Promise<void>;
  /** Is told what a listener threw. */
  readonly onListenerError: (error: unknown) => void;
};

export type Listener<E> = (event: E) => unknown;

type Entry<E> = { readonly listener: Listener<E> };
type Early<E> = { readonly callbackId: number; readonly event: E };

/** Events can overtake the reply of their registration; more than these would mean that somebody floods us. */
const EARLY_MAX = 1024;

export class EventHub<E> {
  readonly #settings: EventHubSettings;
  readonly #entries = new Set<Entry<E>>();
  #callbackId: number | undefined;
  #isRegistering = false;
  #early: Early<E>[] = [];
  /** Registering and deregistering, one after the other. */
  #lane: Promise<void> = Promise.resolve();

  constructor(settings: EventHubSettings) {
    this.#settings = settings;
  }

  get isIdle(): boolean {
    return this.#entries.size === 0;
  }

  /** The listener may be called before this resolves. */
  async subscribe(listener: Listener<E>, signal?: AbortSignal): Promise<Subscription> {
    signal?.throwIfAborted();
    const entry = { listener };
    this.#entries.add(entry);
    try {
      await abortable(this.#reconcile(), signal);
    } catch (error) {
      // An abort may leave a registration behind that nobody wants; if taking it back fails too, its events are dropped.
      void this.#remove(entry).catch(() => undefined);
      throw error;
    }
    const close = () => this.#remove(entry);
    return { close, [Symbol.asyncDispose]: close };
  }

  /** Called by the reader for each event of this kind, whoever's registration it is. */
  dispatch(callbackId: number, event: E): void {
    if (callbackId === this.#callbackId) for (const entry of this.#entries) this.#tell(entry, event);
    // Whose it is will be known when the registration is answered.
    else if (this.#isRegistering && this.#early.length < EARLY_MAX) this.#early.push({ callbackId, event });
  }

  #tell({ listener }: Entry<E>, event: E): void {
    try {
      const outcome = listener(event);
      if (outcome instanceof Promise) outcome.catch((error: unknown) => this.#report(error));
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    try {
      this.#settings.onListenerError(error);
    } catch (second) {
      // The reader is above us on the stack: nothing may get through.
      process.emitWarning(`reporting a failed listener failed: ${String(second)}`);
    }
  }

  async #remove(entry: Entry<E>): Promise<void> {
    if (this.#entries.delete(entry)) await this.#reconcile();
  }

  /** Brings the daemon's side in line with whether anyone listens. */
  #reconcile(): Promise<void> {
    const turn = this.#lane.then(async () => {
      const isWanted = this.#entries.size > 0;
      const callbackId = this.#callbackId;
      if (isWanted && callbackId === undefined) await this.#register();
      if (isWanted || callbackId === undefined) return;
      this.#callbackId = undefined;
      await this.#settings.deregister(callbackId);
    });
    this.#lane = turn.catch(() => undefined);
    return turn;
  }

  async #register(): Promise<void> {
    this.#isRegistering = true;
    try {
      this.#callbackId = await this.#settings.register();
    } finally {
      this.#isRegistering = false;
      const early = this.#early;
      this.#early = [];
      for (const { callbackId, event } of early) this.dispatch(callbackId, event);
    }
  }
}
