/**
 * Ceilometer's message signature: HMAC-SHA256 over the sample's names and values in sorted order, each value as Python
 * prints it (ceilometer/publisher/utils.py of release 19, in our own words). Pure.
 */
import { createHmac } from 'node:crypto';

export type SampleValue = string | number | boolean | null | { readonly [key: string]: SampleValue };

/** Lower-case hex signature of a sample; an empty secret means an empty signature. */
export function signSample(sample: { readonly [key: string]: SampleValue }, secret: string): string {
  if (secret === '') return '';
  const digest = createHmac('sha256', secret);
  for (const [name, value] of flatten(sample, '')) {
    if (name === 'message_signature') continue;
    digest.update(name);
    digest.update(pythonText(value));
  }
  return digest.digest('hex');
}

/** Below this Python prints a float with an exponent; JavaScript does so from 1e-6 on. */
const SMALLEST_PLAIN_FLOAT = 1e-4;

type Leaf = Exclude<SampleValue, object> | null;

/** Depth first, keys sorted by code point at each level, nested names joined by a colon. */
function* flatten(value: { readonly [key: string]: SampleValue }, prefix: string): Generator<[string, Leaf]> {
  for (const key of Object.keys(value).toSorted(byCodePoint)) {
    const inner = value[key];
    const name = prefix === '' ? key : `${prefix}:${key}`;
    if (typeof inner === 'object' && inner !== null) yield* flatten(inner, name);
    else if (inner !== undefined) yield [name, inner];
  }
}

/** Python's str() of what its JSON decoder makes of the value. JSON writes 64.0 as 64, so whole numbers are ints there. */
function pythonText(value: Leaf): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'number' && value !== 0 && Math.abs(value) < SMALLEST_PLAIN_FLOAT) {
    // 1e-05: Python writes at least two digits of exponent.
    return value.toExponential().replace(/e-(\d)$/, 'e-0$1');
  }
  return String(value);
}

/** Python sorts by code point, JavaScript by UTF-16 unit: they differ above U+FFFF. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}
