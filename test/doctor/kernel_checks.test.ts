import { expect, test } from 'vitest';
import { denials } from '../../src/doctor/checks/denials.ts';
import { fragmentation } from '../../src/doctor/checks/fragmentation.ts';
import { kvm } from '../../src/doctor/checks/kvm.ts';
import { memlock } from '../../src/doctor/checks/memlock.ts';
import { memoryFloor } from '../../src/doctor/checks/memory_floor.ts';
import { swap } from '../../src/doctor/checks/swap.ts';
import { transparentPages } from '../../src/doctor/checks/transparent_pages.ts';
import {
  commandsParse,
  linesOf,
  pool,
  processFiles,
  QEMU_USER,
  STRANGE_QEMU_USER,
  verdictsOf,
  type Files,
  matching,
  type Case,
} from './fake_root.ts';

const GIB = 1024 ** 2;
const LIBVIRTD = processFiles(7, 'libvirtd');
const limits = (hard: string) => ({
  limits: `Limit Soft Hard Units\nMax locked memory         8388608   ${hard}  bytes\n`,
});
const capabilities = (mask: string) => ({ status: `Name:\tlibvirtd\nState:\tS (sleeping)\nCapEff:\t${mask}\n` });
const meminfo = (lines: Record<string, number>): Files => ({
  '/proc/meminfo': Object.entries(lines)
    .map(([name, kib]) => `${name}:  ${kib} kB\n`)
    .join(''),
});
const APPARMOR = { '/sys/module/apparmor/parameters/enabled': 'Y\n' };
const DENIAL =
  '6,1,2,-;audit: type=1400 apparmor="DENIED" operation="open" profile="libvirt-46b5" name="/srv/disk.raw" comm="qemu-system-x86"\n';
const PAGE_DENIAL = DENIAL.replace('/srv/disk.raw', '/dev/hugepages/libvirt/qemu/1-x/y');

