/**
 * Packets: a length that counts itself, six header words, a payload; one after the other in a byte stream that is cut
 * anywhere. Source of the layout: virNetMessageHeader and docs/kbase/internals/rpc.rst. All numbers are big-endian.
 */
import { ProtocolError } from '../errors.ts';
import { PACKET_MAX, Reader, type Writer } from './bytes.ts';
import type { Type } from './xdr.ts';

export { PACKET_MAX } from './bytes.ts';

/** virNetMessageType; the kinds that pass file descriptors (4, 5) cannot be had from Node and are left out. */
export const PacketType = { CALL: 0, REPLY: 1, MESSAGE: 2, STREAM: 3, STREAM_HOLE: 6 } as const;
/** virNetMessageStatus */
export const PacketStatus = { OK: 0, ERROR: 1, CONTINUE: 2 } as const;

export type PacketHeader = {
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  readonly type: number;
  /** Picked by the caller and repeated in the reply; without meaning in messages. */
  readonly serial: number;
  readonly status: number;
};

/** A packet that came. Its bytes are the transport's: valid until its consumer returns. */
export class Packet {
  readonly header: PacketHeader;
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;

  constructor(header: PacketHeader, bytes: Buffer, start = 0, end = bytes.length) {
    this.header = header;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  get payload(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** @throws {ProtocolError} where the payload is not exactly one value of the type */
  decode<T>(type: Type<T>): T {
    // No view of the payload is made on the way: it would cost more than a small reply.
    const reader = new Reader(this.#bytes, this.#start, this.#end);
    const value = type.decode(reader);
    reader.assertEnd();
    return value;
  }
}

const LENGTH_SIZE = 4;
const EMPTY = Buffer.alloc(0);
export const PACKET_MIN = 28;

export function encodePacket(header: PacketHeader, payload: Uint8Array): Buffer {
  const length = PACKET_MIN + payload.length;
  if (length > PACKET_MAX) throw new RangeError(`a packet of ${length} bytes; at most ${PACKET_MAX} are allowed`);
  const packet = Buffer.alloc(length);
  writeHead(packet, 0, length, header);
  packet.set(payload, PACKET_MIN);
  return packet;
}

/**
 * Adds a packet whose payload is one value to what the writer holds.
 * @throws {RangeError} where the value does not fit its type; the writer is as it was
 */
export function writePacket<T>(writer: Writer, header: PacketHeader, type: Type<T>, value: T): void {
  writer.beginPacket(PACKET_MIN);
  try {
    type.encode(writer, value);
    writer.endPacket((bytes, at, length) => writeHead(bytes, at, length, header));
  } catch (error) {
    writer.dropPacket();
    throw error;
  }
}

/** The same as bytes of its own. The writer must hold nothing else. */
export function encodeValuePacket<T>(writer: Writer, header: PacketHeader, type: Type<T>, value: T): Buffer {
  writePacket(writer, header, type, value);
  return writer.take();
}

function writeHead(bytes: Buffer, at: number, length: number, header: PacketHeader): void {
  bytes.writeUInt32BE(length, at);
  bytes.writeUInt32BE(header.program, at + 4);
  bytes.writeUInt32BE(header.version, at + 8);
  bytes.writeInt32BE(header.procedure, at + 12);
  bytes.writeInt32BE(header.type, at + 16);
  bytes.writeUInt32BE(header.serial, at + 20);
  bytes.writeInt32BE(header.status, at + 24);
}

/**
 * Makes packets of chunks. Holds only bytes that came, in one buffer that doubles: a length is a claim, never a reason
 * to allocate. Chunks may be used again by their owner once push() has returned; a packet's payload is valid until its
 * consumer returns.
 */
export class PacketReader {
  /** The packet that is not whole yet is its first #size bytes. */
  #kept = EMPTY;
  #size = 0;
  /** Of the packet that is not whole yet, once four bytes are there. */
  #length: number | undefined;

  /** Whether the stream stands within a packet. */
  get isMidPacket(): boolean {
    return this.#size > 0;
  }

  /**
   * Calls `consume` for each packet that is whole now; the consumer tells by false that it wants no more.
   * @throws {ProtocolError} at a length no packet has; there is no way to find the next packet after that.
   */
  push(chunk: Buffer, consume: (packet: Packet) => boolean): void {
    const bytes = this.#size > 0 ? this.#complete(chunk) : chunk;
    if (bytes === undefined) return;
    let at = 0;
    while (bytes.length - at >= LENGTH_SIZE) {
      const length = checkedLength(bytes.readUInt32BE(at));
      if (bytes.length - at < length) {
        this.#length = length;
        break;
      }
      const packet = parsePacket(bytes, at, length);
      at += length;
      if (!consume(packet)) return;
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
  }

  /** The kept bytes and the chunk, once they are a packet or more. */
  #complete(chunk: Buffer): Buffer | undefined {
    this.#keep(chunk);
    if (this.#length === undefined && this.#size >= LENGTH_SIZE)
      this.#length = checkedLength(this.#kept.readUInt32BE(0));
    if (this.#length === undefined || this.#size < this.#length) return undefined;
    const bytes = this.#kept.subarray(0, this.#size);
    this.#kept = EMPTY;
    this.#size = 0;
    this.#length = undefined;
    return bytes;
  }

  #keep(chunk: Buffer): void {
    const size = this.#size + chunk.length;
    if (size > this.#kept.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(size, 2 * this.#kept.length));
      this.#kept.copy(larger, 0, 0, this.#size);
      this.#kept = larger;
    }
    chunk.copy(this.#kept, this.#size);
    this.#size = size;
  }
}

function checkedLength(length: number): number {
  if (length >= PACKET_MIN && length <= PACKET_MAX) return length;
  throw new ProtocolError(`a packet of ${length} bytes; the protocol allows ${PACKET_MIN} to ${PACKET_MAX}`);
}

function parsePacket(bytes: Buffer, at: number, length: number): Packet {
  const header = {
    program: bytes.readUInt32BE(at + 4),
    version: bytes.readUInt32BE(at + 8),
    procedure: bytes.readInt32BE(at + 12),
    type: bytes.readInt32BE(at + 16),
    serial: bytes.readUInt32BE(at + 20),
    status: bytes.readInt32BE(at + 24),
  };
  return new Packet(header, bytes, at + PACKET_MIN, at + length);
}
