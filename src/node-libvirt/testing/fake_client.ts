/**
 * One client's connection, seen from the daemon. It counts requests as libvirtd does: while `maxClientRequests` of them
 * are under way nothing of this client is read, pings included, and a client that asked to be pinged is then taken for
 * dead and closed (tried on libvirt 9.0.0).
 */
import type { Socket } from 'node:net';
import { KeepaliveProgram, type Message } from '../procedures/procedure.ts';
import { Keepalive } from '../session/keepalive.ts';
import {
  encodePacket,
  PacketReader,
  PacketStatus,
  PacketType,
  type Packet,
  type PacketHeader,
} from '../wire/packet.ts';
import { encode } from '../wire/xdr.ts';
import { FakeStream } from './fake_stream.ts';

/** What a client's connection needs of its daemon. */
export type ClientOwner = {
  readonly maxClientRequests: number;
  readonly keepalive: { readonly intervalMs: number; readonly count: number };
  readonly answersPings: boolean;
  /** A call came; `deliver` sends a reply and must be given one for the request to be over. */
  onCall(client: FakeClient, packet: Packet, deliver: (packet: Buffer) => void): void;
  /** Something happened that somebody may be waiting for. */
  onChange(): void;
  onGone(client: FakeClient): void;
};

const EMPTY = Buffer.alloc(0);

export class FakeClient {
  /** 1 for the first that came. */
  readonly id: number;
  /** Resolves when the connection is gone, whoever closed it. */
  readonly gone: Promise<void>;
  /** Whether it may only read: opened so, or on the read-only socket. */
  isReadonly: boolean;
  /** Whether it went through AUTH_LIST and what that asked for. */
  isAuthenticated = false;
  /** Whether CONNECT_OPEN was answered. */
  isOpen = false;
  /** Pings that came from it. */
  pings = 0;
  /** Pongs that came from it. */
  pongs = 0;
  readonly #socket: Socket;
  readonly #owner: ClientOwner;
  readonly #reader = new PacketReader();
  /** Read together with what made us stop reading, and to be seen when there is room again. */
  readonly #inbox: Packet[] = [];
  readonly #streams = new Map<number, FakeStream>();
  #running = 0;
  #keepalive: Keepalive | undefined;
  #isGone = false;

  /** @internal */
  constructor(id: number, socket: Socket, isReadonly: boolean, owner: ClientOwner) {
    this.id = id;
    this.isReadonly = isReadonly;
    this.#socket = socket;
    this.#owner = owner;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone = promise;
    // A client that goes in the middle of something is part of many tests.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#onClose();
      resolve();
    });
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk));
  }

  /** Requests under way: calls without a reply and stream packets that nobody took. */
  get requests(): number {
    let count = this.#running;
    for (const stream of this.#streams.values()) count += stream.unread;
    return count;
  }

  /** Whether there are so many requests under way that nothing more is read. */
  get isDeaf(): boolean {
    return this.requests >= this.#owner.maxClientRequests;
  }

  /** Streams that are not over. */
  get streams(): readonly FakeStream[] {
    return [...this.#streams.values()];
  }

  /** Sends a message, whoever asked for it; see FakeLibvirtd.emitEvent for events that were registered for. */
  emit<B>(message: Message<B>, body: B): void {
    const { program, version, number } = message;
    this.send({ program, version, procedure: number, type: PacketType.MESSAGE, serial: 1 }, encode(message.body, body));
  }

  ping(): void {
    this.#sendKeepalive(KeepaliveProgram.PING);
  }

  /** Any packet. */
  send(header: Omit<PacketHeader, 'status'> & { status?: number }, payload: Buffer): void {
    this.raw(encodePacket({ status: PacketStatus.OK, ...header }, payload));
  }

  /** Any bytes. */
  raw(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Goes as a daemon that was killed. */
  drop(): void {
    this.#socket.destroy();
  }

  /** Sends these bytes and goes. */
  dropAfter(bytes: Buffer): void {
    if (bytes.length === 0 || !this.#socket.writable) this.drop();
    else this.#socket.write(bytes, () => this.drop());
  }

  /** Closes after what it said. */
  end(): void {
    this.#socket.end();
  }

  /** Pings from now on, and closes where that brings nothing: a client asks for it by feature 10. */
  startPinging(): void {
    if (this.#isGone) return;
    this.#keepalive ??= new Keepalive({
      ...this.#owner.keepalive,
      ping: () => this.ping(),
      onDead: () => this.drop(),
    });
  }

  /** @internal for FakeCall */
  openStream({ program, version, procedure, serial }: PacketHeader): FakeStream {
    const header = { program, version, procedure, serial, type: PacketType.STREAM, status: PacketStatus.OK };
    const stream = new FakeStream(header, {
      write: (packet) => this.#writeAndDrain(packet),
      taken: () => this.#work(),
      isOver: () => {
        this.#streams.delete(serial);
        queueMicrotask(() => this.#work());
      },
    });
    this.#streams.set(serial, stream);
    return stream;
  }

  #onBytes(chunk: Buffer): void {
    this.#keepalive?.heard();
    try {
      this.#reader.push(chunk, (packet) => this.#inbox.push(packet) > 0);
    } catch {
      // As libvirtd does with a length that no packet has.
      this.drop();
      return;
    }
    this.#work();
  }

  /** Looks at what came, as far as there is room. */
  #work(): void {
    while (!this.isDeaf && !this.#isGone) {
      const packet = this.#inbox.shift();
      if (packet === undefined) break;
      this.#take(packet);
    }
    if (this.isDeaf) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
    this.#owner.onChange();
  }

  #take(packet: Packet): void {
    const { header, payload } = packet;
    if (header.program === KeepaliveProgram.program) this.#takeKeepalive(header);
    // Data of a stream that is over here is passed over, as libvirtd does.
    else if (header.type === PacketType.STREAM) this.#streams.get(header.serial)?.onPacket(header, payload);
    else this.#takeCall(packet);
  }

  #takeCall(packet: Packet): void {
    this.#running += 1;
    let isRunning = true;
    this.#owner.onCall(this, packet, (reply) => {
      this.raw(reply);
      if (!isRunning) return;
      isRunning = false;
      this.#running -= 1;
      // Not from within the loop that called us.
      if (this.#inbox.length > 0 || this.#socket.isPaused()) queueMicrotask(() => this.#work());
    });
  }

  #takeKeepalive({ procedure }: PacketHeader): void {
    if (procedure === KeepaliveProgram.PONG) this.pongs += 1;
    if (procedure !== KeepaliveProgram.PING) return;
    this.pings += 1;
    if (this.#owner.answersPings) this.#sendKeepalive(KeepaliveProgram.PONG);
  }

  #sendKeepalive(procedure: number): void {
    const { program, version } = KeepaliveProgram;
    this.send({ program, version, procedure, type: PacketType.MESSAGE, serial: 0 }, EMPTY);
  }

  #writeAndDrain(packet: Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#socket.writable) resolve();
      else this.#socket.write(packet, () => resolve());
    });
  }

  #onClose(): void {
    this.#isGone = true;
    this.#keepalive?.stop();
    for (const stream of this.#streams.values()) stream.end('gone');
    this.#streams.clear();
    this.#inbox.length = 0;
    this.#owner.onGone(this);
    this.#owner.onChange();
  }
}
