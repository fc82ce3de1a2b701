/**
 * What would make a guest fit that does not: pages to free for the guest as it is, or another page size or split with
 * which it fits as the host is. Data; the sentences are in describe_advice.ts.
 */
import type { Placement } from '../numa/fit.ts';
import { fitByMode } from '../numa/fit_across.ts';
import type { GuestTopology } from '../numa/guest_topology.ts';
import type { HostCell } from '../numa/host_cell.ts';
import { entryAt } from '../numa/list.ts';
import { PairTable, type FitOptions } from '../numa/pair_table.ts';
import { cheapestMatching } from './cheapest_matching.ts';
import { countPages, fewestPages, memoryOf, withPagesFreed, type PagesToFree } from './relief.ts';

/** The least number of pages, which is not always the least memory: a page of 1 GiB counts as one of 4 KiB does. */
export type FreePagesAdvice = {
  readonly kind: 'free-pages';
  /** One entry per host cell and page size. */
  readonly free: readonly PagesToFree[];
  /** All of them together. */
  readonly pages: number;
  /** What they are of memory. */
  readonly memoryKib: number;
};

/** A change of the request, by the extra spec (`hw:numa_nodes`) or image property (`hw_numa_nodes`) that makes it. */
export type RequestChange = {
  readonly kind: 'other-page-size' | 'other-split';
  readonly field: string;
  readonly value: string;
};

/** The guest after a change of its request. */
export type Alternative = { readonly change: RequestChange; readonly guest: GuestTopology };

/** A change of the request with which the guest fits now, and where it would be. */
export type ChangeAdvice = RequestChange & { readonly placement: Placement };

export type Advice = FreePagesAdvice | ChangeAdvice;

/**
 * Works out what would help: first the pages to free, then the alternatives that fit, in the order they came in.
 * @returns nothing where the guest fits, or where nothing of this helps.
 */
export function advise(
  guest: GuestTopology,
  host: readonly HostCell[],
  options: FitOptions = {},
  alternatives: readonly Alternative[] = [],
): readonly Advice[] {
  if (fitByMode(guest, host, options).fits) return [];
  const pages = adviseFreePages(guest, host, options);
  const changes = alternatives.flatMap(({ change, guest: changed }): ChangeAdvice[] => {
    const result = fitByMode(changed, host, options);
    return result.fits ? [{ ...change, placement: result.placement }] : [];
  });
  return pages === undefined ? changes : [pages, ...changes];
}

/**
 * Finds the fewest pages to free so that the guest fits with its own page size wish, over all ways to put its cells on
 * distinct host cells; of equal ones the first in the order in which host cells are tried.
 * @returns undefined where no freed page makes it fit.
 */
export function adviseFreePages(
  guest: GuestTopology,
  host: readonly HostCell[],
  options: FitOptions = {},
): FreePagesAdvice | undefined {
  const table = new PairTable(guest, host, options);
  const order = table.tryOrder();
  const reliefs = table.asks.map((ask) => order.map(({ cell }) => fewestPages(cell, ask, table.rules)));
  const rows = table.rows.map(({ ask }) => entryAt(reliefs, ask.at));
  const costs = rows.map((row) => row.map((freed) => (freed === undefined ? Infinity : countPages(freed))));
  const matching = cheapestMatching(costs);
  if (matching === undefined) return undefined;
  const free = matching.choices.flatMap((column, row) => entryAt(rows, row)[column] ?? []);
  return { kind: 'free-pages', free, pages: matching.cost, memoryKib: memoryOf(free) };
}

/**
 * Follows an advice: what the guest and the host would be then. Asking again with them fits.
 * @param alternatives the ones that the advice was made with.
 * @throws RangeError where the advice names a change that is not among them.
 */
export function applyAdvice(
  advice: Advice,
  guest: GuestTopology,
  host: readonly HostCell[],
  alternatives: readonly Alternative[] = [],
): { readonly guest: GuestTopology; readonly host: readonly HostCell[] } {
  if (advice.kind === 'free-pages') return { guest, host: host.map((cell) => withAllFreed(cell, advice.free)) };
  const { field, value } = advice;
  const chosen = alternatives.find(({ change }) => change.field === field && change.value === value);
  if (chosen === undefined) throw new RangeError(`no alternative has ${field}=${value}`);
  return { guest: chosen.guest, host };
}

function withAllFreed(before: HostCell, free: readonly PagesToFree[]): HostCell {
  let cell = before;
  for (const { hostCell, pageSizeKib, pages } of free) {
    if (hostCell === cell.id) cell = withPagesFreed(cell, pageSizeKib, pages);
  }
  return cell;
}
