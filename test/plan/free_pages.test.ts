/** The proof of the advice: following it fits, and no smaller number of pages does, by trying all of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fit } from '../../src/numa/fit.ts';
import type { GuestTopology } from '../../src/numa/guest_topology.ts';
import { freePages, type HostCell } from '../../src/numa/host_cell.ts';
import type { FitOptions } from '../../src/numa/pair_table.ts';
import { advise, adviseFreePages, applyAdvice } from '../../src/plan/advice.ts';
import { describeAdvice } from '../../src/plan/describe_advice.ts';
import { GIB_1, guestCell, guestOf, hostCell, MIB_2, pinnedGuest, poolOf, SMALL } from '../numa/cells.ts';
import { deepFreeze } from '../numa/vector_files.ts';
import { guestArbitrary, hostArbitrary, optionsArbitrary, RUNS } from './arbitraries.ts';

/** A full host cell: so many 2 MiB pages, all of them in use. */
function fullCell(id: number, pages: number, peculiar: Partial<HostCell> = {}): HostCell {
  return hostCell(id, 0, { pools: [poolOf(MIB_2, pages, { used: pages })], memoryUsedKib: pages * MIB_2, ...peculiar });
}

describe('the pages to free', () => {
  test('are those of the node that lacks the fewest', () => {
    const host = [
      hostCell(0, 20, { pools: [poolOf(MIB_2, 20, { used: 15 })] }),
      hostCell(1, 20, { pools: [poolOf(MIB_2, 20, { used: 12 })] }),
    ];
    const [advice] = advise(guestOf([guestCell(0, 20)]), host);
    expect(advice).toEqual({
      kind: 'free-pages',
      free: [{ hostCell: 1, pageSizeKib: MIB_2, pages: 12 }],
      pages: 12,
      memoryKib: 12 * MIB_2,
    });
    expect(advice && describeAdvice(advice)).toBe('free 12 pages of 2 MiB on node 1');
  });

  test('are the fewest together, where each guest cell alone would have the same node', () => {
    // Cell 0 has room on node 1; but there cell 1 lacks 4 instead of 7, which is worth the 2 that cell 0 then lacks.
    const host = [
      hostCell(0, 0, { pools: [poolOf(MIB_2, 9, { used: 7 })] }),
      hostCell(1, 0, { pools: [poolOf(MIB_2, 9, { used: 4 })] }),
    ];
    const advice = adviseFreePages(guestOf([guestCell(0, 4), guestCell(1, 9)]), host);
    expect(advice?.pages).toBe(6);
    expect(advice && describeAdvice(advice)).toBe(
      'free 2 pages of 2 MiB on node 0 and 4 pages of 2 MiB on node 1 (6 pages together)',
    );
  });

  test('are counted, not weighed: one page of 1 GiB is less than two of 2 MiB', () => {
    const pools = [poolOf(SMALL, 1000), poolOf(MIB_2, 512, { used: 2 }), poolOf(GIB_1, 1, { used: 1 })];
    const guest = guestOf([guestCell(0, 512, { pageSize: 'large' })]);
    expect(adviseFreePages(guest, [hostCell(0, 0, { pools })])?.free).toEqual([
      { hostCell: 0, pageSizeKib: GIB_1, pages: 1 },
    ]);
  });

  test('of as many pages are those of less memory', () => {
    const pools = [poolOf(SMALL, 1000), poolOf(GIB_1, 1, { used: 1 }), poolOf(MIB_2, 512, { used: 1 })];
    const guest = guestOf([guestCell(0, 512, { pageSize: 'large' })]);
    expect(adviseFreePages(guest, [hostCell(0, 0, { pools })])?.memoryKib).toBe(MIB_2);
  });

  test('are on the node that is tried first where several lack as many', () => {
    const busy = fullCell(0, 8, { cpusUsed: 3 });
    const guest = guestOf([guestCell(0, 2)]);
    expect(adviseFreePages(guest, [busy, fullCell(1, 8)])?.free[0]?.hostCell).toBe(1);
    expect(adviseFreePages(guest, [busy, fullCell(1, 8)], { pack: true })?.free[0]?.hostCell).toBe(0);
  });

  test('are never those that are reserved', () => {
    const pools = [poolOf(MIB_2, 8, { used: 4, reserved: 4 })];
    const host = [hostCell(0, 0, { pools })];
    expect(adviseFreePages(guestOf([guestCell(0, 4)]), host)?.pages).toBe(4);
    expect(adviseFreePages(guestOf([guestCell(0, 5)]), host)).toBeUndefined();
  });

  test('are none on a node that refuses for its CPUs', () => {
    const cpus = { pinnedCpus: [0, 1, 2, 3, 4, 5, 6, 7] };
    expect(adviseFreePages(pinnedGuest(2), [fullCell(0, 8, cpus), fullCell(1, 8)])?.free[0]?.hostCell).toBe(1);
    expect(adviseFreePages(pinnedGuest(2), [fullCell(0, 8, cpus)])).toBeUndefined();
  });

  test('give a pinned guest on a full node its memory too', () => {
    const full = fullCell(0, 8, { memoryKib: 8 * MIB_2 });
    expect(adviseFreePages(pinnedGuest(2), [full])?.pages).toBe(1);
    const overcommitted = fullCell(0, 8, { memoryKib: 5 * MIB_2 });
    expect(adviseFreePages(pinnedGuest(2), [overcommitted])?.pages).toBe(4);
  });

  test('do not help a guest that has more cells than the host', () => {
    expect(advise(guestOf([guestCell(0, 1), guestCell(1, 1)]), [fullCell(0, 8)])).toEqual([]);
  });
});

