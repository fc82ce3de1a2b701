/**
 * An open connection to a libvirt daemon: calls, events, streams, end. It does not come back by itself: calls that were
 * under way when it broke fail, and only their caller knows whether to repeat them; events of the time between are lost,
 * so a new connection starts by listing what there is. See reconnecting.ts for the loop around that.
 */
import type { Opened } from '../calls/caller.ts';
import { LibvirtCalls } from '../calls/libvirt_calls.ts';
import { CallTimeoutError, ConnectError, ConnectionClosedError, fateOf } from '../errors.ts';
import type { EventName, EventOf } from '../events/definitions.ts';
import { EventCenter, type EventStreamOptions, type SubscribeOptions } from '../events/event_center.ts';
import type { Listener, Subscription } from '../events/event_hub.ts';
import type { EventStream } from '../events/event_stream.ts';
import { Procedures } from '../procedures/index.ts';
import type { Procedure } from '../procedures/procedure.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { CloseReason, Session, SessionStats } from '../session/session.ts';
import { limited } from '../transport/attempt.ts';
import { ReplyGathering, sleeperOf } from './reply_gathering.ts';

export type ConnectionSettings = {
  readonly onListenerError: (error: unknown) => void;
  /** For streams that bring no time-out of their own; default none. Calls have their session's. */
  readonly callTimeoutMs?: number;
  /** Opens one more session for a stream, which is paused where nobody reads the stream. Must end with its signal. */
  readonly openStreamSession: (signal: AbortSignal) => Promise<Session>;
  /** See {@link ReplyGathering}; 0 for never, which is the default. */
  readonly gatherRepliesUs?: number;
};

export class Connection extends LibvirtCalls implements AsyncDisposable {
  /** Resolves once the connection has ended, whatever ended it; never rejects. */
  readonly closed: Promise<CloseReason>;
  readonly #sessions: readonly [Session, ...Session[]];
  #lastUsed = 0;
  readonly #settings: ConnectionSettings;
  readonly #events: EventCenter;
  readonly #gathering: ReplyGathering | undefined;
  readonly #streamSessions = new Set<Session>();
  /** Breaks off those that are still being opened. */
  readonly #ended = new AbortController();

  /** For connect(), which does the handshake. More sessions than one are a pool: it ends as a whole. */
  constructor(sessions: readonly [Session, ...Session[]], settings: ConnectionSettings) {
    super();
    const [first] = sessions;
    this.#sessions = sessions;
    this.#settings = settings;
    this.#events = new EventCenter(first, settings.onListenerError);
    const { gatherRepliesUs = 0 } = settings;
    if (gatherRepliesUs > 0) this.#gathering = new ReplyGathering(sessions, sleeperOf(gatherRepliesUs));
    this.closed = Promise.race(sessions.map((session) => session.closed));
    // With the reason: calls and events of the other sessions end for the same, not because somebody called close().
    void this.closed.then((reason) => {
      for (const session of sessions) session.destroy(reason);
      this.#ended.abort();
    });
  }

  get isClosed(): boolean {
    return this.#sessions.some((session) => session.isClosed);
  }

  /** Calls in flight and queued. */
  get stats(): SessionStats {
    const stats = this.#sessions.map((session) => session.stats);
    const sumOf = (key: keyof SessionStats) => stats.reduce((sum, one) => sum + one[key], 0);
    return { inFlight: sumOf('inFlight'), queued: sumOf('queued'), droppedMessages: sumOf('droppedMessages') };
  }

  /**
   * Calls a procedure of the table, or one made with remoteProcedure().
   * @throws {LibvirtError} The daemon refused. {CallTimeoutError}, {ConnectionClosedError}: see their requestSent.
   * {ProtocolError} The reply cannot be decoded. RangeError: an argument does not fit. Or the signal's reason.
   */
  override call<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<R> {
    const reply = this.#leastLoaded().call(procedure, args, options);
    this.#gathering?.onCall();
    return reply;
  }

