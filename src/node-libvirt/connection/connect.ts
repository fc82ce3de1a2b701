/**
 * From a URI to an open connection: reach the daemon, say who we are, open the driver.
 *
 * The order is libvirt's own: AUTH_LIST (without it every call is refused, for root too), the authentication it asks
 * for, keepalive support, CONNECT_OPEN, event support. Each step has the connection's call time-out, reaching the daemon
 * too.
 */
import { abortable } from '../abortable.ts';
import { authenticate } from '../auth/authenticate.ts';
import { RememberedCredentials } from '../auth/remembered_credentials.ts';
import type { Credentials, CredentialsRequest, SaslMechanism, SaslSettings } from '../auth/sasl.ts';
import { Feature } from '../constants/index.ts';
import { ErrorCode } from '../error_codes.ts';
import {
  AuthError,
  ConnectError,
  ConnectErrorCode,
  ConnectionClosedError,
  LibvirtError,
  ProtocolError,
} from '../errors.ts';
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import { Session } from '../session/session.ts';
import { LONGEST_DELAY_MS } from '../timers.ts';
import { codeOf, connectError, within, type Target } from '../transport/attempt.ts';
import { openTransport, type TransportOptions } from '../transport/open.ts';
import { verifies } from '../transport/tls.ts';
import type { Transport } from '../transport/transport.ts';
import { parseUri, type LibvirtUri } from '../transport/uri.ts';
import { Connection } from './connection.ts';

export type ConnectOptions = TransportOptions & {
  /** Where to and which driver: `qemu:///system` (default), `qemu+ssh://root@node1/system`, `qemu://node1/system`. */
  readonly uri?: string;
  /** For daemons that ask for SASL. A server that is not verified (no_verify=1, tls.verify) gets PLAIN only if `mechanisms` names it. */
  readonly auth?: Credentials & { readonly mechanisms?: readonly SaslMechanism[] };
  /**
   * The same, asked for when the daemon wants it. The answer is remembered as long as the connection lives, for the rest
   * of the pool and for its streams, until the daemon refuses it.
   */
  readonly credentials?: (request: CredentialsRequest) => Credentials | Promise<Credentials>;
  /**
   * A way of one's own to the daemon, e.g. with duplexTransport(); the URI then only names the driver. It is called again
   * for each member of the pool, and for each stream as long as the connection lives: each has a transport of its own.
   */
  readonly openTransport?: (signal: AbortSignal) => Promise<Transport>;
  /** Connections behind this one, for more calls at a time; default 1. Events come on the first; they end together. */
  readonly pool?: number;
  /** Calls sent and not yet answered, on each connection; default 4, and libvirtd's limit is 5 (see session.ts). The others are queued. */
  readonly maxInFlight?: number;
  /**
   * While eight calls or more are under way: how long this process sleeps before it looks for replies, so that several
   * are read at once and libvirtd need not wake it for each. Nothing else runs meanwhile, not even timers; so it is for
   * processes that ask libvirt very much. 0, the default, for never; at most 1000, and 100 is good (see the README's
   * figures).
   */
  readonly gatherRepliesUs?: number;
  /** For calls that bring no time-out of their own, and for reaching the daemon; default 60000. */
  readonly callTimeoutMs?: number;
  /** Silence after which the daemon is pinged; default 5000, 0 for never. */
  readonly keepaliveIntervalMs?: number;
  /** Unanswered pings after which the daemon is given up; default 5. */
  readonly keepaliveCount?: number;
  /** Breaks off connecting; has no meaning afterwards. */
  readonly signal?: AbortSignal;
  /** Is told what event listeners throw; default is process.emitWarning. */
  readonly onListenerError?: (error: unknown) => void;
};

/** A session that is asked for pings must be read all the time: a daemon whose pings stay unanswered closes it. */
type SessionKind = { readonly asksForPings: boolean };

/** virConnectFlags: VIR_CONNECT_RO */
const READ_ONLY = 1;
const CALL_TIMEOUT_MS = 60_000;
/** Longer ones gain nothing, and a process that answers nobody for that long seems to hang. */
const LONGEST_GATHERING_US = 1000;