test('property: following the advice fits, and where it fits there is none', () => {
  fc.assert(
    fc.property(guestArbitrary, hostArbitrary, optionsArbitrary, (guest, host, options) => {
      deepFreeze([guest, host, options]);
      const advice = advise(guest, host, options);
      expect(fit(guest, host, options).fits ? advice : []).toEqual([]);
      for (const one of deepFreeze(advice)) {
        const after = applyAdvice(one, guest, host);
        expect(fit(after.guest, after.host, options).fits).toBe(true);
        expect(after.host.every((cell, at) => isPossible(cell, host[at]))).toBe(true);
      }
    }),
    { numRuns: RUNS },
  );
});

test('property: trying every smaller number of freed pages, none fits', () => {
  let advised = 0;
  fc.assert(
    fc.property(guestArbitrary, hostArbitrary, optionsArbitrary, (guest, host, options) => {
      deepFreeze([guest, host, options]);
      if (fit(guest, host, options).fits) return;
      const pages = adviseFreePages(guest, host, options)?.pages;
      // A larger number would take minutes to try, and shows nothing that a smaller one does not.
      fc.pre(pages === undefined || pages <= 6);
      if (pages !== undefined) advised += 1;
      // Each page that comes free can only help: where no number is named, all of them do not.
      const withLess =
        pages === undefined
          ? fit(guest, host.map(emptied), options).fits
          : fitsWith(pages - 1, 0, guest, host, options);
      expect(withLess).toBe(false);
    }),
    { numRuns: RUNS },
  );
  expect(advised).toBeGreaterThan(RUNS / 20);
});

/** Whether the guest fits with at most so many pages freed, in whatever way, from this pool on. */
function fitsWith(
  pages: number,
  from: number,
  guest: GuestTopology,
  host: readonly HostCell[],
  options: FitOptions,
): boolean {
  if (fit(guest, host, options).fits) return true;
  if (pages === 0) return false;
  const places = host.flatMap((cell, cellAt) => cell.pools.map((pool, poolAt) => ({ cellAt, poolAt, pool })));
  return places.some(({ cellAt, poolAt, pool }, at) => {
    if (at < from || pool.used === 0) return false;
    return fitsWith(
      pages - 1,
      at,
      guest,
      host.map((cell, nth) => (nth === cellAt ? freeOne(cell, poolAt) : cell)),
      options,
    );
  });
}

function freeOne(cell: HostCell, poolAt: number): HostCell {
  const sizeKib = cell.pools[poolAt]?.sizeKib ?? 0;
  const pools = cell.pools.map((pool, at) => (at === poolAt ? { ...pool, used: pool.used - 1 } : pool));
  return { ...cell, pools, memoryUsedKib: Math.max(0, cell.memoryUsedKib - sizeKib) };
}

/** With no page in use. */
function emptied(cell: HostCell): HostCell {
  const inPages = cell.pools.reduce((sum, { used, sizeKib }) => sum + used * sizeKib, 0);
  const pools = cell.pools.map((pool) => ({ ...pool, used: 0 }));
  return { ...cell, pools, memoryUsedKib: Math.max(0, cell.memoryUsedKib - inPages) };
}

/** Whether no more came free than was in use, and so never what is reserved. */
function isPossible(after: HostCell, before: HostCell | undefined): boolean {
  return after.pools.every((pool, at) => {
    const least = Math.min(pool.total - pool.reserved, pool.total);
    return pool.used >= 0 && pool.used <= (before?.pools[at]?.used ?? 0) && freePages(pool) <= least;
  });
}
