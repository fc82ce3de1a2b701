/**
 * TLS, both sides with certificates. Where they lie by default is libvirt's convention (docs/tlscerts.rst), so that what
 * virsh uses is found here too.
 *
 * After the handshake the daemon looks at our certificate and says one byte, 1, if it likes it. If not it just closes:
 * to Node the handshake was good. Seen with 9.0.0, TLS 1.3.
 */
import { readFile } from 'node:fs/promises';
import { isIP, type TcpNetConnectOpts } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { checkServerIdentity, connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { ConnectErrorCode, UriError } from '../errors.ts';
import { codeOf, connectError, settled, type Target } from './attempt.ts';
import { connected, discard, SocketReader } from './socket.ts';
import { ADDRESS_TIMEOUT_MS, TCP_KEEPALIVE_MS, tcpError, type Address } from './tcp.ts';
import { TlsTransport } from './tls_transport.ts';
import type { Transport } from './transport.ts';
import type { LibvirtUri } from './uri.ts';

/** PEM text each; what is left out is read from libvirt's places. */
export type TlsOptions = {
  /** Who may have signed the server's certificate. */
  readonly ca?: string | Buffer;
  /** Ours, with intermediate ones after it; with `key`. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name or address in the server's certificate, where it is not the host of the URI. */
  readonly servername?: string;
  /** False takes any server's certificate, as no_verify=1 does: whoever answers is then believed. */
  readonly verify?: boolean;
};

type Credentials = Pick<ConnectionOptions, 'ca' | 'cert' | 'key'>;
type Files = { readonly ca: string; readonly cert: string; readonly key: string };

const CONFIRMED = 1;

export async function openTls(
  target: Target,
  { host, port }: Address,
  uri: LibvirtUri,
  options: TlsOptions,
  signal: AbortSignal,
): Promise<Transport> {
  const isVerified = verifies(uri, options);
  const credentials = await readCredentials(target, uri.params.pkipath, options, isVerified);
  const reader = new SocketReader();
  const socket = newSocket(target, {
    host,
    port,
    ...credentials,
    ...serverName(host, options.servername),
    rejectUnauthorized: isVerified,
    onread: reader.onread,
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
  });
  try {
    // A paused TLS socket would not even shake hands, so the byte is awaited while it reads.
    const confirmation = readConfirmation(reader);
    await connected(socket, 'secureConnect', (error) => tlsError(target, host, error), signal);
    await settled<void>(signal, (resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) => reject(notConfirmed(target, credentials, error));
      const onEnd = () => reject(notConfirmed(target, credentials));
      confirmation.onByte = (byte) =>
        byte === CONFIRMED ? resolve() : reject(connectError(target, 'EPROTO', wrongByte(byte)));
      confirmation.check();
      socket.once('error', onError).once('end', onEnd).once('close', onEnd);
      return () => socket.off('error', onError).off('end', onEnd).off('close', onEnd);
    });
    // Before there was a connection they would have had no effect.
    socket.setNoDelay(true).setKeepAlive(true, TCP_KEEPALIVE_MS);
    socket.pause();
    const transport = new TlsTransport(socket, reader, target.peer);
    for (const bytes of confirmation.rest) reader.sink(bytes);
    return transport;
  } catch (error) {
    discard(socket);
    throw error;
  }
}

/** Whether the server has to prove who it is. */
export function verifies({ params }: LibvirtUri, { verify = true }: TlsOptions): boolean {
  return verify && !params.noVerify;
}

/** Those of net.connect are taken too, says the manual; the types forgot them. */
type SocketOptions = ConnectionOptions & Pick<TcpNetConnectOpts, 'onread' | 'autoSelectFamilyAttemptTimeout'>;

function newSocket(target: Target, options: SocketOptions): TLSSocket {
  try {
    return connect(options);
  } catch (error) {
    throw badCredentials(target, error);
  }
}

/** The byte may come in one chunk with the first packet, and before anyone waits for it. */
function readConfirmation(reader: SocketReader) {
  const state = {
    rest: [] as Buffer[],
    byte: undefined as number | undefined,
    onByte: (_byte: number): void => undefined,
    check: () => {
      if (state.byte !== undefined) state.onByte(state.byte);
    },
  };
  reader.sink = (bytes) => {
    const isFirst = state.byte === undefined;
    if (isFirst) state.byte = bytes[0];
    const rest = isFirst ? bytes.subarray(1) : bytes;
    if (rest.length > 0) state.rest.push(Buffer.from(rest));
    if (isFirst) state.check();
  };
  return state;
}

