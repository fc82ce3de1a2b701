/**
 * A peer gone mad, as fast as it goes: no socket, many packets per session, and every layout of the table. What must hold
 * whatever comes: each call settles, with an error of ours where it fails; streams close; the session ends; nothing is
 * thrown at the transport. Used shortly by the unit tests and at length by the soak lane.
 */
import { Events } from '../../src/node-libvirt/events/definitions.ts';
import { Connection } from '../../src/node-libvirt/connection/connection.ts';
import { ProtocolError } from '../../src/node-libvirt/errors.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import { KeepaliveProgram, type Message, type Procedure } from '../../src/node-libvirt/procedures/procedure.ts';
import type { RemoteStream } from '../../src/node-libvirt/session/remote_stream.ts';
import { Session } from '../../src/node-libvirt/session/session.ts';
import { seededRandom } from '../../src/node-libvirt/testing/index.ts';
import { encodePacket, PacketStatus, PacketType, type PacketHeader } from '../../src/node-libvirt/wire/packet.ts';
import { remoteError } from '../../src/node-libvirt/wire/remote_error.ts';
import { decode, encode, type Type } from '../../src/node-libvirt/wire/xdr.ts';
import { inventBytes } from './inventing_reader.ts';
import { MemoryTransport } from './memory_transport.ts';
import { below, mutated, pick, type Random } from './mutations.ts';

export type FuzzReport = {
  packets: number;
  sessions: number;
  calls: number;
  streams: number;
  events: number;
  /** Layouts whose bytes were mutated and decoded by themselves. */
  readonly layouts: Set<string>;
  /** How calls ended, by the name of the error or «fulfilled». */
  readonly outcomes: Map<string, number>;
  /** Mutated bytes that were a value all the same. */
  survived: number;
};

type Layout = { readonly name: string; readonly type: Type<unknown>; readonly samples: readonly Buffer[] };

const SAMPLES = 6;
const PACKETS_PER_SESSION = 40;
const EMPTY = Buffer.alloc(0);
const ERRORS: ReadonlySet<string> = new Set(['LibvirtError', 'AuthError', 'ProtocolError', 'ConnectionClosedError']);

const { STORAGE_VOL_DOWNLOAD, DOMAIN_OPEN_CONSOLE } = Procedures;
const guest = { name: 'guest', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 3 };
const vol = { pool: 'p', name: 'v', key: 'k' };

export async function fuzz({
  seed,
  packets,
}: {
  readonly seed: number;
  readonly packets: number;
}): Promise<FuzzReport> {
  return new Fuzzer(seed).run(packets);
}