  /**
   * Calls a procedure that data follows, on a connection of its own: a stream that nobody reads must hold up nothing
   * else. Destroying the stream aborts it; either end of it closes that connection. The time-out is for both, making the
   * connection and the call.
   */
  override async openStream<A, R>(procedure: Procedure<A, R>, args: A, options: CallOptions = {}): Promise<Opened<R>> {
    this.#assertOpen(procedure);
    const { timeoutMs = this.#settings.callTimeoutMs ?? Infinity, signal } = options;
    if (!(timeoutMs > 0)) throw new RangeError(`timeoutMs must be above 0, not ${timeoutMs}`);
    const deadline = performance.now() + timeoutMs;
    const session = await this.#openStreamSession(procedure, timeoutMs, signal);
    this.#streamSessions.add(session);
    try {
      // close() may have come while this one was being opened.
      this.#assertOpen(procedure);
      const restMs = deadline - performance.now();
      if (restMs <= 0) throw this.#timeoutError(procedure, timeoutMs, false);
      const opened = await session.openStream(procedure, args, { ...options, timeoutMs: restMs });
      opened.stream.once('close', () => {
        this.#streamSessions.delete(session);
        void session.close(Procedures.CONNECT_CLOSE, {});
      });
      return opened;
    } catch (error) {
      this.#streamSessions.delete(session);
      session.destroy();
      throw error instanceof CallTimeoutError ? this.#timeoutError(procedure, timeoutMs, error.requestSent) : error;
    }
  }

  /**
   * Calls the listener for each event of this kind, whoever caused it, until the subscription is closed. Events come in
   * the daemon's order and may precede the reply of the call that caused them. Listeners with the same wish share one
   * registration with the daemon. virConnectDomainEventRegisterAny and its sisters.
   * @throws {LibvirtError} NO_SUPPORT or INTERNAL_ERROR where the daemon does not know the event.
   */
  subscribe<N extends EventName>(
    name: N,
    listener: Listener<EventOf<N>>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#events.subscribe(name, listener, options);
  }

  /**
   * As {@link subscribe}, to iterate over. Ends with the connection: quietly where that was closed, else by throwing
   * ConnectionClosedError.
   * @example for await (const { domain, event } of await connection.events('domainLifecycle')) ...
   */
  events<N extends EventName>(name: N, options: EventStreamOptions = {}): Promise<EventStream<EventOf<N>>> {
    return this.#events.events(name, options);
  }

  /**
   * Says goodbye and closes; calls still waiting are rejected with ConnectionClosedError, streams are broken off. Never
   * fails. virConnectClose, CONNECT_CLOSE.
   */
  async close(): Promise<void> {
    this.#ended.abort();
    for (const session of this.#streamSessions) session.destroy();
    await Promise.all(this.#sessions.map((session) => session.close(Procedures.CONNECT_CLOSE, {})));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #openStreamSession(procedure: Procedure, timeoutMs: number, signal: AbortSignal | undefined): Promise<Session> {
    const ended = this.#ended.signal;
    const limit = { timeoutMs, signal: signal === undefined ? ended : AbortSignal.any([ended, signal]) };
    const timeoutError = () => this.#timeoutError(procedure, timeoutMs, false);
    try {
      return await limited(limit, timeoutError, this.#settings.openStreamSession);
    } catch (error) {
      if (signal?.aborted === true) throw error;
      this.#assertOpen(procedure);
      throw notOpened(procedure, error);
    }
  }

  #timeoutError({ name }: Procedure, timeoutMs: number, requestSent: boolean): CallTimeoutError {
    const what = requestSent ? 'no reply' : 'no connection for the stream';
    const message = `${name} on ${this.#sessions[0].peer}: ${what} within ${timeoutMs} ms; ${fateOf(requestSent)}`;
    return new CallTimeoutError(message, { requestSent, procedure: name });
  }

  #assertOpen({ name }: Procedure): void {
    if (!this.isClosed) return;
    const { peer } = this.#sessions[0];
    throw new ConnectionClosedError(`${name} on ${peer}: the connection is closed; ${fateOf(false)}`, false);
  }

  /** The first idle one after that of the last call, or else the least loaded: an idle one is mostly near. */
  #leastLoaded(): Session {
    const sessions = this.#sessions;
    let [best] = sessions;
    for (let step = 1; step <= sessions.length; step += 1) {
      const index = (this.#lastUsed + step) % sessions.length;
      const session = sessions[index];
      if (session === undefined || session.load > best.load) continue;
      best = session;
      if (best.load > 0) continue;
      this.#lastUsed = index;
      return best;
    }
    return best;
  }
}

/** What the handshake of a stream's connection ran into tells nothing of the call, which never left. */
function notOpened({ name }: Procedure, error: unknown): unknown {
  if (error instanceof CallTimeoutError && error.procedure !== name)
    return new CallTimeoutError(
      `${name}: the connection for the stream was not made, ${error.procedure} had no reply in time; ${fateOf(false)}`,
      { requestSent: false, procedure: name },
    );
  if (!(error instanceof ConnectionClosedError)) return error;
  const message = `${name}: ${error.message}; ${fateOf(false)}`;
  if (!(error instanceof ConnectError)) return new ConnectionClosedError(message, false, { cause: error });
  const { code, peer, socketPath } = error;
  return new ConnectError(
    message,
    { code, peer, ...(socketPath === undefined ? {} : { socketPath }) },
    { cause: error },
  );
}
