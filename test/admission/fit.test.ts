import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fit } from '../../src/admission/fit.ts';
import { describeRefusal } from '../../src/admission/refusal.ts';
import type { PlacementRequest } from '../../src/admission/request.ts';
import type { ThreadPolicy } from '../../src/numa/cpu_policy.ts';
import type { GuestCell } from '../../src/numa/guest_topology.ts';
import { placedCell } from '../domain/instances.ts';
import { accountOf, GIB_1, guestOf, hostOf, MIB_2 } from './hosts.ts';

const withCell = (request: PlacementRequest, over: Partial<GuestCell>): PlacementRequest => ({
  ...request,
  topology: { ...request.topology, cells: request.topology.cells.map((cell) => ({ ...cell, ...over })) },
});
const onNode0 = (pages: number) => [{ node: 0, pageSizeKib: MIB_2, pages }];

test('a guest that exactly fits is placed', () => {
  expect(fit(guestOf(64), accountOf(hostOf([64])))).toEqual({
    fits: true,
    placement: [placedCell()],
  });
});

test('the refusal has every number', () => {
  const result = fit(guestOf(64), accountOf(hostOf([100], { promised2M: 7 }), onNode0(10), { reserved: onNode0(20) }));
  expect(result).toEqual({
    fits: false,
    refusal: {
      reason: 'insufficient-resources',
      guestCells: 1,
      fittingNodes: 0,
      shortfalls: [
        {
          cause: 'pages',
          node: 0,
          pageSizeKib: MIB_2,
          needed: 64,
          free: 100,
          claimed: 10,
          reserved: 20,
          promised: 7,
          kept: 0,
        },
      ],
      across: [],
    },
  });
  expect(!result.fits && describeRefusal(result.refusal)).toBe(
    'node 0: 64 pages of 2 MiB needed, 100 free, of these 10 claimed, 20 reserved and 7 promised to mappings',
  );
});

test.each([
  ['claimed', onNode0(1), [], 0],
  ['reserved', [], onNode0(1), 0],
  ['promised', [], [], 1],
])('one page %s is one page too few', (_what, claimed, reserved, promised2M) => {
  const account = accountOf(hostOf([64], { promised2M }), claimed, { reserved });
  expect(fit(guestOf(64), account).fits).toBe(false);
  expect(fit(guestOf(63), account).fits).toBe(true);
});

test('a guest on fewer nodes than there are goes where most is free', () => {
  expect(fit(guestOf(8), accountOf(hostOf([10, 30, 20])))).toMatchObject({ fits: true, placement: [{ node: 1 }] });
  expect(fit(guestOf(8, 2), accountOf(hostOf([10, 30, 20])))).toMatchObject({
    fits: true,
    placement: [{ node: 1 }, { node: 2 }],
  });
});

test('a guest on as many nodes as there are takes them in the host’s order', () => {
  expect(fit(guestOf(8, 2), accountOf(hostOf([10, 30])))).toMatchObject({
    fits: true,
    placement: [{ node: 0 }, { node: 1 }],
  });
});

test('all guest cells on distinct nodes or nothing', () => {
  expect(fit(guestOf(8, 2), accountOf(hostOf([100, 4])))).toMatchObject({
    fits: false,
    refusal: { fittingNodes: 1, guestCells: 2 },
  });
  expect(fit(guestOf(8, 3), accountOf(hostOf([100, 100])))).toEqual({
    fits: false,
    refusal: { reason: 'too-few-nodes', guestCells: 3, hostNodes: 2 },
  });
});

test('page sizes: large takes the largest that divides, small the smallest, any falls back', () => {
  const host = hostOf([1024], { free1G: [2] });
  const size = (pages: number, pageSize: Parameters<typeof guestOf>[2]) => {
    const result = fit(guestOf(pages, 1, pageSize), accountOf(host));
    return result.fits ? result.placement[0]?.pageSizeKib : undefined;
  };
  expect(size(512, 'large')).toBe(GIB_1);
  expect(size(513, 'large')).toBe(MIB_2);
  expect(size(513, 'small')).toBe(4);
  expect(size(1025, 'any')).toBe(4);
  expect(size(1025, 'large')).toBeUndefined();
  expect(size(512, MIB_2)).toBe(MIB_2);
});

