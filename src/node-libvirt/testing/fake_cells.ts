/**
 * The NUMA cells of a fake host and the pages in them. Guests take whole pages out of the pools and give them back; who
 * else uses the host is played by the test (`take`, `give`).
 */
import { ErrorCode } from '../error_codes.ts';
import { unsupportedConfiguration, type MemoryPart, type PageWish } from './domain_definition.ts';
import { FakeRefusal } from './refusal.ts';

export type FakeCellOptions = {
  /** The number of the cell; default is its place. Hosts with gaps exist. */
  readonly id?: number;
  /** Numbers of its CPUs; none is possible. */
  readonly cpus: readonly number[];
  readonly memoryKib: number;
  /** Pools of huge pages. */
  readonly pools?: readonly { readonly sizeKib: number; readonly total: number }[];
  /** To each cell of the host, in order; default 10 to itself and 20 to the others. */
  readonly distances?: readonly number[];
};

export const BASE_PAGE_KIB = 4;

/** Pages of one size in one cell. */
export class FakePool {
  readonly sizeKib: number;
  #total: number;
  #free: number;

  constructor(sizeKib: number, total: number) {
    this.sizeKib = sizeKib;
    this.#total = total;
    this.#free = total;
  }

  get total(): number {
    return this.#total;
  }

  get free(): number {
    return this.#free;
  }

