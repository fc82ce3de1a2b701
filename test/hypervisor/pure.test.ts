import { DomainState } from 'node-libvirt';
import { expect, test } from 'vitest';
import { freePagesCalls } from '../../src/hypervisor/host_reader.ts';
import { balloonOf, powerStateOf } from '../../src/hypervisor/statistics.ts';

const node = (id: number, sizes = [4, 2048]) => ({
  node: id,
  cpus: [],
  siblings: [],
  memoryKib: 0,
  pools: sizes.map((pageSizeKib) => ({ pageSizeKib, totalPages: 1 })),
});

test('one call for a run of nodes, another after a gap or for other page sizes', () => {
  expect(freePagesCalls([node(0), node(1), node(3), node(4, [4])])).toEqual([
    { firstNode: 0, nodeCount: 2, sizesKib: [4, 2048] },
    { firstNode: 3, nodeCount: 1, sizesKib: [4, 2048] },
    { firstNode: 4, nodeCount: 1, sizesKib: [4] },
  ]);
});

test('balloon statistics: what is absent or absurd is left out, «never» is no report', () => {
  expect(
    balloonOf({ 'balloon.last-update': 5, 'balloon.available': 10, 'balloon.usable': 4n, 'balloon.unused': -1 }),
  ).toEqual({
    lastUpdateS: 5,
    availableKib: 10,
    usableKib: 4,
  });
  expect(balloonOf({ 'balloon.last-update': 0, 'balloon.available': 10 })).toBeUndefined();
  expect(balloonOf({ 'balloon.current': 10 })).toBeUndefined();
});

test.each([
  [DomainState.RUNNING, 'running'],
  [DomainState.BLOCKED, 'running'],
  [DomainState.PAUSED, 'paused'],
  [DomainState.PMSUSPENDED, 'suspended'],
  [DomainState.SHUTOFF, 'shutdown'],
  [DomainState.CRASHED, 'crashed'],
  [99, 'pending'],
  [undefined, 'pending'],
])('state %s is %s', (state, expected) => {
  expect(powerStateOf(state)).toBe(expected);
});