function wrongByte(byte: number): string {
  return `it began with the byte ${byte} where a libvirt daemon says 1; is this libvirt’s TLS port (16514)?`;
}

/** An address is no server name in TLS; the certificate is then compared with the address. */
function serverName(host: string, given: string | undefined): ConnectionOptions {
  const name = given ?? host;
  if (isIP(name) === 0) return { servername: name };
  return { checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate) };
}

async function readCredentials(
  target: Target,
  pkipath: string | undefined,
  options: TlsOptions,
  isVerified: boolean,
): Promise<Credentials> {
  const { ca, cert, key } = options;
  if ((cert === undefined) !== (key === undefined))
    throw new RangeError('tls.cert and tls.key belong together: pass both or none');
  if (pkipath !== undefined && (ca !== undefined || cert !== undefined))
    throw new UriError('pkipath= and the option tls both name certificates; leave one of them out');
  const given = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
  if (pkipath !== undefined) return readFiles(target, flat(pkipath), () => true);
  const files = await defaultFiles();
  // Who verifies nothing needs no CA; a certificate of one's own is the daemon's wish, which it tells.
  const read = await readFiles(target, files, (which) => which === 'ca' && isVerified && ca === undefined);
  return { ...read, ...given };
}

function flat(folder: string): Files {
  return {
    ca: join(folder, 'cacert.pem'),
    cert: join(folder, 'clientcert.pem'),
    key: join(folder, 'clientkey.pem'),
  };
}

/** A user's own files count only when all three are there, as in libvirt. */
async function defaultFiles(): Promise<Files> {
  const system = {
    ca: '/etc/pki/CA/cacert.pem',
    cert: '/etc/pki/libvirt/clientcert.pem',
    key: '/etc/pki/libvirt/private/clientkey.pem',
  };
  if (process.geteuid?.() === 0) return system;
  const own = flat(join(homedir(), '.pki', 'libvirt'));
  const found = await Promise.allSettled(Object.values(own).map((path) => readFile(path)));
  return found.every(({ status }) => status === 'fulfilled') ? own : system;
}

async function readFiles(
  target: Target,
  files: Files,
  isNeeded: (which: keyof Files) => boolean,
): Promise<Credentials> {
  const read = async (which: keyof Files): Promise<Credentials> => {
    try {
      return { [which]: await readFile(files[which]) };
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOENT' && !isNeeded(which)) return {};
      const advice = `the file ${files[which]} cannot be read (${code}); put it there, or pass pkipath= or the option tls`;
      throw connectError(target, code, advice, error);
    }
  };
  const [ca, cert, key] = await Promise.all([read('ca'), read('cert'), read('key')]);
  return { ...ca, ...cert, ...key };
}

function badCredentials(target: Target, error: unknown): Error {
  const why = error instanceof Error ? error.message : String(error);
  return connectError(target, codeOf(error), `the CA, certificate or key is no PEM that fits together: ${why}`, error);
}

function notConfirmed(target: Target, credentials: Credentials, cause?: Error): Error {
  const advice =
    credentials.cert === undefined
      ? 'the daemon wants a client certificate and none was found; put clientcert.pem and its key where libvirt looks, or pass the option tls'
      : 'the daemon does not accept our client certificate; is it signed by the CA it knows, still valid, and its name in tls_allowed_dn_list?';
  return connectError(target, ConnectErrorCode.CLIENT_CERTIFICATE, advice, cause);
}

function tlsError(target: Target, host: string, error: NodeJS.ErrnoException): Error {
  const advice = adviceFor(error);
  return advice === undefined ? tcpError(target, host, error) : connectError(target, codeOf(error), advice, error);
}

function adviceFor(error: NodeJS.ErrnoException): string | undefined {
  switch (error.code ?? '') {
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'CERT_SIGNATURE_FAILURE':
      return 'the server’s certificate is not signed by the CA we know; is this the right host, and cacert.pem that of its CA?';
    case 'CERT_HAS_EXPIRED':
      return 'the server’s certificate (or its CA’s) has expired; renew it, or correct this host’s clock';
    case 'CERT_NOT_YET_VALID':
      return 'the server’s certificate is not valid yet; correct this host’s clock';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the server’s certificate is for another name (${error.message}); use that name, or the option tls.servername`;
    case 'ECONNRESET':
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return `there was no TLS handshake (${error.message}); is this the plain port (16509, take +tcp), or not libvirt at all?`;
    default:
      return error.code?.startsWith('ERR_SSL_') === true || error.code?.startsWith('CERT_') === true
        ? `TLS failed: ${error.message}`
        : undefined;
  }
}
