import {
  type Arbitrary,
  array,
  assert,
  bigInt,
  boolean,
  constant,
  constantFrom,
  double as anyDouble,
  integer,
  letrec,
  maxSafeInteger,
  maxSafeNat,
  nat,
  oneof,
  option,
  property,
  record,
  string as anyString,
  tuple,
  uint8Array,
  uniqueArray,
  uuid as anyUuid,
} from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/node-libvirt/errors.ts';
import { cpuMap, cpuMapRows, hostCpus } from '../../src/node-libvirt/wire/cpu_map.ts';
import {
  flagsWithStrings,
  param,
  toRecord,
  typedParams,
  type TypedParam,
} from '../../src/node-libvirt/wire/typed_params.ts';
import {
  bool,
  byteCount,
  charBytes,
  chars,
  charText,
  decode,
  double,
  encode,
  fileName,
  fixed,
  flags,
  hyper,
  hyperNumber,
  int,
  lenientString,
  list,
  opaque,
  optional,
  shyperNumber,
  string,
  STRING_MAX,
  struct,
  uhyper,
  uint,
  uuid,
  type Type,
} from '../../src/node-libvirt/wire/xdr.ts';

const text = anyString({ unit: 'binary', maxLength: 20 }).filter((value) => !value.includes('\0'));

/** A wire type and the values it carries. */
type Sample = { readonly name: string; readonly type: Type<unknown>; readonly value: Arbitrary<unknown> };

const typedParam: Arbitrary<TypedParam> = oneof(
  record({ field: text, type: constant('int'), value: integer() }),
  record({ field: text, type: constant('uint'), value: nat() }),
  record({ field: text, type: constant('llong'), value: bigInt(-(2n ** 63n), 2n ** 63n - 1n) }),
  record({ field: text, type: constant('ullong'), value: bigInt(0n, 2n ** 64n - 1n) }),
  record({ field: text, type: constant('double'), value: anyDouble({ noNaN: true }) }),
  record({ field: text, type: constant('boolean'), value: boolean() }),
  record({ field: text, type: constant('string'), value: text }),
);

const leaves: readonly Sample[] = [
  { name: 'int', type: int, value: integer() },
  { name: 'uint', type: uint, value: nat(0xffffffff) },
  { name: 'hyper', type: hyper, value: bigInt(-(2n ** 63n), 2n ** 63n - 1n) },
  { name: 'uhyper', type: uhyper, value: bigInt(0n, 2n ** 64n - 1n) },
  {
    name: 'hyperNumber',
    type: hyperNumber,
    value: maxSafeNat(),
  },
  { name: 'shyperNumber', type: shyperNumber, value: maxSafeInteger() },
  { name: 'charBytes', type: charBytes(5), value: uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes)) },
  { name: 'cpuMap', type: cpuMap, value: uniqueArray(nat(100)).map((cpus) => cpus.toSorted((a, b) => a - b)) },
  { name: 'hostCpus', type: hostCpus, value: nat(10).map((bytes) => bytes * 8) },
  { name: 'flagsWithStrings', type: flagsWithStrings, value: nat(0xffffffff).map((bits) => (bits & ~4) >>> 0) },
  { name: 'double', type: double, value: anyDouble({ noNaN: true }) },
  { name: 'bool', type: bool, value: boolean() },
  { name: 'string', type: string, value: text },
  { name: 'opaque', type: opaque(9), value: uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)) },
  { name: 'uuid', type: uuid, value: anyUuid() },
  { name: 'typedParams', type: typedParams(5), value: array(typedParam, { maxLength: 5 }) },
];

const sample: Arbitrary<Sample> = letrec<{ sample: Sample }>((tie) => ({
  sample: oneof(
    { maxDepth: 3 },
    constantFrom(...leaves),
    tie('sample').map(({ name, type, value }) => ({
      name: `optional(${name})`,
      // Absent inside absent has one encoding too many to tell apart: null is always the outer one.
      type: optional(struct({ inner: type })),
      value: option(record({ inner: value })),
    })),
    tie('sample').map(({ name, type, value }) => ({
      name: `list(${name})`,
      type: list(type, 4),
      value: array(value, { maxLength: 4 }),
    })),
    tuple(tie('sample'), tie('sample')).map(([a, b]) => ({
      name: `struct(${a.name}, ${b.name})`,
      type: struct({ a: a.type, b: b.type }),
      value: record({ a: a.value, b: b.value }),
    })),
  ),
})).sample;

