/**
 * Typed parameters (virTypedParameter): the name-and-value lists in which libvirt reports statistics and takes tuning
 * values. On the wire each value carries its C type; the friendly form is a plain record.
 */
import { bool, double, hyper, int, list, string, uhyper, uint, type Reader, type Type, type Writer } from './xdr.ts';

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
  encode: (writer, param) => {
    string.encode(writer, param.field);
    writer.field = param.field;
    int.encode(writer, TAGS.indexOf(param.type) + 1);
    encodeValue(writer, param);
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

/** By name; of a name that comes twice the last value counts. */
export function toRecord(params: readonly TypedParam[]): TypedParamRecord {
  // fromEntries defines properties and does not assign them: a parameter called __proto__ is but a name.
  return Object.fromEntries(
    params.map(({ field, value }) => [field, typeof value === 'bigint' ? narrow(value) : value]),
  );
}

function encodeValue(writer: Writer, param: TypedParam): void {
  switch (param.type) {
    case 'int':
      return int.encode(writer, param.value);
    case 'uint':
      return uint.encode(writer, param.value);
    case 'llong':
      return hyper.encode(writer, param.value);
    case 'ullong':
      return uhyper.encode(writer, param.value);
    case 'double':
      return double.encode(writer, param.value);
    case 'boolean':
      return bool.encode(writer, param.value);
    case 'string':
      return string.encode(writer, param.value);
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
