import { expect, test } from 'vitest';
import { cgroupLimits } from '../../src/doctor/checks/cgroup_limits.ts';
import { hugetlbfs } from '../../src/doctor/checks/hugetlbfs.ts';
import { mountOrder } from '../../src/doctor/checks/mount_order.ts';
import { pagePools } from '../../src/doctor/checks/page_pools.ts';
import {
  commandsParse,
  hugeMount,
  linesOf,
  matching,
  pool,
  processFiles,
  QEMU_USER,
  STRANGE_QEMU_USER,
  verdictsOf,
  type Case,
} from './fake_root.ts';

const GIB = 1024 ** 2;
const NUMA = { '/proc/self/numa_maps': '' };
const PERSISTENT = { '/proc/cmdline': 'quiet hugepages=8' };
const MOUNT_2M = { '/proc/mounts': hugeMount('/dev/hugepages', 'gid=109,mode=1770,pagesize=2M') };
const FSTAB = {
  '/etc/fstab': '#none\nhugetlbfs /dev/hugepages hugetlbfs pagesize=2M 0 0\nhugetlbfs\t/h hugetlbfs defaults 0 0\n',
};
const LIBVIRTD = processFiles(7, 'libvirtd');

const cases: Case[] = [
  [
    'a pool',
    pagePools,
    { files: { ...pool(0, 2048, 8, 6), ...NUMA, ...PERSISTENT } },
    ['ok: pages of 2 MiB: node 0: 6 of 8 free'],
  ],
  ['no hugepages', pagePools, { files: NUMA }, [/^problem: this kernel has no hugepages/]],
  [
    'empty pools',
    pagePools,
    { files: { ...pool(0, 2048, 0), ...pool(1, 2048, 0), ...pool(0, GIB, 0), ...NUMA } },
    [
      /^problem: every pool is empty; sizes: 2 MiB, 1 GiB\necho 1024 > \/sys\/devices\/system\/node\/node0\/hugepages\/hugepages-2048kB\/nr_hugepages\necho 1024 > .*node1/,
    ],
  ],
  [
    'a full pool, and a node without',
    pagePools,
    { files: { ...pool(0, 2048, 8, 0), ...pool(1, 2048, 0), ...NUMA, ...PERSISTENT } },
    [/^warning: no page of 2 MiB is free/, /^note: no pages of 2 MiB on node 1\necho 4 > .*node1/],
  ],
  [
    'a pool that is gone at the next boot',
    pagePools,
    { files: { ...pool(0, 2048, 8), ...pool(0, GIB, 2), ...NUMA, '/etc/sysctl.d/x.conf': '#vm.nr_hugepages=8\n' } },
    [/^ok/, /^ok/, /^note: nothing reserves.*\necho 'vm.nr_hugepages = 8' > .*\n.*hugepagesz=1G hugepages=2/],
  ],
  [
    'a pool of sysctl.d',
    pagePools,
    { files: { ...pool(0, 2048, 8), ...NUMA, '/etc/sysctl.d/x.conf': 'vm.nr_hugepages = 8\n' } },
    [/^ok/],
  ],
  [
    'fewer pages than booted for',
    pagePools,
    { files: { ...pool(0, GIB, 2), ...NUMA, '/proc/cmdline': 'hugepagesz=1G hugepages=0:2,1:2' } },
    [/^ok/, 'warning: the kernel was booted for 4 pages of 1 GiB and has 2'],
  ],
  [
    'pools of tmpfiles.d and sysctl.conf: each size by itself',
    pagePools,
    {
      files: {
        ...pool(0, 2048, 8),
        ...pool(0, 65536, 8),
        ...pool(0, GIB, 2),
        ...NUMA,
        '/etc/sysctl.conf': 'vm.nr_hugepages=8\n',
        '/etc/tmpfiles.d/p.conf':
          'w /sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages - - - - 2\n',
      },
    },
    [/^ok/, /^ok/, /^ok/, /^note: nothing reserves the pages of 64 MiB at the next boot\n.*hugepagesz=64M hugepages=8/],
  ],
  [
    'a node without memory needs no pages',
    pagePools,
    {
      files: {
        ...pool(0, 2048, 8),
        ...pool(1, 2048, 0),
        ...NUMA,
        ...PERSISTENT,
        '/sys/devices/system/node/node1/meminfo': 'Node 1 MemTotal:       0 kB\n',
      },
    },
    [/^ok/],
  ],
  [
    'surplus pages',
    pagePools,
    {
      files: {
        ...pool(0, 2048, 8),
        ...NUMA,
        ...PERSISTENT,
        '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages': '5\n',
      },
    },
    [/^ok/, /^note: surplus pages of 2 MiB are allowed\necho 0 > /],
  ],
  [
    'reservations of what is not there',
    pagePools,
    {
      files: { ...pool(0, 2048, 8), ...NUMA, ...PERSISTENT },
      settings: [
        'admission.reserved_huge_pages=[{node: 0, size_kib: 2048, count: 9}, {node: 3, size_kib: 2048, count: 1}, {node: 0, size_kib: 2048, count: 8}]',
      ],
    },
    [/^ok/, /^problem: .*9 pages of 2 MiB on node 0, which has 8\necho 9 > /, /^problem: .*node 3 has no pool/],
  ],
  [
    'a kernel without numa_maps',
    pagePools,
    { files: { ...pool(0, 2048, 8), ...PERSISTENT } },
    [/^ok/, /^problem: .*numa_maps/],
  ],

  [
    'a mount for QEMU alone',
    hugetlbfs,
    { files: { ...QEMU_USER, ...pool(0, 2048, 8), ...MOUNT_2M, ...FSTAB, '/dev/hugepages/': 0o1770 } },
    [/^ok: pages of 2 MiB at \/dev\/hugepages, mode 1770/],
  ],
  ['no pages, no mount', hugetlbfs, { files: pool(0, 2048, 0) }, [/^ok/]],
  [
    'no mount',
    hugetlbfs,
    { files: { ...QEMU_USER, ...pool(0, 2048, 8), '/proc/mounts': '' } },
    [
      /^problem: pages of 2 MiB are not mounted\nmkdir -p \/dev\/hugepages && mount -t hugetlbfs -o pagesize=2M,mode=1770,gid=109 hugetlbfs \/dev\/hugepages\ngrep -q/,
    ],
  ],
  [
    'a mount of one size only',
    hugetlbfs,
    {
      files: {
        ...QEMU_USER,
        ...pool(0, 2048, 8),
        ...pool(0, GIB, 1),
        ...MOUNT_2M,
        ...FSTAB,
        '/dev/hugepages/': 0o1770,
      },
    },
    [/^ok/, /^problem: pages of 1 GiB are not mounted\nmkdir -p \/dev\/hugepages1G && mount .*pagesize=1G/],
  ],
  [
    'a mount that QEMU cannot pass',
    hugetlbfs,
    { files: { ...STRANGE_QEMU_USER, ...pool(0, 2048, 8), ...MOUNT_2M, ...FSTAB, '/dev/hugepages/': 0o1770 } },
    [/^problem: libvirt-qemu cannot pass.*\nchgrp kvm '\/dev\/hugepages' && chmod 1770 '\/dev\/hugepages'$/],
  ],
  [
    'a mount for everybody',
    hugetlbfs,
    { files: { ...QEMU_USER, ...pool(0, 2048, 8), ...MOUNT_2M, '/dev/hugepages/': 0o1777 } },
    [/^warning: any user may take pages/],
  ],
  [
    'a mount with less than the pool',
    hugetlbfs,
    {
      files: {
        ...QEMU_USER,
        ...pool(0, 2048, 8),
        '/proc/mounts': hugeMount('/huge\\0402M', 'pagesize=2M,size=8192K'),
        '/huge 2M/': 0o1770,
      },
    },
    [/^warning: \/huge 2M gives 8 MiB at most, of a pool of 16 MiB/],
  ],
  [
    'a mount with the whole pool',
    hugetlbfs,
    {
      files: {
        ...QEMU_USER,
        ...pool(0, 2048, 8),
        '/proc/mounts': hugeMount('/h', 'pagesize=2M,size=100%'),
        '/h/': 0o1770,
        ...FSTAB,
      },
    },
    [/^ok/],
  ],
  [
    'a mount that is gone at the next boot',
    hugetlbfs,
    {
      files: {
        ...QEMU_USER,
        ...pool(0, 2048, 8),
        '/proc/mounts': hugeMount('/huge\\0402M', 'pagesize=2M'),
        '/huge 2M/': 0o1770,
        '/etc/fstab': '#hugetlbfs /huge\\0402M hugetlbfs defaults 0 0\n',
      },
    },
    [
      /^ok/,
      /^note: nothing mounts \/huge 2M at the next boot\necho 'hugetlbfs \/huge\\0402M hugetlbfs pagesize=2M,mode=1770,gid=\d+,nofail 0 0' >> \/etc\/fstab$/,
    ],
  ],
  [
    'a mount of a unit, and that of systemd',
    hugetlbfs,
    {
      files: {
        ...QEMU_USER,
        ...pool(0, 2048, 8),
        '/proc/mounts': hugeMount('/dev/huge-2M', 'pagesize=2M') + hugeMount('/dev/hugepages', 'pagesize=2M'),
        '/dev/huge-2M/': 0o1770,
        '/dev/hugepages/': 0o755,
        '/etc/systemd/system/dev-huge\\x2d2M.mount': '',
        '/run/systemd/system/': 0o755,
      },
    },
    [/^ok: .*huge-2M/, /^ok: .*hugepages, mode 0755/],
  ],
  [
    'a mount that may not be looked at',
    hugetlbfs,
    { files: { ...QEMU_USER, ...pool(0, 2048, 8), ...MOUNT_2M }, denied: ['/dev/hugepages'] },
    [/^warning: cannot be told: .*\nsudo hugenode doctor --check hugetlbfs$/],
  ],

  [
    'libvirt found the mount',
    mountOrder,
    { files: { ...MOUNT_2M, ...LIBVIRTD, '/dev/hugepages/libvirt/qemu/': 0o755 } },
    [/^ok/],
  ],
  ['nothing is mounted', mountOrder, { files: LIBVIRTD }, [/^ok/]],
  [
    'libvirt came first',
    mountOrder,
    { files: { ...MOUNT_2M, ...LIBVIRTD, '/run/systemd/system/': 0o755 } },
    ['problem: libvirtd has started before /dev/hugepages (2 MiB) was mounted\nsystemctl restart libvirtd.service'],
  ],
  [
    'libvirt came first, several run, and there is no systemd',
    mountOrder,
    { files: { ...MOUNT_2M, ...LIBVIRTD, ...processFiles(9, 'libvirtd'), '/run/libvirtd.pid': '9\n' } },
    [/^problem: .*\nkill 9; while .*; do sleep 0.2; done; libvirtd -d$/],
  ],
  [
    'libvirt is told to use no mount, or another one',
    mountOrder,
    { files: { ...MOUNT_2M, ...LIBVIRTD, '/etc/libvirt/qemu.conf': '#x\nhugetlbfs_mount = ""\n' } },
    [/^problem: hugetlbfs_mount in .* is "", which leaves out \/dev\/hugepages \(2 MiB\)\nsed -i '.*' .*\nkill 7; /],
  ],
  [
    'libvirt is told to use that mount, and came first',
    mountOrder,
    {
      files: {
        ...MOUNT_2M,
        ...LIBVIRTD,
        '/etc/libvirt/qemu.conf': 'hugetlbfs_mount = ["/dev/hugepages"]\n',
        '/run/systemd/system/': 0o755,
      },
    },
    [/^problem: libvirtd has started before/],
  ],
  [
    'libvirt does not run: a zombie of it is none',
    mountOrder,
    { files: { ...MOUNT_2M, ...processFiles(7, 'libvirtd', { status: 'State:\tZ (zombie)\n' }) } },
    [/^note/],
  ],
  [
    'libvirt’s folder may not be looked at',
    mountOrder,
    { files: { ...MOUNT_2M, ...LIBVIRTD }, denied: ['/dev/hugepages/libvirt/qemu'] },
    [/^warning: cannot be told/],
  ],

  ['no controller of hugepages', cgroupLimits, { files: pool(0, 2048, 8) }, [/^ok: no control group/]],
  [
    'no limit',
    cgroupLimits,
    { files: { ...pool(0, 2048, 8), '/sys/fs/cgroup/machine.slice/hugetlb.2MB.max': 'max\n' } },
    [/^ok: no limit below the pool in 1 control groups/],
  ],
  [
    'nothing for guests, by the group of libvirtd',
    cgroupLimits,
    {
      files: {
        ...pool(0, 2048, 8),
        ...processFiles(7, 'libvirtd', { cgroup: '0::/system.slice/libvirtd.service\n' }),
        '/sys/fs/cgroup/system.slice/hugetlb.2MB.rsvd.max': '0\n',
      },
    },
    [
      /^problem: \/sys\/fs\/cgroup\/system.slice\/hugetlb.2MB.rsvd.max gives 0 KiB .*\necho max > '\/sys\/fs\/cgroup\/system.slice\/hugetlb.2MB.rsvd.max'$/,
    ],
  ],
  [
    'less than the pool, in a group of version 1',
    cgroupLimits,
    {
      files: {
        ...pool(0, 2048, 8),
        '/sys/fs/cgroup/hugetlb/machine/qemu-1-a/hugetlb.2MB.limit_in_bytes': '4194304\n',
        '/sys/fs/cgroup/hugetlb/machine/qemu-2-b/hugetlb.2MB.limit_in_bytes': '9223372036854771712\n',
      },
    },
    [/^warning: .*qemu-1-a.* gives 4 MiB .*\necho -1 > /],
  ],
];

test.each(cases)('%s', async (_name, check, host, expected) => {
  const verdicts = await verdictsOf(check, host);
  expect(linesOf(verdicts)).toEqual(matching(expected));
  commandsParse(verdicts);
});

test('every check of pools has cases of both sides', async () => {
  const levels = new Map<string, Set<string>>();
  for (const [, check, host] of cases) {
    const found = levels.get(check.id) ?? new Set();
    for (const { level } of await verdictsOf(check, host)) found.add(level);
    levels.set(check.id, found);
  }
  for (const [id, found] of levels) expect([id, found.has('ok'), found.size > 1]).toEqual([id, true, true]);
});
