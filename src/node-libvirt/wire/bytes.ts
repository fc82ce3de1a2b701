/** Reading and writing the primitive pieces of XDR: the loops that a call spends its time in. All numbers are big-endian. */
import { isUtf8 } from 'node:buffer';
import { ProtocolError } from '../errors.ts';

/** REMOTE_STRING_MAX, in bytes. */
export const STRING_MAX = 4_194_304;
/** VIR_NET_MESSAGE_MAX and the length word: libvirtd takes this and closes at one byte more (tried on 9.0.0). */
export const PACKET_MAX = 33_554_436;
/** What a packet holds beside its length and header. */
export const PAYLOAD_MAX = PACKET_MAX - 28;

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;
const TWO_TO_32 = 2 ** 32;

const SLAB_SIZE = 65_536;
/** The rest of a slab is given up below this: most calls are shorter. */
const SLAB_REST = 1024;

/**
 * Writes one value after another and gives each away as bytes of its own. The memory comes from slabs that are never
 * used twice, so what was given away stays as it is, and padding needs no writing: a fresh slab is zero.
 */
export class Writer {
  /** The field being written, for messages. */
  field = 'value';
  #bytes = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Where the packet or value being written began: what the limit counts from. */
  #packet = 0;

  /** Bytes written since the last take. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** What was written since the last take. */
  take(): Buffer {
    const bytes = this.#bytes.subarray(this.#start, this.#end);
    this.#start = this.#end;
    this.#packet = this.#end;
    return bytes;
  }

  /** Begins a packet with room for its head, which {@link endPacket} asks for. */
  beginPacket(headSize: number): void {
    this.#packet = this.#end;
    this.#reserve(headSize);
  }

  /** Lets the head be written, now that the length is known. */
  endPacket(writeHead: (bytes: Buffer, at: number, length: number) => void): void {
    const length = this.#end - this.#packet;
    if (length > PACKET_MAX) this.refuse(`within ${PACKET_MAX} bytes with all others`, `${length} bytes`);
    writeHead(this.#bytes, this.#packet, length);
  }

  /** Forgets the packet. */
  dropPacket(): void {
    // Nothing may be left behind where padding counts on zeros.
    this.#bytes.fill(0, this.#packet, this.#end);
    this.#end = this.#packet;
  }

  /** A packet that is ready, as it is. */
  raw(value: Uint8Array): void {
    // A packet of its own: the limit must not count it together with what stands before it.
    this.#packet = this.#end;
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
  }

  uint32(value: number): void {
    const at = this.#reserve(4);
    const bytes = this.#bytes;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }

  uint64(value: bigint): void {
    const at = this.#reserve(8);
    this.#bytes.writeBigUInt64BE(BigInt.asUintN(64, value), at);
  }

  double(value: number): void {
    const at = this.#reserve(8);
    this.#bytes.writeDoubleBE(value, at);
  }

  /** Bytes and zeros up to a multiple of four. */
  padded(value: Uint8Array): void {
    const at = this.#reserve(padded(value.length));
    this.#bytes.set(value, at);
  }

  /** Length, UTF-8, padding. */
  text(value: string): void {
    const length = Buffer.byteLength(value);
    if (length > STRING_MAX) this.refuse(`at most ${STRING_MAX} bytes of text`, length);
    this.uint32(length);
    const at = this.#reserve(padded(length));
    this.#bytes.write(value, at);
  }

  uuid(value: string): void {
    if (!UUID.test(value)) this.refuse('a UUID with dashes', JSON.stringify(value));
    const at = this.#reserve(16);
    this.#bytes.write(value.replaceAll('-', ''), at, 'hex');
  }

  refuse(wanted: string, value: unknown): never {
    throw new RangeError(`${this.field} must be ${wanted}, not ${excerpt(value)}`);
  }

  #reserve(size: number): number {
    const at = this.#end;
    const end = at + size;
    if (end > this.#bytes.length || at === this.#start) return this.#reserveAnew(size);
    this.#end = end;
    return at;
  }

  /** The first piece of a value, or one that the slab does not hold. */
  #reserveAnew(size: number): number {
    // Here, too, and not only at the end: a packet that is too large must not be built to its end.
    const inPacket = this.#end - this.#packet + size;
    if (inPacket > PACKET_MAX) this.refuse(`within ${PACKET_MAX} bytes with all others`, `${inPacket} bytes`);
    const { length } = this;
    const wanted = length + size;
    const room = this.#bytes.length - this.#start;
    if (wanted > room || (length === 0 && room < SLAB_REST)) {
      const slab = Buffer.alloc(Math.max(SLAB_SIZE, 2 * wanted));
      this.#bytes.copy(slab, 0, this.#start, this.#end);
      this.#bytes = slab;
      this.#packet -= this.#start;
      this.#start = 0;
      this.#end = length;
    }
    const at = this.#end;
    this.#end += size;
    return at;
  }
}

export class Reader {
  /** The field being read, for messages. */
  field = 'value';
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  #offset: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#offset = start;
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  uint32(): number {
    return this.int32() >>> 0;
  }

