/**
 * From a socket's path to an open connection: find the socket, connect, authenticate, open the driver.
 *
 * The order is libvirt's own: AUTH_LIST (without it every call is refused, for root too), the authentication it asks
 * for, keepalive support, CONNECT_OPEN, event support. Each step has the connection's call time-out.
 */
import { existsSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { Connection } from './connection.ts';
import { Feature } from './constants.ts';
import { ErrorCode, ErrorDomain, ErrorLevel } from './error_codes.ts';
import { AuthError, ConnectError, LibvirtError } from './errors.ts';
import type { CallOptions } from './pending_call.ts';
import { Procedures } from './procedures.ts';
import { Session } from './session.ts';

export type ConnectOptions = {
  /** The driver to open in the daemon; default `qemu:///system`. No transport or host in it: unix sockets only, yet. */
  readonly uri?: string;
  /** Default: virtqemud's socket where it exists, else libvirtd's, both below /run/libvirt. */
  readonly socketPath?: string;
  /** Ask for nothing that changes anything: other users may do that too. */
  readonly readonly?: boolean;
  /** Calls sent and not yet answered; default 4, and libvirtd's limit is 5 (see session.ts). The others are queued. */
  readonly maxInFlight?: number;
  /** For calls that bring no time-out of their own; default 60000. */
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

const SOCKET_DIRECTORY = '/run/libvirt';
/** virConnectFlags: VIR_CONNECT_RO */
const READ_ONLY = 1;
/** remote_auth_type */
const AuthType = { NONE: 0, SASL: 1, POLKIT: 2 } as const;

/**
 * Opens a connection.
 * @throws {ConnectError} no socket, no permission, nobody listening. {AuthError} the daemon does not let this user in.
 * {LibvirtError} it cannot open the uri. Or the signal's reason.
 */
export async function connect(options: ConnectOptions = {}): Promise<Connection> {
  const { uri = 'qemu:///system', readonly = false, signal, callTimeoutMs = 60_000, maxInFlight = 4 } = options;
  const { keepaliveIntervalMs = 5000, keepaliveCount = 5, onListenerError = warn } = options;
  assertLocal(uri);
  assertCount('maxInFlight', maxInFlight, 1);
  assertCount('keepaliveCount', keepaliveCount, 1);
  assertCount('keepaliveIntervalMs', keepaliveIntervalMs, 0);
  if (!(callTimeoutMs > 0)) throw new RangeError(`callTimeoutMs must be above 0, not ${callTimeoutMs}`);
  signal?.throwIfAborted();

  const socketPath = options.socketPath ?? defaultSocketPath(readonly);
  const socket = await openSocket(socketPath, callTimeoutMs, signal);
  const session = new Session(socket, { peer: socketPath, maxInFlight, callTimeoutMs });
  try {
    const call = signal === undefined ? {} : { signal };
    await authenticate(session, socketPath, call);
    // Asked, the daemon pings us from now on, which the session answers.
    const hasKeepalive = await supports(session, Feature.PROGRAM_KEEPALIVE, call);
    if (hasKeepalive && keepaliveIntervalMs > 0) session.startKeepalive(keepaliveIntervalMs, keepaliveCount);
    await session.call(Procedures.CONNECT_OPEN, { name: uri, flags: readonly ? READ_ONLY : 0 }, call);
    // Asking tells the daemon that we take events by callback id. One without them refuses the subscription later.
    await supports(session, Feature.REMOTE_EVENT_CALLBACK, call);
    return new Connection(session, { onListenerError });
  } catch (error) {
    session.destroy();
    throw error;
  }
}

/** Where libvirt.so looks too: a modular daemon's socket first. */
function defaultSocketPath(readonly: boolean): string {
  const suffix = readonly ? '-ro' : '';
  const modular = `${SOCKET_DIRECTORY}/virtqemud-sock${suffix}`;
  return existsSync(modular) ? modular : `${SOCKET_DIRECTORY}/libvirt-sock${suffix}`;
}

async function openSocket(path: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<Socket> {
  const socket = createConnection({ path });
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const onAbort = () => reject(signal?.reason);
  const onTimeout = () => reject(connectError(path, 'ETIMEDOUT', new Error(`no connection within ${timeoutMs} ms`)));
  socket.once('connect', () => resolve(socket));
  socket.once('error', (error: NodeJS.ErrnoException) => reject(connectError(path, error.code ?? 'UNKNOWN', error)));
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    // Infinity is no timeout; a timer holds 2^31 - 1 ms at most.
    if (Number.isFinite(timeoutMs)) socket.setTimeout(Math.min(timeoutMs, 2 ** 31 - 1), onTimeout);
    return await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    socket.setTimeout(0);
    socket.removeAllListeners('timeout');
  }
}

function connectError(socketPath: string, code: string, cause: Error): ConnectError {
  return new ConnectError(
    `cannot connect to ${socketPath}: ${adviceFor(code, cause)}`,
    { code, socketPath },
    { cause },
  );
}

function adviceFor(code: string, cause: Error): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such socket; start libvirtd (or virtqemud) on this host, or pass the right socketPath';
    case 'ECONNREFUSED':
      return 'nobody listens there; the daemon is gone and left its socket behind: start it';
    case 'EACCES':
    case 'EPERM':
      return 'this user may not open it; run as root or as a member of the socket’s group (libvirt), or connect readonly';
    case 'EAGAIN':
      return 'the daemon does not keep up with accepting connections; try again later';
    default:
      return cause.message;
  }
}

