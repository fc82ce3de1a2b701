/** From a URI to a connected transport: one door to all of them. */
import { within, type Limit, type Target } from './attempt.ts';
import { openCommand } from './command.ts';
import { externalCommand, sshCommand, type SshOptions } from './ssh.ts';
import { openTcp, type Address } from './tcp.ts';
import { openTls, type TlsOptions } from './tls.ts';
import type { Transport } from './transport.ts';
import { chooseSocket, openUnix } from './unix.ts';
import type { LibvirtUri } from './uri.ts';

export type TransportOptions = {
  /** The daemon's socket on this host, before what URI and convention say. */
  readonly socketPath?: string;
  /** Asks for nothing that changes anything. */
  readonly readonly?: boolean;
  readonly tls?: TlsOptions;
  readonly ssh?: SshOptions;
};

const TCP_PORT = 16_509;
const TLS_PORT = 16_514;

/**
 * @throws {ConnectError} saying what was tried and what to do; ETIMEDOUT after the limit. {UriError} Or the signal's
 * reason. No socket, process or timer is left behind by an attempt that failed.
 */
export async function openTransport(uri: LibvirtUri, options: TransportOptions, limit: Limit): Promise<Transport> {
  const { readonly = false, tls = {}, ssh = {}, socketPath } = options;
  if (socketPath !== undefined && uri.transport !== 'unix')
    throw new RangeError(`socketPath is a socket on this host, and ${uri.text} leads elsewhere; leave one of them out`);
  switch (uri.transport) {
    case 'unix': {
      const path = socketPath ?? chooseSocket(uri, readonly);
      return within({ peer: path, socketPath: path }, limit, (signal) => openUnix(path, signal));
    }
    case 'tcp': {
      const address = addressOf(uri, TCP_PORT);
      const target = targetOf(uri, address.port);
      return within(target, limit, (signal) => openTcp(target, address, signal));
    }
    case 'tls': {
      const address = addressOf(uri, TLS_PORT);
      const target = targetOf(uri, address.port);
      return within(target, limit, (signal) => openTls(target, address, uri, tls, signal));
    }
    case 'ssh': {
      const target = targetOf(uri, uri.port);
      return within(target, limit, (signal) => openCommand(target, sshCommand(uri, ssh, readonly), signal));
    }
    case 'ext': {
      const target = { peer: `ext:${uri.params.command}` };
      return within(target, limit, (signal) => openCommand(target, externalCommand(uri), signal));
    }
  }
}

function addressOf({ host = 'localhost', port }: LibvirtUri, defaultPort: number): Address {
  return { host, port: port ?? defaultPort };
}

function targetOf({ transport, user, host = 'localhost' }: LibvirtUri, port: number | undefined): Target {
  const place = host.includes(':') ? `[${host}]` : host;
  return {
    peer: `${transport}://${user === undefined ? '' : `${user}@`}${place}${port === undefined ? '' : `:${port}`}`,
  };
}
