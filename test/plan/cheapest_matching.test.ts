/** The assignment against all permutations. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cheapestMatching } from '../../src/plan/cheapest_matching.ts';
import { RUNS } from './arbitraries.ts';

const costs = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 })).chain(([rows, columns]) => {
  const cost = fc.oneof({ weight: 4, arbitrary: fc.nat(4) }, { weight: 1, arbitrary: fc.constant(Infinity) });
  const row = fc.array(cost, { minLength: columns, maxLength: columns });
  return fc.array(row, { minLength: rows, maxLength: rows });
});

test('property: the first of the cheapest permutations', () => {
  fc.assert(
    fc.property(costs, (table) => {
      expect(cheapestMatching(table)).toEqual(bruteForce(table));
    }),
    { numRuns: RUNS },
  );
});

test('exact where the costs are the pages of a large host', () => {
  const table = [
    [2 ** 40 + 1, 2 ** 40],
    [2 ** 40 + 2, 2 ** 40 + 2],
  ];
  expect(cheapestMatching(table)).toEqual({ choices: [1, 0], cost: 2 ** 41 + 2 });
});

test('no rows cost nothing, rows without columns cannot be', () => {
  expect(cheapestMatching([])).toEqual({ choices: [], cost: 0 });
  expect(cheapestMatching([[]])).toBeUndefined();
});

test('64 rows and columns take no time to speak of', () => {
  const size = Array.from({ length: 64 }, (_, at) => at);
  const table = size.map((row) => size.map((column) => ((row * 37 + column * 101) % 61) + (row === column ? 1 : 0)));
  expect(cheapestMatching(table)?.choices.toSorted((a, b) => a - b)).toEqual(size);
});

function bruteForce(table: readonly (readonly number[])[]): { choices: number[]; cost: number } | undefined {
  let best: { choices: number[]; cost: number } | undefined;
  const search = (choices: readonly number[], cost: number): void => {
    const row = table[choices.length];
    if (row === undefined) {
      if (cost < (best?.cost ?? Infinity)) best = { choices: [...choices], cost };
      return;
    }
    for (const [column, one] of row.entries()) {
      if (!choices.includes(column)) search([...choices, column], cost + one);
    }
  };
  search([], 0);
  return best;
}
