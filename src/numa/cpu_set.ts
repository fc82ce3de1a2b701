/**
 * Sets of CPUs, of the host or of the guest. A set is an array of ascending ids: it can be frozen, compared and sent as
 * it is. At the sizes of a host cell a binary search in it is as fast as a bit set, and a fit makes few other steps.
 */
import { readWholeNumber } from './spelling.ts';

/** Ids in ascending order, each once. */
export type CpuSet = readonly number[];

/** From the first id to the last one, both of them included. */
export type CpuRange = { readonly first: number; readonly last: number };

/** The set of these ids, in whatever order and however often they come. */
export function cpuSetOf(ids: Iterable<number>): CpuSet {
  return [...new Set(ids)].toSorted((a, b) => a - b);
}

/** 0, 1, ... below `count`. */
export function firstCpus(count: number): CpuSet {
  return Array.from({ length: count }, (_, id) => id);
}

export function hasCpu(set: CpuSet, id: number): boolean {
  let low = 0;
  let high = set.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = set[middle];
    if (found === undefined || found === id) return found === id;
    if (found < id) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

export function withoutCpus(set: CpuSet, removed: CpuSet): CpuSet {
  if (removed.length === 0) return set;
  const left: number[] = [];
  let at = 0;
  // Both ascend, so one walk along the two of them does.
  for (const id of set) {
    while (at < removed.length && (removed[at] ?? id) < id) at += 1;
    if (removed[at] !== id) left.push(id);
  }
  return left;
}

export function commonCpus(a: CpuSet, b: CpuSet): CpuSet {
  return a.filter((id) => hasCpu(b, id));
}

export function sameCpus(a: CpuSet, b: CpuSet): boolean {
  return a.length === b.length && a.every((id, at) => id === b[at]);
}

/**
 * Reads Nova's CPU list: items `n`, `a-b`, `^n` and `^a-b` with commas between; what is excluded wins over what is
 * included, blanks and empty items do not count. The answer is ranges, not ids, because the text comes from outside and
 * `0-999999999` is short: compare `lastOf` with what there is before `expand`.
 * @returns disjoint ascending ranges, or undefined where an item cannot be read or runs backwards.
 */
export function parseCpuRanges(text: string): readonly CpuRange[] | undefined {
  const included: CpuRange[] = [];
  const excluded: CpuRange[] = [];
  for (const item of text.split(',').map((part) => part.trim())) {
    if (item === '') continue;
    const range = readItem(item.replace(/^\^/, ''));
    if (range === undefined) return undefined;
    (item.startsWith('^') ? excluded : included).push(range);
  }
  return subtract(joined(included), joined(excluded));
}

/** The highest id of the ranges, or -1 where there is none. */
export function lastOf(ranges: readonly CpuRange[]): number {
  return ranges.at(-1)?.last ?? -1;
}

/** The ids of the ranges. */
export function expand(ranges: readonly CpuRange[]): CpuSet {
  return ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, nth) => first + nth));
}

/** `0-3,8`: the shortest list that says the set. */
export function formatCpuSet(set: CpuSet): string {
  return joined(set.map((id) => ({ first: id, last: id })))
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    .join(',');
}

function readItem(item: string): CpuRange | undefined {
  const dash = item.indexOf('-');
  const first = readWholeNumber(dash < 0 ? item : item.slice(0, dash));
  const last = dash < 0 ? first : readWholeNumber(item.slice(dash + 1));
  if (first === undefined || last === undefined || first > last) return undefined;
  return { first, last };
}

/** The same ids in ascending ranges with gaps between them. */
function joined(ranges: readonly CpuRange[]): CpuRange[] {
  const result: CpuRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = result.at(-1);
    if (before === undefined || range.first > before.last + 1) result.push(range);
    else result[result.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
  }
  return result;
}

function subtract(ranges: readonly CpuRange[], removed: readonly CpuRange[]): readonly CpuRange[] {
  return removed.reduce<readonly CpuRange[]>((left, { first, last }) => {
    return left.flatMap((range) => {
      const below = { first: range.first, last: Math.min(range.last, first - 1) };
      const above = { first: Math.max(range.first, last + 1), last: range.last };
      return [below, above].filter((part) => part.first <= part.last);
    });
  }, ranges);
}
