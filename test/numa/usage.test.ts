import { expect, test } from 'vitest';
import type { Placement } from '../../src/numa/fit.ts';
import { claim, free } from '../../src/numa/usage.ts';
import { guestCell, guestOf, hostCell, MIB_2, pinnedGuest, poolOf, SMALL } from './cells.ts';
import { deepFreeze } from './vector_files.ts';

const placedOn = (host: number, cpus: readonly number[] = [], pageSizeKib: number | null = MIB_2): Placement => [
  {
    guestCell: 0,
    hostCell: host,
    pageSizeKib,
    memoryKib: 4 * MIB_2,
    pins: cpus.map((cpu, vcpu) => ({ vcpu, cpu })),
    reservedCpus: [],
  },
];
const shared = guestOf([guestCell(0, 4)]);

test('a claim is pages of its size, memory, vCPUs, and nothing on other host cells', () => {
  const host = deepFreeze([hostCell(0, 8), hostCell(1, 8)]);
  const result = claim(host, shared, placedOn(1));
  expect(result).toMatchObject({
    ok: true,
    host: [host[0], { memoryUsedKib: 4 * MIB_2, cpusUsed: 1, pools: [{ used: 0 }, { used: 4 }, { used: 0 }] }],
  });
});

test('without a page size it is small pages', () => {
  const result = claim([hostCell(0, 8)], shared, placedOn(0, [], null));
  expect(result).toMatchObject({ host: [{ pools: [{ sizeKib: SMALL, used: 2048 }, { used: 0 }, { used: 0 }] }] });
});

test('no count falls below zero', () => {
  const host = [hostCell(0, 8, { pools: [poolOf(MIB_2, 8, { used: 1 })], memoryUsedKib: 1 })];
  expect(free(host, shared, placedOn(0))).toMatchObject({
    host: [{ memoryUsedKib: 0, cpusUsed: 0, pools: [{ used: 0 }] }],
  });
});

test('a host cell that is not there is not counted', () => {
  const host = [hostCell(0, 8)];
  expect(claim(host, shared, placedOn(7))).toEqual({ ok: true, host });
});

test('isolated vCPUs take their cores', () => {
  const isolated = pinnedGuest(2, { threadPolicy: 'isolate' });
  const claimed = claim([hostCell(0, 8)], isolated, placedOn(0, [0, 4]));
  expect(claimed).toMatchObject({ host: [{ pinnedCpus: [0, 1, 4, 5] }] });
  expect(claimed.ok && free(claimed.host, isolated, placedOn(0, [0, 4]))).toMatchObject({ host: [{ pinnedCpus: [] }] });
});

test.each([
  ['CPUPinningUnknown', claim, [0, 99], [99], 'CPUs 99 of host cell 0 cannot be given to one vCPU alone'],
  ['CPUPinningInvalid', claim, [0, 1], [1], 'CPUs 1 of host cell 0 are given away already'],
  ['CPUUnpinningUnknown', free, [1, 99], [99], 'CPUs 99 of host cell 0 cannot be given to one vCPU alone'],
  ['CPUUnpinningInvalid', free, [0, 1], [0], 'CPUs 0 of host cell 0 were not given away'],
])('%s', (errorClass, change, cpus, inTheWay, message) => {
  const host = deepFreeze([hostCell(0, 8, { pinnedCpus: [1] })]);
  expect(change(host, pinnedGuest(2), placedOn(0, cpus))).toEqual({
    ok: false,
    error: { errorClass, hostCell: 0, cpus: inTheWay, message },
  });
});
