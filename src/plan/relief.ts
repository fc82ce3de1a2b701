/**
 * The fewest pages whose freeing makes one host cell take one guest cell. Not a second set of rules: the pair is asked,
 * what its refusal lacks is freed, and it is asked again.
 *
 * A page is freed by a guest that leaves, so the host cell's memory in use falls with it, as it does in the account of
 * numa/usage.ts. CPUs are not counted as freed: which ones would be is not known.
 */
import type { HostCell, PagePool } from '../numa/host_cell.ts';
import { HostView } from '../numa/host_view.ts';
import { judgePair, type PairReason, type PairRules } from '../numa/pair.ts';
import type { Ask } from '../numa/pair_table.ts';

/** Pages of one size to free on one host cell. */
export type PagesToFree = {
  /** The kernel's node number. */
  readonly hostCell: number;
  readonly pageSizeKib: number;
  readonly pages: number;
};

/** The host cell after so many pages of that size came free. Not more than are in use can. */
export function withPagesFreed(cell: HostCell, pageSizeKib: number, pages: number): HostCell {
  return {
    ...cell,
    memoryUsedKib: Math.max(0, cell.memoryUsedKib - pages * pageSizeKib),
    pools: cell.pools.map((pool) => (pool.sizeKib === pageSizeKib ? { ...pool, used: pool.used - pages } : pool)),
  };
}

/**
 * Finds the least number of pages, whatever their sizes; of equal numbers the one that frees less memory.
 * @returns nothing to free where the pair is accepted as it is, undefined where no freed page makes it accepted.
 */
export function fewestPages(cell: HostCell, ask: Ask, rules: PairRules): readonly PagesToFree[] | undefined {
  let best: readonly PagesToFree[] | undefined;
  for (const start of beginnings(cell, refusalOf(cell, ask, rules))) {
    const relieved = freeUntilAccepted(start, ask, rules);
    if (relieved === undefined) continue;
    const freed = difference(cell, relieved);
    if (best === undefined || isLess(freed, best)) best = freed;
  }
  return best;
}

export function countPages(freed: readonly PagesToFree[]): number {
  return freed.reduce((sum, { pages }) => sum + pages, 0);
}

/** KiB of these pages. */
export function memoryOf(freed: readonly PagesToFree[]): number {
  return freed.reduce((sum, { pages, pageSizeKib }) => sum + pages * pageSizeKib, 0);
}

function refusalOf(cell: HostCell, ask: Ask, rules: PairRules): PairReason | undefined {
  const verdict = judgePair(new HostView(cell, 0), ask.cell, ask.reserve, rules);
  return verdict.accepted ? undefined : verdict.reason;
}

/** The cell with enough pages of one size free, once for each size that can have them. */
function beginnings(cell: HostCell, reason: PairReason | undefined): readonly HostCell[] {
  if (reason?.code !== 'pages') return [cell];
  return reason.pools.flatMap(({ sizeKib, needed, free, used }) => {
    if (needed === undefined || needed - free > used) return [];
    return [withPagesFreed(cell, sizeKib, needed - free)];
  });
}

function freeUntilAccepted(start: HostCell, ask: Ask, rules: PairRules): HostCell | undefined {
  let cell: HostCell | undefined = start;
  while (cell !== undefined) {
    const reason = refusalOf(cell, ask, rules);
    if (reason === undefined) return cell;
    cell = withMemoryFreed(cell, missingKib(reason));
  }
  return undefined;
}

/** How much less memory would have to be in use; Infinity where that is not what the refusal is about. */
function missingKib(reason: PairReason): number {
  if (reason.code === 'mem_free') return reason.neededKib - reason.freeKib;
  if (reason.code === 'ram_limit') return reason.usedKib + reason.neededKib - reason.totalKib * reason.ratio;
  return Infinity;
}

/** Largest pages first, and never a smaller one at the end: so the count stays the least if more has to be freed yet. */
function withMemoryFreed(before: HostCell, missing: number): HostCell | undefined {
  // Also where memory is not what is missing.
  if (missing > before.memoryUsedKib) return undefined;
  let cell = before;
  let left = missing;
  for (const { sizeKib, used } of before.pools.toSorted(bySizeDescending)) {
    if (left <= 0) break;
    const pages = Math.min(used, Math.ceil(left / sizeKib));
    cell = withPagesFreed(cell, sizeKib, pages);
    left -= pages * sizeKib;
  }
  return left > 0 ? undefined : cell;
}

function bySizeDescending(a: PagePool, b: PagePool): number {
  return b.sizeKib - a.sizeKib;
}

function difference(before: HostCell, after: HostCell): readonly PagesToFree[] {
  return before.pools.flatMap(({ sizeKib, used }, at) => {
    const pages = used - (after.pools[at]?.used ?? used);
    return pages === 0 ? [] : [{ hostCell: before.id, pageSizeKib: sizeKib, pages }];
  });
}

function isLess(a: readonly PagesToFree[], b: readonly PagesToFree[]): boolean {
  const byCount = countPages(a) - countPages(b);
  return byCount === 0 ? memoryOf(a) < memoryOf(b) : byCount < 0;
}
