/**
 * Typed parameters (virTypedParameter): the name-and-value lists in which libvirt reports statistics and takes tuning
 * values. On the wire each value carries its C type; the friendly form is a plain record.
 */
import {
  bool,
  double,
  flags,
  hyper,
  int,
  list,
  string,
  uhyper,
  uint,
  type Reader,
  type Type,
  type Writer,
} from './xdr.ts';

export type TypedParam = { readonly field: string } & (
  | { readonly type: 'int' | 'uint' | 'double'; readonly value: number }
  | { readonly type: 'llong' | 'ullong'; readonly value: bigint }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
);

/** llong and ullong are numbers as long as a number holds them exactly, else bigints. */
export type TypedParamRecord = Readonly<Record<string, number | bigint | string | boolean>>;

/** virTypedParameterType; 1 is the first. */
const TAGS = ['int', 'uint', 'llong', 'ullong', 'double', 'boolean', 'string'] as const;

const typedParam: Type<TypedParam> = {
  minSize: 12,
  ts: 'TypedParam',
  encode: (writer, one) => {
    string.encode(writer, one.field);
    writer.field = one.field;
    int.encode(writer, TAGS.indexOf(one.type) + 1);
    encodeValue(writer, one);
  },
  decode: (reader) => {
    const field = string.decode(reader);
    const tag = int.decode(reader);
    return decodeValue(reader, field, tag);
  },
};

export function typedParams(max: number): Type<readonly TypedParam[]> {
  return list(typedParam, max);
}

/** VIR_TYPED_PARAM_STRING_OKAY */
const STRING_OKAY = 4;

/**
 * The flags of a getter of typed parameters. libvirt.so adds STRING_OKAY for its callers, and so do we: without it the
 * daemon leaves the strings out and says nothing (numa_nodeset, for one).
 */
export const flagsWithStrings: Type<number> = {
  ...flags,
  encode: (writer, value) => {
    // `|` would make 32 bits of any number; what is no flags shall be refused.
    const isFlags = Number.isInteger(value) && value >= -0x80000000 && value <= 0xffffffff;
    flags.encode(writer, isFlags ? value | STRING_OKAY : value);
  },
  decode: (reader) => (flags.decode(reader) & ~STRING_OKAY) >>> 0,
};

/** Makes typed parameters: `param.ullong('bandwidth', 5)`. The daemon refuses a parameter of another type than its own. */
export const param = Object.freeze({
  int: (field: string, value: number): TypedParam => ({ field, type: 'int', value }),
  uint: (field: string, value: number): TypedParam => ({ field, type: 'uint', value }),
  llong: (field: string, value: number | bigint): TypedParam => ({ field, type: 'llong', value: BigInt(value) }),
  ullong: (field: string, value: number | bigint): TypedParam => ({ field, type: 'ullong', value: BigInt(value) }),
  double: (field: string, value: number): TypedParam => ({ field, type: 'double', value }),
  boolean: (field: string, value: boolean): TypedParam => ({ field, type: 'boolean', value }),
  string: (field: string, value: string): TypedParam => ({ field, type: 'string', value }),
});

/** By name; of a name that comes twice the last value counts. */
export function toRecord(params: readonly TypedParam[]): TypedParamRecord {
  // fromEntries defines properties and does not assign them: a parameter called __proto__ is but a name.
  return Object.fromEntries(
    params.map(({ field, value }) => [field, typeof value === 'bigint' ? narrow(value) : value]),
  );
}

function encodeValue(writer: Writer, one: TypedParam): void {
  switch (one.type) {
    case 'int':
      return int.encode(writer, one.value);
    case 'uint':
      return uint.encode(writer, one.value);
    case 'llong':
      return hyper.encode(writer, one.value);
    case 'ullong':
      return uhyper.encode(writer, one.value);
    case 'double':
      return double.encode(writer, one.value);
    case 'boolean':
      return bool.encode(writer, one.value);
    case 'string':
      return string.encode(writer, one.value);
  }
}

// All cases return, as noImplicitReturns proves.
// oxlint-disable-next-line eslint/consistent-return
function decodeValue(reader: Reader, field: string, tag: number): TypedParam {
  const type = TAGS[tag - 1] ?? reader.fail(`a typed parameter of type ${tag}; libvirt knows 1 to ${TAGS.length}`);
  switch (type) {
    case 'int':
      return { field, type, value: int.decode(reader) };
    case 'uint':
      return { field, type, value: uint.decode(reader) };
    case 'llong':
      return { field, type, value: hyper.decode(reader) };
    case 'ullong':
      return { field, type, value: uhyper.decode(reader) };
    case 'double':
      return { field, type, value: double.decode(reader) };
    case 'boolean':
      return { field, type, value: bool.decode(reader) };
    case 'string':
      return { field, type, value: string.decode(reader) };
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
