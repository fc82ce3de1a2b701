/** The steps by which a client gets in, followed from the daemon's side, and what is refused before they are taken. */
import { Feature } from '../constants/index.ts';
import { ErrorCode, ErrorDomain } from '../error_codes.ts';
import { Procedures } from '../procedures/index.ts';
import { PACKET_MIN, PacketStatus } from '../wire/packet.ts';
import type { RemoteError } from '../wire/remote_error.ts';
import { decode } from '../wire/xdr.ts';
import type { FakeCall } from './fake_call.ts';
import { protocolRefusal } from './refusal.ts';

const { AUTH_LIST, AUTH_POLKIT, AUTH_SASL_INIT, AUTH_SASL_START, AUTH_SASL_STEP } = Procedures;
const { CONNECT_OPEN, CONNECT_CLOSE, CONNECT_SUPPORTS_FEATURE } = Procedures;

/** VIR_CONNECT_RO */
const READ_ONLY = 1;
/** REMOTE_AUTH_NONE */
const NONE = 0;

const BEFORE_AUTH: ReadonlySet<string> = new Set(
  [AUTH_LIST, AUTH_POLKIT, AUTH_SASL_INIT, AUTH_SASL_START, AUTH_SASL_STEP].map(({ name }) => name),
);
/** Allowed before CONNECT_OPEN (remote_daemon_dispatch.c: those that do not ask for a connection). */
const BEFORE_OPEN: ReadonlySet<string> = new Set(
  [CONNECT_OPEN, CONNECT_CLOSE, CONNECT_SUPPORTS_FEATURE].map(({ name }) => name),
);

/** The refusal for a call that comes too early. */
export function handshakeRefusal({ name, client }: FakeCall): Partial<RemoteError> | undefined {
  if (BEFORE_AUTH.has(name)) return undefined;
  if (!client.isAuthenticated) return protocolRefusal('authentication required');
  if (client.isOpen || BEFORE_OPEN.has(name)) return undefined;
  return { code: ErrorCode.INTERNAL_ERROR, domain: ErrorDomain.RPC, message: 'internal error: connection not open' };
}

/** Draws from the replies what they mean for the client, whoever wrote them. */
export function followHandshake(call: FakeCall): void {
  const follow = followers.get(call.name);
  if (follow === undefined) return;
  call.intercept((packet, send) => {
    send(packet);
    const isOk = packet.length >= PACKET_MIN && packet.readInt32BE(PACKET_MIN - 4) === PacketStatus.OK;
    if (!isOk) return;
    try {
      follow(call, packet.subarray(PACKET_MIN));
    } catch {
      // A reply that cannot be decoded lets nobody in.
    }
  });
}

type Follow = (call: FakeCall, result: Buffer) => void;

const followers: ReadonlyMap<string, Follow> = new Map<string, Follow>([
  [
    AUTH_LIST.name,
    ({ client }, result) => {
      if (decode(AUTH_LIST.result, result).types.includes(NONE)) client.isAuthenticated = true;
    },
  ],
  ...[AUTH_POLKIT, AUTH_SASL_START, AUTH_SASL_STEP].map((procedure): [string, Follow] => [
    procedure.name,
    ({ client }, result) => {
      const outcome: { readonly complete: number } = decode<{ readonly complete: number }>(procedure.result, result);
      if (outcome.complete === 1) client.isAuthenticated = true;
    },
  ]),
  [
    CONNECT_SUPPORTS_FEATURE.name,
    (call, result) => {
      const isAskingForPings = call.args(CONNECT_SUPPORTS_FEATURE).feature === Feature.PROGRAM_KEEPALIVE;
      if (isAskingForPings && decode(CONNECT_SUPPORTS_FEATURE.result, result).supported === 1)
        call.client.startPinging();
    },
  ],
  [
    CONNECT_OPEN.name,
    (call) => {
      call.client.isOpen = true;
      if ((call.args(CONNECT_OPEN).flags & READ_ONLY) !== 0) call.client.isReadonly = true;
    },
  ],
  // libvirtd answers and then closes the socket.
  [CONNECT_CLOSE.name, ({ client }) => client.end()],
]);
