/**
 * An open connection to a libvirt daemon: calls, events, end. It does not come back by itself: calls that were under way
 * when it broke fail, and only their caller knows whether to repeat them; events of the time between are lost, so a new
 * connection starts by listing what there is.
 */
import { DomainEventID, LifecycleEvent, LifecycleEventDetail, nameOf } from './constants.ts';
import { DomainStatisticsCalls } from './domain_statistics_calls.ts';
import { EventHub, type Subscription } from './event_hub.ts';
import type { CallOptions } from './pending_call.ts';
import { Messages, Procedures, type Domain, type Procedure } from './procedures.ts';
import type { CloseReason, Session, SessionStats } from './session.ts';

export type LifecycleEventName = keyof typeof LifecycleEvent | `UNKNOWN_${number}`;

export type DomainLifecycleEvent = {
  readonly domain: Domain;
  /** E.g. «STARTED»; names of LifecycleEvent. */
  readonly event: LifecycleEventName;
  /** E.g. «BOOTED»; names of LifecycleEventDetail[event]. */
  readonly detail: string;
  readonly eventNumber: number;
  readonly detailNumber: number;
};

export type ConnectionSettings = {
  readonly onListenerError: (error: unknown) => void;
};

export class Connection extends DomainStatisticsCalls implements AsyncDisposable {
  readonly #session: Session;
  readonly #lifecycle: EventHub<DomainLifecycleEvent>;

  /** For connect(), which does the handshake. */
  constructor(session: Session, settings: ConnectionSettings) {
    super();
    this.#session = session;
    this.#lifecycle = new EventHub({ ...settings, ...this.#registration(DomainEventID.LIFECYCLE) });
    session.onMessage(Messages.DOMAIN_EVENT_CALLBACK_LIFECYCLE, ({ callbackID, dom, event, detail }) => {
      this.#lifecycle.dispatch(callbackID, lifecycleEvent(dom, event, detail));
    });
  }

  /** Resolves once the connection has ended, whatever ended it; never rejects. */
  get closed(): Promise<CloseReason> {
    return this.#session.closed;
  }

  get isClosed(): boolean {
    return this.#session.isClosed;
  }

  /** Calls in flight and queued. */
  get stats(): SessionStats {
    return this.#session.stats;
  }

  /**
   * Calls a procedure of the table, or one made with remoteProcedure().
   * @throws {LibvirtError} The daemon refused. {CallTimeoutError}, {ConnectionClosedError}: see their requestSent.
   * {ProtocolError} The reply cannot be decoded. RangeError: an argument does not fit. Or the signal's reason.
   */
  call<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<R> {
    return this.#session.call(procedure, args, options);
  }

  /**
   * Calls the listener for each start, stop, definition... of any domain, whoever caused it, until the subscription is
   * closed. Events come in the daemon's order and may precede the reply of the call that caused them, this one's
   * included. virConnectDomainEventRegisterAny (VIR_DOMAIN_EVENT_ID_LIFECYCLE),
   * CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY.
   */
  onDomainLifecycle(
    listener: (event: DomainLifecycleEvent) => void | Promise<void>,
    options: Pick<CallOptions, 'signal'> = {},
  ): Promise<Subscription> {
    return this.#lifecycle.subscribe(listener, options.signal);
  }

  /**
   * Says goodbye and closes; calls still waiting are rejected with ConnectionClosedError. Never fails.
   * virConnectClose, CONNECT_CLOSE.
   */
  async close(): Promise<void> {
    await this.#session.close(Procedures.CONNECT_CLOSE, {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #registration(eventID: number) {
    return {
      register: async () => {
        const args = { eventID, dom: null };
        return (await this.call(Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, args)).callbackID;
      },
      deregister: async (callbackID: number) => {
        // With the connection its registrations are gone.
        if (this.isClosed) return;
        await this.call(Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, { callbackID });
      },
    };
  }
}

function lifecycleEvent(domain: Domain, eventNumber: number, detailNumber: number): DomainLifecycleEvent {
  const event = nameOf(LifecycleEvent, eventNumber);
  const details: Readonly<Record<string, Readonly<Record<string, number>>>> = LifecycleEventDetail;
  return { domain, event, detail: nameOf(details[event] ?? {}, detailNumber), eventNumber, detailNumber };
}
