/**
 * Memory mode `preferred`: where no host cell has all the pages of a guest cell, others give the rest. The guest's CPUs
 * are where they would be, each guest cell on a host cell of its own; only memory is farther away.
 *
 * Which host cells give the rest is the kernel's choice, by distance, while QEMU touches the pages; and it knows nothing
 * of pages that are set aside. So a guest is split only where no order of taking could touch those: whatever cells it
 * comes from, each has enough left.
 */
import { wholePages } from '../units.ts';
import { fit, type FitRefusal, type PagesElsewhere, type Placement } from './fit.ts';
import type { GuestTopology } from './guest_topology.ts';
import { freePages, smallestPool, type HostCell, type PagePool } from './host_cell.ts';
import type { PageSizeWish } from './memory_backing.ts';
import { allowedSizes } from './pages.ts';
import type { FitOptions } from './pair_table.ts';

/** Why the pages of one size do not do, even from several host cells. */
export type AcrossRefusal = { readonly pageSizeKib: number } & (
  | { readonly code: 'not-whole-pages' }
  /** All host cells together. */
  | { readonly code: 'too-few-pages'; readonly needed: number; readonly free: number }
  /** The host cell has pages set aside, and the kernel could hand them to this guest. */
  | { readonly code: 'set-aside'; readonly hostCell: number; readonly needed: number; readonly setAside: number }
  /** The CPUs of the guest fit nowhere, wherever its memory comes from. */
  | { readonly code: 'cpus' }
);

export type ModeFit =
  | { readonly fits: true; readonly placement: Placement }
  /** `across`: for each page size that was tried; empty where the mode is strict. */
  | { readonly fits: false; readonly refusal: FitRefusal; readonly across: readonly AcrossRefusal[] };

/** As {@link fit}; and where that finds nothing, across host cells if the memory mode is `preferred`. */
export function fitByMode(guest: GuestTopology, host: readonly HostCell[], options: FitOptions = {}): ModeFit {
  const strict = fit(guest, host, options);
  if (strict.fits) return strict;
  const { refusal } = strict;
  if (options.memoryMode !== 'preferred' || refusal.reason === 'too-few-host-cells') {
    return { fits: false, refusal, across: [] };
  }
  const across: AcrossRefusal[] = [];
  for (const pageSizeKib of commonSizes(guest, host, options)) {
    const attempt = fitAcross(guest, host, options, pageSizeKib);
    if ('placement' in attempt) return { fits: true, placement: attempt.placement };
    across.push(attempt);
  }
  return { fits: false, refusal, across };
}

/** Pages that one guest cell wants of one host cell before all others. */
export type Want = { readonly hostCell: number; readonly pages: number };

/**
 * Gives each guest cell what its host cell has, and the rest from the others, as the kernel does it: one after the other,
 * each first at home, then on the next numbers up and round again (where all are equally far).
 * @param pools free pages by host cell.
 * @returns what each has elsewhere, in the order of the wants.
 */
export function spreadPages(wants: readonly Want[], pools: readonly Want[]): readonly (readonly PagesElsewhere[])[] {
  const left = new Map(pools.map(({ hostCell, pages }) => [hostCell, pages]));
  const take = (hostCell: number, wanted: number): number => {
    const there = Math.max(0, left.get(hostCell) ?? 0);
    const taken = Math.min(there, wanted);
    left.set(hostCell, there - taken);
    return taken;
  };
  return wants.map(({ hostCell: home, pages }) => {
    let missing = pages - take(home, pages);
    const others = [...left.keys()].toSorted((a, b) => Number(a < home) - Number(b < home) || a - b);
    const elsewhere: PagesElsewhere[] = [];
    for (const hostCell of others) {
      const taken = take(hostCell, missing);
      missing -= taken;
      if (taken > 0) elsewhere.push({ hostCell, pages: taken });
    }
    return elsewhere;
  });
}

