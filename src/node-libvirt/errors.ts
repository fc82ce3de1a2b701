/**
 * What can go wrong, by what it costs: the call (LibvirtError: the daemon answered no; CallTimeoutError: it did not
 * answer in time) or the connection (ConnectionClosedError, ConnectError, ProtocolError). `requestSent` tells whether
 * a call may have taken effect: false means it never left this process and can be repeated on a new connection.
 *
 * An aborted call is none of these: it rejects with its signal's reason, as everything in Node does.
 */
import { ErrorCode } from './error_codes.ts';
import { nameOf } from './constants.ts';

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

/** No connection came to be: no socket, no permission, nobody listening. */
export class ConnectError extends ConnectionClosedError {
  override readonly name = 'ConnectError';
  /** The system's word for it, e.g. ENOENT or EACCES. */
  readonly code: string;
  readonly socketPath: string;

  constructor(
    message: string,
    details: { readonly code: string; readonly socketPath: string },
    options?: ErrorOptions,
  ) {
    super(message, false, options);
    this.code = details.code;
    this.socketPath = details.socketPath;
  }
}

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
