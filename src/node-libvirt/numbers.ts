/** 64-bit wire numbers as JavaScript numbers, where libvirt's meaning keeps them far below 2^53. */
import { ProtocolError } from './errors.ts';

/** @throws {ProtocolError} where a number cannot hold it: then it is not what the field is documented to carry. */
export function toNumber(value: bigint, field: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new ProtocolError(`${field} is ${value}: more than can be true`);
}
