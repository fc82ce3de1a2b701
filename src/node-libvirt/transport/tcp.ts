/** Plain TCP: a daemon with listen_tcp (or libvirtd-tcp.socket). Nothing is encrypted, so no password is sent on it. */
import { createConnection } from 'node:net';
import { codeOf, connectError, type Target } from './attempt.ts';
import { connected, discard, SocketReader, SocketTransport } from './socket.ts';
import type { Transport } from './transport.ts';

/** Per address of a host that has several; Node's own quarter of a second is too short for a far one. */
export const ADDRESS_TIMEOUT_MS = 2500;

/** The system asks a silent host whether it is there; sessions of streams have no keepalive of libvirt's. */
export const TCP_KEEPALIVE_MS = 30_000;

export type Address = { readonly host: string; readonly port: number };

export async function openTcp(target: Target, { host, port }: Address, signal: AbortSignal): Promise<Transport> {
  const reader = new SocketReader();
  const socket = createConnection({
    host,
    port,
    onread: reader.onread,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEPALIVE_MS,
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
  });
  // Before it connects, so that nothing is read before the transport is started.
  socket.pause();
  try {
    await connected(socket, 'connect', (error) => tcpError(target, host, error), signal);
    return new SocketTransport(socket, reader, target.peer);
  } catch (error) {
    discard(socket);
    throw error;
  }
}

export function tcpError(target: Target, host: string, error: NodeJS.ErrnoException): Error {
  return connectError(target, codeOf(error), adviceFor(host, error), error);
}

function adviceFor(host: string, error: NodeJS.ErrnoException): string {
  switch (error.code ?? '') {
    case 'ENOTFOUND':
      return `there is no host ${host}; check the name, or the resolver`;
    case 'EAI_AGAIN':
      return `the name ${host} cannot be looked up now; check the resolver, or try again later`;
    case 'ECONNREFUSED':
      return 'nobody listens there; enable the daemon’s network socket (libvirtd-tls.socket or -tcp.socket), or correct the port';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'there is no way to that host; check address, network and firewall';
    case 'ETIMEDOUT':
      return 'the host does not answer; is it up, and does a firewall drop the port?';
    case 'ECONNRESET':
      return 'the host broke the connection off; does something other than libvirt listen there?';
    default:
      // Of several addresses that all failed Node makes one error without a text.
      return error.message === '' ? (error.code ?? 'it failed') : error.message;
  }
}
