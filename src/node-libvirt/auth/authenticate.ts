/** The daemon's question who is there: asked of root too, and nothing is served before it is answered. */
import { ErrorCode, ErrorDomain, ErrorLevel } from '../error_codes.ts';
import { AuthError, LibvirtError } from '../errors.ts';
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { Session } from '../session/session.ts';
import { authenticateBySasl, type SaslSettings } from './sasl.ts';

/** remote_auth_type */
const AuthType = { NONE: 0, SASL: 1, POLKIT: 2 } as const;

/** @throws {AuthError} saying what would let us in; {LibvirtError} and what a call may throw */
export async function authenticate(session: Session, settings: SaslSettings, call: CallOptions): Promise<void> {
  const { types } = await session.call(Procedures.AUTH_LIST, {}, call);
  if (types.includes(AuthType.NONE)) return;
  if (types.includes(AuthType.POLKIT)) return authenticateByPolkit(session, call);
  if (types.includes(AuthType.SASL)) return authenticateBySasl(session, settings, call);
  throw cannotAuthenticate(session.peer, types);
}

async function authenticateByPolkit(session: Session, call: CallOptions): Promise<void> {
  try {
    await session.call(Procedures.AUTH_POLKIT, {}, call);
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error;
    const advice = 'run as root, connect readonly, or add a polkit rule for org.libvirt.unix.manage';
    throw new AuthError(`${session.peer} refuses this user: ${error.str2 ?? 'polkit says no'}; ${advice}`, error, {
      cause: error,
    });
  }
}

function cannotAuthenticate(peer: string, types: readonly number[]): AuthError {
  const asked = types.length === 0 ? 'no kind' : `the kinds ${types.join(', ')}`;
  const message = `${peer} offers ${asked} of authentication; none (0), SASL (1) and polkit (2) are known here`;
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