async function authenticate(session: Session, socketPath: string, call: CallOptions): Promise<void> {
  const { types } = await session.call(Procedures.AUTH_LIST, {}, call);
  if (types.includes(AuthType.NONE)) return;
  if (!types.includes(AuthType.POLKIT)) throw cannotAuthenticate(socketPath, types);
  try {
    await session.call(Procedures.AUTH_POLKIT, {}, call);
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
    const advice = 'run as root, connect readonly, or add a polkit rule for org.libvirt.unix.manage';
    throw new AuthError(`${socketPath} refuses this user: ${error.str2 ?? 'polkit says no'}; ${advice}`, error, {
      cause: error,
    });
  }
}

function cannotAuthenticate(socketPath: string, types: readonly number[]): AuthError {
  const message = `${socketPath} asks for authentication of type ${types.join(', ')} (1 is SASL); only none (0) and polkit (2) can be done here`;
  return new AuthError(message, {
    code: ErrorCode.AUTH_UNAVAILABLE,
    domain: ErrorDomain.NONE,
    level: ErrorLevel.ERROR,
    str1: null,
    str2: null,
    str3: null,
    int1: -1,
    int2: -1,
    procedure: Procedures.AUTH_LIST.name,
  });
}

async function supports(session: Session, feature: number, call: CallOptions): Promise<boolean> {
  return (await session.call(Procedures.CONNECT_SUPPORTS_FEATURE, { feature }, call)).supported === 1;
}

/** libvirt would take `qemu+ssh://host/system` apart; we would silently talk to this host instead. */
function assertLocal(uri: string): void {
  const parts = /^([a-z][\w.-]*)(\+[\w.-]+)?:(\/\/([^/?]*))?/i.exec(uri);
  if (parts === null)
    throw new RangeError(`not a libvirt URI: ${JSON.stringify(uri)}; the usual one is qemu:///system`);
  const [, , transport = '', , host = ''] = parts;
  if (transport === '' && host === '') return;
  throw new RangeError(
    `${uri} names a transport or host; here only unix sockets can be used: qemu:///system and socketPath`,
  );
}

function assertCount(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new RangeError(`${name} must be an integer of ${least} or more, not ${value}`);
}

function warn(error: unknown): void {
  process.emitWarning(`a libvirt event listener failed: ${error instanceof Error ? error.stack : String(error)}`);
}
