import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  commonCpus,
  cpuSetOf,
  expand,
  firstCpus,
  formatCpuSet,
  hasCpu,
  lastOf,
  parseCpuRanges,
  sameCpus,
  withoutCpus,
} from '../../src/numa/cpu_set.ts';

const parse = (text: string) => {
  const ranges = parseCpuRanges(text);
  return ranges && expand(ranges);
};

test.each([
  ['0-3,8', [0, 1, 2, 3, 8]],
  ['8,0-3', [0, 1, 2, 3, 8]],
  ['0-3,8,^2', [0, 1, 3, 8]],
  ['^1-2,0-3', [0, 3]],
  ['0-3,^0-3', []],
  ['0-2,1-4', [0, 1, 2, 3, 4]],
  [' 0 - 1 , 4', [0, 1, 4]],
  ['0,,1', [0, 1]],
  ['', []],
  ['1_0', [10]],
  ['+1', [1]],
])('%j is a list of CPUs', (text, expected) => {
  expect(parse(text)).toEqual(expected);
});

test.each(['a', '3-1', '0-', '-1', '^', '^x', '^^0', '0;1', '0-1-2', '1.5', '0x1'])('%j is none', (text) => {
  expect(parse(text)).toBeUndefined();
});

test('a range of any length is read without counting it out', () => {
  expect(parseCpuRanges('0-999999999999,^5')).toEqual([
    { first: 0, last: 4 },
    { first: 6, last: 999999999999 },
  ]);
  expect(lastOf(parseCpuRanges('0-99999999999999999999') ?? [])).toBe(Number.MAX_SAFE_INTEGER);
  expect(lastOf([])).toBe(-1);
});

const ids = fc.array(fc.nat(70), { maxLength: 40 });

test('property: what is written is read back', () => {
  fc.assert(
    fc.property(ids, (list) => {
      const set = cpuSetOf(list);
      expect(parse(formatCpuSet(set))).toEqual(set);
    }),
  );
});

test('property: the operations are those of sets', () => {
  fc.assert(
    fc.property(ids, ids, fc.nat(70), (listA, listB, id) => {
      const [a, b] = [cpuSetOf(listA), cpuSetOf(listB)];
      expect(hasCpu(a, id)).toBe(new Set(listA).has(id));
      expect(new Set(withoutCpus(a, b))).toEqual(new Set(listA).difference(new Set(listB)));
      expect(new Set(commonCpus(a, b))).toEqual(new Set(listA).intersection(new Set(listB)));
      expect(sameCpus(a, b)).toBe(formatCpuSet(a) === formatCpuSet(b));
    }),
  );
});

test('the first so many', () => {
  expect(firstCpus(3)).toEqual([0, 1, 2]);
  expect(firstCpus(0)).toEqual([]);
});
