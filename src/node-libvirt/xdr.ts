/**
 * The pure half of the wire: XDR (RFC 4506) as libvirt uses it. A wire type is a value with an encoder and a decoder;
 * small types combine into larger ones and TypeScript infers what they carry.
 *
 * Bytes come from outside: whatever is wrong with them is a ProtocolError and nothing else, and no length or count is
 * believed before it was compared with the bytes that are there. Values come from the caller: one that does not fit
 * its type is a RangeError that names the field.
 */
import { isUtf8 } from 'node:buffer';
import { ProtocolError } from './errors.ts';

/** What travels: a value of type T and its two directions. */
export type Type<T> = {
  /** No encoding of this type is shorter; lets a list refuse an impossible count. */
  readonly minSize: number;
  encode(writer: Writer, value: T): void;
  decode(reader: Reader): T;
};

export type Infer<D> = D extends Type<infer T> ? T : never;
export type Fields = Readonly<Record<string, Type<unknown>>>;
export type Values<F extends Fields> = { readonly [K in keyof F]: Infer<F[K]> };

/** REMOTE_STRING_MAX, in bytes. */
export const STRING_MAX = 4_194_304;
/** What a packet holds beside its length and header (VIR_NET_MESSAGE_MAX 33554432 + 4 - 28). */
export const PAYLOAD_MAX = 33_554_408;

/** @throws {RangeError} where the value does not fit the type. */
export function encode<T>(type: Type<T>, value: T): Buffer {
  const writer = new Writer();
  type.encode(writer, value);
  return writer.bytes();
}

/** @throws {ProtocolError} where the bytes are not exactly one value of the type. */
export function decode<T>(type: Type<T>, bytes: Buffer): T {
  const reader = new Reader(bytes);
  const value = type.decode(reader);
  reader.assertEnd();
  return value;
}

export const int: Type<number> = {
  minSize: 4,
  encode: (writer, value) => {
    writer.assert(Number.isInteger(value) && value >= -0x80000000 && value <= 0x7fffffff, 'a 32-bit integer', value);
    writer.reserve(4, (bytes, at) => bytes.writeInt32BE(value, at));
  },
  decode: (reader) => reader.take(4).readInt32BE(),
};

export const uint: Type<number> = {
  minSize: 4,
  encode: (writer, value) => {
    writer.assert(Number.isInteger(value) && value >= 0 && value <= 0xffffffff, 'an unsigned 32-bit integer', value);
    writer.reserve(4, (bytes, at) => bytes.writeUInt32BE(value, at));
  },
  decode: (reader) => reader.take(4).readUInt32BE(),
};

/** A uint that also takes what JavaScript's `|` makes of bit 31: a negative number. */
export const flags: Type<number> = {
  minSize: 4,
  encode: (writer, value) => uint.encode(writer, value < 0 && value >= -0x80000000 ? value >>> 0 : value),
  decode: (reader) => uint.decode(reader),
};

export const hyper: Type<bigint> = {
  minSize: 8,
  encode: (writer, value) => {
    writer.assert(BigInt.asIntN(64, value) === value, 'a 64-bit integer', value);
    writer.reserve(8, (bytes, at) => bytes.writeBigInt64BE(value, at));
  },
  decode: (reader) => reader.take(8).readBigInt64BE(),
};

export const uhyper: Type<bigint> = {
  minSize: 8,
  encode: (writer, value) => {
    writer.assert(BigInt.asUintN(64, value) === value, 'an unsigned 64-bit integer', value);
    writer.reserve(8, (bytes, at) => bytes.writeBigUInt64BE(value, at));
  },
  decode: (reader) => reader.take(8).readBigUInt64BE(),
};

export const double: Type<number> = {
  minSize: 8,
  encode: (writer, value) => writer.reserve(8, (bytes, at) => bytes.writeDoubleBE(value, at)),
  decode: (reader) => reader.take(8).readDoubleBE(),
};

/** libvirt carries its booleans as int; any number but 0 is true, as in C. */
export const bool: Type<boolean> = {
  minSize: 4,
  encode: (writer, value) => int.encode(writer, value ? 1 : 0),
  decode: (reader) => int.decode(reader) !== 0,
};

/** Bytes of any number up to `max`: length, bytes, zeros up to a multiple of four. */
export function opaque(max: number): Type<Buffer> {
  return {
    minSize: 4,
    encode: (writer, value) => {
      writer.assert(value.length <= max, `at most ${max} bytes`, value.length);
      uint.encode(writer, value.length);
      writer.reserve(padded(value.length), (bytes, at) => bytes.set(value, at));
    },
    // A copy: the packet's memory must not live as long as a few bytes of it.
    decode: (reader) => Buffer.from(reader.takeCounted(max)),
  };
}

/** UTF-8 without NUL: it ends up in a C string. */
export const string: Type<string> = {
  minSize: 4,
  encode: (writer, value) => {
    // Buffer.from would turn a lone surrogate into U+FFFD without a word.
    writer.assert(value.isWellFormed() && !value.includes('\0'), 'Unicode text without NUL', value);
    const length = Buffer.byteLength(value);
    writer.assert(length <= STRING_MAX, `at most ${STRING_MAX} bytes of text`, length);
    uint.encode(writer, length);
    writer.reserve(padded(length), (bytes, at) => bytes.write(value, at));
  },
  decode: (reader) => {
    const bytes = reader.takeCounted(STRING_MAX);
    if (!isUtf8(bytes)) reader.fail('text that is not UTF-8');
    if (bytes.includes(0)) reader.fail('text with a NUL');
    return bytes.toString();
  },
};