const bytesOf = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');

/** A type and one of its values. */
const pair = sample.chain(({ name, type, value }) => value.map((inner) => ({ name, type, value: inner })));

describe('properties', () => {
  test('what is encoded is decoded as it was', () => {
    assert(
      property(pair, ({ type, value }) => {
        expect(decode(type, encode(type, value))).toEqual(value);
      }),
    );
  });

  test('an encoding is a multiple of four bytes and not shorter than minSize says', () => {
    assert(
      property(pair, ({ type, value }) => {
        const { length } = encode(type, value);
        expect(length % 4).toBe(0);
        expect(length).toBeGreaterThanOrEqual(type.minSize);
      }),
    );
  });

  test('any bytes are a value or a ProtocolError', () => {
    assert(
      property(sample, uint8Array({ maxLength: 80 }), ({ type }, bytes) => {
        expect(outcomeOf(type, Buffer.from(bytes))).toMatch(/^(value|ProtocolError)$/);
      }),
    );
  });

  test('a shortened or lengthened encoding is a ProtocolError', () => {
    assert(
      property(pair, nat(), ({ type, value }, cut) => {
        const bytes = encode(type, value);
        expect(outcomeOf(type, Buffer.concat([bytes, Buffer.alloc(4)]))).toBe('ProtocolError');
        expect(outcomeOf(type, bytes.subarray(0, cut % bytes.length))).toBe('ProtocolError');
      }),
    );
  });
});

function outcomeOf(type: Type<unknown>, bytes: Buffer): string {
  try {
    decode(type, bytes);
    return 'value';
  } catch (error) {
    return error instanceof ProtocolError ? 'ProtocolError' : String(error);
  }
}

describe('bytes', () => {
  const fixtures: readonly (readonly [string, Type<unknown>, unknown, string])[] = [
    ['int', int, -2, 'fffffffe'],
    ['uint', uint, 0xfffffffe, 'fffffffe'],
    ['flags with bit 31, as `|` makes them', flags, 0x80000000 | 1, '80000001'],
    ['hyper', hyper, -1n, 'ffffffff ffffffff'],
    ['uhyper', uhyper, 2n ** 63n, '80000000 00000000'],
    ['double', double, 1.5, '3ff80000 00000000'],
    ['bool', bool, true, '00000001'],
    ['string: length, UTF-8, padding', string, 'é=5', '00000004 c3a93d35'],
    ['string of one byte', string, 'x', '00000001 78000000'],
    ['empty string', string, '', '00000000'],
    ['opaque', opaque(8), Buffer.from([1, 2, 3, 4, 5]), '00000005 01020304 05000000'],
    ['uuid', uuid, '6695eb01-f6a4-8304-79aa-97f2502e193f', '6695eb01 f6a48304 79aa97f2 502e193f'],
    ['absent', optional(string), null, '00000000'],
    ['present', optional(uint), 7, '00000001 00000007'],
    ['list', list(uhyper, 3), [1n, 2n], '00000002 00000000 00000001 00000000 00000002'],
    ['each char as four bytes', chars(4), 'ab', '00000061 00000062 00000000 00000000'],
    [
      'typed parameters: field, tag, value',
      typedParams(2),
      [
        { field: 'n', type: 'ullong', value: 3n },
        { field: 'on', type: 'boolean', value: true },
      ],
      '00000002  00000001 6e000000 00000004 00000000 00000003  00000002 6f6e0000 00000006 00000001',
    ],
  ];

  test('a fixed field travels, but nobody sees it', () => {
    const layout = struct({ needResults: fixed(int, 1), flags });
    expect(encode(layout, { flags: 2 })).toEqual(bytesOf('00000001 00000002'));
    expect(decode(layout, bytesOf('00000007 00000002'))).toEqual({ flags: 2 });
  });

  test('a getter of typed parameters always asks for strings', () => {
    expect(encode(flagsWithStrings, 1)).toEqual(bytesOf('00000005'));
    expect(encode(flagsWithStrings, 0x80000000 | 1)).toEqual(bytesOf('80000005'));
  });

  test('a set of CPUs is a bit per CPU, lowest first, and no longer than it must be', () => {
    expect(encode(cpuMap, [0, 3, 8])).toEqual(bytesOf('00000002 09010000'));
    expect(encode(cpuMap, [])).toEqual(bytesOf('00000000'));
    expect(decode(cpuMap, bytesOf('00000002 09010000'))).toEqual([0, 3, 8]);
    expect(encode(hostCpus, 9)).toEqual(bytesOf('00000002'));
    expect(cpuMapRows(Buffer.from([1, 0, 0, 0x80]), 2, 16)).toEqual([[0], [15]]);
  });

  test.each(fixtures)('%s', (_, type, value, hex) => {
    const bytes = bytesOf(hex);
    expect(encode(type, value)).toEqual(bytes);
    const expected = type === flags ? Number(value) >>> 0 : value;
    expect(decode(type, bytes)).toEqual(expected);
  });

  test('a UUID comes in lower case whatever went in', () => {
    expect(decode(uuid, encode(uuid, '6695EB01-F6A4-8304-79AA-97F2502E193F'))).toBe(
      '6695eb01-f6a4-8304-79aa-97f2502e193f',
    );
  });
});

