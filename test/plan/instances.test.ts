/** Instances one after the other: as many as fit, and why not one more. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fit } from '../../src/numa/fit.ts';
import type { GuestTopology } from '../../src/numa/guest_topology.ts';
import type { HostCell } from '../../src/numa/host_cell.ts';
import type { FitOptions } from '../../src/numa/pair_table.ts';
import { claim } from '../../src/numa/usage.ts';
import { applyAdvice } from '../../src/plan/advice.ts';
import { FILL_LIMIT, fillCount, planInstances } from '../../src/plan/instances.ts';
import { guestCell, guestOf, hostCell, MIB_2, pinnedGuest, poolOf, SMALL } from '../numa/cells.ts';
import { deepFreeze } from '../numa/vector_files.ts';
import { guestArbitrary, hostArbitrary, optionsArbitrary, RUNS } from './arbitraries.ts';

/** More than any generated host has room for, but for guests that share everything. */
const LIMIT = 40;

describe('a plan', () => {
  test('places each instance on what those before it left', () => {
    const plan = planInstances(guestOf([guestCell(0, 3)]), [hostCell(0, 7), hostCell(1, 3)], {}, 3);
    expect(plan.placements.map((cells) => cells.map((cell) => cell.hostCell))).toEqual([[0], [1], [0]]);
    expect(plan.stop).toBeNull();
  });

  test('says why the next one does not fit, on every node, and what would make room for it', () => {
    const { placements, stop } = planInstances(guestOf([guestCell(0, 3)]), [hostCell(0, 7), hostCell(1, 5)], {}, 9);
    expect(placements).toHaveLength(3);
    expect(stop).toMatchObject({
      reason: 'refused',
      refusal: { reason: 'no-host-cell', guestCells: [0] },
      matrix: [{ guestCell: 0, verdicts: [{ reason: { code: 'pages' } }, { reason: { code: 'pages' } }] }],
      advice: [{ kind: 'free-pages', pages: 1, free: [{ hostCell: 1, pageSizeKib: MIB_2, pages: 1 }] }],
    });
  });

  test('has every pair where the guest has more cells than the host', () => {
    const { stop } = planInstances(guestOf([guestCell(0, 1), guestCell(1, 1)]), [hostCell(4, 7)], {}, 1);
    expect(stop).toMatchObject({
      refusal: { reason: 'too-few-host-cells' },
      matrix: [{ verdicts: [{ accepted: true, hostCell: 4 }] }, { verdicts: [{ accepted: true, hostCell: 4 }] }],
      advice: [],
    });
  });

  test('of no instance is empty', () => {
    expect(planInstances(guestOf([guestCell(0, 3)]), [], {}, 0)).toEqual({ wanted: 0, placements: [], stop: null });
  });

  test('ends where CPUs could be placed as Nova does and not be claimed', () => {
    const guest = pinnedGuest(1, { threadPolicy: 'isolate', emulatorPolicy: 'isolate' });
    const host = [hostCell(0, 9, { pinnedCpus: [1, 2, 4] })];
    expect(planInstances(guest, host, {}, 2)).toMatchObject({ placements: [], stop: { reason: 'not-claimable' } });
    expect(planInstances(guest, host, { emulatorOnFreeCore: true }, 2)).toMatchObject({ stop: { reason: 'refused' } });
  });
});

describe('a fill', () => {
  test('is folded per node', () => {
    const guest = guestOf([guestCell(0, 2, { sharedVcpus: [], dedicatedVcpus: [0, 1] })], { cpuPolicy: 'dedicated' });
    expect(fillCount(guest, [hostCell(3, 5), hostCell(1, 3)], {})).toMatchObject({
      count: 3,
      bounded: false,
      nodes: [
        { hostCell: 3, pageSizeKib: MIB_2, guestCells: 2, pages: 4, memoryKib: 4 * MIB_2, cpus: [24, 25, 26, 27] },
        { hostCell: 1, pageSizeKib: MIB_2, guestCells: 1, pages: 2, memoryKib: 2 * MIB_2, cpus: [8, 9] },
      ],
      stop: { reason: 'refused', advice: [{ pages: 1 }] },
    });
  });

  test('ends at its bound for a guest that shares everything', () => {
    const guest = guestOf([guestCell(0, 1, { pageSize: null })]);
    const fill = fillCount(guest, [hostCell(0, 0)], {});
    expect(fill).toMatchObject({ count: FILL_LIMIT, bounded: true, stop: null });
    expect(fill.nodes).toMatchObject([{ pageSizeKib: null, pages: null, guestCells: FILL_LIMIT }]);
  });

  test('counts to thousands in no time to speak of', () => {
    const host = [0, 1].map((id) => hostCell(id, 0, { pools: [poolOf(SMALL, 1000), poolOf(MIB_2, 3000)] }));
    expect(fillCount(guestOf([guestCell(0, 1), guestCell(1, 1)]), host, {}).count).toBe(3000);
  });
});

test('property: a fill is as many as fit when asked one after the other', () => {
  fc.assert(
    fc.property(guestArbitrary, hostArbitrary, optionsArbitrary, (guest, host, options) => {
      deepFreeze([guest, host, options]);
      const fill = fillCount(guest, host, options, [], LIMIT);
      const count = countOneByOne(guest, host, options);
      expect(fill.count).toBe(count);
      expect(fill.bounded).toBe(count === LIMIT);
      expect(planInstances(guest, host, options, LIMIT).placements).toHaveLength(count);
      const folded = fill.nodes.reduce((sum, { guestCells }) => sum + guestCells, 0);
      expect(folded).toBe(count * guest.cells.length);
    }),
    { numRuns: Math.ceil(RUNS / 3) },
  );
});

test('property: what the plan claims is there, and its advice makes room for one more', () => {
  fc.assert(
    fc.property(guestArbitrary, hostArbitrary, optionsArbitrary, (guest, host, options) => {
      deepFreeze([guest, host, options]);
      const { placements, stop } = planInstances(guest, host, options, LIMIT);
      const left = placements.reduce<readonly HostCell[]>((now, placement) => {
        const claimed = claim(now, guest, placement);
        return claimed.ok ? claimed.host : [];
      }, host);
      expect(left).toHaveLength(host.length);
      for (const advice of stop?.reason === 'refused' ? stop.advice : []) {
        const after = applyAdvice(advice, guest, left);
        expect(fit(after.guest, after.host, options).fits).toBe(true);
      }
    }),
    { numRuns: Math.ceil(RUNS / 3) },
  );
});

function countOneByOne(guest: GuestTopology, host: readonly HostCell[], options: FitOptions): number {
  let now = host;
  for (let count = 0; count < LIMIT; count += 1) {
    const result = fit(guest, now, options);
    const claimed = result.fits ? claim(now, guest, result.placement) : undefined;
    if (claimed?.ok !== true) return count;
    now = claimed.host;
  }
  return LIMIT;
}
