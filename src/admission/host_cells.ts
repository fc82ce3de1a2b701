/**
 * The host as a fit sees it: what the kernel has free, less what is not to be had. Pure.
 *
 * Whatever the kernel does not have free is used, whoever took it; so pages of other programs count by themselves, and a
 * pool that grew or shrank needs no telling.
 */
import { commonCpus, cpuSetOf, withoutCpus, type CpuSet } from '../numa/cpu_set.ts';
import type { HostCell as FitCell } from '../numa/host_cell.ts';
import { ordinaryKib, type OrdinaryMemory } from '../numa/ordinary_memory.ts';
import { mostClaimed, type Claim } from './claims.ts';
import {
  pagesOfSize,
  pagesOn,
  type FreePool,
  type HostCell,
  type HostMemory,
  type NodePages,
  type PlacedGuest,
} from './host_memory.ts';
import { pagesOf, type Placement } from './placement.ts';
import type { AdmissionRules } from './rules.ts';

/** The pages of one size on one node, by who wants them. */
export type PageCounts = {
  /** As the kernel has them. Of these the next four are not to be had. */
  readonly free: number;
  /** Promised by the kernel to mappings that have not touched them (`resv_hugepages`, host-wide). */
  readonly promised: number;
  /** Kept back by `admission.reserved_huge_pages`. */
  readonly reserved: number;
  /** Admitted for other instances, not yet taken. */
  readonly claimed: number;
  /** Kept for instances that are shut off. */
  readonly kept: number;
};

/** The pages would be there, but not the ordinary memory around them. All in KiB. */
export type MemoryRefusal = {
  readonly reason: 'host-memory';
  /** MemAvailable of the host. */
  readonly availableKib: number;
  /** Of that for guests that are being started. */
  readonly claimedKib: number;
  readonly neededKib: number;
  /** `admission.host_memory_floor_mb`. */
  readonly floorKib: number;
};

/** One reading of the host with all that is set aside on it. */
export class HostAccount {
  readonly host: HostMemory;
  readonly rules: AdmissionRules;
  /** Those whose memory counts beside what is free and available. */
  readonly #starting: readonly Claim[];
  readonly #kept: readonly NodePages[];
  readonly #placed: readonly Placement[];
  readonly #placedPages: readonly NodePages[];

  /**
   * @param claims under way; their CPUs count in any case.
   * @param countsPages whether their pages count beside the free ones, or as taken already.
   */
  constructor(host: HostMemory, rules: AdmissionRules, claims: readonly Claim[], countsPages: boolean) {
    this.host = host;
    this.rules = rules;
    this.#starting = countsPages ? claims : [];
    // A guest that is being started is in the claims, whatever libvirt says of it at this moment.
    const starting = new Set(claims.map((claim) => claim.instanceUuid));
    const settled = host.guests.filter((guest) => !starting.has(guest.instanceUuid));
    this.#kept = keptPages(settled, rules);
    this.#placed = [...claims, ...settled].map(({ placement }) => placement);
    this.#placedPages = this.#placed.flatMap(pagesOf);
  }

