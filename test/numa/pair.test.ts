/** One refusal of each kind, with its numbers and its words. */
import { expect, test } from 'vitest';
import { describeFitRefusal, describeReason } from '../../src/numa/describe.ts';
import { fit, fitMatrix } from '../../src/numa/fit.ts';
import type { FitOptions } from '../../src/numa/pair_table.ts';
import type { GuestTopology } from '../../src/numa/guest_topology.ts';
import type { HostCell } from '../../src/numa/host_cell.ts';
import { GIB_1, guestCell, guestOf, hostCell, MIB_2, pinnedGuest, poolOf, SMALL } from './cells.ts';

function reasonOf(guest: GuestTopology, host: HostCell, options: FitOptions = {}) {
  const verdict = fitMatrix(guest, [host], options)[0]?.verdicts[0];
  if (verdict === undefined || verdict.accepted) throw new Error('accepted');
  return verdict.reason;
}

const withSize = (pageSize: 'small' | 'large' | 'any' | number | null, pages2M = 64) =>
  guestOf([guestCell(0, pages2M, { pageSize })]);

test('pages: every count of every allowed size', () => {
  const host = hostCell(0, 100, { pools: [poolOf(SMALL, 9), poolOf(MIB_2, 100, { used: 30, reserved: 7 })] });
  const reason = reasonOf(withSize('large'), host);
  expect(reason).toEqual({
    code: 'pages',
    memoryKib: 64 * MIB_2,
    pools: [{ sizeKib: MIB_2, total: 100, used: 30, reserved: 7, free: 63, needed: 64 }],
  });
  expect(describeReason(reason)).toBe('64 pages of 2 MiB needed, 63 free of 100, 30 used, 7 reserved');
});

test.each<[string, GuestTopology, HostCell, FitOptions, object, string]>([
  [
    'size_absent',
    withSize(16384),
    hostCell(0, 8),
    {},
    { pageSizeKib: 16384, presentKib: [SMALL, MIB_2, GIB_1] },
    'it has no pages of 16 MiB, only of 4 KiB, 2 MiB, 1 GiB',
  ],
  ['pages', withSize('large'), hostCell(0, 8, { pools: [] }), {}, { pools: [] }, 'it has no pages of an allowed size'],
  [
    'pages',
    withSize(GIB_1),
    hostCell(0, 8),
    {},
    { pools: [{ sizeKib: GIB_1, total: 0, used: 0, reserved: 0, free: 0, needed: undefined }] },
    '131072 KiB are no whole number of pages of 1 GiB',
  ],
  [
    'small_total',
    withSize(null),
    hostCell(0, 8, { pools: [poolOf(SMALL, 100, { used: 99 })] }),
    {},
    { pool: { needed: 32768, total: 100 } },
    '32768 pages of 4 KiB needed, 1 free of 100, 99 used, 0 reserved',
  ],
  [
    'mem_total',
    withSize(null),
    hostCell(0, 8, { pools: [], memoryKib: 1024 }),
    {},
    { neededKib: 131072, totalKib: 1024 },
    '128 MiB needed, it has 1 MiB',
  ],
  [
    'pcpu_total',
    pinnedGuest(8, { emulatorPolicy: 'isolate' }),
    hostCell(0, 8),
    {},
    { needed: 8, reserve: 1, total: 8, free: 8 },
    '8 dedicated CPUs and one for the emulator needed, it has 8 that can be given away',
  ],
  [
    'vcpu_total',
    guestOf([guestCell(0, 1, { sharedVcpus: [0, 1] })]),
    hostCell(0, 8, { sharedCpus: [0] }),
    {},
    { needed: 2, total: 1 },
    '2 vCPUs on shared CPUs, it has 1 of those',
  ],
  [
    'pcpu_free',
    pinnedGuest(3),
    hostCell(0, 8, { pinnedCpus: [0, 1, 2, 3, 4, 5] }),
    {},
    { needed: 3, reserve: 0, total: 8, free: 2 },
    '3 dedicated CPUs needed, 2 free of 8',
  ],
  [
    'mem_free',
    pinnedGuest(1),
    hostCell(0, 8, { memoryKib: 4096, memoryUsedKib: 3072 }),
    {},
    { neededKib: 2048, freeKib: 1024, totalKib: 4096, usedKib: 3072 },
    '2 MiB needed, 1 MiB free of 4 MiB, 3 MiB used',
  ],
  [
    'pack',
    pinnedGuest(3, { threadPolicy: 'isolate' }),
    hostCell(0, 8, { pinnedCpus: [0, 2] }),
    {},
    { obstacle: 'too-few-threads', threadsPerCore: 2, freePerCore: [1, 1, 2, 2], needed: 3, free: 6 },
    'thread policy isolate, and the free threads do not do (3 dedicated CPUs needed, 6 free of 8; free threads per core: 1, 1, 2, 2)',
  ],
  [
    'pack',
    pinnedGuest(1, { threadPolicy: 'isolate' }),
    hostCell(0, 8, { sharedCpus: [0, 1], pinnableCpus: [2, 3, 4, 5, 6, 7] }),
    {},
    { obstacle: 'configured-sets-differ' },
    'thread policy isolate with 2 threads per core needs shared and dedicated CPUs to be the same set (1 dedicated CPUs needed, 6 free of 6; free threads per core: 2, 2, 2)',
  ],
  [
    'pack',
    pinnedGuest(2, { threadPolicy: 'require' }),
    hostCell(0, 8, { siblings: [[0], [1], [2], [3]] }),
    {},
    { obstacle: 'no-hyperthreads', threadsPerCore: 1 },
    'thread policy require, and it has no core with two threads (2 dedicated CPUs needed, 8 free of 8; free threads per core: 1, 1, 1, 1)',
  ],
  [
    'pack',
    pinnedGuest(2),
    hostCell(0, 8, { siblings: [] }),
    {},
    { obstacle: 'no-cores-known' },
    'which of its CPUs share a core is not known (2 dedicated CPUs needed, 8 free of 8; free threads per core: none)',
  ],
  [
    'cpu_limit',
    guestOf([guestCell(0, 1)]),
    hostCell(0, 8, { cpusUsed: 32 }),
    { limits: { cpuRatio: 4, ramRatio: 1 } },
    { needed: 1, used: 32, total: 8, ratio: 4 },
    '1 vCPUs beside 32, the limit is 4 times 8 CPUs',
  ],
  [
    'ram_limit',
    guestOf([guestCell(0, 1)]),
    hostCell(0, 8, { memoryKib: 4096, memoryUsedKib: 3072 }),
    { limits: { cpuRatio: 4, ramRatio: 1 } },
    { neededKib: 2048, usedKib: 3072, totalKib: 4096, ratio: 1 },
    '2 MiB beside 3 MiB, the limit is 1 times 4 MiB',
  ],
])('%s', (code, guest, host, options, numbers, words) => {
  const reason = reasonOf(guest, host, options);
  expect(reason).toMatchObject({ code, ...numbers });
  expect(describeReason(reason)).toBe(words);
});

