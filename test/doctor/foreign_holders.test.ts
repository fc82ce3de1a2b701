import { expect, test } from 'vitest';
import { decideHolders, foreignHolders, type HolderState } from '../../src/doctor/checks/foreign_holders.ts';
import { hugeMount, linesOf, pool, processFiles, verdictsOf, type Files } from './fake_root.ts';

/** A process with pages of 2 MiB on node 0. */
function holder(pid: number, comm: string, pages: number): Files {
  return processFiles(pid, comm, {
    status: 'State:\tS\nVmRSS:\t 100 kB\nHugetlbPages:\t 2048 kB\n',
    numa_maps: `7f0000000000 default file=/x huge dirty=${pages} N0=${pages} kernelpagesize_kB=2048\n`,
    maps: `7f0000000000-7f0008000000 rw-p 00000000 00:11 ${pid}  /x\n`,
  });
}
const PID_FILE = { '/run/libvirt/qemu/hugenode-a.pid': '40\n', '/run/libvirt/qemu/other-a.pid': '41\n' };
const RESERVED = '/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages';

test('our guests hold all pages that are taken', async () => {
  const files = { ...pool(0, 2048, 8, 3), ...holder(40, 'qemu', 5), ...PID_FILE, [RESERVED]: '0\n' };
  expect(linesOf(await verdictsOf(foreignHolders, { files }))).toEqual(['ok: no page is held by others']);
});

test('others, guests of others among them, pages that nobody maps, and promised ones', async () => {
  const files = {
    ...pool(0, 2048, 8, 0),
    ...holder(40, 'qemu', 2),
    ...holder(41, 'qemu', 1),
    ...holder(42, 'ovs', 3),
    ...PID_FILE,
    [RESERVED]: '4\n',
    '/proc/mounts': hugeMount('/dev/hugepages', 'pagesize=2M'),
  };
  expect(linesOf(await verdictsOf(foreignHolders, { files }))).toEqual([
    'note: qemu (pid 41) holds pages: 1 of 2 MiB on node 0',
    'note: ovs (pid 42) holds pages: 3 of 2 MiB on node 0',
    "warning: 2 pages of 2 MiB on node 0 are taken, and no process here maps them\nfind '/dev/hugepages' -xdev -type f -exec ls -l {} +",
    'note: 4 free pages of 2 MiB are promised to mappings',
  ]);
});

test('who may not be looked into is named, and nothing is called unexplained for it', () => {
  const state: HolderState = {
    holders: { holders: [], unreadable: [{ pid: 9, command: 'dpdk', hugetlbKib: 4096 }] },
    pools: [{ node: 0, pageSizeKib: 2048, totalPages: 8, freePages: 6 }],
    promised: [],
    own: new Set(),
    mounts: [],
    settingsWords: "--config '/x y'",
  };
  expect(linesOf(decideHolders(state))).toEqual([
    "warning: cannot be told: how many pages dpdk (pid 9) holds\nsudo hugenode --config '/x y' doctor --check foreign-holders",
  ]);
});
