/**
 * The daemon's end of a stream. What the client sends is pulled: as long as nobody takes a packet it counts as a request
 * under way, and five of these make the daemon stop reading the connection, as libvirtd does.
 */
import { encodePacket, PacketStatus, PacketType, type PacketHeader } from '../wire/packet.ts';
import { remoteError, type RemoteError } from '../wire/remote_error.ts';
import { encode } from '../wire/xdr.ts';
import { remoteErrorOf } from './refusal.ts';

/** How a client ends its side: `gone` with its connection. */
export type FakeStreamEnd = 'finish' | 'abort' | 'gone';

/** What a stream needs of its connection. */
export type FakeStreamPort = {
  /** Resolves when the bytes have left, or cannot any more. */
  write(packet: Buffer): Promise<void>;
  /** A packet was taken, so there may be room to read on. */
  taken(): void;
  isOver(): void;
};

/** Most data a libvirtd puts into one packet (VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX minus the header). */
const DATA_MAX = 262_120;
const EMPTY = Buffer.alloc(0);

export class FakeStream {
  /** Resolves to how the client ended its side. */
  readonly ended: Promise<FakeStreamEnd>;
  /** Whether an abort is confirmed at once, as libvirtd does; false to see what the client makes of one that is not. */
  confirmsAborts = true;
  readonly #header: PacketHeader;
  readonly #port: FakeStreamPort;
  readonly #arrived: Buffer[] = [];
  readonly #waiting: ((chunk: Buffer | undefined) => void)[] = [];
  readonly #resolveEnded: (end: FakeStreamEnd) => void;
  #end: FakeStreamEnd | undefined;

  /** @internal use FakeCall.replyWithStream */
  constructor(header: PacketHeader, port: FakeStreamPort) {
    this.#header = header;
    this.#port = port;
    const { promise, resolve } = Promise.withResolvers<FakeStreamEnd>();
    this.ended = promise;
    this.#resolveEnded = resolve;
  }

  /** Packets that came and that nobody took. */
  get unread(): number {
    return this.#arrived.length;
  }

  get isAborted(): boolean {
    return this.#end === 'abort';
  }

  /** The next data of the client; undefined once it ended its side. */
  async read(): Promise<Buffer | undefined> {
    const chunk = this.#arrived.shift();
    if (chunk !== undefined) {
      this.#port.taken();
      return chunk;
    }
    if (this.#end !== undefined) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = await this.read();
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  /** Sends data; resolves when it has left, so who waits for it never has more than this in memory. */
  async send(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += DATA_MAX)
      await this.sendPacket(PacketStatus.CONTINUE, data.subarray(at, at + DATA_MAX));
  }

  /** Tells that no more data follows; the client answers it with its own end. */
  async sendEnd(): Promise<void> {
    await this.sendPacket(PacketStatus.CONTINUE, EMPTY);
  }

  /** Confirms the client's end. */
  confirm(): void {
    void this.sendPacket(PacketStatus.OK, EMPTY);
    this.#port.isOver();
  }

  /** Breaks the stream off with an error. */
  fail(error: Partial<RemoteError>): void {
    void this.sendPacket(PacketStatus.ERROR, encode(remoteError, remoteErrorOf(error)));
    this.#port.isOver();
  }

  /** A packet of any kind. */
  sendPacket(
    status: number,
    payload: Uint8Array,
    type: typeof PacketType.STREAM | typeof PacketType.STREAM_HOLE = PacketType.STREAM,
  ): Promise<void> {
    return this.#port.write(encodePacket({ ...this.#header, type, status }, payload));
  }

  /** A whole download: the data, its end, the confirmation. Stops where the client aborts. */
  async download(source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of source) {
      if (this.#end !== undefined) return;
      await this.send(chunk);
    }
    if (this.#end === undefined) await this.sendEnd();
    if ((await this.ended) === 'finish') this.confirm();
  }

  /** A whole upload: all that comes, confirmed. Undefined where the client aborts. */
  async upload(): Promise<Buffer | undefined> {
    const chunks: Buffer[] = [];
    for await (const chunk of this) chunks.push(chunk);
    if ((await this.ended) !== 'finish') return undefined;
    this.confirm();
    return Buffer.concat(chunks);
  }

  /** A console that says what is said to it, until the client ends it. */
  async echo(): Promise<void> {
    for await (const chunk of this) await this.send(chunk);
    if ((await this.ended) === 'finish') this.confirm();
  }

  /** @internal a packet of the client */
  onPacket({ status }: PacketHeader, payload: Buffer): void {
    if (this.#end !== undefined) return;
    if (status === PacketStatus.CONTINUE) return this.#onData(payload);
    if (status === PacketStatus.OK) return this.end('finish');
    this.end('abort');
    if (this.confirmsAborts) this.confirm();
  }

  /** @internal */
  end(end: FakeStreamEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    // What was sent before an abort is of no use to anybody.
    if (end !== 'finish') this.#arrived.length = 0;
    this.#resolveEnded(end);
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
  }

  #onData(payload: Buffer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#arrived.push(payload);
    else waiting(payload);
  }
}