function fitAcross(
  guest: GuestTopology,
  host: readonly HostCell[],
  options: FitOptions,
  pageSizeKib: number,
): { readonly placement: Placement } | AcrossRefusal {
  const needed = guest.cells.map((cell) => wholePages(cell.memoryKib, pageSizeKib));
  if (!needed.every((pages) => pages !== undefined)) return { code: 'not-whole-pages', pageSizeKib };
  const sum = needed.reduce((total, pages) => total + pages, 0);
  const pools = host.flatMap((cell) => {
    const pool = cell.pools.find(({ sizeKib }) => sizeKib === pageSizeKib);
    return pool === undefined ? [] : [{ hostCell: cell.id, pool, pages: Math.max(0, freePages(pool)) }];
  });
  const free = pools.reduce((total, { pages }) => total + pages, 0);
  if (sum > free) return { code: 'too-few-pages', pageSizeKib, needed: sum, free };
  const touched = pools.find(({ pool }) => touchesSetAside(pool, sum));
  if (touched !== undefined) {
    const { hostCell, pool } = touched;
    return { code: 'set-aside', pageSizeKib, hostCell, needed: sum, setAside: setAsideOf(pool) };
  }
  const boundless = host.map((cell) => unboundedMemory(cell, pageSizeKib));
  const homes = fit(withPageSize(guest, pageSizeKib), boundless, { ...options, limits: null });
  if (!homes.fits) return { code: 'cpus', pageSizeKib };
  const wants = homes.placement.map(({ hostCell }, at) => ({ hostCell, pages: needed[at] ?? 0 }));
  const spread = spreadPages(wants, pools);
  return {
    placement: homes.placement.map((placed, at) => {
      const elsewhere = spread[at] ?? [];
      return elsewhere.length === 0 ? placed : { ...placed, elsewhere };
    }),
  };
}

/** Whether a guest that takes as many as it wants here could take what is set aside. */
function touchesSetAside(pool: PagePool, wanted: number): boolean {
  const setAside = setAsideOf(pool);
  const inKernel = freePages(pool) + setAside;
  return setAside > 0 && inKernel - Math.min(wanted, inKernel) < setAside;
}

function setAsideOf({ setAside, reserved }: PagePool): number {
  return setAside ?? reserved;
}

/** Page sizes that all guest cells may have, in the order of preference. */
function commonSizes(guest: GuestTopology, host: readonly HostCell[], options: FitOptions): readonly number[] {
  const pools = host.flatMap((cell) => cell.pools);
  const sizes = [...new Set(pools.map(({ sizeKib }) => sizeKib))];
  const allowed = sizes.filter((sizeKib) => guest.cells.every(({ pageSize }) => allows(pools, pageSize, sizeKib)));
  if (options.pageSizePreference !== 'best-fit') return allowed.toSorted((a, b) => b - a);
  const base = smallestPool(pools)?.sizeKib;
  return allowed.toSorted((a, b) => Number(a === base) - Number(b === base) || a - b);
}

function allows(pools: readonly PagePool[], wish: PageSizeWish | null, sizeKib: number): boolean {
  if (wish === null) return false;
  const { leastKib, mostKib } = allowedSizes(pools, wish);
  return sizeKib >= leastKib && sizeKib <= mostKib;
}

function withPageSize(guest: GuestTopology, pageSize: number): GuestTopology {
  return { ...guest, cells: guest.cells.map((cell) => ({ ...cell, pageSize })) };
}

/** More than any host has, and little enough to be exact. */
const BOUNDLESS_KIB = 2 ** 50;

/**
 * The host cell as far as CPUs are concerned. Pages of that size that are really free stay the order of trying: most
 * first, so that as much as possible is at home.
 */
function unboundedMemory(cell: HostCell, pageSizeKib: number): HostCell {
  const pool = cell.pools.find(({ sizeKib }) => sizeKib === pageSizeKib);
  const freeKib = pool === undefined ? 0 : Math.max(0, freePages(pool)) * pageSizeKib;
  const pools = cell.pools.map(({ sizeKib }) => ({ sizeKib, total: BOUNDLESS_KIB, used: 0, reserved: 0 }));
  return { ...cell, memoryKib: BOUNDLESS_KIB + freeKib, memoryUsedKib: 0, pools };
}
