import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fit } from '../../src/admission/fit.ts';
import { describeRefusal } from '../../src/admission/refusal.ts';
import { GIB_1, guestOf, hostOf, MIB_2 } from './hosts.ts';

const NONE = { reserved: [], claimed: [] };
const onNode0 = (pages: number) => [{ node: 0, pageSizeKib: MIB_2, pages }];

test('a guest that exactly fits is placed', () => {
  expect(fit(guestOf(64), hostOf([64]), NONE)).toEqual({
    fits: true,
    placement: [{ guestCell: 0, node: 0, pageSizeKib: MIB_2, pages: 64, memoryKib: 131072, vcpus: [0] }],
  });
});

test('the refusal has every number', () => {
  const result = fit(guestOf(64), hostOf([100], { promised2M: 7 }), { reserved: onNode0(20), claimed: onNode0(10) });
  expect(result).toEqual({
    fits: false,
    refusal: {
      reason: 'insufficient-resources',
      guestCells: 1,
      fittingNodes: 0,
      shortfalls: [
        { cause: 'pages', node: 0, pageSizeKib: MIB_2, needed: 64, free: 100, claimed: 10, reserved: 20, promised: 7 },
      ],
    },
  });
  expect(!result.fits && describeRefusal(result.refusal)).toBe(
    'node 0: 64 pages of 2 MiB needed, 100 free, of these 10 claimed, 20 reserved and 7 promised to mappings',
  );
});

test.each([
  ['claimed', { reserved: [], claimed: onNode0(1) }, 0],
  ['reserved', { reserved: onNode0(1), claimed: [] }, 0],
  ['promised', NONE, 1],
])('one page %s is one page too few', (_what, aside, promised2M) => {
  expect(fit(guestOf(64), hostOf([64], { promised2M }), aside).fits).toBe(false);
  expect(fit(guestOf(63), hostOf([64], { promised2M }), aside).fits).toBe(true);
});

test('a guest on fewer nodes than there are goes where most is free', () => {
  expect(fit(guestOf(8), hostOf([10, 30, 20]), NONE)).toMatchObject({ fits: true, placement: [{ node: 1 }] });
  expect(fit(guestOf(8, 2), hostOf([10, 30, 20]), NONE)).toMatchObject({
    fits: true,
    placement: [{ node: 1 }, { node: 2 }],
  });
});

test('a guest on as many nodes as there are takes them in the host’s order', () => {
  expect(fit(guestOf(8, 2), hostOf([10, 30]), NONE)).toMatchObject({
    fits: true,
    placement: [{ node: 0 }, { node: 1 }],
  });
});

test('all guest cells on distinct nodes or nothing', () => {
  expect(fit(guestOf(8, 2), hostOf([100, 4]), NONE)).toMatchObject({
    fits: false,
    refusal: { fittingNodes: 1, guestCells: 2 },
  });
  expect(fit(guestOf(8, 3), hostOf([100, 100]), NONE)).toEqual({
    fits: false,
    refusal: { reason: 'too-few-nodes', guestCells: 3, hostNodes: 2 },
  });
});

test('page sizes: large takes the largest that divides, small the smallest, any falls back', () => {
  const host = hostOf([1024], { free1G: [2] });
  const size = (pages: number, pageSize: Parameters<typeof guestOf>[2]) => {
    const result = fit(guestOf(pages, 1, pageSize), host, NONE);
    return result.fits ? result.placement[0]?.pageSizeKib : undefined;
  };
  expect(size(512, { kind: 'large' })).toBe(GIB_1);
  expect(size(513, { kind: 'large' })).toBe(MIB_2);
  expect(size(513, { kind: 'small' })).toBe(4);
  expect(size(1025, { kind: 'any' })).toBe(4);
  expect(size(1025, { kind: 'large' })).toBeUndefined();
  expect(size(512, { kind: 'explicit', pageSizeKib: MIB_2 })).toBe(MIB_2);
});

test('a page size that no node has, and memory that is no whole number of pages', () => {
  expect(fit(guestOf(8, 1, { kind: 'explicit', pageSizeKib: 16 }), hostOf([8]), NONE)).toMatchObject({
    refusal: { reason: 'page-size-not-supported', offeredKib: [4, MIB_2, GIB_1] },
  });
  const odd = { pageSize: { kind: 'large' } as const, cells: [{ id: 0, vcpus: [0], memoryKib: 3 * 1024 }] };
  expect(fit(odd, hostOf([8]), NONE)).toMatchObject({ refusal: { reason: 'not-whole-pages', memoryKib: 3072 } });
});

test('more vCPUs than a node has CPUs', () => {
  const wide = { ...guestOf(8), cells: [{ id: 0, vcpus: [0, 1, 2, 3, 4], memoryKib: 8 * MIB_2 }] };
  expect(fit(wide, hostOf([8]), NONE)).toMatchObject({
    refusal: { shortfalls: [{ cause: 'cpus', node: 0, needed: 5, present: 4 }] },
  });
});

test('property: never more than is free, and never a refusal where enough nodes have room', () => {
  const node = fc.record({ free: fc.nat(40), reserved: fc.nat(10), claimed: fc.nat(10) });
  fc.assert(
    fc.property(
      fc.array(node, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(5),
      (nodes, pages, cells, promised2M) => {
        const host = hostOf(
          nodes.map((one) => one.free),
          { promised2M },
        );
        const aside = {
          reserved: nodes.map((one, id) => ({ node: id, pageSizeKib: MIB_2, pages: one.reserved })),
          claimed: nodes.map((one, id) => ({ node: id, pageSizeKib: MIB_2, pages: one.claimed })),
        };
        const room = nodes.map((one) => one.free - one.reserved - one.claimed - promised2M);
        const result = fit(guestOf(pages, cells, { kind: 'explicit', pageSizeKib: MIB_2 }), host, aside);
        expect(result.fits).toBe(room.filter((left) => left >= pages).length >= cells);
        if (!result.fits) return;
        expect(new Set(result.placement.map((cell) => cell.node)).size).toBe(cells);
        for (const cell of result.placement) expect(room[cell.node]).toBeGreaterThanOrEqual(cell.pages);
      },
    ),
    { numRuns: 2000 },
  );
});
