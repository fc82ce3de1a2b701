/**
 * The pure half of the wire: XDR (RFC 4506) as libvirt uses it. A wire type is a value with an encoder and a decoder;
 * small types combine into larger ones and TypeScript infers what they carry.
 *
 * Bytes come from outside: whatever is wrong with them is a ProtocolError and nothing else, and no length or count is
 * believed before it was compared with the bytes that are there. Values come from the caller: one that does not fit
 * its type is a RangeError that names the field. Decoded values share no memory with the bytes.
 */
import { PAYLOAD_MAX, Reader, STRING_MAX, Writer } from './bytes.ts';

export { PAYLOAD_MAX, Reader, STRING_MAX, Writer } from './bytes.ts';

/** What travels: a value of type T and its two directions. */
export type Type<T> = {
  /** No encoding of this type is shorter; lets a list refuse an impossible count. */
  readonly minSize: number;
  /** Its TypeScript type as text, for the generated methods. */
  readonly ts: string;
  /** The table of constants that names its values, e.g. `DomainState`. */
  readonly refers?: string;
  /** What a method takes where its caller says nothing. */
  readonly fallback?: T;
  encode(writer: Writer, value: T): void;
  decode(reader: Reader): T;
};

/** A field that has only one sensible value: it travels, but no caller sees it. */
export type Fixed = Type<unknown> & { readonly isFixed: true };

export type Infer<D> = D extends Type<infer T> ? T : never;
export type Fields = Readonly<Record<string, Type<unknown>>>;
/** The fields a caller sees. */
export type Values<F extends Fields> = { readonly [K in keyof F as F[K] extends Fixed ? never : K]: Infer<F[K]> };

/** @throws {RangeError} where the value does not fit the type. */
export function encode<T>(type: Type<T>, value: T): Buffer {
  const writer = new Writer();
  type.encode(writer, value);
  if (writer.length > PAYLOAD_MAX)
    writer.refuse(`within ${PAYLOAD_MAX} bytes with all others`, `${writer.length} bytes`);
  return writer.take();
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
  ts: 'number',
  encode: (writer, value) => {
    if (!Number.isInteger(value) || value < -0x80000000 || value > 0x7fffffff) writer.refuse('a 32-bit integer', value);
    writer.uint32(value);
  },
  decode: (reader) => reader.int32(),
};

export const uint: Type<number> = {
  minSize: 4,
  ts: 'number',
  encode: (writer, value) => {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) writer.refuse('an unsigned 32-bit integer', value);
    writer.uint32(value);
  },
  decode: (reader) => reader.uint32(),
};

/** A uint that also takes what JavaScript's `|` makes of bit 31: a negative number. Left out it is 0. */
export const flags: Type<number> = {
  minSize: 4,
  ts: 'number',
  fallback: 0,
  encode: (writer, value) => uint.encode(writer, value < 0 && value >= -0x80000000 ? value >>> 0 : value),
  decode: (reader) => reader.uint32(),
};

export const hyper: Type<bigint> = {
  minSize: 8,
  ts: 'bigint',
  encode: (writer, value) => {
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) writer.refuse('a 64-bit integer', value);
    writer.uint64(value);
  },
  decode: (reader) => reader.int64(),
};

export const uhyper: Type<bigint> = {
  minSize: 8,
  ts: 'bigint',
  encode: (writer, value) => {
    if (typeof value !== 'bigint' || BigInt.asUintN(64, value) !== value)
      writer.refuse('an unsigned 64-bit integer', value);
    writer.uint64(value);
  },
  decode: (reader) => reader.uint64(),
};

/** A hyper whose meaning keeps it below 2^53 (KiB, bytes, pages, ms): a plain number, and an error where it is not. */
export const shyperNumber: Type<number> = {
  minSize: 8,
  ts: 'number',
  encode: (writer, value) => {
    if (!Number.isSafeInteger(value)) writer.refuse('an integer of at most 53 bits', value);
    writer.uint64(BigInt(value));
  },
  decode: (reader) => reader.safeInteger(true),
};