  countsOf(cell: HostCell, pool: FreePool): PageCounts {
    const { node } = cell;
    const { pageSizeKib } = pool;
    return {
      free: pool.pages,
      promised: pagesOfSize(this.host.promised, pageSizeKib),
      reserved: pagesOn(this.rules.reserved, node, pageSizeKib),
      claimed: mostClaimed(this.#starting, node, pageSizeKib),
      kept: pagesOn(this.#kept, node, pageSizeKib),
    };
  }

  /** The cells as `numa/` fits on them. */
  cells(): readonly FitCell[] {
    return this.host.cells.map((cell) => this.#fitCell(cell));
  }

  /** What guests may still take beside the hugepage pools; null where it is not known. */
  ordinaryMemory(): OrdinaryMemory | null {
    const { availableKib } = this.host;
    if (availableKib === null) return null;
    return { leftKib: availableKib - this.#claimedKib() - this.rules.floorKib, ...this.#perGuest() };
  }

  /** The refusal of a guest that needs more than that. */
  memoryRefusal(neededKib: number): MemoryRefusal {
    const { availableKib } = this.host;
    if (availableKib === null) throw new Error('what is not known refuses nobody');
    return {
      reason: 'host-memory',
      availableKib,
      claimedKib: this.#claimedKib(),
      neededKib,
      floorKib: this.rules.floorKib,
    };
  }

  /** Of ordinary memory, for guests that are being started. */
  #claimedKib(): number {
    const perGuest = this.#perGuest();
    return this.#starting.reduce((sum, { placement }) => sum + ordinaryKib(placement, perGuest), 0);
  }

  #perGuest(): Omit<OrdinaryMemory, 'leftKib'> {
    const sizesKib = this.host.cells.flatMap((cell) => cell.free.map((pool) => pool.pageSizeKib));
    return { overheadKib: this.rules.overheadKib, basePageSizeKib: Math.min(...sizesKib) };
  }

  #fitCell(cell: HostCell): FitCell {
    const here = this.#placed.flat().filter((placed) => placed.node === cell.node);
    const { shared, pinnable } = cpuSets(cell.cpus, this.rules);
    const usable = cpuSetOf([...shared, ...pinnable]);
    const pools = cell.free.map((pool) => {
      const { free, promised, reserved, claimed, kept } = this.countsOf(cell, pool);
      const total = Math.max(pool.total, free);
      const others = promised + claimed + kept;
      const setAside = reserved + others;
      return { sizeKib: pool.pageSizeKib, total, used: total - free + others, reserved, setAside };
    });
    const smallestKib = Math.min(...pools.map((pool) => pool.sizeKib));
    // Base pages in use are mostly page cache and other programs, which come and go: of them only our guests count.
    const hugeKib = pools.reduce((sum, pool) => (pool.sizeKib > smallestKib ? sum + pool.used * pool.sizeKib : sum), 0);
    const smallKib = this.#placedPages.reduce(
      (sum, { node, pageSizeKib, pages }) =>
        node === cell.node && pageSizeKib <= smallestKib ? sum + pages * pageSizeKib : sum,
      0,
    );
    return {
      id: cell.node,
      sharedCpus: shared,
      pinnableCpus: pinnable,
      pinnedCpus: commonCpus(cpuSetOf(here.flatMap((placed) => placed.takenCpus)), pinnable),
      siblings: cell.siblings.map((core) => commonCpus(cpuSetOf(core), usable)).filter((core) => core.length > 0),
      memoryKib: cell.memoryKib,
      memoryUsedKib: hugeKib + smallKib,
      cpusUsed: here.reduce((sum, placed) => sum + placed.vcpus.length - placed.pins.length, 0),
      pools,
    };
  }
}

/** Pages that guests without a process keep for their next start. */
export function keptPages(guests: readonly PlacedGuest[], rules: AdmissionRules): readonly NodePages[] {
  if (rules.shutOffInstances === 'release') return [];
  return guests.filter((guest) => !guest.isRunning).flatMap((guest) => pagesOf(guest.placement));
}

/** Nova's rule: with neither set every CPU is for both; with one of them there are none for the other kind. */
function cpuSets(online: readonly number[], rules: AdmissionRules): { shared: CpuSet; pinnable: CpuSet } {
  const { cpuSharedSet, cpuDedicatedSet } = rules;
  const all = cpuSetOf(online);
  if (cpuSharedSet === null && cpuDedicatedSet === null) return { shared: all, pinnable: all };
  const pinnable = commonCpus(all, cpuSetOf(cpuDedicatedSet ?? []));
  return { shared: withoutCpus(commonCpus(all, cpuSetOf(cpuSharedSet ?? [])), pinnable), pinnable };
}
