/**
 * What admission knows of the host: its nodes, per node and page size the pages the kernel has free, and the guests that
 * are there. Pure.
 */
import type { Placement } from './placement.ts';

/** Pages of one size on one host node; the unit in which pages are claimed, held and reported. */
export type NodePages = {
  readonly node: number;
  readonly pageSizeKib: number;
  readonly pages: number;
};

export type FreePool = {
  readonly pageSizeKib: number;
  /** Free, as the kernel counts them: pages promised to a mapping are still among them. */
  readonly pages: number;
  /** Pages there are. */
  readonly total: number;
};

export type HostCell = {
  /** The kernel's node number. Numbers may have gaps. */
  readonly node: number;
  /** Empty on a node that has memory only. */
  readonly cpus: readonly number[];
  /** The threads of each core. */
  readonly siblings: readonly (readonly number[])[];
  readonly memoryKib: number;
  readonly free: readonly FreePool[];
};

/** A guest of ours, running or not. */
export type PlacedGuest = {
  readonly instanceUuid: string;
  readonly projectId: string;
  readonly placement: Placement;
  /** Whether it has a process, so that the kernel counts its pages. */
  readonly isRunning: boolean;
  /** When its build was done; null while it is under way. */
  readonly launchedAt?: string | null;
};

export type HostMemory = {
  readonly cells: readonly HostCell[];
  /**
   * Pages that a mapping has reserved and not touched yet (`resv_hugepages`), per page size. The kernel knows them for
   * the host as a whole only, so each node has to be able to bear them all.
   */
  readonly promised: readonly { readonly pageSizeKib: number; readonly pages: number }[];
  /** MemAvailable of the host in KiB; null where its kernel cannot be asked. */
  readonly availableKib: number | null;
  readonly guests: readonly PlacedGuest[];
};

/** Sum of the pages of that size on that node. */
export function pagesOn(list: readonly NodePages[], node: number, pageSizeKib: number): number {
  return list.reduce(
    (sum, entry) => (entry.node === node && entry.pageSizeKib === pageSizeKib ? sum + entry.pages : sum),
    0,
  );
}

/** Sum of the pages of that size on whatever node. */
export function pagesOfSize(list: readonly { pageSizeKib: number; pages: number }[], pageSizeKib: number): number {
  return list.reduce((sum, entry) => (entry.pageSizeKib === pageSizeKib ? sum + entry.pages : sum), 0);
}

/** The smallest page size of the host: the one that is in no pool. */
export function basePageSizeKib({ cells }: HostMemory): number {
  return Math.min(...cells.flatMap((cell) => cell.free.map((pool) => pool.pageSizeKib)));
}
