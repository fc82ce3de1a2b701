/** Hosts and guests that are small enough for brute force: mostly full host cells, so that there is something to free. */
import fc from 'fast-check';
import { firstCpus } from '../../src/numa/cpu_set.ts';
import type { GuestTopology } from '../../src/numa/guest_topology.ts';
import type { HostCell } from '../../src/numa/host_cell.ts';
import { guestCell, guestOf, hostCell, poolOf } from '../numa/cells.ts';

/** Two sizes of which one holds four of the other, so that both the count and the memory of freed pages matter. */
export const BASE = 4;
export const HUGE = 16;

/** For the long run; the tests that run before each commit have seconds. */
export const RUNS = Number(process.env.HUGENODE_PROPERTY_RUNS ?? 3000);

const poolArbitrary = (sizeKib: number) =>
  fc
    .record({ free: fc.integer({ min: -1, max: 2 }), used: fc.nat(4), reserved: fc.constantFrom(0, 0, 1) })
    .map(({ free, used, reserved }) => poolOf(sizeKib, Math.max(0, free + used + reserved), { used, reserved }));

const hostCellArbitrary = (id: number): fc.Arbitrary<HostCell> =>
  fc
    .record({
      base: poolArbitrary(BASE),
      huge: poolArbitrary(HUGE),
      sizes: fc.constantFrom('both', 'both', 'both', 'turned', 'huge'),
      pinned: fc.subarray([0, 1, 2, 3, 4, 5, 6, 7], { maxLength: 7 }),
      cpusUsed: fc.nat(20),
      memoryKib: fc.constantFrom(16, 40, 64, 1024),
      otherUsedKib: fc.constantFrom(-8, 0, 0, 4, 24),
    })
    .map(({ base, huge, sizes, pinned, cpusUsed, memoryKib, otherUsedKib }) => {
      const pools = sizes === 'both' ? [base, huge] : sizes === 'turned' ? [huge, base] : [huge];
      const inPages = pools.reduce((sum, { used, sizeKib }) => sum + used * sizeKib, 0);
      return hostCell(id, 0, {
        pools,
        pinnedCpus: pinned.map((nth) => id * 8 + nth),
        cpusUsed,
        memoryKib,
        memoryUsedKib: Math.max(0, inPages + otherUsedKib),
      });
    });

/** One to four host cells; ids with gaps, and not in order. */
export const hostArbitrary = fc
  .integer({ min: 1, max: 4 })
  .chain((cells) => fc.tuple(...[9, 2, 5, 0].slice(0, cells).map(hostCellArbitrary)));

/** One to three guest cells. */
export const guestArbitrary: fc.Arbitrary<GuestTopology> = fc
  .record({
    shapes: fc.array(
      fc.record({ memoryKib: fc.constantFrom(4, 8, 16, 16, 32, 48), vcpus: fc.integer({ min: 1, max: 3 }) }),
      { minLength: 1, maxLength: 3 },
    ),
    pageSize: fc.constantFrom('small' as const, 'large' as const, 'any' as const, BASE, HUGE, 64, null),
    cpuPolicy: fc.constantFrom('shared' as const, 'dedicated' as const, 'mixed' as const, null, null),
    threadPolicy: fc.constantFrom('prefer' as const, 'isolate' as const, 'require' as const, null, null),
    emulatorPolicy: fc.constantFrom('isolate' as const, 'share' as const, null),
  })
  .map(({ shapes, pageSize, cpuPolicy, threadPolicy, emulatorPolicy }) => {
    const pinned = cpuPolicy === 'dedicated' || cpuPolicy === 'mixed';
    const cells = shapes.map(({ memoryKib, vcpus }, id) => {
      const ids = firstCpus(vcpus).map((nth) => id * 3 + nth);
      const dedicated = cpuPolicy === 'dedicated' ? ids : ids.slice(0, cpuPolicy === 'mixed' ? 1 : 0);
      const sharedVcpus = ids.slice(dedicated.length);
      return guestCell(id, 0, { memoryKib, pageSize, sharedVcpus, dedicatedVcpus: dedicated });
    });
    return guestOf(cells, {
      cpuPolicy,
      threadPolicy: pinned ? threadPolicy : null,
      emulatorPolicy: pinned ? emulatorPolicy : null,
    });
  });

export const optionsArbitrary = fc.record({
  limits: fc.constantFrom(null, null, { cpuRatio: 2, ramRatio: 1 }, { cpuRatio: 16, ramRatio: 1.5 }),
  pack: fc.boolean(),
  zeroPinnedCells: fc.boolean(),
  emulatorOnFreeCore: fc.boolean(),
});
