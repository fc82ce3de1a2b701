/**
 * Which page size a guest cell gets on a host cell: of the sizes it may have the largest one that divides its memory and
 * has enough pages free.
 */
import { wholePages } from '../units.ts';
import { freePages, smallestPool, type PagePool } from './host_cell.ts';
import type { PageSizeWish } from './memory_backing.ts';

/** Why one page size does not do, with every count. */
export type PoolShortfall = PagePool & {
  readonly free: number;
  /** Pages the guest cell needs; undefined where its memory is no whole number of them. */
  readonly needed: number | undefined;
};

/**
 * Which of several page sizes that would do is taken. `largest` is Nova's. `best-fit` takes the smallest huge one, so that
 * 1 GiB pages stay for guests that need them, and base pages last.
 */
export type PageSizePreference = 'largest' | 'best-fit';

/**
 * Where the memory of a guest cell comes from: `strict`, from the host cell it is placed on or not at all; `preferred`,
 * from there as far as it has it. See fit_across.ts.
 */
export type MemoryMode = (typeof MEMORY_MODES)[number];

export const MEMORY_MODES = ['strict', 'preferred'] as const;

/** The chosen page size in KiB, or undefined where none of the allowed ones does. */
export function choosePageSize(
  pools: readonly PagePool[],
  wish: PageSizeWish,
  memoryKib: number,
  preference: PageSizePreference = 'largest',
): number | undefined {
  if (preference === 'best-fit' && (wish === 'large' || wish === 'any')) return bestFit(pools, wish, memoryKib);
  const { leastKib, mostKib } = allowedSizes(pools, wish);
  let chosen = 0;
  for (const pool of pools) {
    const { sizeKib } = pool;
    const candidate = sizeKib >= leastKib && sizeKib <= mostKib && sizeKib > chosen;
    if (candidate && memoryKib % sizeKib === 0 && memoryKib <= freePages(pool) * sizeKib) chosen = sizeKib;
  }
  return chosen === 0 ? undefined : chosen;
}

function bestFit(pools: readonly PagePool[], wish: 'large' | 'any', memoryKib: number): number | undefined {
  const [base, ...huge] = pools.map((pool) => pool.sizeKib).toSorted((a, b) => a - b);
  const sizes = wish === 'any' && base !== undefined ? [...huge, base] : huge;
  return sizes.find((sizeKib) => choosePageSize(pools, sizeKib, memoryKib) !== undefined);
}

/** The counts of each allowed page size, in the cell's order: what to say where none was chosen. */
export function poolShortfalls(
  pools: readonly PagePool[],
  wish: PageSizeWish,
  memoryKib: number,
): readonly PoolShortfall[] {
  const { leastKib, mostKib } = allowedSizes(pools, wish);
  const shortfalls: PoolShortfall[] = [];
  for (const pool of pools) {
    if (pool.sizeKib >= leastKib && pool.sizeKib <= mostKib) shortfalls.push(poolShortfall(pool, memoryKib));
  }
  return shortfalls;
}

export function poolShortfall(pool: PagePool, memoryKib: number): PoolShortfall {
  const { sizeKib, total, used, reserved } = pool;
  return { sizeKib, total, used, reserved, free: freePages(pool), needed: wholePages(memoryKib, sizeKib) };
}

export type SizeRange = { readonly leastKib: number; readonly mostKib: number };

/** `small` is the smallest size of the pools, `large` all the others. As a range, because a loop over sizes follows. */
export function allowedSizes(pools: readonly PagePool[], wish: PageSizeWish): SizeRange {
  if (typeof wish === 'number') return { leastKib: wish, mostKib: wish };
  if (wish === 'any') return { leastKib: 0, mostKib: Infinity };
  const smallestKib = smallestPool(pools)?.sizeKib ?? 0;
  return wish === 'small'
    ? { leastKib: smallestKib, mostKib: smallestKib }
    : { leastKib: smallestKib + 1, mostKib: Infinity };
}
