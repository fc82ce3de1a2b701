/**
 * One guest cell on one host cell: accepted with a page size, or refused with the reason and every number of it. The
 * order of the checks is Nova's, so the reason is the one that Nova's log would name. A pair depends on nothing but the
 * two cells, which is what makes a search over a table of them right.
 */
import type { ThreadPolicy } from './cpu_policy.ts';
import type { CpuSet } from './cpu_set.ts';
import type { GuestCell } from './guest_topology.ts';
import { smallestPool, type HostCell } from './host_cell.ts';
import type { HostView } from './host_view.ts';
import { choosePageSize, poolShortfall, poolShortfalls, type PageSizePreference, type PoolShortfall } from './pages.ts';
import { choosePacking, pinTo, type PackingObstacle, type Pins } from './thread_packing.ts';

const NO_PINS: Pins = { pins: [], reservedCpus: [] };

/** How far a host may be sold beyond what it has, per host cell. Applies to huge pages too, as Nova has it. */
export type FitLimits = { readonly cpuRatio: number; readonly ramRatio: number };

export type PairAccepted = {
  readonly accepted: true;
  readonly hostCell: number;
  /** Null where no size was asked for. */
  readonly pageSizeKib: number | null;
};

type CpuCounts = {
  /** Dedicated vCPUs. */
  readonly needed: number;
  /** CPUs beside them for the emulator. */
  readonly reserve: number;
  readonly total: number;
  readonly free: number;
};

/** The codes are the test vectors' own. */
export type PairReason =
  | { readonly code: 'size_absent'; readonly pageSizeKib: number; readonly presentKib: readonly number[] }
  /** No allowed size has enough pages free, or divides the memory. */
  | { readonly code: 'pages'; readonly memoryKib: number; readonly pools: readonly PoolShortfall[] }
  /** No size was asked for, and the memory is more than all the small pages, or no whole number of them. */
  | { readonly code: 'small_total'; readonly memoryKib: number; readonly pool: PoolShortfall }
  | { readonly code: 'mem_total'; readonly neededKib: number; readonly totalKib: number }
  | ({ readonly code: 'pcpu_total' } & CpuCounts)
  | { readonly code: 'vcpu_total'; readonly needed: number; readonly total: number }
  | ({ readonly code: 'pcpu_free' } & CpuCounts)
  | {
      readonly code: 'mem_free';
      readonly neededKib: number;
      readonly freeKib: number;
      readonly totalKib: number;
      readonly usedKib: number;
    }
  | ({
      readonly code: 'pack';
      readonly obstacle: PackingObstacle;
      readonly threadPolicy: ThreadPolicy | null;
      readonly threadsPerCore: number;
      /** Free threads of each core that has one. */
      readonly freePerCore: readonly number[];
    } & CpuCounts)
  | {
      readonly code: 'cpu_limit';
      readonly needed: number;
      readonly used: number;
      readonly total: number;
      readonly ratio: number;
    }
  | {
      readonly code: 'ram_limit';
      readonly neededKib: number;
      readonly usedKib: number;
      readonly totalKib: number;
      readonly ratio: number;
    };

export type PairRefusal = { readonly accepted: false; readonly hostCell: number; readonly reason: PairReason };
export type PairVerdict = PairAccepted | PairRefusal;

/** What holds for all pairs of one fit. */
export type PairRules = {
  /** Whether there are vCPUs with CPUs of their own. */
  readonly pinned: boolean;
  /** Whether there may be vCPUs on shared CPUs. */
  readonly shared: boolean;
  readonly threadPolicy: ThreadPolicy | null;
  readonly limits: FitLimits | null;
  /** Whether a cell of a pinned guest may have no dedicated vCPU of its own. */
  readonly zeroPinnedCells: boolean;
  readonly emulatorOnFreeCore: boolean;
  readonly pageSizePreference: PageSizePreference;
};

/**
 * Judges one pair.
 * @param reserve CPUs that the emulator needs beside the guest cell's vCPUs.
 */
export function judgePair(view: HostView, guest: GuestCell, reserve: number, rules: PairRules): PairVerdict {
  const { cell } = view;
  // 0 asks for no size, as null does.
  const wish = guest.pageSize || null;
  const pageSizeKib =
    wish === null ? null : choosePageSize(cell.pools, wish, guest.memoryKib, rules.pageSizePreference);
  if (pageSizeKib === undefined) return { accepted: false, hostCell: cell.id, reason: pagesReason(cell, guest) };
  const reason =
    (wish === null ? memoryReason(cell, guest) : undefined) ??
    cpusReason(view, guest, reserve, rules) ??
    (rules.limits === null || !rules.shared ? undefined : limitReason(cell, guest, rules.limits));
  return reason === undefined
    ? { accepted: true, hostCell: cell.id, pageSizeKib }
    : { accepted: false, hostCell: cell.id, reason };
}

