/** Who holds the pages of each pool, and how many of them nobody can be named for. Pure. */
import { pagesOfSize, pagesOn } from '../admission/host_memory.ts';
import type { HoldingProcess, PageHolders } from '../compute_driver.ts';

/** An instance of ours, or null where the process is none. */
export type HolderName = {
  readonly instance: { readonly uuid: string; readonly name: string } | null;
  readonly pid: number;
  readonly command: string;
};

export type PoolHolder = HolderName & {
  /** Counted with this process, and with no other. */
  readonly pages: number;
  /** Mapped by it too, and counted with another process. */
  readonly alsoMappedPages: number;
};

export type PoolHoldersReport = {
  readonly node: number;
  readonly pageSizeKib: number;
  readonly totalPages: number;
  readonly freePages: number;
  /** Of the free pages, those that the kernel has promised to mappings; it knows them for the whole host only. */
  readonly promisedPages: number;
  /** Ours first, then by what they hold. */
  readonly holders: readonly PoolHolder[];
  /**
   * Taken, and found with no process: files on a hugetlbfs that nobody maps, processes that cannot be seen or read, or
   * pages that moved while they were counted.
   */
  readonly unexplainedPages: number;
};

export type PageHoldersReport = {
  /** Whether the host's kernel could be asked at all; where not, the lists are empty. */
  readonly available: boolean;
  readonly pools: readonly PoolHoldersReport[];
  /** Processes that hold pages and may not be looked into: theirs are among the unexplained. KiB over all sizes. */
  readonly unreadable: readonly (HolderName & { readonly hugetlbKib: number })[];
};

export function reportPageHolders(found: PageHolders | undefined): PageHoldersReport {
  if (found === undefined) return { available: false, pools: [], unreadable: [] };
  return {
    available: true,
    pools: found.pools.map(({ node, pageSizeKib, totalPages, freePages }) => {
      const holders = found.holders.map((process) => ({
        ...nameOf(process),
        pages: pagesOn(process.held, node, pageSizeKib),
        alsoMappedPages: pagesOn(process.alsoMapped, node, pageSizeKib),
      }));
      const heldPages = holders.reduce((sum, holder) => sum + holder.pages, 0);
      return {
        node,
        pageSizeKib,
        totalPages,
        freePages,
        promisedPages: pagesOfSize(found.promised, pageSizeKib),
        holders: holders.filter((holder) => holder.pages + holder.alsoMappedPages > 0).toSorted(oursFirst),
        // The counts are not of one instant: more may be found with processes than were taken a moment ago.
        unexplainedPages: Math.max(0, totalPages - freePages - heldPages),
      };
    }),
    unreadable: found.unreadable.map((process) => ({ ...nameOf(process), hugetlbKib: process.hugetlbKib })),
  };
}

function nameOf({ instance, pid, command }: HoldingProcess): HolderName {
  return { instance: instance === null ? null : { uuid: instance.uuid, name: instance.name }, pid, command };
}

function oursFirst(a: PoolHolder, b: PoolHolder): number {
  return (
    Number(b.instance !== null) - Number(a.instance !== null) ||
    b.pages - a.pages ||
    b.alsoMappedPages - a.alsoMappedPages ||
    a.pid - b.pid
  );
}
