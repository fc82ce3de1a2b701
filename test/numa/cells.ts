/** Hosts and guests for the tests: small, and told by what is peculiar to them. */
import { firstCpus } from '../../src/numa/cpu_set.ts';
import type { GuestCell, GuestTopology } from '../../src/numa/guest_topology.ts';
import type { HostCell, PagePool } from '../../src/numa/host_cell.ts';

export const SMALL = 4;
export const MIB_2 = 2048;
export const GIB_1 = 1048576;

export function poolOf(sizeKib: number, total: number, counts: Partial<PagePool> = {}): PagePool {
  return { sizeKib, total, used: 0, reserved: 0, ...counts };
}

/** A host cell with 8 CPUs, four cores of two threads, 64 GiB and that many 2 MiB pages. */
export function hostCell(id: number, pages2M: number, peculiar: Partial<HostCell> = {}): HostCell {
  const cpus = firstCpus(8).map((nth) => id * 8 + nth);
  return {
    id,
    sharedCpus: cpus,
    pinnableCpus: cpus,
    pinnedCpus: [],
    siblings: [0, 2, 4, 6].map((nth) => cpus.slice(nth, nth + 2)),
    memoryKib: 64 * GIB_1,
    memoryUsedKib: 0,
    cpusUsed: 0,
    pools: [poolOf(SMALL, 1_000_000), poolOf(MIB_2, pages2M), poolOf(GIB_1, 0)],
    ...peculiar,
  };
}

/** A guest cell of that many 2 MiB pages and one vCPU. */
export function guestCell(id: number, pages2M: number, peculiar: Partial<GuestCell> = {}): GuestCell {
  return {
    id,
    sharedVcpus: [id],
    dedicatedVcpus: [],
    memoryKib: pages2M * MIB_2,
    pageSize: MIB_2,
    ...peculiar,
  };
}

export function guestOf(cells: readonly GuestCell[], peculiar: Partial<GuestTopology> = {}): GuestTopology {
  return { cells, cpuPolicy: null, threadPolicy: null, emulatorPolicy: null, ...peculiar };
}

/** One cell of pinned vCPUs. */
export function pinnedGuest(vcpus: number, peculiar: Partial<GuestTopology> = {}): GuestTopology {
  const cell = guestCell(0, 1, { sharedVcpus: [], dedicatedVcpus: firstCpus(vcpus) });
  return guestOf([cell], { cpuPolicy: 'dedicated', ...peculiar });
}
