/**
 * The daemon's socket on this host: which one, and connecting to it. The choice is libvirt's own (remote_sockets.c):
 * a modular daemon's socket where it exists, else the one of libvirtd, which on modular hosts is virtproxyd's.
 */
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { codeOf, connectError, type Target } from './attempt.ts';
import { connected, discard, SocketReader, SocketTransport } from './socket.ts';
import type { Transport } from './transport.ts';
import type { LibvirtUri } from './uri.ts';

export type SocketPlaces = {
  /** root has no session daemon: its `/session` is the system's, as in libvirt. */
  readonly isRoot: boolean;
  readonly runtimeDirectory: string | undefined;
  readonly home: string;
  readonly exists: (path: string) => boolean;
};

const SYSTEM_DIRECTORY = '/run/libvirt';
/** sockaddr_un's, less its NUL. */
const LONGEST_PATH_BYTES = 107;

/** The path of the socket for a URI, which may not be there. */
export function chooseSocket(uri: LibvirtUri, isReadonly: boolean, places: SocketPlaces = thisHost()): string {
  if (uri.params.socket !== undefined) return uri.params.socket;
  const isSession = !places.isRoot && (uri.path === '/session' || isTestWithTransport(uri));
  const directory = isSession ? sessionDirectory(places) : SYSTEM_DIRECTORY;
  // A session daemon serves its own user alone and has no read-only socket.
  const suffix = isReadonly && !isSession ? '-ro' : '';
  const direct = join(directory, `${driverSocket(uri.driver)}${suffix}`);
  const legacy = join(directory, `libvirt-sock${suffix}`);
  if (uri.params.mode === 'direct') return direct;
  if (uri.params.mode === 'legacy') return legacy;
  return places.exists(direct) ? direct : legacy;
}

/** The socket of a driver's own daemon: virtqemud, virtnetworkd, virtstoraged... */
export function driverSocket(driver: string): string {
  return `virt${driver.toLowerCase()}d-sock`;
}

/** @throws {ConnectError} RangeError where the path cannot be a socket's. */
export async function openUnix(path: string, signal: AbortSignal): Promise<Transport> {
  const length = Buffer.byteLength(path);
  if (length === 0 || length > LONGEST_PATH_BYTES || path.includes('\0'))
    throw new RangeError(
      `the path of a socket has 1 to ${LONGEST_PATH_BYTES} bytes and no NUL, not ${JSON.stringify(path)}`,
    );
  const target: Target = { peer: path, socketPath: path };
  const reader = new SocketReader();
  const socket = createConnection({ path, onread: reader.onread });
  // Before it connects, so that nothing is read before the transport is started.
  socket.pause();
  try {
    const toError = (error: NodeJS.ErrnoException) => connectError(target, codeOf(error), adviceFor(error), error);
    await connected(socket, 'connect', toError, signal);
    return new SocketTransport(socket, reader, path);
  } catch (error) {
    discard(socket);
    throw error;
  }
}

function thisHost(): SocketPlaces {
  return {
    isRoot: process.geteuid?.() === 0,
    runtimeDirectory: process.env['XDG_RUNTIME_DIR'],
    home: homedir(),
    exists: existsSync,
  };
}

function sessionDirectory({ runtimeDirectory, home }: SocketPlaces): string {
  const has = runtimeDirectory !== undefined && runtimeDirectory !== '';
  return has ? join(runtimeDirectory, 'libvirt') : join(home, '.cache', 'libvirt');
}

/** libvirt: `test+unix:///default` asks for the user's daemon, `test:///default` for none (here: the system's). */
function isTestWithTransport({ driver, text }: LibvirtUri): boolean {
  return driver === 'test' && text.startsWith('test+');
}

function adviceFor(error: NodeJS.ErrnoException): string {
  switch (error.code ?? '') {
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
      return error.message;
  }
}
