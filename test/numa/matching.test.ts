import fc from 'fast-check';
import { expect, test } from 'vitest';
import { firstMatching } from '../../src/numa/matching.ts';

test('the first in order, not just any', () => {
  expect(firstMatching([[2, 0, 1], [2], [0, 1]])).toEqual({ possible: true, choices: [0, 2, 1] });
  expect(
    firstMatching([
      [1, 0],
      [1, 0],
    ]),
  ).toEqual({ possible: true, choices: [1, 0] });
  expect(firstMatching([])).toEqual({ possible: true, choices: [] });
});

test('who has too little together', () => {
  expect(firstMatching([[0, 1, 2, 3], [3], [3]])).toEqual({ possible: false, guests: [1, 2], hosts: [3] });
  expect(firstMatching([[0], []])).toEqual({ possible: false, guests: [1], hosts: [] });
});

/** Every placement in the order of trying: the first guest cell varies slowest. */
function* permutations(candidates: readonly (readonly number[])[], taken: readonly number[] = []): Generator<number[]> {
  const [first, ...rest] = candidates;
  if (first === undefined) {
    yield [...taken];
    return;
  }
  for (const host of first) {
    if (!taken.includes(host)) yield* permutations(rest, [...taken, host]);
  }
}

test('property: the same as trying all permutations in order', () => {
  const row = fc.uniqueArray(fc.nat(5), { maxLength: 6 });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), (candidates) => {
      const result = firstMatching(candidates);
      const [first] = permutations(candidates);
      expect(result.possible ? result.choices : undefined).toEqual(first);
      if (result.possible) return;
      const reachable = new Set(result.guests.flatMap((guest) => candidates[guest] ?? []));
      expect(reachable).toEqual(new Set(result.hosts));
      expect(result.hosts.length).toBeLessThan(result.guests.length);
    }),
    { numRuns: 3000 },
  );
});