test('a page size that no node has, and memory that is no whole number of pages', () => {
  expect(fit(guestOf(8, 1, 16), accountOf(hostOf([8])))).toMatchObject({
    refusal: { reason: 'page-size-not-supported', offeredKib: [4, MIB_2, GIB_1] },
  });
  const odd = withCell(guestOf(8), { memoryKib: 3 * 1024 });
  expect(fit(odd, accountOf(hostOf([8])))).toMatchObject({ refusal: { reason: 'not-whole-pages', memoryKib: 3072 } });
});

test('more vCPUs than a node has CPUs', () => {
  const wide = withCell(guestOf(8), { sharedVcpus: [0, 1, 2, 3, 4] });
  expect(fit(wide, accountOf(hostOf([8])))).toMatchObject({
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
        const reserved = nodes.map((one, id) => ({ node: id, pageSizeKib: MIB_2, pages: one.reserved }));
        const claimed = nodes.map((one, id) => ({ node: id, pageSizeKib: MIB_2, pages: one.claimed }));
        const room = nodes.map((one) => one.free - one.reserved - one.claimed - promised2M);
        const result = fit(guestOf(pages, cells, MIB_2), accountOf(host, claimed, { reserved }));
        expect(result.fits).toBe(room.filter((left) => left >= pages).length >= cells);
        if (!result.fits) return;
        expect(new Set(result.placement.map((cell) => cell.node)).size).toBe(cells);
        for (const cell of result.placement) expect(room[cell.node]).toBeGreaterThanOrEqual(cell.pages);
      },
    ),
    { numRuns: 2000 },
  );
});

const dedicated = (vcpus: number[], threadPolicy: ThreadPolicy | null = null) => {
  const request = withCell(guestOf(8), { sharedVcpus: [], dedicatedVcpus: vcpus });
  return { ...request, topology: { ...request.topology, cpuPolicy: 'dedicated' as const, threadPolicy } };
};

test('a dedicated guest gets CPUs that no other guest has, and takes what its policy blocks', () => {
  const host = hostOf([64]);
  const first = fit(dedicated([0], 'isolate'), accountOf(host));
  expect(first).toMatchObject({ fits: true, placement: [{ pins: [{ vcpu: 0, cpu: 0 }], takenCpus: [0, 1] }] });
  const placement = first.fits ? first.placement : [];
  const busy = { ...host, guests: [{ instanceUuid: 'first', projectId: 'p', placement, isRunning: true }] };
  expect(fit(dedicated([0, 1]), accountOf(busy))).toMatchObject({
    fits: true,
    placement: [
      {
        pins: [
          { vcpu: 0, cpu: 2 },
          { vcpu: 1, cpu: 3 },
        ],
      },
    ],
  });
  const refused = fit(dedicated([0, 1, 2]), accountOf(busy));
  expect(refused).toMatchObject({ refusal: { shortfalls: [{ cause: 'rule', node: 0, code: 'pcpu_free' }] } });
  expect(!refused.fits && describeRefusal(refused.refusal)).toBe('node 0: 3 dedicated CPUs needed, 2 free of 4');
});

test('CPU sets: dedicated guests get the one, the others run on the other', () => {
  const account = accountOf(hostOf([64]), [], { cpuSharedSet: [0, 1], cpuDedicatedSet: [3] });
  expect(fit(guestOf(8), account)).toMatchObject({ placement: [{ sharedCpus: [0, 1], takenCpus: [] }] });
  expect(fit(dedicated([0]), account)).toMatchObject({ placement: [{ pins: [{ vcpu: 0, cpu: 3 }], takenCpus: [3] }] });
  const onlyShared = accountOf(hostOf([64]), [], { cpuSharedSet: [0, 1] });
  expect(fit(dedicated([0]), onlyShared)).toMatchObject({ refusal: { shortfalls: [{ code: 'pcpu_total' }] } });
});

