/** The events of one session: which registration a message belongs to, one registration for all who want the same. */
import { ConnectionClosedError } from '../errors.ts';
import type { CloseReason, Session } from '../session/session.ts';
import type { Domain } from '../wire/objects.ts';
import { Events, type EventName, type EventOf } from './definitions.ts';
import { EventHub, type Listener, type Subscription } from './event_hub.ts';
import { EventStream } from './event_stream.ts';
import type { EventDefinition, Registration } from './kinds.ts';

export type SubscribeOptions = {
  /** Only events of this domain; for events that have a domain. */
  readonly domain?: Domain;
  /** `qemuMonitorEvent`: only QEMU's events of this name, or as {@link flags} say. */
  readonly event?: string;
  /** `qemuMonitorEvent`: see QemuMonitorEventRegisterFlags. */
  readonly flags?: number;
  /** Ends the subscription, also one that stands. */
  readonly signal?: AbortSignal;
};

export type EventStreamOptions = SubscribeOptions & {
  /** Events that wait for a slow consumer; default 1024. Beyond, the oldest go, see {@link EventStream.dropped}. */
  readonly bufferSize?: number;
};

type AnyHub = EventHub<unknown>;

export class EventCenter {
  readonly #session: Session;
  readonly #onListenerError: (error: unknown) => void;
  /** By name of the event and what was asked of the daemon. */
  readonly #hubs = new Map<EventName, Map<string, AnyHub>>();
  /** What ends the iterations that stand; each leaves when it is closed, so that they do not pile up. */
  readonly #onEnd = new Set<(reason: CloseReason) => void>();

  constructor(session: Session, onListenerError: (error: unknown) => void) {
    this.#session = session;
    this.#onListenerError = onListenerError;
    void session.closed.then((reason) => {
      for (const onEnd of this.#onEnd) onEnd(reason);
      this.#onEnd.clear();
    });
  }

  async subscribe<N extends EventName>(
    name: N,
    listener: Listener<EventOf<N>>,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    const { signal, domain } = options;
    assertApplies(name, options);
    const { hub, forgetIfIdle } = this.#hub(name, options);
    const onEvent = (event: unknown) => {
      if (domain !== undefined && uuidOf(event) !== domain.uuid) return undefined;
      // The hub of this name hands out events of this name.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return listener(event as EventOf<N>);
    };
    try {
      return endedBy(await hub.subscribe(onEvent, signal), signal);
    } catch (error) {
      forgetIfIdle();
      throw error;
    }
  }

  async events<N extends EventName>(name: N, options: EventStreamOptions): Promise<EventStream<EventOf<N>>> {
    const { signal } = options;
    const stream = new EventStream<EventOf<N>>(options.bufferSize);
    const onEnd = (reason: CloseReason) => stream.end(this.#endOf(name, reason));
    const onAbort = () => {
      // An iteration that throws is not closed by its loop.
      forget();
      stream.end(signal?.reason);
    };
    const forget = () => {
      this.#onEnd.delete(onEnd);
      signal?.removeEventListener('abort', onAbort);
    };
    this.#onEnd.add(onEnd);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const subscription = await this.subscribe(name, stream.push, options);
      const close = async () => {
        forget();
        await subscription.close();
      };
      return stream.attach({ close, [Symbol.asyncDispose]: close });
    } catch (error) {
      forget();
      throw error;
    }
  }

  #endOf(name: EventName, reason: CloseReason): ConnectionClosedError | undefined {
    if (reason.kind === 'requested') return undefined;
    const message = `events ${name} of ${this.#session.peer} have ended: ${reason.error.message}; events are missing from here on`;
    return new ConnectionClosedError(message, true, { cause: reason.error });
  }

  #hub(name: EventName, { domain, event, flags = 0 }: SubscribeOptions): { hub: AnyHub; forgetIfIdle: () => void } {
    const definition: EventDefinition<unknown> = Events[name];
    const registration: Registration = definition.isFiltered
      ? { domain: domain ?? null, event: event ?? null, flags }
      : { domain: null, event: null, flags: 0 };
    const key = JSON.stringify(registration);
    const hubs = this.#hubsOf(name, definition);
    const hub: AnyHub =
      hubs.get(key) ??
      new EventHub({
        register: () => definition.register(this.#session, registration),
        deregister: async (callbackID) => {
          await this.#deregister(definition, callbackID);
          forgetIfIdle();
        },
        onListenerError: this.#onListenerError,
      });
    const forgetIfIdle = () => {
      if (hub.isIdle) hubs.delete(key);
    };
    hubs.set(key, hub);
    return { hub, forgetIfIdle };
  }

  /** With the connection its registrations are gone. */
  async #deregister(definition: EventDefinition<unknown>, callbackID: number): Promise<void> {
    if (this.#session.isClosed) return;
    try {
      await definition.deregister(this.#session, callbackID);
    } catch (error) {
      if (!(error instanceof ConnectionClosedError)) throw error;
    }
  }

  #hubsOf(name: EventName, definition: EventDefinition<unknown>): Map<string, AnyHub> {
    const known = this.#hubs.get(name);
    if (known !== undefined) return known;
    const hubs = new Map<string, AnyHub>();
    this.#hubs.set(name, hubs);
    this.#session.onMessage(definition.message, ({ callbackID, event }) => {
      for (const hub of hubs.values()) hub.dispatch(callbackID, event);
    });
    return hubs;
  }
}

function endedBy(subscription: Subscription, signal: AbortSignal | undefined): Subscription {
  if (signal === undefined) return subscription;
  const onAbort = () => void subscription.close().catch(() => undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  // Aborted in the moment in which the subscription came to stand.
  if (signal.aborted) onAbort();
  const close = async () => {
    signal.removeEventListener('abort', onAbort);
    await subscription.close();
  };
  return { close, [Symbol.asyncDispose]: close };
}

/** @throws {RangeError} where an option would be ignored */
function assertApplies(name: EventName, { domain, event, flags }: SubscribeOptions): void {
  const { isFiltered, hasDomain } = Events[name];
  if (domain !== undefined && !hasDomain) throw new RangeError(`${name} is not about domains: no option domain`);
  if ((event !== undefined || flags !== undefined) && !isFiltered)
    throw new RangeError(`${name} cannot be filtered by the options event and flags; qemuMonitorEvent can`);
}

function uuidOf(event: unknown): unknown {
  if (typeof event !== 'object' || event === null || !('domain' in event)) return undefined;
  const { domain } = event;
  return typeof domain === 'object' && domain !== null && 'uuid' in domain ? domain.uuid : undefined;
}
