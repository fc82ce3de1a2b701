/**
 * Packets: a length that counts itself, six header words, a payload; one after the other in a byte stream that is cut
 * anywhere. Source of the layout: virNetMessageHeader and docs/kbase/internals/rpc.rst. All numbers are big-endian.
 */
import { ProtocolError } from './errors.ts';

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

export type Packet = { readonly header: PacketHeader; readonly payload: Buffer };

const LENGTH_SIZE = 4;
export const PACKET_MIN = 28;
/** VIR_NET_MESSAGE_MAX and the length word: libvirtd takes this and closes at one byte more (tried on 9.0.0). */
export const PACKET_MAX = 33_554_436;

export function encodePacket(header: PacketHeader, payload: Uint8Array): Buffer {
  const length = PACKET_MIN + payload.length;
  if (length > PACKET_MAX) throw new RangeError(`a packet of ${length} bytes; at most ${PACKET_MAX} are allowed`);
  const packet = Buffer.alloc(length);
  packet.writeUInt32BE(length, 0);
  packet.writeUInt32BE(header.program, 4);
  packet.writeUInt32BE(header.version, 8);
  packet.writeInt32BE(header.procedure, 12);
  packet.writeInt32BE(header.type, 16);
  packet.writeUInt32BE(header.serial, 20);
  packet.writeInt32BE(header.status, 24);
  packet.set(payload, PACKET_MIN);
  return packet;
}

/** Makes packets of chunks. Holds only bytes that came: a length is a claim, never a reason to allocate. */
export class PacketReader {
  #chunks: Buffer[] = [];
  #size = 0;
  #length: number | undefined;

  /** Whether the stream stands within a packet. */
  get isMidPacket(): boolean {
    return this.#size > 0;
  }

  /** @throws {ProtocolError} at a length no packet has; there is no way to find the next packet after that. */
  *push(chunk: Buffer): Generator<Packet> {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    for (;;) {
      if (this.#length === undefined && this.#size >= LENGTH_SIZE) this.#length = this.#readLength();
      if (this.#length === undefined || this.#size < this.#length) return;
      yield parsePacket(this.#shift(this.#length));
      this.#length = undefined;
    }
  }

  #readLength(): number {
    const length = this.#joined().readUInt32BE(0);
    if (length >= PACKET_MIN && length <= PACKET_MAX) return length;
    throw new ProtocolError(`a packet of ${length} bytes; the protocol allows ${PACKET_MIN} to ${PACKET_MAX}`);
  }

  #shift(length: number): Buffer {
    const bytes = this.#joined();
    this.#size -= length;
    this.#chunks = this.#size === 0 ? [] : [bytes.subarray(length)];
    return bytes.subarray(0, length);
  }

  /** Called when the length or the whole packet is there, not per chunk: no byte is copied over and over. */
  #joined(): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && this.#chunks.length === 1) return first;
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [bytes];
    return bytes;
  }
}

function parsePacket(packet: Buffer): Packet {
  return {
    header: {
      program: packet.readUInt32BE(4),
      version: packet.readUInt32BE(8),
      procedure: packet.readInt32BE(12),
      type: packet.readInt32BE(16),
      serial: packet.readUInt32BE(20),
      status: packet.readInt32BE(24),
    },
    payload: packet.subarray(PACKET_MIN),
  };
}