  int32(): number {
    const at = this.#advance(4);
    const bytes = this.#bytes;
    // Within the bytes, as #advance has made sure: an index is never undefined here.
    return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8));
  }

  uint64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#advance(8));
  }

  /** A 64-bit integer as a number. */
  safeInteger(isSigned: boolean): number {
    const value = this.roundedInteger(isSigned);
    if (!Number.isSafeInteger(value)) this.fail(`a number of about ${value}: more than can be true`);
    return value;
  }

  /** A 64-bit integer as the nearest number: exact up to 2^53. */
  roundedInteger(isSigned: boolean): number {
    return (isSigned ? this.int32() : this.uint32()) * TWO_TO_32 + this.uint32();
  }

  double(): number {
    return this.#bytes.readDoubleBE(this.#advance(8));
  }

  /** `count` bytes of which each came as four; what does not fit a byte is cut, as in C. */
  wideBytes(count: number): Buffer {
    const bytes = Buffer.alloc(count);
    for (let index = 0; index < count; index += 1) bytes[index] = this.int32();
    return bytes;
  }

  /** Length, bytes and padding of a string or opaque. The bytes are the packet's own. */
  counted(max: number): Buffer {
    const length = this.#length(max);
    const at = this.#advance(length);
    this.#skipPadding(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** UTF-8 without NUL; lenient, what is no UTF-8 becomes U+FFFD. */
  text(isLenient = false): string {
    const length = this.#length(STRING_MAX);
    const at = this.#advance(length);
    this.#skipPadding(length);
    const end = at + length;
    if (this.#isPlainAscii(at, end)) return this.#bytes.toString('latin1', at, end);
    const bytes = this.#bytes.subarray(at, end);
    if (!isLenient && !isUtf8(bytes)) this.fail('text that is not UTF-8');
    if (bytes.includes(0)) this.fail('text with a NUL');
    return bytes.toString();
  }

  uuid(): string {
    const at = this.#advance(16);
    const hex = this.#bytes.toString('hex', at, at + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  assertEnd(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} bytes too many`);
  }

  fail(what: string): never {
    throw new ProtocolError(`malformed payload at byte ${this.#offset - this.#start} (${this.field}): ${what}`);
  }

  #advance(size: number): number {
    const at = this.#offset;
    if (size > this.#end - at) this.fail(`${size} bytes expected, ${this.remaining} left`);
    this.#offset = at + size;
    return at;
  }

  #length(max: number): number {
    const length = this.uint32();
    if (length > max) this.fail(`${length} bytes; at most ${max} are allowed`);
    return length;
  }

  #skipPadding(length: number): void {
    const size = padded(length) - length;
    const at = this.#advance(size);
    for (let index = at; index < at + size; index += 1)
      if (this.#bytes[index] !== 0) this.fail('padding that is not zero');
  }

  /** Names and numbers are short and plain: a loop over them is cheaper than three calls into C++. */
  #isPlainAscii(start: number, end: number): boolean {
    if (end - start > 64) return false;
    for (let index = start; index < end; index += 1) {
      const byte = this.#bytes[index] ?? 0;
      if (byte === 0 || byte > 0x7f) return false;
    }
    return true;
  }
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function excerpt(value: unknown): string {
  const text = String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