describe('limits', () => {
  const numbers: readonly (readonly [string, Type<unknown>, unknown, unknown])[] = [
    ['int', int, 0x7fffffff, 0x80000000],
    ['int', int, -0x80000000, -0x80000001],
    ['int', int, 0, 0.5],
    ['uint', uint, 0xffffffff, 0x100000000],
    ['uint', uint, 0, -1],
    ['flags', flags, -0x80000000, -0x80000001],
    ['hyper', hyper, 2n ** 63n - 1n, 2n ** 63n],
    ['hyper', hyper, -(2n ** 63n), -(2n ** 63n) - 1n],
    ['uhyper', uhyper, 2n ** 64n - 1n, 2n ** 64n],
    ['uhyper', uhyper, 0n, -1n],
    ['opaque', opaque(2), Buffer.alloc(2), Buffer.alloc(3)],
    ['list', list(int, 2), [1, 2], [1, 2, 3]],
    ['chars', chars(4), 'abc', 'abcd'],
    ['string', string, 'a'.repeat(STRING_MAX), 'a'.repeat(STRING_MAX + 1)],
    ['string, in bytes', string, 'é'.repeat(STRING_MAX / 2), 'é'.repeat(STRING_MAX / 2 + 1)],
    ['string', string, 'a', 'a\0b'],
    ['string', string, '😀', '\ud83d'],
    ['uuid', uuid, '6695eb01-f6a4-8304-79aa-97f2502e193f', '6695eb01f6a4830479aa97f2502e193f'],
    ['hyperNumber', hyperNumber, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 1],
    ['hyperNumber', hyperNumber, 0, -1],
    ['shyperNumber', shyperNumber, Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER - 1],
    ['charBytes', charBytes(2), Buffer.alloc(2), Buffer.alloc(3)],
    ['charText, with its NUL', charText(4), 'abc', 'abcd'],
    ['flagsWithStrings', flagsWithStrings, 0xffffffff, 0x100000000],
    ['flagsWithStrings', flagsWithStrings, -0x80000000, -0x80000001],
    ['cpuMap', cpuMap, [16_383], [16_384]],
    ['cpuMap', cpuMap, [0], [-1]],
    ['cpuMap', cpuMap, [1], [0.5]],
  ];

  test.each(numbers)('%s: the last that fits and the first that does not', (_, type, fits, exceeds) => {
    expect(() => encode(type, fits)).not.toThrow();
    expect(() => encode(type, exceeds)).toThrow(RangeError);
  });

  test('the error names the field and quotes the value, but not all of it', () => {
    const layout = struct({ name: string, count: uint });
    expect(() => encode(layout, { name: 'x', count: -1 })).toThrow('count must be an unsigned 32-bit integer, not -1');
    expect(() => encode(layout, { name: `${'y'.repeat(500)}\0`, count: 1 })).toThrow(/^.{1,140}$/);
  });

  const malformed: readonly (readonly [string, Type<unknown>, string])[] = [
    ['a list that claims 2^32-1 elements', list(uhyper, 0xffffffff), 'ffffffff 00000000'],
    ['a list longer than its limit', list(int, 1), '00000002 00000001 00000002'],
    ['a list with fewer bytes than its count needs', list(string, 9), '00000003 00000000 00000000'],
    ['a string that claims 4 GiB', string, 'ffffffff 61616161'],
    ['a string one above its limit', string, '00400001 61616161'],
    ['a string without its padding', string, '00000001 61'],
    ['padding that is not zero', string, '00000001 61000001'],
    ['a string that is not UTF-8', string, '00000002 c3280000'],
    ['an overlong UTF-8 sequence', string, '00000002 c0af0000'],
    ['a NUL in a string', string, '00000002 61000000'],
    ['an optional that is neither there nor not', optional(int), '00000002 00000001'],
    ['a typed parameter of type 0', typedParams(1), '00000001 00000001 61000000 00000000 00000000'],
    ['a typed parameter of type 8', typedParams(1), '00000001 00000001 61000000 00000008 00000000'],
    ['a value with bytes behind it', int, '00000001 00000000'],
    ['nothing at all', int, ''],
  ];

  test.each(malformed)('%s is a ProtocolError', (_, type, hex) => {
    expect(() => decode(type, bytesOf(hex))).toThrow(ProtocolError);
  });

  test('the error says which field at which byte', () => {
    const layout = struct({ first: int, name: string });
    expect(() => decode(layout, bytesOf('00000001 00000009 61616161'))).toThrow(
      'malformed payload at byte 8 (name): 9 bytes expected, 4 left',
    );
  });

  test('text for people may hold any byte', () => {
    expect(decode(lenientString, bytesOf('00000003 61ff6200'))).toBe('a\ufffdb');
  });

  test('an opaque does not share memory with the packet', () => {
    const packet = bytesOf('00000004 01020304');
    const value = decode(opaque(4), packet);
    packet.fill(0);
    expect(value).toEqual(Buffer.from([1, 2, 3, 4]));
  });
});

