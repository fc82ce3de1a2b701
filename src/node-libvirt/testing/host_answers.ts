/** What a fake host says of itself. */
import { NodeAllocPagesFlags } from '../constants/index.ts';
import { ErrorCode, ErrorDomain } from '../error_codes.ts';
import { Procedures } from '../procedures/index.ts';
import { BASE_PAGE_KIB, type FakeCell } from './fake_cells.ts';
import type { FakeHost } from './fake_host.ts';
import type { FakeLibvirtd } from './fake_libvirtd.ts';
import { FakeRefusal } from './refusal.ts';

const MHZ = 2400;
const WHOLE_HOST = -1;

export function installHostAnswers(daemon: FakeLibvirtd, host: FakeHost): void {
  const { cells } = host;
  daemon.answer(Procedures.CONNECT_GET_TYPE, () => ({ type: 'QEMU' }));
  daemon.answer(Procedures.CONNECT_GET_VERSION, () => ({ version: 7_002_000 }));
  daemon.answer(Procedures.CONNECT_GET_LIB_VERSION, () => ({ version: host.libVersion }));
  daemon.answer(Procedures.CONNECT_GET_HOSTNAME, () => ({ hostname: host.hostname }));
  daemon.answer(Procedures.CONNECT_GET_URI, () => ({ uri: 'qemu:///system' }));
  daemon.answer(Procedures.CONNECT_GET_CAPABILITIES, () => ({ capabilities: host.capabilitiesXml() }));
  daemon.answer(Procedures.NODE_GET_INFO, () => nodeInfo(host));
  daemon.answer(Procedures.NODE_GET_FREE_MEMORY, () => ({ bytes: sum(cells, ({ freeBytes }) => freeBytes) }));
  daemon.answer(Procedures.NODE_GET_CELLS_FREE_MEMORY, ({ startCell, maxCells }) => ({
    cellsBytes: cellsFrom(cells, startCell, maxCells).map(({ freeBytes }) => freeBytes),
  }));
  daemon.answer(Procedures.NODE_GET_FREE_PAGES, ({ pagesKib, startCell, cellCount }) => ({
    counts:
      startCell === WHOLE_HOST
        ? pagesKib.map((sizeKib) => sum(cells, (cell) => freePages(cell, sizeKib)))
        : cellsFrom(cells, startCell, cellCount).flatMap((cell) => pagesKib.map((sizeKib) => freePages(cell, sizeKib))),
  }));
  daemon.answer(Procedures.NODE_ALLOC_PAGES, ({ pagesKib, pageCounts, startCell, cellCount, flags }) => {
    const chosen = startCell === WHOLE_HOST ? cells : cellsFrom(cells, startCell, cellCount);
    const pools = chosen.flatMap((cell) =>
      pagesKib.map((sizeKib, nth) => ({ cell, sizeKib, count: pageCounts[nth] ?? 0 })),
    );
    for (const { cell, sizeKib, count } of pools) allocatePages(cell, sizeKib, count, flags);
    return { allocated: pools.length };
  });
}

function nodeInfo({ cells, arch }: FakeHost) {
  const cpus = sum(cells, (cell) => cell.cpus.length);
  const nodes = cells.length;
  // libvirt's own rule: where CPUs do not divide evenly it describes one large cell.
  const isEven = cells.every((cell) => cell.cpus.length * nodes === cpus);
  const topology = isEven
    ? { nodes, sockets: 1, cores: cpus / nodes, threads: 1 }
    : { nodes: 1, sockets: 1, cores: cpus, threads: 1 };
  return { model: arch, memoryKib: sum(cells, ({ memoryKib }) => memoryKib), cpus, mhz: MHZ, ...topology };
}

/** A run of cells by their numbers; those of it that do not exist are left out, but the first must not be too high. */
function cellsFrom(cells: readonly FakeCell[], start: number, count: number): FakeCell[] {
  const last = Math.max(...cells.map(({ id }) => id));
  if (start < 0 || start > last)
    throw new FakeRefusal({
      code: ErrorCode.INTERNAL_ERROR,
      domain: ErrorDomain.NONE,
      message: `internal error: start cell ${start} out of range (0-${last})`,
    });
  return cells.filter(({ id }) => id >= start && id < start + count);
}

function freePages(cell: FakeCell, sizeKib: number): number {
  const pool = cell.findPool(sizeKib);
  if (pool !== undefined) return pool.free;
  throw new FakeRefusal({
    code: ErrorCode.OPERATION_FAILED,
    domain: ErrorDomain.NONE,
    message: `operation failed: page size ${sizeKib} is not available on node ${cell.id}`,
  });
}

/** As the kernel: as many as it can make, and not a word where these are fewer. */
function allocatePages(cell: FakeCell, sizeKib: number, count: number, flags: number): void {
  if (sizeKib === BASE_PAGE_KIB)
    throw new FakeRefusal({
      code: ErrorCode.OPERATION_FAILED,
      domain: ErrorDomain.NONE,
      message: 'operation failed: system pages pool can not be modified',
    });
  freePages(cell, sizeKib);
  const pool = cell.pool(sizeKib);
  const base = cell.pool(BASE_PAGE_KIB);
  const wanted = flags === NodeAllocPagesFlags.SET ? count : pool.total + count;
  const possible = pool.total + Math.floor((base.free * BASE_PAGE_KIB) / sizeKib);
  const change = pool.resize(Math.min(wanted, possible));
  base.resize(base.total - (change * sizeKib) / BASE_PAGE_KIB);
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