/** Text for people, taken as it comes: error messages quote QEMU's output and file names, which may hold any byte. */
export const lenientString: Type<string> = {
  minSize: 4,
  encode: (writer, value) => string.encode(writer, value),
  decode: (reader) => reader.takeCounted(STRING_MAX).toString(),
};

/** `char name[n]`: each char as four bytes, the text ends at the first NUL (remote_node_get_info_ret.model). */
export function chars(count: number): Type<string> {
  return {
    minSize: 4 * count,
    encode: (writer, value) => {
      const bytes = Buffer.from(value);
      writer.assert(bytes.length < count, `at most ${count - 1} bytes of text`, value);
      for (let index = 0; index < count; index += 1) int.encode(writer, bytes[index] ?? 0);
    },
    decode: (reader) => {
      const bytes = Buffer.from(Array.from({ length: count }, () => int.decode(reader)));
      const end = bytes.indexOf(0);
      return bytes.toString('utf8', 0, end === -1 ? count : end);
    },
  };
}

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** `opaque uuid[16]` as the usual text in lower case. */
export const uuid: Type<string> = {
  minSize: 16,
  encode: (writer, value) => {
    writer.assert(UUID.test(value), 'a UUID with dashes', value);
    writer.reserve(16, (bytes, at) => bytes.write(value.replaceAll('-', ''), at, 'hex'));
  },
  decode: (reader) => {
    const hex = reader.take(16).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  },
};

/** `type *name`: absent is null. */
export function optional<T>(type: Type<T>): Type<T | null> {
  return {
    minSize: 4,
    encode: (writer, value) => {
      uint.encode(writer, value === null ? 0 : 1);
      if (value !== null) type.encode(writer, value);
    },
    decode: (reader) => {
      const present = uint.decode(reader);
      if (present > 1) reader.fail(`${present} where only 0 (absent) or 1 (present) can be`);
      return present === 0 ? null : type.decode(reader);
    },
  };
}

/** `type name<max>`. */
export function list<T>(type: Type<T>, max: number): Type<readonly T[]> {
  return {
    minSize: 4,
    encode: (writer, values) => {
      writer.assert(values.length <= max, `at most ${max} elements`, values.length);
      uint.encode(writer, values.length);
      for (const value of values) type.encode(writer, value);
    },
    decode: (reader) => {
      const count = uint.decode(reader);
      if (count > max) reader.fail(`a list of ${count} elements; at most ${max} are allowed`);
      if (count * type.minSize > reader.remaining)
        reader.fail(`a list of ${count} elements in ${reader.remaining} bytes`);
      const values: T[] = [];
      for (let index = 0; index < count; index += 1) values.push(type.decode(reader));
      return values;
    },
  };
}

/** Fields one after the other, in the order written. */
export function struct<F extends Fields>(fields: F): Type<Values<F>> {
  const entries = Object.entries(fields);
  return {
    minSize: entries.reduce((size, [, type]) => size + type.minSize, 0),
    encode: (writer, values) => {
      for (const [name, type] of entries) {
        writer.field = name;
        type.encode(writer, values[name]);
      }
    },
    decode: (reader) => {
      const values: Record<string, unknown> = {};
      for (const [name, type] of entries) {
        reader.field = name;
        values[name] = type.decode(reader);
      }
      // The loop has set exactly the fields of F.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return values as Values<F>;
    },
  };
}

export class Writer {
  /** The field being written, for messages. */
  field = 'value';
  #bytes = Buffer.alloc(256);
  #length = 0;

  reserve(size: number, write: (bytes: Buffer, at: number) => unknown): void {
    const end = this.#length + size;
    this.assert(end <= PAYLOAD_MAX, `within ${PAYLOAD_MAX} bytes in all`, end);
    if (end > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    write(this.#bytes, this.#length);
    this.#length = end;
  }

  assert(holds: boolean, wanted: string, value: unknown): void {
    if (holds) return;
    throw new RangeError(`${this.field} must be ${wanted}, not ${excerpt(value)}`);
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}

export class Reader {
  /** The field being read, for messages. */
  field = 'value';
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  take(size: number): Buffer {
    if (size > this.remaining) this.fail(`${size} bytes expected, ${this.remaining} left`);
    const start = this.#offset;
    this.#offset += size;
    return this.#bytes.subarray(start, this.#offset);
  }

  /** Length, bytes and padding of a string or opaque. */
  takeCounted(max: number): Buffer {
    const length = uint.decode(this);
    if (length > max) this.fail(`${length} bytes; at most ${max} are allowed`);
    const bytes = this.take(length);
    const padding = this.take(padded(length) - length);
    if (padding.some((byte) => byte !== 0)) this.fail('padding that is not zero');
    return bytes;
  }

  assertEnd(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} bytes too many`);
  }

  fail(what: string): never {
    throw new ProtocolError(`malformed payload at byte ${this.#offset} (${this.field}): ${what}`);
  }
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

function excerpt(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
