/** The payload of a refusal (remote_error: any reply with status ERROR) and what becomes of it. */
import { ErrorCode } from '../error_codes.ts';
import { LibvirtError } from '../errors.ts';
import type { Procedure } from '../procedures/procedure.ts';
import { domain, network } from './objects.ts';
import { int, lenientString, optional, struct, type Infer } from './xdr.ts';

const text = optional(lenientString);

export const remoteError = struct({
  code: int,
  domain: int,
  message: text,
  level: int,
  dom: optional(domain),
  str1: text,
  str2: text,
  str3: text,
  int1: int,
  int2: int,
  net: optional(network),
});

export type RemoteError = Infer<typeof remoteError>;

export function toLibvirtError(error: RemoteError, procedure: Procedure): LibvirtError {
  const details = { ...error, procedure: procedure.name };
  const message = error.message ?? 'libvirt gave no message';
  if (!isUnknownProcedure(error)) return new LibvirtError(message, details);
  return new LibvirtError(`${message}: this daemon is older than the procedure (libvirt ${procedure.since})`, {
    ...details,
    code: ErrorCode.NO_SUPPORT,
  });
}

/**
 * A daemon that is too old says RPC (39), as for any fault of the protocol, and «unknown procedure: N»
 * (virNetServerProgramDispatchCall, not translated): the one place where a text decides, so that callers need none.
 */
function isUnknownProcedure({ code, message }: RemoteError): boolean {
  return code === ErrorCode.RPC && message !== null && message.startsWith('unknown procedure');
}
