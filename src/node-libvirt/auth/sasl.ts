/**
 * SASL as libvirt carries it (AUTH_SASL_INIT, START, STEP): the daemon names its mechanisms, we take the strongest that
 * both know. Only where the transport itself keeps secrets: elsewhere libvirt wants a mechanism that also encrypts what
 * follows, and none of these does.
 */
import { ErrorCode, ErrorDomain, ErrorLevel } from '../error_codes.ts';
import { AuthError, LibvirtError } from '../errors.ts';
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { Session } from '../session/session.ts';
import { prepared } from './saslprep.ts';
import { ScramError, ScramExchange, type ScramHash } from './scram.ts';

export type Credentials = { readonly username: string; readonly password: string };

export type CredentialsRequest = {
  /** Who asks, e.g. `tls://node1:16514`. */
  readonly peer: string;
  /** By which mechanism they are used; PLAIN shows the daemon the password. */
  readonly mechanism: SaslMechanism;
  /** The user of the URI, if it names one. */
  readonly username: string | undefined;
};

export type SaslMechanism = (typeof mechanisms)[number];

export type SaslSettings = {
  readonly peer: string;
  /** Whether nobody but the daemon can read what is sent. */
  readonly isPrivate: boolean;
  /** Whether who answers has proved to be the daemon that was meant. */
  readonly isVerified: boolean;
  /** Those that may be used; default all, but PLAIN for a verified daemon only: it would give away the password. */
  readonly mechanisms: readonly SaslMechanism[] | undefined;
  /** Undefined where nobody has given any. */
  readonly credentials: (mechanism: SaslMechanism) => Promise<Credentials | undefined>;
};

/** Best first; PLAIN hands the password over, so it comes last. */
const mechanisms = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'] as const;
/** More steps than any of these takes. */
const MOST_STEPS = 4;

/** What one side of a mechanism does. */
type Exchange = {
  readonly first: Buffer;
  /** The answer to the daemon's data; undefined where there is nothing more to say. */
  readonly answer: (data: Buffer) => Promise<Buffer | undefined>;
  /** Whether the daemon has proved what it had to. */
  readonly isSatisfied: () => boolean;
};

/** @throws {AuthError} {LibvirtError} and what a call may throw */
export async function authenticateBySasl(session: Session, settings: SaslSettings, call: CallOptions): Promise<void> {
  const { peer, isPrivate } = settings;
  if (!isPrivate)
    throw saslError(`${peer} asks for SASL where nothing keeps it secret; take +tls, +ssh or the unix socket`);
  const { mechlist } = await session.call(Procedures.AUTH_SASL_INIT, {}, call);
  const mechanism = chooseMechanism(settings, mechlist);
  const credentials = await settings.credentials(mechanism);
  if (credentials === undefined)
    throw saslError(`${peer} asks for name and password (${mechanism}); pass the option auth: { username, password }`);
  const exchange = newExchange(mechanism, credentials);
  try {
    await converse(session, mechanism, exchange, call);
  } catch (error) {
    throw explained(peer, mechanism, error);
  }
}

async function converse(session: Session, mechanism: string, exchange: Exchange, call: CallOptions): Promise<void> {
  let outcome = await session.call(Procedures.AUTH_SASL_START, { mech: mechanism, ...toStep(exchange.first) }, call);
  for (let step = 0; step < MOST_STEPS; step += 1) {
    // The daemon's last data may come along with its consent, and is its proof.
    const answer = outcome.nil === 1 ? undefined : await exchange.answer(outcome.data);
    if (outcome.complete === 1) {
      if (exchange.isSatisfied()) return;
      throw new ScramError('the server let us in without proving that it knows the password');
    }
    outcome = await session.call(Procedures.AUTH_SASL_STEP, toStep(answer), call);
  }
  throw new ScramError(`the server does not come to an end after ${MOST_STEPS} steps`);
}

/** No data is something else than none bytes of it. */
function toStep(data: Buffer | undefined): { nil: number; data: Buffer } {
  return { nil: data === undefined ? 1 : 0, data: data ?? Buffer.alloc(0) };
}

function chooseMechanism({ peer, isVerified, mechanisms: given }: SaslSettings, mechlist: string): SaslMechanism {
  const allowed = given ?? mechanisms.filter((mechanism) => isVerified || mechanism !== 'PLAIN');
  const offered = new Set(mechlist.toUpperCase().split(/[\s,]+/));
  const found = mechanisms.find((mechanism) => allowed.includes(mechanism) && offered.has(mechanism));
  if (found !== undefined) return found;
  if (given === undefined && offered.has('PLAIN'))
    throw saslError(
      `${peer} wants the password itself (PLAIN), and nobody has verified who that is; verify it (without no_verify=1 and tls.verify: false), have it offer SCRAM, or allow it by auth.mechanisms: ['PLAIN']`,
    );
  const advice = 'add one of ours to mech_list in /etc/sasl2/libvirt.conf on its host';
  throw saslError(
    `${peer} offers the SASL mechanisms ${JSON.stringify(mechlist.slice(0, 200))}, and we may use ${allowed.join(', ')}; ${advice}`,
  );
}

function newExchange(mechanism: SaslMechanism, { username, password }: Credentials): Exchange {
  switch (mechanism) {
    case 'PLAIN':
      return plain(username, password);
    case 'SCRAM-SHA-1':
      return scram('sha1', { username, password });
    case 'SCRAM-SHA-256':
      return scram('sha256', { username, password });
    case 'SCRAM-SHA-512':
      return scram('sha512', { username, password });
  }
}

/** RFC 4616: nobody else to act for, name, password. */
function plain(username: string, password: string): Exchange {
  const first = Buffer.from(`\0${prepared('username', username)}\0${prepared('password', password)}`);
  return { first, answer: async () => undefined, isSatisfied: () => true };
}

function scram(hash: ScramHash, credentials: Credentials): Exchange {
  const exchange = new ScramExchange(hash, credentials);
  let state: 'begun' | 'proved' | 'verified' = 'begun';
  return {
    first: exchange.clientFirst(),
    answer: async (data) => {
      if (state === 'begun') {
        const final = await exchange.clientFinal(data);
        state = 'proved';
        return final;
      }
      exchange.verify(data);
      state = 'verified';
      return undefined;
    },
    isSatisfied: () => state === 'verified',
  };
}

/** What went wrong, without what was sent. */
function explained(peer: string, mechanism: string, error: unknown): unknown {
  if (error instanceof ScramError)
    return saslError(`cannot authenticate at ${peer} (${mechanism}): ${error.message}`, error);
  if (!(error instanceof LibvirtError)) return error;
  const advice = 'check name, password and realm: saslpasswd2 -a libvirt on its host sets them';
  return new AuthError(`${peer} refuses the name or password (${mechanism}); ${advice}`, error, { cause: error });
}

function saslError(message: string, cause?: Error): AuthError {
  const details = {
    code: cause === undefined ? ErrorCode.AUTH_UNAVAILABLE : ErrorCode.AUTH_FAILED,
    domain: ErrorDomain.NONE,
    level: ErrorLevel.ERROR,
    str1: null,
    str2: null,
    str3: null,
    int1: -1,
    int2: -1,
    procedure: Procedures.AUTH_SASL_INIT.name,
  };
  return new AuthError(message, details, cause === undefined ? {} : { cause });
}