/** The CPUs that an accepted pair gets. */
export function pinPair(view: HostView, vcpus: CpuSet, reserve: number, rules: PairRules): Pins {
  if (!rules.pinned) return NO_PINS;
  const { threadPolicy, emulatorOnFreeCore } = rules;
  const request = { pins: vcpus.length, reserve, threadPolicy, emulatorOnFreeCore };
  const packing = choosePacking(view.freeThreads, view.cell, request);
  return packing.fits ? pinTo(view.freeThreads, packing, vcpus, request) : NO_PINS;
}

function pagesReason(cell: HostCell, { pageSize, memoryKib }: GuestCell): PairReason {
  const pools = poolShortfalls(cell.pools, pageSize ?? 0, memoryKib);
  if (typeof pageSize !== 'number' || pools.length > 0) return { code: 'pages', memoryKib, pools };
  return { code: 'size_absent', pageSizeKib: pageSize, presentKib: cell.pools.map((pool) => pool.sizeKib) };
}

/** Without a page size small pages may be sold over and over, as memory without NUMA is: free ones do not count. */
function memoryReason(cell: HostCell, { memoryKib }: GuestCell): PairReason | undefined {
  const pool = smallestPool(cell.pools);
  if (pool === undefined) {
    if (memoryKib <= cell.memoryKib) return undefined;
    return { code: 'mem_total', neededKib: memoryKib, totalKib: cell.memoryKib };
  }
  if (memoryKib <= pool.total * pool.sizeKib && memoryKib % pool.sizeKib === 0) return undefined;
  return { code: 'small_total', memoryKib, pool: poolShortfall(pool, memoryKib) };
}

function cpusReason(view: HostView, guest: GuestCell, reserve: number, rules: PairRules): PairReason | undefined {
  const { cell } = view;
  const needed = guest.dedicatedVcpus.length;
  if (rules.pinned && needed + reserve > cell.pinnableCpus.length) {
    return { code: 'pcpu_total', ...cpuCounts(view, needed, reserve) };
  }
  const shared = guest.sharedVcpus.length;
  if (rules.shared && shared > cell.sharedCpus.length) {
    return { code: 'vcpu_total', needed: shared, total: cell.sharedCpus.length };
  }
  if (!rules.pinned) return undefined;
  if (needed + reserve > view.freeCpus.length) return { code: 'pcpu_free', ...cpuCounts(view, needed, reserve) };
  const freeKib = cell.memoryKib - cell.memoryUsedKib;
  if (guest.memoryKib > freeKib) {
    const { memoryKib: totalKib, memoryUsedKib: usedKib } = cell;
    return { code: 'mem_free', neededKib: guest.memoryKib, freeKib, totalKib, usedKib };
  }
  return packingReason(view, needed, reserve, rules);
}

function packingReason(view: HostView, pins: number, reserve: number, rules: PairRules): PairReason | undefined {
  const { threadPolicy, zeroPinnedCells, emulatorOnFreeCore } = rules;
  if (pins === 0 && reserve === 0 && zeroPinnedCells) return undefined;
  const { freeThreads, cell } = view;
  const result = choosePacking(freeThreads, cell, { pins, reserve, threadPolicy, emulatorOnFreeCore });
  if (result.fits && (pins > 0 || zeroPinnedCells)) return undefined;
  return {
    code: 'pack',
    obstacle: result.fits ? 'no-dedicated-vcpus' : result.obstacle,
    threadPolicy,
    threadsPerCore: freeThreads.threadsPerCore,
    freePerCore: freeThreads.cores.map((core) => core.length),
    ...cpuCounts(view, pins, reserve),
  };
}

function limitReason(cell: HostCell, guest: GuestCell, limits: FitLimits): PairReason | undefined {
  const vcpus = guest.sharedVcpus.length;
  if (cell.cpusUsed + vcpus > cell.sharedCpus.length * limits.cpuRatio) {
    const total = cell.sharedCpus.length;
    return { code: 'cpu_limit', needed: vcpus, used: cell.cpusUsed, total, ratio: limits.cpuRatio };
  }
  if (cell.memoryUsedKib + guest.memoryKib > cell.memoryKib * limits.ramRatio) {
    const { memoryKib: totalKib, memoryUsedKib: usedKib } = cell;
    return { code: 'ram_limit', neededKib: guest.memoryKib, usedKib, totalKib, ratio: limits.ramRatio };
  }
  return undefined;
}

function cpuCounts(view: HostView, needed: number, reserve: number): CpuCounts {
  return { needed, reserve, total: view.cell.pinnableCpus.length, free: view.freeCpus.length };
}