const cases: Case[] = [
  [
    'KVM that QEMU may use',
    kvm,
    { files: { ...QEMU_USER, '/dev/kvm': 0o660 } },
    [/^ok: \/dev\/kvm is open to libvirt-qemu$/],
  ],
  [
    'KVM in a virtual machine',
    kvm,
    { files: { ...QEMU_USER, '/dev/kvm': 0o660, '/proc/cpuinfo': 'flags\t\t: fpu svm hypervisor\n' } },
    [/^ok/, /^note: .*nested/],
  ],
  [
    'KVM of root alone',
    kvm,
    { files: { ...STRANGE_QEMU_USER, '/dev/kvm': 0o600 } },
    [/^warning: .*not open to libvirt-qemu.*\nchgrp kvm \/dev\/kvm && chmod 0660 \/dev\/kvm$/],
  ],
  [
    'KVM of root alone, and wanted',
    kvm,
    { files: { ...STRANGE_QEMU_USER, '/dev/kvm': 0o600 }, settings: ['libvirt.virt_type=kvm'] },
    [/^problem/],
  ],
  [
    'no KVM',
    kvm,
    { files: { '/proc/cpuinfo': 'flags\t: fpu\n' } },
    [/^warning: no \/dev\/kvm, and .*neither vmx nor svm$/],
  ],
  [
    'no KVM, the module is not loaded, and KVM is wanted',
    kvm,
    { files: { '/proc/cpuinfo': 'flags\t: fpu vmx\n' }, settings: ['libvirt.virt_type=kvm'] },
    [/^problem: no \/dev\/kvm\nmodprobe kvm_intel$/],
  ],
  ['no KVM wanted', kvm, { settings: ['libvirt.virt_type=qemu'] }, [/^note: guests run emulated/]],
  [
    'memory to spare',
    memoryFloor,
    { files: { ...pool(0, 2048, 8), ...meminfo({ MemTotal: 8 * GIB, MemAvailable: 2 * GIB }) } },
    [/^ok/],
  ],
  [
    'less than 2 GiB: free pages go back, no more than are lacking',
    memoryFloor,
    { files: { ...pool(0, 2048, 3000, 2000), ...meminfo({ MemTotal: 8 * GIB, MemAvailable: 2 * GIB - 3000 }) } },
    [/^warning: 2 GiB are available.*\necho 2998 > .*node0\/hugepages\/hugepages-2048kB\/nr_hugepages$/],
  ],
  [
    'less than the agent wants, and no page is free',
    memoryFloor,
    { files: { ...pool(0, 2048, 3000, 0), ...meminfo({ MemTotal: 8 * GIB, MemAvailable: 511 * 1024 }) } },
    [/^problem: 511 MiB.*host_memory_floor_mb wants 512 MiB$/],
  ],
  ['no meminfo', memoryFloor, {}, [/^warning: cannot be told/]],

  [
    'whole memory',
    fragmentation,
    { files: { '/proc/buddyinfo': 'Node 0, zone   Normal  9 0 0 0 0 0 0 0 0 1 3\n' } },
    [/^ok: in whole blocks of 2 MiB, node 0: 14 MiB of 14.04 MiB free$/],
  ],
  [
    'broken memory on one node of two',
    fragmentation,
    {
      files: {
        '/proc/buddyinfo': 'Node 0, zone DMA 0 0 0 0 0 0 0 0 0 0 3\nNode 1, zone Normal 9999 0 0 0 0 0 0 0 0 0 3\n',
      },
    },
    [/^warning: little is in whole blocks of 2 MiB, node 1: .*\necho 1 > \/proc\/sys\/vm\/compact_memory$/],
  ],
  [
    'no pages of 1 GiB',
    fragmentation,
    { files: { ...pool(0, GIB, 0), '/proc/buddyinfo': `Node 0, zone Normal 0 0 0 0 0 0 0 0 0 0 600\n` } },
    [/^ok/, /^note: no pages of 1 GiB are reserved; now there is free memory for 2 at most/],
  ],
  [
    'no pages of 1 GiB, and they are wanted',
    fragmentation,
    {
      files: { ...pool(0, GIB, 0), '/proc/buddyinfo': `Node 0, zone Normal 0 0 0 0 0 0 0 0 0 0 600\n` },
      settings: ['admission.default_mem_page_size=1GB'],
    },
    [/^ok/, /^warning: .*\n.*hugepagesz=1G hugepages=8.*update-grub$/],
  ],
  ['no buddyinfo', fragmentation, {}, [/^warning: cannot be told/]],

  [
    'THP where asked for',
    transparentPages,
    { files: { '/sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n' } },
    [/^ok/],
  ],
  [
    'THP for everybody',
    transparentPages,
    { files: { '/sys/kernel/mm/transparent_hugepage/enabled': '[always] madvise never\n' } },
    [/^note: transparent hugepages: always\necho madvise > /],
  ],
  ['a kernel without THP', transparentPages, {}, [/^ok: this kernel has none/]],
  [
    'THP that may not be read',
    transparentPages,
    { denied: ['/sys/kernel/mm/transparent_hugepage/enabled'] },
    [/^warning: cannot/],
  ],

  ['no swap', swap, { files: meminfo({ SwapTotal: 0, SwapFree: 0 }) }, ['ok: no swap']],
  [
    'calm swap',
    swap,
    { files: { ...meminfo({ SwapTotal: 1024, SwapFree: 1000 }), '/proc/sys/vm/swappiness': '10\n' } },
    [/^ok/],
  ],
  [
    'eager swap',
    swap,
    { files: { ...meminfo({ SwapTotal: 1024, SwapFree: 1000 }), '/proc/sys/vm/swappiness': '60\n' } },
    [/^note: .*swappiness is 60\nsysctl -w vm.swappiness=10/],
  ],
  [
    'full swap',
    swap,
    { files: meminfo({ SwapTotal: 1024, SwapFree: 768 }) },
    [/^warning: 256 KiB of 1 MiB of swap are in use/],
  ],

  [
    'any memory may be locked',
    memlock,
    { files: processFiles(7, 'virtqemud', { ...limits('unlimited'), ...capabilities('0') }) },
    [/^ok: virtqemud/],
  ],
  [
    'the limit may be raised',
    memlock,
    { files: processFiles(7, 'libvirtd', { ...limits('8388608'), ...capabilities('0000000001000000') }) },
    [/^ok: .*raise/],
  ],
  [
    'the limit stays',
    memlock,
    {
      files: {
        ...processFiles(7, 'libvirtd', { ...limits('8388608'), ...capabilities('000001fffeffffff') }),
        '/run/systemd/system/': 0o755,
      },
    },
    [
      /^warning: libvirtd may lock 8388608 bytes.*\nmkdir -p .*LimitMEMLOCK=infinity.*systemctl restart libvirtd.service$/,
    ],
  ],
  [
    'the limit stays, without systemd',
    memlock,
    { files: processFiles(7, 'libvirtd', { ...limits('8388608'), ...capabilities('0') }) },
    [/\nprlimit --pid 7 --memlock=unlimited:unlimited$/],
  ],
  ['the limit may not be read', memlock, { files: LIBVIRTD }, [/^warning: cannot be told/]],
  ['no libvirt, no limit', memlock, {}, [/^note: cannot be told/]],

  ['no AppArmor, no SELinux', denials, {}, [/^ok: nothing is denied/]],
  ['nothing denied', denials, { files: { ...APPARMOR, '/dev/kmsg': '6,1,2,-;usb 1-1: hello\n' } }, [/^ok: no denial/]],
  [
    'others are denied something',
    denials,
    { files: { ...APPARMOR, '/dev/kmsg': DENIAL.replaceAll(/libvirt-46b5|qemu-system-x86/g, 'cupsd') } },
    [/^ok: no denial/],
  ],
  [
    'a disk is denied',
    denials,
    { files: { ...APPARMOR, '/dev/kmsg': DENIAL } },
    [/^warning: 1 denials .*\/srv\/disk.raw/],
  ],
  [
    'pages are denied, by AppArmor',
    denials,
    { files: { ...APPARMOR, '/dev/kmsg': DENIAL + PAGE_DENIAL } },
    [/^problem: 1 denials about hugepages.*\nmkdir -p .*local\/abstractions\/libvirt-qemu$/],
  ],
  [
    'pages are denied, by SELinux, as auditd says',
    denials,
    {
      files: {
        '/sys/fs/selinux/enforce': '1',
        '/var/log/audit/audit.log':
          'type=AVC msg=audit(1.2:3): avc:  denied  { read } for comm="qemu-kvm" path="/dev/hugepages/x" scontext=system_u:system_r:svirt_t:s0\n',
      },
    },
    [/^problem: .*\nausearch /],
  ],
  ['a log that may not be read', denials, { files: APPARMOR, denied: ['/dev/kmsg'] }, [/^warning: cannot be told/]],
];

test.each(cases)('%s', async (_name, check, host, expected) => {
  const verdicts = await verdictsOf(check, host);
  expect(linesOf(verdicts)).toEqual(matching(expected));
  commandsParse(verdicts);
});

test('every check of the kernel has cases of both sides', async () => {
  const levels = new Map<string, Set<string>>();
  for (const [, check, host] of cases) {
    const found = levels.get(check.id) ?? new Set();
    for (const { level } of await verdictsOf(check, host)) found.add(level);
    levels.set(check.id, found);
  }
  for (const [id, found] of levels) expect([id, found.has('ok'), found.size > 1]).toEqual([id, true, true]);
});