/** As {@link shyperNumber}, unsigned. */
export const hyperNumber: Type<number> = {
  minSize: 8,
  ts: 'number',
  encode: (writer, value) => {
    if (!Number.isSafeInteger(value) || value < 0) writer.refuse('an integer of 0 or more and at most 53 bits', value);
    writer.uint64(BigInt(value));
  },
  decode: (reader) => reader.safeInteger(false),
};

/**
 * A number of bytes. Unlike KiB or pages these can pass 2^53, on a large Ceph or XFS: then it is the nearest number,
 * which is less than a page off.
 */
export const byteCount: Type<number> = {
  minSize: 8,
  ts: 'number',
  encode: (writer, value) => {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 64) writer.refuse('a number of bytes below 2^64', value);
    writer.uint64(BigInt(value));
  },
  decode: (reader) => reader.roundedInteger(false),
};

export const double: Type<number> = {
  minSize: 8,
  ts: 'number',
  encode: (writer, value) => writer.double(value),
  decode: (reader) => reader.double(),
};

/** libvirt carries its booleans as int; any number but 0 is true, as in C. */
export const bool: Type<boolean> = {
  minSize: 4,
  ts: 'boolean',
  encode: (writer, value) => writer.uint32(value ? 1 : 0),
  decode: (reader) => reader.int32() !== 0,
};

/** Bytes of any number up to `max`: length, bytes, zeros up to a multiple of four. */
export function opaque(max: number): Type<Buffer> {
  return {
    minSize: 4,
    ts: 'Buffer',
    encode: (writer, value) => {
      // JavaScript may bring a string, which would be written as zeros.
      if (!(value instanceof Uint8Array)) writer.refuse('bytes (a Buffer or Uint8Array)', typeof value);
      if (value.length > max) writer.refuse(`at most ${max} bytes`, value.length);
      writer.uint32(value.length);
      writer.padded(value);
    },
    // A copy: the packet's memory must not live as long as a few bytes of it.
    decode: (reader) => Buffer.from(reader.counted(max)),
  };
}

/** UTF-8 without NUL: it ends up in a C string. */
export const string: Type<string> = {
  minSize: 4,
  ts: 'string',
  encode: (writer, value) => {
    // Writing would turn a lone surrogate into U+FFFD without a word.
    if (typeof value !== 'string') writer.refuse('a text', typeof value);
    // The text is not quoted: it may be a password.
    if (!value.isWellFormed() || value.includes('\0'))
      writer.refuse('Unicode text without NUL', `a text of ${value.length} characters with what is none`);
    writer.text(value);
  },
  decode: (reader) => reader.text(),
};

/** A file's name: any bytes but NUL, and a pool must not be unlistable because one is not UTF-8. */
export const fileName: Type<string> = { ...string, decode: (reader) => reader.text(true) };

/** Text for people, taken as it comes: error messages quote QEMU's output and file names, which may hold any byte. */
export const lenientString: Type<string> = {
  minSize: 4,
  ts: 'string',
  encode: (writer, value) => string.encode(writer, value),
  decode: (reader) => reader.counted(STRING_MAX).toString(),
};

/** `char name[n]`: each char as four bytes, the text ends at the first NUL (remote_node_get_info_ret.model). */
export function chars(count: number): Type<string> {
  return {
    minSize: 4 * count,
    ts: 'string',
    encode: (writer, value) => {
      const bytes = Buffer.from(value);
      if (bytes.length >= count) writer.refuse(`at most ${count - 1} bytes of text`, value);
      for (let index = 0; index < count; index += 1) writer.uint32(bytes[index] ?? 0);
    },
    decode: (reader) => {
      const bytes = reader.wideBytes(count);
      const end = bytes.indexOf(0);
      return bytes.toString('utf8', 0, end === -1 ? count : end);
    },
  };
}