/**
 * Opens a connection.
 * @throws {UriError} the URI cannot be followed. {ConnectError} no daemon was reached: see its code. {AuthError} the
 * daemon does not let this user in. {LibvirtError} it cannot open the URI. {CallTimeoutError} it does not answer.
 * RangeError: an option is wrong. Or the signal's reason.
 * @example await connect('qemu+ssh://root@node1/system', { callTimeoutMs: 10_000 })
 */
export function connect(uri?: string, options?: ConnectOptions): Promise<Connection>;
/** The same with the URI among the options. */
export function connect(options: ConnectOptions): Promise<Connection>;
export async function connect(first?: string | ConnectOptions, second?: ConnectOptions): Promise<Connection> {
  const options = optionsOf(first, second);
  const { pool = 1, onListenerError = warn, callTimeoutMs = CALL_TIMEOUT_MS, gatherRepliesUs = 0 } = options;
  assertCount('pool', pool, 1);
  if (!(gatherRepliesUs >= 0 && gatherRepliesUs <= LONGEST_GATHERING_US))
    throw new RangeError(`gatherRepliesUs must be from 0 to ${LONGEST_GATHERING_US}, not ${gatherRepliesUs}`);
  const open = opener(options);
  const { signal } = options;
  const sessions = await openAll(pool, () => open(signal, { asksForPings: true }));
  return new Connection(sessions, {
    onListenerError,
    callTimeoutMs,
    gatherRepliesUs,
    // What broke off connecting does not break off a stream of later.
    openStreamSession: (streamSignal) => open(streamSignal, { asksForPings: false }),
  });
}

function optionsOf(first: string | ConnectOptions | undefined, second: ConnectOptions | undefined): ConnectOptions {
  if (typeof first !== 'object') return { ...second, ...(first === undefined ? {} : { uri: first }) };
  if (second === undefined) return first;
  throw new RangeError('connect() takes the URI and then options, or only options with the URI among them');
}

/** Opens the sessions of one connection, which have everything in common but what breaks them off. */
function opener(options: ConnectOptions) {
  const { signal: _, ...given } = options;
  const credentials = given.credentials === undefined ? undefined : new RememberedCredentials(given.credentials);
  const lasting = credentials === undefined ? given : { ...given, credentials: credentials.ask };
  return async (signal: AbortSignal | undefined, how: SessionKind): Promise<Session> => {
    try {
      return await openSession(signal === undefined ? lasting : { ...lasting, signal }, how);
    } catch (error) {
      if (error instanceof AuthError) credentials?.forget();
      throw error;
    }
  };
}

/** All of them or none. The first goes ahead, so that a daemon that cannot be reached is asked once. */
async function openAll(count: number, open: () => Promise<Session>): Promise<[Session, ...Session[]]> {
  const first = await open();
  const attempts = await Promise.allSettled(Array.from({ length: count - 1 }, open));
  const others = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
  const failed = attempts.find((attempt) => attempt.status === 'rejected');
  if (failed === undefined) return [first, ...others];
  for (const session of [first, ...others]) session.destroy();
  throw failed.reason;
}

/** Reaches the daemon and does the handshake. */
export async function openSession(options: ConnectOptions, { asksForPings }: SessionKind): Promise<Session> {
  const { readonly = false, signal, callTimeoutMs = CALL_TIMEOUT_MS, maxInFlight = 4 } = options;
  const { keepaliveIntervalMs = 5000, keepaliveCount = 5 } = options;
  const uri = parseUri(options.uri ?? 'qemu:///system');
  assertCount('maxInFlight', maxInFlight, 1);
  assertCount('keepaliveCount', keepaliveCount, 1);
  assertCount('keepaliveIntervalMs', keepaliveIntervalMs, 0);
  if (!(callTimeoutMs > 0)) throw new RangeError(`callTimeoutMs must be above 0, not ${callTimeoutMs}`);

  const transport = await reach(uri, options, { timeoutMs: callTimeoutMs, signal });
  const session = new Session(transport, { maxInFlight, callTimeoutMs });
  try {
    const call = signal === undefined ? {} : { signal };
    await authenticate(session, saslSettings(uri, transport.peer, options), call);
    // Asked, the daemon pings us from now on, which the session answers. Ours are answered either way.
    const hasKeepalive = !asksForPings || (await supports(session, Feature.PROGRAM_KEEPALIVE, call));
    if (hasKeepalive && keepaliveIntervalMs > 0)
      session.startKeepalive(Math.min(keepaliveIntervalMs, LONGEST_DELAY_MS), keepaliveCount);
    await session.call(Procedures.CONNECT_OPEN, { name: uri.name, flags: readonly ? READ_ONLY : 0 }, call);
    // Asking tells the daemon that we take events by callback id.
    if (!(await supports(session, Feature.REMOTE_EVENT_CALLBACK, call))) throw tooOld(uri, transport.peer);
    return session;
  } catch (error) {
    session.destroy();
    throw explained(uri, transport.peer, error);
  }
}

