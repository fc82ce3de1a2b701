/**
 * What a fit knows of the host: one entry per NUMA node. Memory is KiB, pages are counts of a size in KiB. Nothing here
 * says where the counts come from; who counts what the kernel has taken as used gets an answer that the kernel keeps.
 */
import { withoutCpus, type CpuSet } from './cpu_set.ts';

/** The pages of one size on one host cell. */
export type PagePool = {
  readonly sizeKib: number;
  readonly total: number;
  readonly used: number;
  /** Kept back by configuration. */
  readonly reserved: number;
  /**
   * Of those used or reserved the ones that the kernel has free all the same, and would hand out. Absent: the reserved
   * ones.
   */
  readonly setAside?: number;
};

export type HostCell = {
  /** The kernel's node number. Numbers may have gaps, and cells come in any order. */
  readonly id: number;
  /** CPUs that guests without CPUs of their own run on. */
  readonly sharedCpus: CpuSet;
  /** CPUs that can be given to one vCPU alone. The same ones as above where neither set is configured. */
  readonly pinnableCpus: CpuSet;
  /** Those of them that have been given away. */
  readonly pinnedCpus: CpuSet;
  /** The threads of each core, cut to the two sets above. Their order is the order in which cores are taken. */
  readonly siblings: readonly CpuSet[];
  readonly memoryKib: number;
  readonly memoryUsedKib: number;
  /** vCPUs that run on the shared CPUs. */
  readonly cpusUsed: number;
  readonly pools: readonly PagePool[];
};

/** Pages to be had. Negative where more is reserved than there is left. */
export function freePages(pool: PagePool): number {
  return pool.total - pool.used - pool.reserved;
}

/** CPUs that can be given away now. */
export function freePinnable(cell: HostCell): CpuSet {
  return withoutCpus(cell.pinnableCpus, cell.pinnedCpus);
}

/** The smallest page size of the cell, which is where small pages come from; undefined where it has no pools. */
export function smallestPool(pools: readonly PagePool[]): PagePool | undefined {
  let smallest = pools[0];
  for (const pool of pools) {
    if (smallest === undefined || pool.sizeKib < smallest.sizeKib) smallest = pool;
  }
  return smallest;
}

/** The cell with none of its smallest pages to be had: for guests that must not take ordinary memory. */
export function withoutBasePages(cell: HostCell): HostCell {
  const base = smallestPool(cell.pools);
  return { ...cell, pools: cell.pools.map((pool) => (pool === base ? { ...pool, used: pool.total } : pool)) };
}