test('typed parameters are made with either kind of number', () => {
  expect([param.ullong('a', 5), param.llong('b', -5n), param.int('c', 1), param.uint('d', 2)]).toEqual([
    { field: 'a', type: 'ullong', value: 5n },
    { field: 'b', type: 'llong', value: -5n },
    { field: 'c', type: 'int', value: 1 },
    { field: 'd', type: 'uint', value: 2 },
  ]);
  expect([param.double('e', 0.5), param.boolean('f', true), param.string('g', 'x')]).toEqual([
    { field: 'e', type: 'double', value: 0.5 },
    { field: 'f', type: 'boolean', value: true },
    { field: 'g', type: 'string', value: 'x' },
  ]);
});

test('a record of typed parameters: numbers where they are exact, else bigints', () => {
  const values = toRecord([
    { field: 'small', type: 'ullong', value: 2n ** 53n - 1n },
    { field: 'large', type: 'ullong', value: 2n ** 53n },
    { field: 'low', type: 'llong', value: -(2n ** 63n) },
    { field: 'ratio', type: 'double', value: 0.5 },
    { field: 'on', type: 'boolean', value: false },
    { field: 'name', type: 'string', value: 'vda' },
    { field: '__proto__', type: 'int', value: 1 },
  ]);
  expect(Object.entries(values)).toEqual([
    ['small', Number.MAX_SAFE_INTEGER],
    ['large', 2n ** 53n],
    ['low', -(2n ** 63n)],
    ['ratio', 0.5],
    ['on', false],
    ['name', 'vda'],
    ['__proto__', 1],
  ]);
});

test('what is refused is named and not quoted: it may be a password', () => {
  const secret = struct({ password: string });
  expect(() => encode(secret, { password: 'hunter2\0' })).toThrow(
    /^password must be Unicode text without NUL, not a text of 8/,
  );
});

test('bytes must be bytes: JavaScript may bring a text', () => {
  // @ts-expect-error what a TypeScript user cannot do
  expect(() => encode(opaque(100), 'secret')).toThrow('value must be bytes (a Buffer or Uint8Array), not string');
});

test('a number of bytes may be larger than is exact; a file name may hold any byte', () => {
  expect(decode(byteCount, Buffer.from('0020000000000001', 'hex'))).toBe(2 ** 53);
  expect(encode(byteCount, 2 ** 53).toString('hex')).toBe('0020000000000000');
  expect(decode(fileName, Buffer.from('00000004636166e9', 'hex'))).toBe('caf\ufffd');
});
