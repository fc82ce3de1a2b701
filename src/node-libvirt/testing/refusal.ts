/** How a daemon says no: what a script throws, and what it becomes on the wire. */
import { ErrorCode, ErrorDomain, ErrorLevel } from '../error_codes.ts';
import type { RemoteError } from '../wire/remote_error.ts';

/** The whole error from what a test cares for; by default QEMU's driver reports an internal error. */
export function remoteErrorOf(error: Partial<RemoteError> = {}): RemoteError {
  const { message = 'internal error: it broke' } = error;
  return {
    code: ErrorCode.INTERNAL_ERROR,
    domain: ErrorDomain.QEMU,
    level: ErrorLevel.ERROR,
    dom: null,
    str1: '%s',
    str2: message,
    str3: null,
    int1: -1,
    int2: -1,
    net: null,
    ...error,
    message,
  };
}

/**
 * Thrown by a script, it becomes the reply.
 * @example daemon.answer(Procedures.DOMAIN_SHUTDOWN_FLAGS, () => { throw new FakeRefusal({ code: ErrorCode.NO_DOMAIN }) })
 */
export class FakeRefusal extends Error {
  override readonly name = 'FakeRefusal';
  readonly error: RemoteError;

  constructor(error: Partial<RemoteError>) {
    super(error.message ?? `code ${error.code ?? ErrorCode.INTERNAL_ERROR}`);
    this.error = remoteErrorOf(error);
  }
}

/** Libvirt's own part of the protocol refuses (virnetserverprogram.c). */
export function protocolRefusal(message: string): Partial<RemoteError> {
  return { code: ErrorCode.RPC, domain: ErrorDomain.RPC, message };
}