  /** Somebody uses pages. @throws {RangeError} more than there are. */
  take(count: number): void {
    if (!Number.isInteger(count) || count < 0 || count > this.#free)
      throw new RangeError(`${count} pages of ${this.sizeKib} KiB cannot be taken, ${this.#free} are free`);
    this.#free -= count;
  }

  /** Pages come back. @throws {RangeError} more than were taken. */
  give(count: number): void {
    if (!Number.isInteger(count) || count < 0 || this.#free + count > this.#total)
      throw new RangeError(`${count} pages of ${this.sizeKib} KiB were not taken`);
    this.#free += count;
  }

  /** Makes the pool larger or smaller, as far as its pages are not in use; tells by how many. */
  resize(total: number): number {
    const change = Math.max(total, this.#total - this.#free) - this.#total;
    this.#total += change;
    this.#free += change;
    return change;
  }
}

export class FakeCell {
  readonly id: number;
  readonly cpus: readonly number[];
  readonly memoryKib: number;
  readonly distances: readonly number[] | undefined;
  /** Base pages first, then huge ones by size. */
  readonly pools: readonly FakePool[];

  constructor(id: number, { cpus, memoryKib, pools = [], distances }: FakeCellOptions) {
    this.id = id;
    this.cpus = cpus;
    this.memoryKib = memoryKib;
    this.distances = distances;
    const hugeKib = pools.reduce((sum, { sizeKib, total }) => sum + sizeKib * total, 0);
    if (hugeKib > memoryKib) throw new RangeError(`cell ${id}: huge pages of ${hugeKib} KiB in ${memoryKib} KiB`);
    const huge = pools
      .map(({ sizeKib, total }) => new FakePool(sizeKib, total))
      .toSorted((a, b) => a.sizeKib - b.sizeKib);
    // As the kernel counts them: what is in a pool of huge pages is no base page.
    this.pools = [new FakePool(BASE_PAGE_KIB, Math.floor((memoryKib - hugeKib) / BASE_PAGE_KIB)), ...huge];
  }

  /** @throws {RangeError} where the cell has no pages of this size. */
  pool(sizeKib: number): FakePool {
    const pool = this.findPool(sizeKib);
    if (pool === undefined) throw new RangeError(`cell ${this.id} has no pages of ${sizeKib} KiB`);
    return pool;
  }

  findPool(sizeKib: number): FakePool | undefined {
    return this.pools.find((pool) => pool.sizeKib === sizeKib);
  }

  /** Memory that is in nobody's hands; as in the kernel, pages of pools are not free memory. */
  get freeBytes(): number {
    return this.pool(BASE_PAGE_KIB).free * BASE_PAGE_KIB * 1024;
  }
}

/** Pages that a guest holds. */
export type Holding = { readonly pool: FakePool; readonly count: number };

/**
 * Takes a guest's memory out of the pools, all of it or nothing.
 * @throws {FakeRefusal} as libvirt or QEMU says that it cannot be had.
 */
export function takeMemory(
  cells: readonly FakeCell[],
  parts: readonly MemoryPart[],
  { isImmediate }: { readonly isImmediate: boolean },
): Holding[] {
  const holdings: Holding[] = [];
  try {
    for (const part of parts) {
      const sizeKib = sizeOf(cells, part.pages);
      // Base pages come when the guest touches them, and this guest touches nothing.
      if (sizeKib !== BASE_PAGE_KIB || isImmediate) takePart(cells, part, sizeKib, holdings);
      else allowedCells(cells, part);
    }
    return holdings;
  } catch (error) {
    giveBack(holdings);
    throw error;
  }
}

export function giveBack(holdings: readonly Holding[]): void {
  for (const { pool, count } of holdings) pool.give(count);
}

function takePart(cells: readonly FakeCell[], part: MemoryPart, sizeKib: number, holdings: Holding[]): void {
  const allowed = allowedCells(cells, part);
  // «preferred» may go elsewhere when its own are empty.
  const others = part.mode === 'preferred' ? cells.filter((cell) => !allowed.includes(cell)) : [];
  let missing = Math.ceil(part.kib / sizeKib);
  if (part.mode === 'interleave') missing -= interleave(allowed, missing, sizeKib, holdings);
  for (const cell of [...allowed, ...others]) missing -= takeUpTo(cell, missing, sizeKib, holdings);
  if (missing > 0) throw outOfPages(cells, sizeKib, missing);
}

function interleave(cells: readonly FakeCell[], count: number, sizeKib: number, holdings: Holding[]): number {
  const share = Math.floor(count / cells.length);
  return cells.reduce((taken, cell) => taken + takeUpTo(cell, share, sizeKib, holdings), 0);
}

function takeUpTo(cell: FakeCell, wanted: number, sizeKib: number, holdings: Holding[]): number {
  const pool = cell.findPool(sizeKib);
  const count = Math.min(wanted, pool?.free ?? 0);
  if (pool === undefined || count === 0) return 0;
  pool.take(count);
  holdings.push({ pool, count });
  return count;
}

function allowedCells(cells: readonly FakeCell[], part: MemoryPart): readonly FakeCell[] {
  return (
    part.cells?.map((id) => {
      const cell = cells.find((one) => one.id === id);
      if (cell === undefined) throw unsupportedConfiguration(`NUMA node ${id} is unavailable`);
      return cell;
    }) ?? cells
  );
}

function sizeOf(cells: readonly FakeCell[], wish: PageWish): number {
  if (wish === 'base') return BASE_PAGE_KIB;
  const sizes = cells.flatMap((cell) => cell.pools.map((pool) => pool.sizeKib)).toSorted((a, b) => a - b);
  const size = wish === 'default' ? sizes.find((one) => one > BASE_PAGE_KIB) : sizes.find((one) => one === wish);
  if (size !== undefined) return size;
  if (wish === 'default') throw unsupportedConfiguration('hugepages are disabled by administrator config');
  throw new FakeRefusal({ message: `internal error: Unable to find any usable hugetlbfs mount for ${wish} KiB` });
}

/** What QEMU 7.2 says, in libvirt's words around it. */
function outOfPages(cells: readonly FakeCell[], sizeKib: number, missing: number): FakeRefusal {
  const free = cells.reduce((sum, cell) => sum + (cell.findPool(sizeKib)?.free ?? 0), 0);
  // With pages enough on other cells the mapping succeeds, and filling it fails.
  const why =
    free >= missing && sizeKib !== BASE_PAGE_KIB
      ? 'qemu_prealloc_mem: preallocating memory failed: Bad address'
      : 'unable to map backing store for guest RAM: Cannot allocate memory';
  return new FakeRefusal({
    code: ErrorCode.INTERNAL_ERROR,
    message: `internal error: process exited while connecting to monitor: ${new Date().toISOString()} qemu-system-x86_64: ${why}`,
  });
}
