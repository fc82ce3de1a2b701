/**
 * Hosts for the fits, in the words of the vector files: one to six cells whose numbers have gaps and no order, pools that
 * are uneven and small enough for a page more or less to matter, hyper-threads in both of the usual numberings, CPUs that
 * are given away, and each of the ways to configure the two CPU sets. A cell may be without CPUs or without pools.
 */
import fc from 'fast-check';
import { cpuSetOf, firstCpus, formatCpuSet } from '../../src/numa/cpu_set.ts';
import type { VectorHostCell } from '../../test/numa/vector_files.ts';

/** What cpu_shared_set and cpu_dedicated_set leave of the CPUs of a host. */
const CPU_SETS = ['neither', 'neither', 'neither', 'neither', 'both', 'both', 'dedicated', 'shared'] as const;

/** Page sizes in KiB that a cell can have. The smallest is the kernel's, so that all cells of a host have it. */
const SIZES = [
  [[4, 2048]],
  [
    [4, 2048],
    [4, 2048, 1048576],
    [4, 2048, 1048576],
    [1048576, 4, 2048],
  ],
  [[4, 2048], [4, 2048, 1048576], [4, 2048, 1048576], [4], []],
  [
    [64, 2048, 524288],
    [64, 2048, 524288],
    [64, 2048],
  ],
];

const KIB_PER_MIB = 1024;

type CellShape = {
  id: number;
  cores: number;
  sharedCpus: number;
  /** A bit for each CPU. */
  pinned: number;
  /** A number of a list of page sizes. */
  sizes: number;
  pools: { total: number; used: number; reserved: number }[];
  mem: number;
  memUsed: number;
  cpuUsed: number;
};

type HostShape = {
  cells: CellShape[];
  threads: number;
  /** Whether the threads of a core have neighbouring numbers, or numbers half a host apart. */
  neighbours: boolean;
  sets: (typeof CPU_SETS)[number];
  sizes: readonly (readonly number[])[];
  descending: boolean;
};

/** Pages that a few cells of a guest can run out of, in a pool for which two numbers are drawn. */
const poolArbitrary = fc.record({
  total: fc.oneof(fc.constantFrom(0, 1, 1, 2, 2, 3, 4), fc.constantFrom(3, 512, 513, 1024, 1024, 1536)),
  used: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(3)),
  reserved: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(2)),
});

const cellArbitrary: fc.Arbitrary<CellShape> = fc.record({
  id: fc.nat(9),
  cores: fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 2, max: 5 }) }, fc.constantFrom(1, 0)),
  sharedCpus: fc.nat(6),
  pinned: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(0xf), fc.nat(0xfffff)),
  sizes: fc.nat(11),
  pools: fc.array(poolArbitrary, { minLength: 3, maxLength: 3 }),
  mem: fc.oneof({ weight: 12, arbitrary: fc.constant(65536) }, fc.constantFrom(4, 8, 1024, 4096)),
  memUsed: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(16) }, fc.nat(70000)),
  cpuUsed: fc.oneof({ weight: 4, arbitrary: fc.nat(2) }, fc.nat(12)),
});

const cellsArbitrary = (minLength: number) =>
  fc.uniqueArray(cellArbitrary, { selector: ({ id }) => id, minLength, maxLength: 6, size: 'max' });

export const hosts: fc.Arbitrary<VectorHostCell[]> = fc
  .record({
    // A guest with more cells than the host needs no more than a look.
    cells: fc.oneof(cellsArbitrary(1), { weight: 3, arbitrary: cellsArbitrary(3) }),
    threads: fc.constantFrom(1, 2, 2, 4),
    neighbours: fc.boolean(),
    sets: fc.constantFrom(...CPU_SETS),
    sizes: fc.constantFrom(...SIZES),
    descending: fc.boolean(),
  })
  .map(hostOfShape);

/** The same without cells that have no pools: on these Nova places guests, and its account then fails with IndexError. */
export const hostsWithPools = hosts.filter((cells) => cells.every(({ pages }) => pages.length > 0));

function hostOfShape(shape: HostShape): VectorHostCell[] {
  const cores = shape.cells.reduce((sum, cell) => sum + cell.cores, 0);
  const threadOf = (core: number, thread: number) =>
    shape.neighbours ? core * shape.threads + thread : core + thread * cores;
  let coresBefore = 0;
  return shape.cells.map((cell) => {
    const siblings = firstCpus(cell.cores).map((nth) =>
      firstCpus(shape.threads).map((thread) => threadOf(coresBefore + nth, thread)),
    );
    coresBefore += cell.cores;
    return hostCellOf(shape, cell, siblings);
  });
}

function hostCellOf(shape: HostShape, cell: CellShape, siblings: readonly (readonly number[])[]): VectorHostCell {
  const online = cpuSetOf(siblings.flat());
  const { shared, pinnable } = setsOf(shape.sets, online, cell.sharedCpus);
  const pinned = pinnable.filter((_, bit) => ((cell.pinned >> bit) & 1) === 1);
  // Nova's own record of a host leaves out what is in neither set.
  const cut = siblings
    .map((core) => core.filter((cpu) => shared.includes(cpu) || pinnable.includes(cpu)))
    .filter((core) => core.length > 0);
  const { id, mem, memUsed, cpuUsed } = cell;
  const sizes = shape.sizes[cell.sizes % shape.sizes.length] ?? [];
  return {
    id,
    cpuset: formatCpuSet(shared),
    pcpuset: formatCpuSet(pinnable),
    pinned: formatCpuSet(pinned),
    sib: (shape.descending ? cut.toReversed() : cut).map((core) => core.join(',')).join(';'),
    mem,
    memUsed,
    cpuUsed,
    pages: sizes.map((size, at) => poolOf(size, Math.min(...sizes) === size, cell, at)),
  };
}

function setsOf(sets: HostShape['sets'], online: readonly number[], sharedCpus: number) {
  if (sets === 'neither') return { shared: online, pinnable: online };
  if (sets === 'dedicated') return { shared: [], pinnable: online };
  if (sets === 'shared') return { shared: online, pinnable: [] };
  return { shared: online.slice(0, sharedCpus), pinnable: online.slice(sharedCpus) };
}

/** Small pages are many: of these the numbers drawn count MiB. */
function poolOf(size: number, smallest: boolean, cell: CellShape, at: number): VectorHostCell['pages'][number] {
  const { total, used, reserved } = cell.pools[at] ?? { total: 0, used: 0, reserved: 0 };
  if (!smallest) return [size, total, used, reserved];
  const perMib = KIB_PER_MIB / size;
  // Odd: what is free is then rarely a whole number of MiB.
  return [size, total * perMib * 2, used * perMib + (used > 0 ? 1 : 0), reserved * perMib];
}