class Fuzzer {
  readonly #random: Random;
  readonly #procedures: readonly Procedure[] = Object.values(Procedures);
  readonly #layouts: readonly Layout[];
  readonly #samplesOf = new Map<Type<unknown>, readonly Buffer[]>();
  readonly #events: readonly Message[] = Object.values(Events).map(({ message }) => message);
  readonly #report: FuzzReport = {
    packets: 0,
    sessions: 0,
    calls: 0,
    streams: 0,
    events: 0,
    layouts: new Set(),
    outcomes: new Map(),
    survived: 0,
  };
  /** What must come to nought by the end of a session. */
  #open = { calls: 0, streams: 0 };

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#layouts = [
      ...this.#procedures.flatMap(({ name, args, result }) => [
        this.#layout(`arguments of ${name}`, args),
        this.#layout(`result of ${name}`, result),
      ]),
      ...this.#events.map(({ name, body }) => this.#layout(name, body)),
      this.#layout('error', remoteError),
    ];
  }

  async run(packets: number): Promise<FuzzReport> {
    while (this.#report.packets < packets) {
      // A third of the packets meet the codec alone, which the session would not let through often enough.
      for (let count = 0; count < PACKETS_PER_SESSION / 5; count += 1) this.#decodeOne();
      await this.#live();
    }
    return this.#report;
  }

  #layout(name: string, type: Type<unknown>): Layout {
    const samples = Array.from({ length: SAMPLES }, () => inventBytes(type, this.#random));
    this.#samplesOf.set(type, samples);
    return { name, type, samples };
  }

  #decodeOne(): void {
    const { name, type, samples } = pick(this.#random, this.#layouts);
    const bytes = mutated(pick(this.#random, samples), this.#random);
    this.#report.packets += 1;
    this.#report.layouts.add(name);
    let value: unknown;
    try {
      value = decode(type, bytes);
    } catch (error) {
      if (error instanceof ProtocolError) return;
      throw new Error(`${name}: decoding ${bytes.toString('hex')} failed in an unforeseen way`, { cause: error });
    }
    this.#report.survived += 1;
    this.#roundTrip(name, type, value);
  }

  /** What was understood can be said again, and means the same. */
  #roundTrip(name: string, type: Type<unknown>, value: unknown): void {
    let said: Buffer;
    try {
      said = encode(type, value);
    } catch (error) {
      // Reading is more lenient than writing, with texts of errors and of fixed length.
      if (error instanceof RangeError) return;
      throw new Error(`${name}: encoding failed in an unforeseen way`, { cause: error });
    }
    if (!encode(type, decode(type, said)).equals(said)) throw new Error(`${name}: ${said.toString('hex')} changed`);
  }

  /** One session from its start to its end. */
  async #live(): Promise<void> {
    const transport = new MemoryTransport();
    const session = new Session(transport, { maxInFlight: 4, callTimeoutMs: 1e9 });
    const connection = new Connection([session], {
      onListenerError: (error) => {
        throw error;
      },
      openStreamSession: () => Promise.reject(new Error('streams here run on the session itself')),
    });
    this.#report.sessions += 1;
    for (const message of this.#events) session.onMessage(message, () => (this.#report.events += 1));
    this.#watch(connection.subscribe('domainLifecycle', () => (this.#report.events += 1)));
    const streams: RemoteStream[] = [];
    this.#watch(this.#startStream(session, streams));
    const pending: PacketHeader[] = [];
    for (let fed = 0; fed < PACKETS_PER_SESSION && !session.isClosed; fed += 1) {
      while (session.load < 4) this.#watch(this.#startCall(session, connection));
      await Promise.resolve();
      pending.push(...calls(transport.writes.splice(0)));
      this.#feed(transport, this.#nextPacket(pending));
      this.#report.packets += 1;
    }
    if (this.#random() < 0.5) transport.end();
    session.destroy();
    const reason = await session.closed;
    // Any other error would be a slip of ours that happened to be caught.
    if (reason.kind === 'protocol' && !(reason.error instanceof ProtocolError)) throw reason.error;
    // One that was whole and that nobody has read yet waits for its reader, as Node's do; one that was not is closed now.
    for (const stream of streams) stream.resume();
    // Streams tell their end a tick later.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#open.calls !== 0 || this.#open.streams !== 0)
      throw new Error(`${JSON.stringify(this.#open)} left open when the session ended (${reason.kind})`);
  }

  #startCall(session: Session, connection: Connection): Promise<unknown> {
    if (this.#random() < 0.3) return pick(this.#random, SHAPED)(connection);
    const procedure = pick(this.#random, this.#procedures);
    const args = decode(procedure.args, pick(this.#random, this.#samplesOf.get(procedure.args) ?? []));
    return session.call(procedure, args);
  }

  async #startStream(session: Session, streams: RemoteStream[]): Promise<void> {
    const { stream } =
      this.#random() < 0.5
        ? await session.openStream(STORAGE_VOL_DOWNLOAD, { vol, offsetBytes: 0, lengthBytes: 0, flags: 0 })
        : await session.openStream(DOMAIN_OPEN_CONSOLE, { domain: guest, device: null, flags: 0 });
    streams.push(stream);
    this.#open.streams += 1;
    this.#report.streams += 1;
    stream.on('error', (error) => this.#count(error));
    stream.on('close', () => (this.#open.streams -= 1));
    if (this.#random() < 0.7) stream.resume();
    if (this.#random() < 0.3 && stream.writable) stream.write('typed');
    if (this.#random() < 0.1) stream.destroy();
  }

  /** Counts a call until it has settled. */
  #watch(call: Promise<unknown>): void {
    this.#open.calls += 1;
    this.#report.calls += 1;
    call.then(
      () => this.#settled('fulfilled'),
      (error: unknown) => {
        this.#count(error);
        this.#open.calls -= 1;
      },
    );
  }

  #settled(outcome: string): void {
    this.#open.calls -= 1;
    this.#report.outcomes.set(outcome, (this.#report.outcomes.get(outcome) ?? 0) + 1);
  }

  #count(error: unknown): void {
    const name = nameOf(error);
    this.#report.outcomes.set(name, (this.#report.outcomes.get(name) ?? 0) + 1);
  }

  /** The end of the peer's imagination: a reply, an event, data, a ping, as it should be or not. */
  #nextPacket(pending: PacketHeader[]): Buffer {
    const random = this.#random;
    const chance = random();
    const packet =
      chance < 0.55 && pending.length > 0
        ? this.#reply(pending)
        : chance < 0.75
          ? this.#event()
          : chance < 0.95
            ? this.#data()
            : encodePacket({ ...KEEPALIVE, procedure: 1 + below(random, 2) }, EMPTY);
    // Beyond the payload: header, length, anything. Few sessions outlive that.
    if (random() < 0.06) return mutated(packet, random);
    return packet;
  }

  #reply(pending: PacketHeader[]): Buffer {
    const random = this.#random;
    const header = pick(random, pending);
    // A reply comes once, as a rule.
    if (random() < 0.98) pending.splice(pending.indexOf(header), 1);
    const procedure = this.#procedures.find(
      ({ program, number }) => program === header.program && number === header.procedure,
    );
    const isError = random() < 0.25;
    const type: Type<unknown> = isError || procedure === undefined ? remoteError : procedure.result;
    const payload = this.#payload(type, 0.6);
    const status = isError ? PacketStatus.ERROR : PacketStatus.OK;
    return encodePacket({ ...header, type: PacketType.REPLY, status }, payload);
  }

  #event(): Buffer {
    const { program, version, number, body } = pick(this.#random, this.#events);
    const header = { program, version, procedure: number, type: PacketType.MESSAGE, serial: 1, status: 0 };
    return encodePacket(header, this.#payload(body, 0.1));
  }

  #data(): Buffer {
    const random = this.#random;
    const { program, version, number } = random() < 0.5 ? STORAGE_VOL_DOWNLOAD : DOMAIN_OPEN_CONSOLE;
    const type = random() < 0.95 ? PacketType.STREAM : PacketType.STREAM_HOLE;
    // The stream's call is the second of its session; others are of nobody.
    const serial = random() < 0.9 ? 2 : below(random, 50);
    const status = random() < 0.8 ? PacketStatus.CONTINUE : below(random, 4);
    const payload = random() < 0.1 ? EMPTY : Buffer.alloc(below(random, 200), 7);
    const isRefusal = status === PacketStatus.ERROR && random() < 0.7;
    return encodePacket(
      { program, version, procedure: number, type, serial, status },
      isRefusal ? this.#payload(remoteError, 0.5) : payload,
    );
  }

  #payload(type: Type<unknown>, chance: number): Buffer {
    const valid = pick(this.#random, this.#samplesOf.get(type) ?? []);
    return this.#random() < chance ? mutated(valid, this.#random) : valid;
  }

  /** In one piece, in two, or with what a socket's buffer held before behind it. */
  #feed(transport: MemoryTransport, packet: Buffer): void {
    const cut = this.#random() < 0.3 ? below(this.#random, packet.length + 1) : packet.length;
    for (const piece of [packet.subarray(0, cut), packet.subarray(cut)]) {
      if (piece.length === 0) continue;
      const lent = Buffer.from(piece);
      transport.feed(lent);
      lent.fill(0xee);
    }
  }
}

const KEEPALIVE = {
  program: KeepaliveProgram.program,
  version: KeepaliveProgram.version,
  type: PacketType.MESSAGE,
  serial: 0,
  status: PacketStatus.OK,
};

/** Methods that make something of a reply beyond decoding it. */
const SHAPED: readonly ((connection: Connection) => Promise<unknown>)[] = [
  (connection) => connection.node.getFreePages([4, 2048], 0, 2),
  (connection) => connection.node.getMemoryStats(),
  (connection) => connection.node.getCPUStats(),
  (connection) => connection.getAllDomainStats(),
  (connection) => connection.domain.memoryStats(guest),
  (connection) => connection.domain.getCPUStats(guest, -1, 2),
  (connection) => connection.domain.getVcpus(guest, 4),
  (connection) => connection.domain.getVcpuPinInfo(guest, 4),
  (connection) => connection.domain.getBlockJobInfo(guest, 'vda'),
  (connection) => connection.domain.getJobStats(guest),
  (connection) => connection.domain.getNumaParameters(guest),
];

/** The calls among what was written. */
function calls(writes: readonly Buffer[]): PacketHeader[] {
  const headers: PacketHeader[] = [];
  for (const bytes of writes)
    for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
      const type = bytes.readInt32BE(at + 16);
      if (type !== PacketType.CALL) continue;
      headers.push({
        program: bytes.readUInt32BE(at + 4),
        version: bytes.readUInt32BE(at + 8),
        procedure: bytes.readInt32BE(at + 12),
        type,
        serial: bytes.readUInt32BE(at + 20),
        status: PacketStatus.OK,
      });
    }
  return headers;
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, cause } = error;
  // Wrapped as one of the peer's, it would still be a slip of ours.
  const isSlip = name === 'ProtocolError' && cause instanceof Error && cause.name !== 'ProtocolError';
  return isSlip ? `slip: ${cause.stack}` : ERRORS.has(name) ? name : `slip: ${error.stack}`;
}

/** The errors that a call may end with; another one would be a slip of ours. */
export function unforeseen({ outcomes }: FuzzReport): string[] {
  return [...outcomes.keys()].filter((name) => name !== 'fulfilled' && !ERRORS.has(name));
}
