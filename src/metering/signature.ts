/**
 * Ceilometer's message signature: HMAC-SHA256 over the sample's names and values in sorted order, each value as Python
 * prints it (ceilometer/publisher/utils.py of release 19, in our own words). Pure.
 */
import { createHmac } from 'node:crypto';

/** What we send: no lists, and numbers as JavaScript writes them. */
export type SampleValue = string | number | bigint | boolean | null | { readonly [key: string]: SampleValue };

/** A number whose JSON text has a point or an exponent: a float to Python, also where it is whole. */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** What others may send, too. */
export type SignedValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | PythonFloat
  | readonly SignedValue[]
  | { readonly [key: string]: SignedValue };

/** Lower-case hex signature of a sample; an empty secret means an empty signature. */
export function signSample(sample: { readonly [key: string]: SignedValue }, secret: string): string {
  if (secret === '') return '';
  // In one piece: each update costs more than what it digests.
  return createHmac('sha256', secret).update(feedOf(sample, ''), 'utf8').digest('hex');
}

type Leaf = Exclude<SignedValue, { readonly [key: string]: SignedValue }>;

/** Feeds of nested objects, which samples of one guest have in common. */
const feeds = new WeakMap<object, { readonly prefix: string; readonly feed: string }>();

/** Names and values without separators: depth first, keys sorted at each level, nested names joined by a colon. */
function feedOf(value: { readonly [key: string]: SignedValue }, prefix: string): string {
  const known = feeds.get(value);
  if (known?.prefix === prefix) return known.feed;
  let feed = '';
  for (const key of sorted(Object.keys(value))) {
    const inner = value[key];
    const name = prefix === '' ? key : `${prefix}:${key}`;
    if (inner === undefined || name === 'message_signature') continue;
    feed += isLeaf(inner) ? name + pythonText(inner) : feedOf(inner, name);
  }
  if (prefix !== '') feeds.set(value, { prefix, feed });
  return feed;
}

function isLeaf(value: SignedValue): value is Leaf {
  return typeof value !== 'object' || value === null || value instanceof PythonFloat || Array.isArray(value);
}

/** Python's str() of what its JSON decoder makes of the value. JSON writes 64.0 as 64, so whole numbers are ints there. */
function pythonText(value: Leaf): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value instanceof PythonFloat) return pythonFloat(value.value);
  if (typeof value === 'object') return pythonRepr(value);
  // From 1e21 on JSON has an exponent, and without a fraction below it has none.
  if (typeof value === 'number' && (!Number.isInteger(value) || Math.abs(value) >= 1e21)) return pythonFloat(value);
  return typeof value === 'number' && value !== 0 ? BigInt(value).toString() : String(value);
}

/** Python prints plain digits from 1e-4 to below 1e16, and an exponent of at least two digits beyond. */
function pythonFloat(value: number): string {
  const size = Math.abs(value);
  if (Object.is(value, -0)) return '-0.0';
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** Python's repr(), with texts as UTF-8 bytes, as Ceilometer prepares them. */
function pythonRepr(value: SignedValue): string {
  if (typeof value === 'string') return pythonBytes(Buffer.from(value, 'utf8'));
  if (Array.isArray(value)) return `[${value.map((inner: SignedValue) => pythonRepr(inner)).join(', ')}]`;
  if (isLeaf(value)) return pythonText(value);
  const entries = Object.entries(value)
    .toSorted(([a], [b]) => byCodePoint(a, b))
    .map(([key, inner]) => `${pythonRepr(key)}: ${pythonRepr(inner)}`);
  return `{${entries.join(', ')}}`;
}

const ESCAPES: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r', 92: '\\\\' };

function pythonBytes(bytes: Buffer): string {
  const quote = bytes.includes(0x27) && !bytes.includes(0x22) ? '"' : "'";
  const text = [...bytes].map((byte) => {
    const escape = ESCAPES[byte];
    if (escape !== undefined) return escape;
    if (byte === quote.charCodeAt(0)) return `\\${quote}`;
    return byte < 0x20 || byte > 0x7e ? `\\x${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte);
  });
  return `b${quote}${text.join('')}${quote}`;
}

/** Python sorts by code point, JavaScript by UTF-16 unit: they differ above U+FFFF. */
function sorted(keys: string[]): string[] {
  return SURROGATES_AND_BEYOND.test(keys.join('')) ? keys.toSorted(byCodePoint) : keys.toSorted();
}

const SURROGATES_AND_BEYOND = /[\ud800-\uffff]/;

function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}
