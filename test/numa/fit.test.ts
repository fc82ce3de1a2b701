/** Properties of the fit against brute force, on hosts and guests of every kind that are small enough for it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fit, fitMatrix, tryOrder, type Placement } from '../../src/numa/fit.ts';
import type { GuestTopology } from '../../src/numa/guest_topology.ts';
import { freePages, type HostCell } from '../../src/numa/host_cell.ts';
import { claim, free, type UsageResult } from '../../src/numa/usage.ts';
import { firstCpus } from '../../src/numa/cpu_set.ts';
import { GIB_1, guestCell, guestOf, hostCell, MIB_2, poolOf, SMALL } from './cells.ts';
import { deepFreeze } from './vector_files.ts';

/** For the long run; the tests that run before each commit have seconds. */
const RUNS = Number(process.env.HUGENODE_PROPERTY_RUNS ?? 3000);

const hostCellArbitrary = (id: number) =>
  fc
    .record({
      pages2M: fc.nat(6),
      pages1G: fc.nat(2),
      reserved: fc.nat(2),
      used: fc.nat(2),
      pinned: fc.subarray([0, 1, 2, 3, 4, 5, 6, 7]),
      cpusUsed: fc.nat(20),
      memoryUsed: fc.nat(70),
    })
    .map(({ pages2M, pages1G, reserved, used, pinned, cpusUsed, memoryUsed }) =>
      hostCell(id, 0, {
        pools: [poolOf(SMALL, 1024), poolOf(MIB_2, pages2M, { reserved, used }), poolOf(GIB_1, pages1G)],
        pinnedCpus: pinned.map((nth) => id * 8 + nth),
        cpusUsed,
        memoryUsedKib: memoryUsed * GIB_1,
      }),
    );

// Ids with gaps, and not in order.
const hostArbitrary = fc
  .integer({ min: 1, max: 4 })
  .chain((cells) => fc.tuple(...[9, 2, 5, 0].slice(0, cells).map(hostCellArbitrary)));

