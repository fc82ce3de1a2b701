/** The answer for programs, and the tables for people that are made of it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fillTable, planTable } from '../../src/cli/plan_table.ts';
import { planReason } from '../../src/plan/plan_reasons.ts';
import { fillCount, planInstances } from '../../src/plan/instances.ts';
import { fillResult, planResult } from '../../src/plan/plan_result.ts';
import { guestCell, guestOf, hostCell, MIB_2, pinnedGuest, poolOf } from '../numa/cells.ts';
import { guestArbitrary, hostArbitrary, optionsArbitrary, RUNS } from './arbitraries.ts';

const FULL = poolOf(MIB_2, 4, { used: 3 });

test('an answer has each cell that is placed, each pair that is refused, and the advice', () => {
  const host = [hostCell(0, 2), hostCell(1, 0, { pools: [FULL] })];
  const plan = planInstances(guestOf([guestCell(0, 2)]), host, {}, 2);
  const cell = { guest_cell: 0, node: 0, page_size_kib: MIB_2, pages: 2, memory_mb: 4, pins: [], emulator_cpus: [] };
  const placed = { ...cell, elsewhere: [] };
  const counts = { of: 'pages', page_size_kib: MIB_2, needed: 2, reserved: 0 };
  expect(planResult(plan)).toEqual({
    wanted: 2,
    fits: 1,
    instances: [{ cells: [placed] }],
    refusal: {
      code: 'no-host-cell',
      text: expect.stringContaining('guest cell 0 fits on no host cell'),
      across: [],
      pairs: [
        {
          guest_cell: 0,
          node: 0,
          page_size_kib: null,
          reason: {
            code: 'pages',
            text: '2 pages of 2 MiB needed, 0 free of 2, 2 used, 0 reserved',
            counts: [{ ...counts, free: 0, total: 2, used: 2 }],
          },
        },
        {
          guest_cell: 0,
          node: 1,
          page_size_kib: null,
          reason: {
            code: 'pages',
            text: '2 pages of 2 MiB needed, 1 free of 4, 3 used, 0 reserved',
            counts: [{ ...counts, free: 1, total: 4, used: 3 }],
          },
        },
      ],
    },
    advice: [
      {
        kind: 'free-pages',
        text: 'free 1 page of 2 MiB on node 1',
        free: [{ node: 1, page_size_kib: MIB_2, pages: 1 }],
        pages: 1,
        memory_mb: 2,
      },
    ],
  });
});

test('each reason has its numbers', () => {
  expect(planReason({ code: 'size_absent', pageSizeKib: 64, presentKib: [4] }).counts).toEqual([
    { of: 'pages', page_size_kib: 64, total: 0 },
  ]);
  const memory = { neededKib: 4096, freeKib: 1024, totalKib: 3072, usedKib: 2048 };
  expect(planReason({ code: 'mem_free', ...memory }).counts).toEqual([
    { of: 'memory', needed: 4, free: 1, total: 3, used: 2 },
  ]);
  expect(planReason({ code: 'ram_limit', ...memory, ratio: 1.5 }).counts).toEqual([
    { of: 'memory', needed: 4, total: 3, used: 2, ratio: 1.5 },
  ]);
  expect(planReason({ code: 'pcpu_free', needed: 2, reserve: 1, free: 1, total: 8 }).counts).toEqual([
    { of: 'cpus', needed: 3, free: 1, total: 8 },
  ]);
  expect(planReason({ code: 'cpu_limit', needed: 2, used: 16, total: 8, ratio: 2 }).counts).toEqual([
    { of: 'cpus', needed: 2, used: 16, total: 8, ratio: 2 },
  ]);
});

test('property: an answer is the same after JSON, and tables can be made of it', () => {
  fc.assert(
    fc.property(guestArbitrary, hostArbitrary, optionsArbitrary, (guest, host, options) => {
      const plan = planResult(planInstances(guest, host, options, 2));
      const fill = fillResult(fillCount(guest, host, options, [], 20));
      expect(JSON.parse(JSON.stringify([plan, fill]))).toStrictEqual([plan, fill]);
      expect(planTable(plan)).toContain(plan.advice[0]?.text ?? '');
      expect(fillTable(fill)).toContain(`${fill.fits} more`);
    }),
    { numRuns: Math.ceil(RUNS / 10) },
  );
});

test('a plan as a table', () => {
  const host = [hostCell(0, 1), hostCell(1, 0, { pools: [FULL], pinnedCpus: [8, 9, 10, 11, 12, 13, 14] })];
  expect(`\n${planTable(planResult(planInstances(pinnedGuest(2), host, {}, 2)))}`).toMatchInlineSnapshot(`
    "
    1 of 2 instances fits
    ╔══════════╤════════════╤══════╤═══════╤═══════╤════════╤═════════════════╗
    ║ INSTANCE │ GUEST CELL │ NODE │ PAGE  │ PAGES │ MEMORY │ PINS (vCPU:CPU) ║
    ╟──────────┼────────────┼──────┼───────┼───────┼────────┼─────────────────╢
    ║ 1        │ 0          │ 0    │ 2 MiB │ 1     │ 2 MiB  │ 0:0 1:1         ║
    ╚══════════╧════════════╧══════╧═══════╧═══════╧════════╧═════════════════╝
    the next one does not fit
    ╔════════════╤══════╤══════════════════════════════════════════════════════════╗
    ║ GUEST CELL │ NODE │ REASON                                                   ║
    ╟────────────┼──────┼──────────────────────────────────────────────────────────╢
    ║ 0          │ 0    │ 1 pages of 2 MiB needed, 0 free of 1, 1 used, 0 reserved ║
    ║ 0          │ 1    │ 2 dedicated CPUs needed, 1 free of 8                     ║
    ╚════════════╧══════╧══════════════════════════════════════════════════════════╝
    advice: free 1 page of 2 MiB on node 0
    "
  `);
  expect(`\n${planTable(planResult(planInstances(pinnedGuest(2), host, {}, 1)))}`).toMatchInlineSnapshot(`
    "
    the instance fits
    ╔══════════╤════════════╤══════╤═══════╤═══════╤════════╤═════════════════╗
    ║ INSTANCE │ GUEST CELL │ NODE │ PAGE  │ PAGES │ MEMORY │ PINS (vCPU:CPU) ║
    ╟──────────┼────────────┼──────┼───────┼───────┼────────┼─────────────────╢
    ║ 1        │ 0          │ 0    │ 2 MiB │ 1     │ 2 MiB  │ 0:0 1:1         ║
    ╚══════════╧════════════╧══════╧═══════╧═══════╧════════╧═════════════════╝
    "
  `);
});

test('a fill as a table', () => {
  const host = [hostCell(0, 3), hostCell(1, 0, { pools: [FULL] })];
  expect(`\n${fillTable(fillResult(fillCount(pinnedGuest(2), host, {})))}`).toMatchInlineSnapshot(`
    "
    4 more fit
    ╔══════╤═════════════╤═══════╤═══════╤════════╤═════════════╗
    ║ NODE │ GUEST CELLS │ PAGE  │ PAGES │ MEMORY │ CPUS GIVEN  ║
    ╟──────┼─────────────┼───────┼───────┼────────┼─────────────╢
    ║ 0    │ 3           │ 2 MiB │ 3     │ 6 MiB  │ 0 1 2 3 4 5 ║
    ║ 1    │ 1           │ 2 MiB │ 1     │ 2 MiB  │ 8 9         ║
    ╚══════╧═════════════╧═══════╧═══════╧════════╧═════════════╝
    the next one does not fit
    ╔════════════╤══════╤══════════════════════════════════════════════════════════╗
    ║ GUEST CELL │ NODE │ REASON                                                   ║
    ╟────────────┼──────┼──────────────────────────────────────────────────────────╢
    ║ 0          │ 0    │ 1 pages of 2 MiB needed, 0 free of 3, 3 used, 0 reserved ║
    ║ 0          │ 1    │ 1 pages of 2 MiB needed, 0 free of 4, 4 used, 0 reserved ║
    ╚════════════╧══════╧══════════════════════════════════════════════════════════╝
    advice: free 1 page of 2 MiB on node 1
    "
  `);
});
