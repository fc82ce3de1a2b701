/**
 * Fits of 8 guest cells on 16 host cells that leave a search the most to do: where permutations would be tried in order,
 * the answer is the last one or none. Every cell has 64 cores of two threads, and guests are pinned.
 */
import type { GuestTopology } from '../../../src/numa/guest_topology.ts';
import type { HostCell } from '../../../src/numa/host_cell.ts';

const HOST_CELLS = 16;
const GUEST_CELLS = 8;
const CORES = 64;
const PAGE_KIB = 2048;
const VCPUS_PER_CELL = 16;

export type WorstCase = {
  readonly name: string;
  readonly fits: boolean;
  readonly guest: GuestTopology;
  readonly host: readonly HostCell[];
};

export function worstCases(): readonly WorstCase[] {
  return [
    {
      name: 'each guest cell larger than the one before, as many host cells as can take it',
      fits: true,
      guest: guestOf((cell) => cell + 1),
      host: hostOf((cell) => (cell < GUEST_CELLS ? cell + 1 : 0)),
    },
    {
      name: 'seven host cells for eight guest cells, each of which fits on them',
      fits: false,
      guest: guestOf((cell) => cell + 1),
      host: hostOf((cell) => (cell < GUEST_CELLS - 1 ? GUEST_CELLS : 0)),
    },
    {
      name: 'the last guest cells share one host cell, the first ones have all',
      fits: false,
      guest: guestOf((cell) => (cell < GUEST_CELLS - 2 ? 1 + cell : 100 + cell)),
      host: hostOf((cell) => (cell === HOST_CELLS - 1 ? 1000 : 50)),
    },
    { name: 'no page anywhere', fits: false, guest: guestOf((cell) => cell + 1), host: hostOf(() => 0) },
    {
      name: 'isolated threads, busy cores, and every cell refused for that',
      fits: false,
      guest: { ...guestOf((cell) => cell + 1), threadPolicy: 'isolate', emulatorPolicy: 'isolate' },
      host: hostOf(() => 1000, true),
    },
  ];
}

function guestOf(pages: (cell: number) => number): GuestTopology {
  const cells = Array.from({ length: GUEST_CELLS }, (_, id) => ({
    id,
    sharedVcpus: [],
    dedicatedVcpus: Array.from({ length: VCPUS_PER_CELL }, (_unused, nth) => id * VCPUS_PER_CELL + nth),
    memoryKib: pages(id) * PAGE_KIB,
    pageSize: 'large' as const,
  }));
  return { cells, cpuPolicy: 'dedicated', threadPolicy: 'prefer', emulatorPolicy: null };
}

function hostOf(freePages: (cell: number) => number, busy = false): HostCell[] {
  return Array.from({ length: HOST_CELLS }, (_, id) => {
    const siblings = Array.from({ length: CORES }, (_unused, core) => {
      const first = 2 * (id * CORES + core);
      return [first, first + 1];
    });
    const cpus = siblings.flat();
    return {
      id,
      sharedCpus: cpus,
      pinnableCpus: cpus,
      pinnedCpus: busy ? siblings.map((core) => Math.min(...core)) : [],
      siblings,
      memoryKib: 4096 * PAGE_KIB,
      memoryUsedKib: 0,
      cpusUsed: 0,
      pools: [
        { sizeKib: 4, total: 1_000_000, used: 0, reserved: 0 },
        { sizeKib: PAGE_KIB, total: 2000, used: 2000 - freePages(id), reserved: 0 },
      ],
    };
  });
}
