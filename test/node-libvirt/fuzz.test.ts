/** A peer gone mad: whatever arrives, every call settles, the session ends, nothing is thrown or left hanging. */
import { duplexPair, type Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { ProtocolError } from '../../src/node-libvirt/errors.ts';
import { encodePacket, PacketType } from '../../src/node-libvirt/packet.ts';
import { KeepaliveProgram, Messages, Procedures, REMOTE_PROGRAM } from '../../src/node-libvirt/procedures.ts';
import { remoteError } from '../../src/node-libvirt/remote_error.ts';
import { Session } from '../../src/node-libvirt/session.ts';
import { encode } from '../../src/node-libvirt/xdr.ts';
import { plainError } from './fake_libvirtd.ts';

const PACKETS = 2000;
const PER_SESSION = 4;
const seed = Number(process.env['FUZZ_SEED'] ?? 20_260_101);

const guest = { name: 'guest', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 3 };
const {
  DOMAIN_LOOKUP_BY_NAME: LOOKUP,
  CONNECT_GET_ALL_DOMAIN_STATS: STATS,
  CONNECT_GET_CAPABILITIES: REFUSED,
} = Procedures;
const params = [
  { field: 'balloon.current', type: 'ullong', value: 7n },
  { field: 'net.0.name', type: 'string', value: 'vnet0' },
] as const;
const remote = { program: REMOTE_PROGRAM, version: 1, status: 0 };
const lifecycle = Messages.DOMAIN_EVENT_CALLBACK_LIFECYCLE;
const ping = {
  program: KeepaliveProgram.program,
  version: 1,
  procedure: 1,
  type: PacketType.MESSAGE,
  serial: 0,
  status: 0,
};
// The session numbers its calls 1, 2, 3.
const valid: readonly Buffer[] = [
  encodePacket(
    { ...remote, procedure: lifecycle.number, type: PacketType.MESSAGE, serial: 1 },
    encode(lifecycle.body, { callbackID: 1, dom: guest, event: 2, detail: 0 }),
  ),
  encodePacket(
    { ...remote, procedure: LOOKUP.number, type: PacketType.REPLY, serial: 1 },
    encode(LOOKUP.result, { dom: guest }),
  ),
  encodePacket(ping, Buffer.alloc(0)),
  encodePacket(
    { ...remote, procedure: STATS.number, type: PacketType.REPLY, serial: 2 },
    encode(STATS.result, { records: [{ dom: guest, params }] }),
  ),
  encodePacket(
    { ...remote, procedure: REFUSED.number, type: PacketType.REPLY, serial: 3, status: 1 },
    encode(remoteError, { ...plainError, dom: guest }),
  ),
];

test(`${PACKETS} mutated packets (seed ${seed}; FUZZ_SEED sets another)`, async () => {
  const random = mulberry32(seed);
  const names = new Set<string>();
  for (let count = 0; count < PACKETS; count += PER_SESSION) {
    const packets = Array.from({ length: PER_SESSION }, () => mutate(pick(valid, random), random));
    for (const name of await survive(packets, random)) names.add(name);
  }
  // The mutations reach deep enough to bring about each of these.
  expect([...names].toSorted()).toEqual(['ConnectionClosedError', 'LibvirtError', 'ProtocolError', 'fulfilled']);
});

/** Feeds the packets to a session with three calls in flight and ends; resolves to how the calls ended. */
async function survive(packets: readonly Buffer[], random: () => number): Promise<string[]> {
  const [ours, theirs]: [Duplex, Duplex] = duplexPair();
  const session = new Session(ours, { peer: 'fuzz', maxInFlight: 4, callTimeoutMs: 1e9 });
  session.onMessage(lifecycle, () => undefined);
  const calls = [
    session.call(LOOKUP, { name: 'guest' }),
    session.call(STATS, { doms: [], stats: 0, flags: 0 }),
    session.call(REFUSED, {}),
  ];
  theirs.resume();
  theirs.on('error', () => undefined);
  const stream = Buffer.concat(packets);
  const cut = Math.floor(random() * stream.length);
  theirs.write(stream.subarray(0, cut));
  theirs.end(stream.subarray(cut));
  const outcomes = await Promise.allSettled(calls);
  const reason = await session.closed;
  // Any other error would be a slip of ours that happened to be caught.
  if (reason.kind === 'protocol' && !(reason.error instanceof ProtocolError)) throw reason.error;
  return outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'fulfilled' : nameOf(outcome.reason)));
}

function mutate(packet: Buffer, random: () => number): Buffer {
  const bytes = Buffer.from(packet);
  const at = () => Math.floor(random() * bytes.length);
  const word = () => at() & ~3;
  switch (Math.floor(random() * 7)) {
    case 0:
      return bytes;
    case 1:
      bytes.writeUInt8(bytes.readUInt8(at()) ^ (1 << Math.floor(random() * 8)), at());
      return bytes;
    case 2:
      bytes.writeUInt32BE(pick([0, 1, 3, 0x7fffffff, 0x80000000, 0xffffffff], random), word());
      return bytes;
    case 3:
      return bytes.subarray(0, at());
    case 4: {
      // Shortened with a length that fits: the framing holds, the payload does not.
      const short = bytes.subarray(0, 28 + Math.floor(random() * (bytes.length - 27)));
      short.writeUInt32BE(short.length, 0);
      return short;
    }
    case 5: {
      const long = Buffer.concat([bytes, Buffer.alloc(4)]);
      long.writeUInt32BE(long.length, 0);
      return long;
    }
    default:
      for (let index = 28; index < bytes.length; index += 1)
        if (random() < 0.1) bytes.writeUInt8(Math.floor(random() * 256), index);
      return bytes;
  }
}

function pick<T>(values: readonly T[], random: () => number): T {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

/** A small generator that can be seeded (public domain, Tommy Ettinger). */
function mulberry32(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