test('a guest that is shut off keeps its pages, or gives them back where the operator wants that', () => {
  const off = { instanceUuid: 'off', projectId: 'p', placement: [placedCell({ pages: 16 })], isRunning: false };
  const host = { ...hostOf([64]), guests: [off] };
  const refused = fit(guestOf(49), accountOf(host));
  expect(refused).toMatchObject({ refusal: { shortfalls: [{ kept: 16 }] } });
  expect(!refused.fits && describeRefusal(refused.refusal)).toContain('and 16 kept for instances that are shut off');
  expect(fit(guestOf(48), accountOf(host)).fits).toBe(true);
  expect(fit(guestOf(64), accountOf(host, [], { shutOffInstances: 'release' })).fits).toBe(true);
});

test('pack takes the node with least to give', () => {
  const host = hostOf([30, 10, 20]);
  expect(fit(guestOf(8), accountOf(host, [], { strategy: 'pack' }))).toMatchObject({ placement: [{ node: 1 }] });
});

test('best-fit leaves 1 GiB pages to those who need them', () => {
  const host = hostOf([1024], { free1G: [2] });
  const size = (pages: number, pageSize: Parameters<typeof guestOf>[2]) => {
    const result = fit(guestOf(pages, 1, pageSize), accountOf(host, [], { pageSizePreference: 'best-fit' }));
    return result.fits ? result.placement[0]?.pageSizeKib : undefined;
  };
  expect(size(512, 'large')).toBe(MIB_2);
  expect(size(1024, 'any')).toBe(MIB_2);
  expect(size(512, GIB_1)).toBe(GIB_1);
  // No longer enough small ones: the large ones are for this guest.
  const drained = { ...hostOf([511], { free1G: [2] }) };
  expect(fit(guestOf(512), accountOf(drained, [], { pageSizePreference: 'best-fit' }))).toMatchObject({
    placement: [{ pageSizeKib: GIB_1, pages: 1 }],
  });
  expect(size(1025, 'any')).toBe(4);
});

const withAvailable = (availableKib: number | null) => ({ ...hostOf([64]), availableKib });

test('ordinary memory: a QEMU needs some beside its pages, and the floor is left alone', () => {
  const rules = { overheadKib: 1000, floorKib: 5000 };
  expect(fit(guestOf(8), accountOf(withAvailable(6000), [], rules)).fits).toBe(true);
  const refused = fit(guestOf(8), accountOf(withAvailable(5999), [], rules));
  expect(refused).toEqual({
    fits: false,
    refusal: { reason: 'host-memory', availableKib: 5999, claimedKib: 0, neededKib: 1000, floorKib: 5000 },
  });
  expect(!refused.fits && describeRefusal(refused.refusal)).toContain('1000 KiB of ordinary memory needed');
  // Another one that is being started needs as much.
  expect(fit(guestOf(8), accountOf(withAvailable(6999), onNode0(8), rules))).toMatchObject({
    refusal: { reason: 'host-memory', claimedKib: 1000 },
  });
  // A guest on base pages needs its whole memory there.
  expect(fit(guestOf(8, 1, 'small'), accountOf(withAvailable(6000), [], rules))).toMatchObject({
    refusal: { reason: 'host-memory', neededKib: 1000 + 8 * MIB_2 },
  });
  expect(fit(guestOf(8), accountOf(withAvailable(null), [], rules)).fits).toBe(true);
});

test('a guest that may have any page size gets huge ones where ordinary memory is short', () => {
  const rules = { overheadKib: 1000, floorKib: 5000, strategy: 'pack' as const };
  // The first node in the order of trying has base pages only.
  const host = { ...hostOf([0, 64]), availableKib: 7000 };
  expect(fit(guestOf(8, 1, 'any'), accountOf({ ...host, availableKib: GIB_1 }, [], rules))).toMatchObject({
    placement: [{ node: 0, pageSizeKib: 4 }],
  });
  expect(fit(guestOf(8, 1, 'any'), accountOf(host, [], rules))).toMatchObject({
    placement: [{ node: 1, pageSizeKib: MIB_2 }],
  });
  expect(fit(guestOf(65, 1, 'any'), accountOf(host, [], rules))).toMatchObject({ refusal: { reason: 'host-memory' } });
});