const guestArbitrary: fc.Arbitrary<GuestTopology> = fc
  .record({
    shapes: fc.array(
      fc.record({
        memoryKib: fc.constantFrom(MIB_2, 2 * MIB_2, 3 * MIB_2, GIB_1, 4, 3),
        vcpus: fc.integer({ min: 1, max: 3 }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    pageSize: fc.constantFrom('small' as const, 'large' as const, 'any' as const, MIB_2, GIB_1, 16384, null),
    cpuPolicy: fc.constantFrom('shared' as const, 'dedicated' as const, 'mixed' as const, null),
    threadPolicy: fc.constantFrom('prefer' as const, 'isolate' as const, 'require' as const, null),
    emulatorPolicy: fc.constantFrom('isolate' as const, 'share' as const, null),
  })
  .map(({ shapes, pageSize, cpuPolicy, threadPolicy, emulatorPolicy }) => {
    const pinned = cpuPolicy === 'dedicated' || cpuPolicy === 'mixed';
    const cells = shapes.map(({ memoryKib, vcpus }, id) => {
      const ids = firstCpus(vcpus).map((nth) => id * 3 + nth);
      const dedicated = cpuPolicy === 'dedicated' ? ids : ids.slice(0, cpuPolicy === 'mixed' ? 1 : 0);
      return guestCell(id, 0, {
        memoryKib,
        pageSize,
        sharedVcpus: ids.slice(dedicated.length),
        dedicatedVcpus: dedicated,
      });
    });
    return guestOf(cells, {
      cpuPolicy,
      threadPolicy: pinned ? threadPolicy : null,
      emulatorPolicy: pinned ? emulatorPolicy : null,
    });
  });

const optionsArbitrary = fc.record({
  limits: fc.constantFrom(null, { cpuRatio: 2, ramRatio: 1 }),
  pack: fc.boolean(),
  zeroPinnedCells: fc.boolean(),
  emulatorOnFreeCore: fc.boolean(),
});

/** Nova's own answer on isolated emulator threads cannot always be claimed. */
const CLAIMABLE = { emulatorOnFreeCore: true };

/** The first permutation of the host cells in try order of which every pair is accepted. */
function bruteForce(...[guest, host, options]: Required<Parameters<typeof fit>>): number[] | undefined {
  const order = tryOrder(guest, host, options);
  const matrix = fitMatrix(guest, host, options);
  const search = (at: number, taken: readonly number[]): number[] | undefined => {
    if (at === guest.cells.length) return [...taken];
    for (const cell of order) {
      const verdict = matrix[at]?.verdicts[host.indexOf(cell)];
      if (taken.includes(cell.id) || verdict?.accepted !== true) continue;
      const rest = search(at + 1, [...taken, cell.id]);
      if (rest !== undefined) return rest;
    }
    return undefined;
  };
  return search(0, []);
}

test('property: admits whenever brute force finds a placement, and the same one', () => {
  fc.assert(
    fc.property(guestArbitrary, hostArbitrary, optionsArbitrary, (guest, host, options) => {
      deepFreeze([guest, host, options]);
      const result = fit(guest, host, options);
      const hostCells = result.fits ? result.placement.map((cell) => cell.hostCell) : undefined;
      expect(hostCells).toEqual(bruteForce(guest, host, options));
      if (result.fits || result.refusal.reason === 'too-few-host-cells') return;
      expect(result.refusal.matrix).toEqual(fitMatrix(guest, host, options));
    }),
    { numRuns: RUNS },
  );
});

test('property: never more than is free, of pages and of CPUs', () => {
  fc.assert(
    fc.property(guestArbitrary, hostArbitrary, optionsArbitrary, (guest, host, options) => {
      const result = fit(deepFreeze(guest), deepFreeze(host), options);
      if (!result.fits) return;
      expect(new Set(result.placement.map((cell) => cell.hostCell)).size).toBe(guest.cells.length);
      expect(result.placement.flatMap((placed) => beyond(placed, host))).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});

test('property: claiming and freeing is as if nothing had been', () => {
  fc.assert(
    fc.property(guestArbitrary, hostArbitrary, optionsArbitrary, (guest, host, options) => {
      deepFreeze([guest, host]);
      const result = fit(guest, host, { ...options, ...CLAIMABLE });
      if (!result.fits) return;
      const claimed = hostOf(claim(host, guest, deepFreeze(result.placement)));
      expect(hostOf(free(deepFreeze(claimed), guest, result.placement))).toEqual(host);
    }),
    { numRuns: RUNS },
  );
});

test('property: guests that were admitted one after the other never have more than there is', () => {
  fc.assert(
    fc.property(fc.array(guestArbitrary, { maxLength: 8 }), hostArbitrary, (guests, host) => {
      let now: readonly HostCell[] = deepFreeze(host);
      for (const guest of guests) {
        const result = fit(guest, now, CLAIMABLE);
        if (result.fits) now = deepFreeze(hostOf(claim(now, guest, result.placement)));
      }
      expect(now.flatMap((cell) => cell.pinnedCpus.filter((cpu) => !cell.pinnableCpus.includes(cpu)))).toEqual([]);
      // More small pages may be in use than there are: guests without a page size overcommit them.
      const overdrawn = now.flatMap((cell, at) =>
        cell.pools.filter((pool, nth) => {
          return pool.sizeKib !== SMALL && freePages(pool) < Math.min(0, freeBefore(host, at, nth));
        }),
      );
      expect(overdrawn).toEqual([]);
    }),
    { numRuns: Math.ceil(RUNS / 3) },
  );
});

test('every combination of up to three free pages on three host cells and three guest cells', () => {
  const wrong = triples(0).flatMap((freeCounts) =>
    triples(1).filter((needs) => {
      const host = freeCounts.map((pages, id) => hostCell(id, pages));
      const guest = guestOf(needs.map((pages, id) => guestCell(id, pages)));
      const mostFree = freeCounts.toSorted((a, b) => b - a);
      const possible = needs.toSorted((a, b) => b - a).every((need, at) => need <= (mostFree[at] ?? 0));
      return fit(guest, host).fits !== possible;
    }),
  );
  expect(wrong).toEqual([]);
});

function triples(least: number): number[][] {
  const counts = [0, 1, 2, 3].filter((count) => count >= least);
  return counts.flatMap((a) => counts.flatMap((b) => counts.map((c) => [a, b, c])));
}

function hostOf(result: UsageResult): readonly HostCell[] {
  if (!result.ok) throw new Error(result.error.message);
  return result.host;
}

function freeBefore(host: readonly HostCell[], cellAt: number, poolAt: number): number {
  const pool = host[cellAt]?.pools[poolAt];
  return pool === undefined ? 0 : freePages(pool);
}

/** What a placed cell has beyond what its host cell had to give. */
function beyond(placed: Placement[number], host: readonly HostCell[]): string[] {
  const cell = host.find(({ id }) => id === placed.hostCell);
  const pool = cell?.pools.find(({ sizeKib }) => sizeKib === placed.pageSizeKib);
  const pages = placed.pageSizeKib === null ? 0 : placed.memoryKib / placed.pageSizeKib;
  const tooMany = !Number.isInteger(pages) || (pages > 0 && (pool === undefined || pages > freePages(pool)));
  const cpus = [...placed.pins.map(({ cpu }) => cpu), ...placed.reservedCpus];
  const busy = cpus.filter((cpu) => cell?.pinnableCpus.includes(cpu) !== true || cell.pinnedCpus.includes(cpu));
  const twice = cpus.filter((cpu, at) => cpus.indexOf(cpu) !== at);
  return [...(tooMany ? ['pages'] : []), ...busy.map((cpu) => `busy ${cpu}`), ...twice.map((cpu) => `twice ${cpu}`)];
}