/** `char name<max>`: bytes, each as four bytes (SASL data). */
export function charBytes(max: number): Type<Buffer> {
  return {
    minSize: 4,
    ts: 'Buffer',
    encode: (writer, value) => {
      if (value.length > max) writer.refuse(`at most ${max} bytes`, value.length);
      writer.uint32(value.length);
      for (const byte of value) writer.uint32(byte);
    },
    decode: (reader) => {
      const count = reader.uint32();
      if (count > max) reader.fail(`${count} bytes; at most ${max} are allowed`);
      if (count * 4 > reader.remaining) reader.fail(`${count} bytes, each in four, in ${reader.remaining} bytes`);
      return reader.wideBytes(count);
    },
  };
}

/** `char name<max>` that is text: the security model's name, with its NUL (remote_node_get_security_model_ret). */
export function charText(max: number): Type<string> {
  const bytes = charBytes(max);
  return {
    minSize: 4,
    ts: 'string',
    encode: (writer, value) => bytes.encode(writer, Buffer.from(`${value}\0`)),
    decode: (reader) => {
      const text = bytes.decode(reader);
      const end = text.indexOf(0);
      return text.toString('utf8', 0, end === -1 ? text.length : end);
    },
  };
}

/** `opaque uuid[16]` as the usual text in lower case. */
export const uuid: Type<string> = {
  minSize: 16,
  ts: 'string',
  encode: (writer, value) => writer.uuid(value),
  decode: (reader) => reader.uuid(),
};

/** `type *name`: absent is null. */
export function optional<T>(type: Type<T>): Type<T | null> {
  return {
    minSize: 4,
    ts: `${type.ts} | null`,
    fallback: null,
    encode: (writer, value) => {
      writer.uint32(value === null ? 0 : 1);
      if (value !== null) type.encode(writer, value);
    },
    decode: (reader) => {
      const present = reader.uint32();
      if (present > 1) reader.fail(`${present} where only 0 (absent) or 1 (present) can be`);
      return present === 0 ? null : type.decode(reader);
    },
  };
}

/** `type name<max>`. */
export function list<T>(type: Type<T>, max: number): Type<readonly T[]> {
  return {
    minSize: 4,
    ts: `readonly ${/[ |]/.test(type.ts) ? `(${type.ts})` : type.ts}[]`,
    encode: (writer, values) => {
      if (values.length > max) writer.refuse(`at most ${max} elements`, values.length);
      writer.uint32(values.length);
      for (const value of values) type.encode(writer, value);
    },
    decode: (reader) => {
      const count = reader.uint32();
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
  const entries = Object.entries(fields).map(([name, type]) => ({ name, type, isFixed: isFixed(type) }));
  const visible = entries.filter((entry) => !entry.isFixed);
  return {
    minSize: entries.reduce((size, { type }) => size + type.minSize, 0),
    ts: `{ ${visible.map(({ name, type }) => `readonly ${name}: ${type.ts}`).join('; ')} }`,
    encode: (writer, values) => {
      const source: Readonly<Record<string, unknown>> = values;
      for (const { name, type } of entries) {
        writer.field = name;
        type.encode(writer, source[name]);
      }
    },
    decode: (reader) => {
      const values: Record<string, unknown> = {};
      for (const { name, type, isFixed: isSkipped } of entries) {
        reader.field = name;
        const value = type.decode(reader);
        if (!isSkipped) values[name] = value;
      }
      // The loop has set exactly the visible fields of F.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return values as Values<F>;
    },
  };
}

/** Always travels as this value; whatever comes the other way is passed over. */
export function fixed<T>(type: Type<T>, value: T): Fixed {
  return {
    minSize: type.minSize,
    ts: type.ts,
    isFixed: true,
    encode: (writer) => type.encode(writer, value),
    decode: (reader) => type.decode(reader),
  };
}

export function isFixed(type: Type<unknown>): type is Fixed {
  return 'isFixed' in type;
}

/** The same type under the name that TypeScript has for it. */
export function named<T>(ts: string, type: Type<T>): Type<T> {
  return { ...type, ts };
}

/** The same type whose values are named in a table of constants. */
export function naming<T>(refers: string, type: Type<T>): Type<T> {
  return { ...type, refers };
}

/** The same type, left out by callers who do not care. */
export function defaulting<T>(type: Type<T>, fallback: T): Type<T> {
  return { ...type, fallback };
}
