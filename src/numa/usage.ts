/**
 * What a placed guest takes from the host's account, and gives back. Pure: the answer is new host cells. Claiming adds,
 * freeing subtracts, no count falls below zero, because an account that was rebuilt may have missed a claim.
 *
 * Guest cells on host cells that are not there (any more) are not counted: there is nothing to count them on.
 */
import { commonCpus, cpuSetOf, formatCpuSet, hasCpu, withoutCpus, type CpuSet } from './cpu_set.ts';
import { sharesOf, type Placement, type PlacedCell } from './fit.ts';
import type { GuestTopology } from './guest_topology.ts';
import { smallestPool, type HostCell, type PagePool } from './host_cell.ts';

/** CPUs that cannot change hands. The names are Nova's. */
export type UsageError = {
  readonly errorClass: 'CPUPinningUnknown' | 'CPUPinningInvalid' | 'CPUUnpinningUnknown' | 'CPUUnpinningInvalid';
  readonly hostCell: number;
  /** The CPUs that are in the way: not pinnable at all, pinned already, or not pinned. */
  readonly cpus: CpuSet;
  readonly message: string;
};

export type UsageResult =
  | { readonly ok: true; readonly host: readonly HostCell[] }
  | { readonly ok: false; readonly error: UsageError };

type CellUsage = {
  readonly memoryKib: number;
  readonly pageSizeKib: number | null;
  readonly sharedVcpus: number;
  readonly cpus: CpuSet;
  readonly withSiblings: boolean;
};

/** The host with the guest on it. */
export function claim(host: readonly HostCell[], guest: GuestTopology, placement: Placement): UsageResult {
  return change(host, guest, placement, 1);
}

/** The host without the guest. */
export function free(host: readonly HostCell[], guest: GuestTopology, placement: Placement): UsageResult {
  return change(host, guest, placement, -1);
}

function change(host: readonly HostCell[], guest: GuestTopology, placement: Placement, sign: 1 | -1): UsageResult {
  const changed: HostCell[] = [];
  for (const before of host) {
    let cell = before;
    for (const placed of placement) {
      const share = sharesOf(placed).find(({ hostCell }) => hostCell === before.id);
      if (share === undefined) continue;
      const { memoryKib } = share;
      const usage = placed.hostCell === before.id ? usageOf(guest, placed, memoryKib) : memoryOnly(placed, memoryKib);
      const cpus = usage.withSiblings ? touchedCores(cell, usage.cpus) : usage.cpus;
      const error = sign === 1 ? pinningError(cell, cpus) : unpinningError(cell, cpus);
      if (error !== undefined) return { ok: false, error };
      cell = changedCell(cell, usage, cpus, sign);
    }
    changed.push(cell);
  }
  return { ok: true, host: changed };
}

/** What a host cell gives to a guest cell whose CPUs are elsewhere. */
function memoryOnly({ pageSizeKib }: PlacedCell, memoryKib: number): CellUsage {
  return { memoryKib, pageSizeKib, sharedVcpus: 0, cpus: [], withSiblings: false };
}

function usageOf(guest: GuestTopology, placed: PlacedCell, memoryKib: number): CellUsage {
  const cell = guest.cells.find(({ id }) => id === placed.guestCell);
  return {
    memoryKib,
    pageSizeKib: placed.pageSizeKib,
    sharedVcpus: cell?.sharedVcpus.length ?? 0,
    cpus: cpuSetOf([...placed.pins.map(({ cpu }) => cpu), ...placed.reservedCpus]),
    withSiblings: guest.threadPolicy === 'isolate',
  };
}

/** An isolated vCPU takes its core: no other guest may run on the threads beside it. */
export function touchedCores(cell: HostCell, cpus: CpuSet): CpuSet {
  const touched = cell.siblings.filter((core) => core.some((cpu) => hasCpu(cpus, cpu)));
  return cpuSetOf([...cpus, ...touched.flat()]);
}

function changedCell(cell: HostCell, usage: CellUsage, cpus: CpuSet, sign: 1 | -1): HostCell {
  const sizeKib = usage.pageSizeKib ?? smallestPool(cell.pools)?.sizeKib;
  return {
    ...cell,
    memoryUsedKib: Math.max(0, cell.memoryUsedKib + sign * usage.memoryKib),
    cpusUsed: Math.max(0, cell.cpusUsed + sign * usage.sharedVcpus),
    pinnedCpus: sign === 1 ? cpuSetOf([...cell.pinnedCpus, ...cpus]) : withoutCpus(cell.pinnedCpus, cpus),
    pools: cell.pools.map((pool) => (pool.sizeKib === sizeKib ? changedPool(pool, usage.memoryKib, sign) : pool)),
  };
}

function changedPool(pool: PagePool, memoryKib: number, sign: 1 | -1): PagePool {
  return { ...pool, used: Math.max(0, pool.used + sign * Math.trunc(memoryKib / pool.sizeKib)) };
}

function pinningError(cell: HostCell, cpus: CpuSet): UsageError | undefined {
  return (
    errorOf('CPUPinningUnknown', cell, withoutCpus(cpus, cell.pinnableCpus), 'cannot be given to one vCPU alone') ??
    errorOf('CPUPinningInvalid', cell, commonCpus(cpus, cell.pinnedCpus), 'are given away already')
  );
}

function unpinningError(cell: HostCell, cpus: CpuSet): UsageError | undefined {
  return (
    errorOf('CPUUnpinningUnknown', cell, withoutCpus(cpus, cell.pinnableCpus), 'cannot be given to one vCPU alone') ??
    errorOf('CPUUnpinningInvalid', cell, withoutCpus(cpus, cell.pinnedCpus), 'were not given away')
  );
}

function errorOf(
  errorClass: UsageError['errorClass'],
  cell: HostCell,
  cpus: CpuSet,
  what: string,
): UsageError | undefined {
  if (cpus.length === 0) return undefined;
  const message = `CPUs ${formatCpuSet(cpus)} of host cell ${cell.id} ${what}`;
  return { errorClass, hostCell: cell.id, cpus, message };
}
