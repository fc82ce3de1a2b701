/** An int that a table of constants names: it is the name here, and a number that a newer daemon adds still has one. */
import { nameOf } from '../constants/names.ts';
import { int, type Type } from './xdr.ts';

export type Choice<T extends Readonly<Record<string, number>>> = Extract<keyof T, string> | `UNKNOWN_${number}`;

export function choice<const T extends Readonly<Record<string, number>>>(table: T): Type<Choice<T>> {
  return {
    minSize: 4,
    ts: 'string',
    encode: (writer, name) => int.encode(writer, table[name] ?? Number(/^UNKNOWN_(-?\d+)$/.exec(name)?.[1])),
    decode: (reader) => nameOf(table, reader.int32()),
  };
}
