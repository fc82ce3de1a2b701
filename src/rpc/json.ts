// JSON as Python writes and reads it: integers of any size, and NaN, Infinity and -Infinity as bare words. JavaScript's
// own JSON rounds the former and knows nothing of the latter. Pure.
//
//   reading   what a number of JavaScript cannot hold becomes a bigint, NaN or an infinity, and is told as an oddity:
//             a receiver either takes the value as it was sent or refuses it by name, and never gets a rounded one
//   writing   bigints and integers beyond 2^53 with all their digits; NaN and infinities are errors, not nulls

import { RpcError } from './errors.ts';

// In Node since 21, not yet among TypeScript 7's declarations.
declare global {
  interface JSON {
    parse(
      text: string,
      reviver: (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown,
    ): unknown;
    rawJSON(text: string): unknown;
  }
}

/** The first number of a text that JSON or JavaScript cannot hold, as it was written; a lost one before all others. */
export interface Oddity {
  reason: 'not-finite' | 'unsafe-integer';
  literal: string;
  /** Longer than anything reads: its value is null. */
  isLost: boolean;
}

export interface ParsedJson {
  value: unknown;
  oddity: Oddity | null;
}

type Fields = Record<string, unknown>;

// A cheap look at the text: all that may be an integer beyond 2^53 or a float beyond 1.8e308. Hex ids are not taken for
// numbers, or most messages would go the slow way.
const MAY_BE_ODD = /(?:^|[\s:,[])-?(?:\d{16}|\d[\d.]*[eE]\+?\d{3})/;
const BIGGEST_EXACT = 2n ** 53n;
// Python's own limit (sys.int_info.default_max_str_digits): it refuses longer ones.
const MAX_DIGITS = 4_300;
const SHOWN_DIGITS = 40;
// Stands for the word NaN while the rest is parsed. A sender that writes it itself gets a NaN.
const NAN_MARK = '\0NaN\0';

/** Reads a text; null where it is no JSON, not even Python's. */
export function parseJson(text: string): ParsedJson | null {
  try {
    if (!MAY_BE_ODD.test(text)) return { value: JSON.parse(text), oddity: null };
    return parseNumbers(text, null);
  } catch {
    const repaired = withoutBareNumbers(text);
    if (repaired.word === null) return null;
    try {
      return parseNumbers(repaired.text, { reason: 'not-finite', literal: repaired.word, isLost: false });
    } catch {
      return null;
    }
  }
}

/** Writes an object; throws RpcError `not-encodable` for what JSON cannot hold. */
export function stringify(value: Fields): string {
  try {
    return JSON.stringify(value, exact);
  } catch (error) {
    // NaN, a cycle, too deep or too large.
    throw new RpcError('not-encodable', 'the message cannot be written as JSON', { cause: error });
  }
}

/** An object that is no list. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseNumbers(text: string, first: Oddity | null): ParsedJson {
  let oddity = first;
  const value: unknown = JSON.parse(text, (_key, parsed: unknown, context: { source?: string }) => {
    if (parsed === NAN_MARK) return Number.NaN;
    const { source } = context;
    if (typeof parsed !== 'number' || source === undefined) return parsed;
    if (/[.eE]/.test(source)) {
      if (!Number.isFinite(parsed)) oddity ??= { reason: 'not-finite', literal: source, isLost: false };
      return parsed;
    }
    if (Number.isSafeInteger(parsed)) return parsed;
    const { integer, literal, isLost } = exactInteger(source);
    if (typeof integer !== 'number' && (!oddity || isLost)) oddity = { reason: 'unsafe-integer', literal, isLost };
    return integer;
  });
  return { value, oddity };
}

function exactInteger(source: string): { integer: number | bigint | null; literal: string; isLost: boolean } {
  const literal = source.length > SHOWN_DIGITS ? `${source.slice(0, SHOWN_DIGITS)}...` : source;
  if (source.length > MAX_DIGITS) return { integer: null, literal, isLost: true };
  const integer = BigInt(source);
  const isExact = integer === BIGGEST_EXACT || integer === -BIGGEST_EXACT;
  return { integer: isExact ? Number(integer) : integer, literal, isLost: false };
}

/**
 * The bare words NaN, Infinity and -Infinity replaced by what JSON.parse can read, outside of strings, and the first
 * of them. Linear on purpose: the text is anybody's.
 */
function withoutBareNumbers(text: string): { text: string; word: string | null } {
  const words = /"|-?Infinity|NaN/g;
  let repaired = '';
  let from = 0;
  let word: string | null = null;
  for (let match = words.exec(text); match; match = words.exec(text)) {
    if (match[0] === '"') {
      words.lastIndex = endOfString(text, words.lastIndex);
      continue;
    }
    word ??= match[0];
    repaired += text.slice(from, match.index) + READABLE[match[0]];
    from = words.lastIndex;
  }
  return { text: repaired + text.slice(from), word };
}

// JSON.parse reads a number beyond all floats as an infinity.
const READABLE: Readonly<Record<string, string>> = {
  NaN: JSON.stringify(NAN_MARK),
  Infinity: '1e999',
  '-Infinity': '-1e999',
};

function endOfString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

/** JSON.stringify would write null for NaN and infinities, round long integers, and throw for bigints. */
function exact(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return JSON.rawJSON(String(value));
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  if (!Number.isFinite(value)) throw new TypeError(`${value} is no JSON number`);
  // From 1e21 on a number is written with an exponent, which is a float to Python too.
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? JSON.rawJSON(String(BigInt(value))) : value;
}