async function reach(
  uri: LibvirtUri,
  options: ConnectOptions,
  limit: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
): Promise<Transport> {
  const { openTransport: open } = options;
  if (open === undefined) return openTransport(uri, options, limit);
  // One that comes when nobody waits any more is nobody's, and closed.
  return within({ peer: uri.text }, limit, (signal) => abortable(open(signal), signal, (late) => late.destroy()));
}

function saslSettings(uri: LibvirtUri, peer: string, options: ConnectOptions): SaslSettings {
  const { auth, credentials, signal, tls = {} } = options;
  const request = async (mechanism: SaslMechanism) => credentials?.({ peer, mechanism, username: uri.user }) ?? auth;
  const isOwn = options.openTransport !== undefined;
  return {
    peer,
    // Of a stream that somebody brings, and of a command, nobody here knows who reads along.
    isPrivate: !isOwn && (uri.transport === 'unix' || uri.transport === 'tls' || uri.transport === 'ssh'),
    isVerified: uri.transport === 'tls' ? verifies(uri, tls) : !uri.params.noVerify,
    mechanisms: auth?.mechanisms,
    // Who is asked may be a person: nobody waits for them after an abort.
    credentials: (mechanism) => abortable(request(mechanism), signal),
  };
}

async function supports(session: Session, feature: number, call: CallOptions): Promise<boolean> {
  return (await session.call(Procedures.CONNECT_SUPPORTS_FEATURE, { feature }, call)).supported === 1;
}

/** A handshake that fails as a connection is a connection that never came to be. */
function explained(uri: LibvirtUri, peer: string, error: unknown): unknown {
  if (error instanceof LibvirtError && error.is(ErrorCode.NO_SUPPORT) && isOfHandshake(error))
    return tooOld(uri, peer, error);
  if (!(error instanceof ConnectionClosedError) || error instanceof ConnectError) return error;
  const { cause } = error;
  // ssh tells only now why it never came through.
  if (cause instanceof ConnectError) return cause;
  const why = cause instanceof Error ? cause.message : error.message;
  if (cause instanceof ProtocolError)
    return connectError(
      targetOf(uri, peer),
      'EPROTO',
      `what answers there is no libvirt daemon: ${why}${otherPort(uri)}`,
      cause,
    );
  const advice = 'has it been stopped, or too many clients (max_clients, max_anonymous_clients)? Its log tells';
  return connectError(
    targetOf(uri, peer),
    codeOf(cause, 'ECONNRESET'),
    `the handshake was cut off: ${why}; ${advice}${otherPort(uri)}`,
    cause,
  );
}

function otherPort({ transport }: LibvirtUri): string {
  return transport === 'tcp' ? '; or is this the TLS port (16514, take +tls)?' : '';
}

function isOfHandshake({ procedure }: LibvirtError): boolean {
  return procedure !== Procedures.CONNECT_OPEN.name;
}

function tooOld(uri: LibvirtUri, peer: string, cause?: Error): ConnectError {
  const lacks = cause === undefined ? 'it has no events by callback id' : cause.message;
  const advice = `this daemon is older than libvirt 1.3.3 (${lacks}); update it`;
  return connectError(targetOf(uri, peer), ConnectErrorCode.DAEMON_TOO_OLD, advice, cause);
}

function targetOf({ transport }: LibvirtUri, peer: string): Target {
  return transport === 'unix' && peer.startsWith('/') ? { peer, socketPath: peer } : { peer };
}

function assertCount(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new RangeError(`${name} must be an integer of ${least} or more, not ${value}`);
}

function warn(error: unknown): void {
  process.emitWarning(`a libvirt event listener failed: ${error instanceof Error ? error.stack : String(error)}`);
}
