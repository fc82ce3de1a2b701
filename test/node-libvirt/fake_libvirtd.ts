/**
 * A libvirtd on a real unix socket whose every word a test decides. It does the handshake by itself; every other call is
 * answered by a script (`answer`) or handed to the test (`next`), which replies when and with what it likes.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodePacket,
  PacketReader,
  PacketStatus,
  PacketType,
  type Packet,
  type PacketHeader,
} from '../../src/node-libvirt/packet.ts';
import { KeepaliveProgram, Procedures, type Message, type Procedure } from '../../src/node-libvirt/procedures.ts';
import { remoteError, type RemoteError } from '../../src/node-libvirt/remote_error.ts';
import { decode, encode } from '../../src/node-libvirt/xdr.ts';

const EMPTY = Buffer.alloc(0);

/** A call that reached the daemon and is answered by the test. */
export class FakeCall {
  readonly name: string;
  readonly header: PacketHeader;
  readonly payload: Buffer;
  readonly #write: (bytes: Buffer) => void;

  constructor(name: string, packet: Packet, write: (bytes: Buffer) => void) {
    this.name = name;
    this.header = packet.header;
    this.payload = packet.payload;
    this.#write = write;
  }

  args<A>(procedure: Procedure<A>): A {
    return decode(procedure.args, this.payload);
  }

  reply<R>(procedure: Procedure<unknown, R>, result: R): void {
    this.replyWith(encode(procedure.result, result));
  }

  fail(error: Partial<RemoteError>): void {
    this.replyWith(encode(remoteError, { ...plainError, ...error }), { status: PacketStatus.ERROR });
  }

  replyWith(payload: Buffer, header: Partial<PacketHeader> = {}): void {
    this.#write(encodePacket({ ...this.header, type: PacketType.REPLY, ...header }, payload));
  }
}

export const plainError: RemoteError = {
  code: 1,
  domain: 10,
  message: 'internal error: it broke',
  level: 2,
  dom: null,
  str1: 'internal error: %s',
  str2: 'it broke',
  str3: null,
  int1: -1,
  int2: -1,
  net: null,
};

export class FakeLibvirtd implements AsyncDisposable {
  readonly socketPath: string;
  answersPings = true;
  pings = 0;
  pongs = 0;
  readonly #server: Server;
  readonly #folder: string;
  readonly #names = new Map(Object.values(Procedures).map((procedure) => [procedure.number, procedure.name]));
  readonly #scripts = new Map<number, (call: FakeCall) => void>();
  readonly #arrived: FakeCall[] = [];
  readonly #waiting: ((call: FakeCall) => void)[] = [];
  readonly #watchers = new Set<() => void>();
  #client: Socket | undefined;

  private constructor(server: Server, folder: string) {
    this.#server = server;
    this.#folder = folder;
    this.socketPath = join(folder, 'libvirt-sock');
    this.answer(Procedures.AUTH_LIST, () => ({ types: [0] }));
    this.answer(Procedures.CONNECT_SUPPORTS_FEATURE, () => ({ supported: 1 }));
    this.answer(Procedures.CONNECT_OPEN, () => ({}));
    this.answer(Procedures.CONNECT_CLOSE, () => ({}));
  }

  static async open(): Promise<FakeLibvirtd> {
    const folder = await mkdtemp(join(tmpdir(), 'nlv-'));
    const server = createServer();
    const daemon = new FakeLibvirtd(server, folder);
    server.on('connection', (socket) => daemon.#serve(socket));
    server.listen(daemon.socketPath);
    await once(server, 'listening');
    return daemon;
  }

  answer<A, R>(procedure: Procedure<A, R>, script: (args: A) => R): void {
    this.script(procedure, (call) => call.reply(procedure, script(call.args(procedure))));
  }

  script(procedure: Procedure, script: (call: FakeCall) => void): void {
    this.#scripts.set(procedure.number, script);
  }

  /** The next call without a script, in the order of arrival. */
  async next(): Promise<FakeCall> {
    return this.#arrived.shift() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  async take(count: number): Promise<FakeCall[]> {
    const calls: FakeCall[] = [];
    while (calls.length < count) calls.push(await this.next());
    return calls;
  }

  /** Calls that arrived and that nobody took. */
  get untaken(): readonly FakeCall[] {
    return this.#arrived;
  }

  emit<B>(message: Message<B>, body: B): void {
    const { program, version, number } = message;
    this.send({ program, version, procedure: number, type: PacketType.MESSAGE, serial: 1 }, encode(message.body, body));
  }

  ping(): void {
    const { program, version, PING } = KeepaliveProgram;
    this.send({ program, version, procedure: PING, type: PacketType.MESSAGE, serial: 0 }, EMPTY);
  }

  send(header: Omit<PacketHeader, 'status'> & { status?: number }, payload: Buffer): void {
    this.raw(encodePacket({ status: PacketStatus.OK, ...header }, payload));
  }

  raw(bytes: Buffer): void {
    this.#client?.write(bytes);
  }

  /** As a daemon that was killed. */
  drop(): void {
    this.#client?.destroy();
  }

  /** As a daemon that closes after what it said. */
  end(): void {
    this.#client?.end();
  }

  /** Resolves when the condition holds; it is looked at after each packet. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = () => {
      if (condition()) resolve();
    };
    this.#watchers.add(watcher);
    await promise;
    this.#watchers.delete(watcher);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.destroy();
    this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #serve(socket: Socket): void {
    this.#client = socket;
    const reader = new PacketReader();
    // A client that goes in the middle of something is part of many tests.
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      for (const packet of reader.push(chunk)) this.#take(packet, socket);
      for (const watcher of this.#watchers) watcher();
    });
  }

  #take(packet: Packet, socket: Socket): void {
    const { header } = packet;
    if (header.program === KeepaliveProgram.program) return this.#takeKeepalive(header, socket);
    const name = this.#names.get(header.procedure) ?? `procedure ${header.procedure}`;
    const call = new FakeCall(name, packet, (bytes) => socket.write(bytes));
    const script = this.#scripts.get(header.procedure);
    if (script !== undefined) return script(call);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#arrived.push(call);
    else waiting(call);
  }

  #takeKeepalive(header: PacketHeader, socket: Socket): void {
    if (header.procedure === KeepaliveProgram.PONG) this.pongs += 1;
    if (header.procedure !== KeepaliveProgram.PING) return;
    this.pings += 1;
    if (this.answersPings) socket.write(encodePacket({ ...header, procedure: KeepaliveProgram.PONG }, EMPTY));
  }
}
