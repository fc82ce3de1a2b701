/** Who holds or keeps pages at this moment. */
import { keptPages } from '../admission/host_cells.ts';
import { basePageSizeKib, type NodePages, type PlacedGuest } from '../admission/host_memory.ts';
import { pagesOf } from '../admission/placement.ts';
import type { AdmissionRules } from '../admission/rules.ts';
import type { HoldingsBook } from '../compute/holdings_book.ts';
import type { ComputeDriver } from '../compute_driver.ts';
import { sumPages } from '../host/numa_maps.ts';
import type { Holding } from './history.ts';

export type PresentOptions = {
  readonly driver: Pick<ComputeDriver, 'readHostMemory'>;
  readonly holdings: Pick<HoldingsBook, 'of'>;
  readonly rules: AdmissionRules;
  /** Of the guest's process; null where it cannot be told. */
  readonly identityOf: (uuid: string) => Promise<string | null>;
};

/**
 * Of every instance that was built: what its process holds of the pools, or what is kept for it while it has none. Base
 * pages are what it was placed with: it takes them as it likes, and was sold them all.
 * @throws what reading the host throws.
 */
export async function readPresent({ driver, holdings, rules, identityOf }: PresentOptions): Promise<Holding[]> {
  const memory = await driver.readHostMemory();
  const baseKib = basePageSizeKib(memory);
  const present: Holding[] = [];
  for (const guest of memory.guests) {
    // While a build is under way nothing is sold yet.
    if (typeof guest.launchedAt !== 'string') continue;
    const { instanceUuid, projectId, isRunning } = guest;
    const pages = isRunning ? await pagesHeld(guest, holdings, baseKib) : keptPages([guest], rules);
    const state = isRunning ? 'running' : 'kept';
    const identity = isRunning ? await identityOf(instanceUuid) : `kept/${guest.launchedAt}`;
    for (const one of sumPages(pages)) present.push({ ...one, instanceUuid, projectId, state, identity });
  }
  return present;
}

async function pagesHeld(
  { instanceUuid, placement }: PlacedGuest,
  holdings: PresentOptions['holdings'],
  baseKib: number,
): Promise<readonly NodePages[]> {
  const placed = pagesOf(placement);
  const sizesKib = placed.map(({ pageSizeKib }) => pageSizeKib);
  const held = await holdings.of(instanceUuid, sizesKib, baseKib);
  return held === undefined ? placed : [...held, ...placed.filter(({ pageSizeKib }) => pageSizeKib <= baseKib)];
}
