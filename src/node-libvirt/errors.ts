/**
 * What can go wrong, by what it costs: the call (LibvirtError: the daemon answered no; CallTimeoutError: it did not
 * answer in time) or the connection (ConnectionClosedError, ConnectError, ProtocolError). `requestSent` tells whether
 * a call may have taken effect: false means it never left this process and can be repeated on a new connection.
 *
 * An aborted call is none of these: it rejects with its signal's reason, as everything in Node does.
 */
import { ErrorCode } from './error_codes.ts';
import { nameOf } from './constants/index.ts';

export type LibvirtErrorDetails = {
  readonly code: number;
  readonly domain: number;
  readonly level: number;
  readonly str1: string | null;
  readonly str2: string | null;
  readonly str3: string | null;
  readonly int1: number;
  readonly int2: number;
  /** The procedure that failed, e.g. DOMAIN_LOOKUP_BY_UUID. */
  readonly procedure: string;
};

/** The daemon's own refusal (virError): compare `code`, never the text. */
export class LibvirtError extends Error {
  override readonly name: string = 'LibvirtError';
  readonly code: number;
  readonly domain: number;
  readonly level: number;
  readonly str1: string | null;
  readonly str2: string | null;
  readonly str3: string | null;
  /** For SYSTEM_ERROR the errno; -1 where unset. */
  readonly int1: number;
  readonly int2: number;
  readonly procedure: string;

  constructor(text: string, details: LibvirtErrorDetails, options?: ErrorOptions) {
    super(`${text} (${nameOf(ErrorCode, details.code)}, ${details.procedure})`, options);
    this.code = details.code;
    this.domain = details.domain;
    this.level = details.level;
    this.str1 = details.str1;
    this.str2 = details.str2;
    this.str3 = details.str3;
    this.int1 = details.int1;
    this.int2 = details.int2;
    this.procedure = details.procedure;
  }

  /** @example error.is(ErrorCode.NO_DOMAIN) */
  is(code: number): boolean {
    return this.code === code;
  }
}

/** The daemon does not let us in; the message says what would. */
export class AuthError extends LibvirtError {
  override readonly name: string = 'AuthError';
}

/** The bytes do not follow libvirt's protocol: a defect here or there, or not a libvirt daemon. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** The connection is gone, or went while the call waited for its reply. */
export class ConnectionClosedError extends Error {
  override readonly name: string = 'ConnectionClosedError';
  readonly requestSent: boolean;

  constructor(message: string, requestSent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.requestSent = requestSent;
  }
}

/** A libvirt URI that cannot be followed; the message says which part, and what would do. */
export class UriError extends RangeError {
  override readonly name = 'UriError';
}

export type ConnectErrorDetails = {
  readonly code: string;
  /** What was to be reached: a socket's path, `tls://node1:16514`, `ssh://node1`. */
  readonly peer: string;
  /** Of unix sockets. */
  readonly socketPath?: string;
};

/** No connection came to be: nobody there, or not let in before libvirt itself was asked. Nothing took effect. */
export class ConnectError extends ConnectionClosedError {
  override readonly name = 'ConnectError';
  /**
   * The system's word where it has one (ENOENT, EACCES, ECONNREFUSED, ENOTFOUND, ETIMEDOUT), Node's for certificates
   * (CERT_HAS_EXPIRED, ERR_TLS_CERT_ALTNAME_INVALID), else one of {@link ConnectErrorCode}.
   */
  readonly code: string;
  readonly peer: string;
  /** Where the peer is a unix socket. */
  readonly socketPath: string | undefined;

  constructor(message: string, details: ConnectErrorDetails, options?: ErrorOptions) {
    super(message, false, options);
    this.code = details.code;
    this.peer = details.peer;
    this.socketPath = details.socketPath;
  }
}

/** What neither the system nor Node has a word for. */
export const ConnectErrorCode = Object.freeze({
  /** The daemon ended the TLS connection because of our certificate, or because we showed none. */
  CLIENT_CERTIFICATE: 'CLIENT_CERTIFICATE',
  /** The remote sshd lets this user or key not in. */
  SSH_AUTHENTICATION: 'SSH_AUTHENTICATION',
  /** The remote host's key is unknown or another one than before. */
  SSH_HOST_KEY: 'SSH_HOST_KEY',
  /** ssh or the command ended; the message has what it said last. */
  COMMAND_ENDED: 'COMMAND_ENDED',
  /** The daemon lacks what is needed here: libvirt older than 1.3. */
  DAEMON_TOO_OLD: 'DAEMON_TOO_OLD',
} as const);

/** No reply in time. libvirt cannot cancel a call: one that was sent may still take effect. */
export class CallTimeoutError extends Error {
  override readonly name = 'CallTimeoutError';
  readonly requestSent: boolean;
  readonly procedure: string;

  constructor(message: string, details: { readonly requestSent: boolean; readonly procedure: string }) {
    super(message);
    this.requestSent = details.requestSent;
    this.procedure = details.procedure;
  }
}

/** The half sentence that a caller needs to decide whether to repeat. */
export function fateOf(requestSent: boolean): string {
  return requestSent
    ? 'the request was sent, so its outcome is unknown: ask libvirt for the state before repeating it'
    : 'the request was not sent: it is safe to repeat';
}
