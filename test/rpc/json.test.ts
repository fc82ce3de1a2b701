import { array, assert, bigInt, constantFrom, dictionary, double, letrec, oneof, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { isFields, parseJson, stringify } from '../../src/rpc/json.ts';

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** As Python's json.dumps writes it. */
function pythonText(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (Object.is(value, -0)) return '-0.0';
  if (typeof value === 'number')
    return Number.isInteger(value) ? `${value}`.replace(/^(-?\d+)$/, '$1.0') : String(value);
  if (Array.isArray(value)) return `[${value.map(pythonText).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, inner]) => `${JSON.stringify(key)}: ${pythonText(inner)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** What must come out: integers that a number holds are numbers. */
function expected(value: unknown): unknown {
  if (typeof value === 'bigint') return value >= -SAFE - 1n && value <= SAFE + 1n ? Number(value) : value;
  if (Array.isArray(value)) return value.map(expected);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, expected(inner)]));
  }
  return value;
}

const { tree } = letrec((tie) => ({
  leaf: oneof(
    bigInt(-(2n ** 70n), 2n ** 70n),
    bigInt(SAFE - 3n, SAFE + 3n),
    double(),
    constantFrom('NaN', 'Infinity', '-1e999', '9007199254740993', '\0NaN', null, true, '"NaN\\'),
    string(),
  ),
  tree: oneof(
    { depthSize: 'small' },
    tie('leaf'),
    array(tie('tree'), { maxLength: 4 }),
    dictionary(string({ unit: 'grapheme' }), tie('tree'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

test("what Python's json writes is read as it was", () => {
  assert(
    property(tree, (value) => {
      expect(parseJson(pythonText({ value }))?.value).toEqual({ value: expected(value) });
    }),
    { numRuns: 1_000 },
  );
});

test('whatever is read without an oddity is what JSON.parse reads', () => {
  assert(
    property(tree, (value) => {
      const text = pythonText({ value });
      const parsed = parseJson(text);
      const isPlain = parsed?.oddity === null;
      expect(isPlain ? parsed.value : 'odd').toEqual(isPlain ? JSON.parse(text) : 'odd');
    }),
    { numRuns: 1_000 },
  );
});

test('what is written is written again the same after it was read', () => {
  assert(
    property(tree, (value) => {
      let text: string;
      try {
        text = stringify({ value });
      } catch {
        // NaN and infinities.
        return;
      }
      const parsed = parseJson(text)?.value;
      expect(isFields(parsed) ? stringify(parsed) : null).toBe(text);
    }),
    { numRuns: 1_000 },
  );
});

const since = (work: () => unknown): number => {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
};

test('hex ids do not make a message slow', () => {
  const fields = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`k${n}`, `12e345-${n}e400`]));
  const text = JSON.stringify(fields);
  const plain = Math.min(...[1, 2, 3].map(() => since(() => JSON.parse(text))));
  const ours = Math.min(...[1, 2, 3].map(() => since(() => parseJson(text))));
  expect(ours).toBeLessThan(plain * 4 + 20);
});