test('a guest that fits nowhere hears of every host cell', () => {
  const result = fit(withSize(MIB_2), [hostCell(0, 8), hostCell(5, 63)]);
  expect(!result.fits && describeFitRefusal(result.refusal)).toBe(
    'guest cell 0 fits on no host cell: host cell 0: 64 pages of 2 MiB needed, 8 free of 8, 0 used, 0 reserved; host cell 5: 64 pages of 2 MiB needed, 63 free of 63, 0 used, 0 reserved',
  );
});

test('guest cells that want the same host cell', () => {
  const guest = guestOf([guestCell(0, 1), guestCell(1, 64), guestCell(2, 64)]);
  const result = fit(guest, [hostCell(0, 8), hostCell(5, 64), hostCell(6, 8)]);
  expect(result).toMatchObject({ refusal: { reason: 'not-together', guestCells: [1, 2], hostCells: [5] } });
  expect(!result.fits && describeFitRefusal(result.refusal)).toBe(
    'guest cells 1, 2 fit on host cell 5 only: each needs one of its own',
  );
});

test('more guest cells than host cells', () => {
  const result = fit(guestOf([guestCell(0, 1), guestCell(1, 1)]), [hostCell(0, 8)]);
  expect(!result.fits && describeFitRefusal(result.refusal)).toBe(
    'the guest has 2 cells, this host 1: each guest cell needs a host cell of its own',
  );
});

test('page sizes: the largest that divides and has enough', () => {
  const host = hostCell(0, 1024, { pools: [poolOf(GIB_1, 2), poolOf(SMALL, 1_000_000), poolOf(MIB_2, 1024)] });
  const size = (pages: number, pageSize: 'small' | 'large' | 'any') => {
    const result = fit(withSize(pageSize, pages), [host]);
    return result.fits ? result.placement[0]?.pageSizeKib : undefined;
  };
  expect(size(512, 'large')).toBe(GIB_1);
  expect(size(513, 'large')).toBe(MIB_2);
  expect(size(1025, 'large')).toBeUndefined();
  expect(size(1025, 'any')).toBe(SMALL);
  expect(size(512, 'small')).toBe(SMALL);
});

test('a mixed guest with a cell without dedicated vCPUs: as Nova 26, or as Nova 27', () => {
  const cells = [guestCell(0, 1, { dedicatedVcpus: [2] }), guestCell(1, 1)];
  const guest = guestOf(cells, { cpuPolicy: 'mixed' });
  const host = [hostCell(0, 8), hostCell(1, 8)];
  const refused = fit(guest, host);
  expect(!refused.fits && describeFitRefusal(refused.refusal)).toContain(
    'no dedicated vCPU, which Nova 26 never places',
  );
  expect(fit(guest, host, { zeroPinnedCells: true })).toMatchObject({
    fits: true,
    placement: [{ pins: [{ vcpu: 2, cpu: 0 }] }, { pins: [], reservedCpus: [] }],
  });
});
