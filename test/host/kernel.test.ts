import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseNumaMaps } from '../../src/host/numa_maps.ts';
import { isProcessOf, parseStatus, readPidFile, readProcessMemory } from '../../src/host/process_memory.ts';
import { readPromisedPages } from '../../src/host/promised_pages.ts';

test('numa_maps: huge mappings and bound ones count, QEMU’s own memory does not', () => {
  const text = [
    '55d0c0000000 default file=/usr/bin/qemu-system-x86_64 mapped=1200 active=0 N0=1200 kernelpagesize_kB=4',
    '7f1c00000000 bind:0 file=/dev/hugepages/libvirt/qemu/1-x/qemu_back_mem._objects_ram-node0.aBc\\040(deleted) huge dirty=32 N0=32 kernelpagesize_kB=2048',
    '7f1d00000000 bind:1 file=/dev/hugepages/libvirt/qemu/1-x/qemu_back_mem._objects_ram-node1.dEf\\040(deleted) huge dirty=16 N0=4 N1=12 kernelpagesize_kB=2048',
    '7f1e00000000 bind:0 anon=100 dirty=100 active=0 N0=100 kernelpagesize_kB=4',
    '7f1f00000000 default heap anon=7 dirty=7 N0=7 kernelpagesize_kB=4',
    '7f2000000000 bind:0 huge anon=1 dirty=1 N0=1 kernelpagesize_kB=1048576',
    '',
  ].join('\n');
  expect(parseNumaMaps(text)).toEqual([
    { node: 0, pageSizeKib: 4, pages: 100 },
    { node: 0, pageSizeKib: 2048, pages: 36 },
    { node: 0, pageSizeKib: 1048576, pages: 1 },
    { node: 1, pageSizeKib: 2048, pages: 12 },
  ]);
});

test('numa_maps: what is no numa_maps holds nothing', () => {
  expect(parseNumaMaps('garbage N0=5\nhuge N0=5 kernelpagesize_kB=x\n')).toEqual([]);
});

test('status: resident and hugetlb, and a zombie has neither', () => {
  const status = 'Name:\tqemu\nVmRSS:\t  106012 kB\nRssAnon:\t 1 kB\nHugetlbPages:\t  131072 kB\n';
  expect(parseStatus(status)).toEqual({ vmRssKib: 106012, hugetlbKib: 131072 });
  expect(parseStatus('Name:\tqemu\nState:\tZ (zombie)\n')).toBeUndefined();
});

test('a pid is only believed together with the command line', async () => {
  const root = mkdtempSync(join(tmpdir(), 'hugenode-proc-'));
  mkdirSync(join(root, '77'));
  writeFileSync(join(root, '77', 'cmdline'), 'qemu\0-uuid\0aaaa-bbbb\0');
  expect(await isProcessOf(77, 'aaaa-bbbb', root)).toBe(true);
  expect(await isProcessOf(77, 'cccc-dddd', root)).toBe(false);
  expect(await isProcessOf(78, 'aaaa-bbbb', root)).toBe(false);
  expect(await readProcessMemory(78, root)).toBeUndefined();
  writeFileSync(join(root, 'pid'), '77\n');
  writeFileSync(join(root, 'broken'), '-1; rm');
  expect(await readPidFile(join(root, 'pid'))).toBe(77);
  expect(await readPidFile(join(root, 'broken'))).toBeUndefined();
  expect(await readPidFile(join(root, 'none'))).toBeUndefined();
});

test('promised pages per size; a kernel without pools promises nothing', () => {
  const root = mkdtempSync(join(tmpdir(), 'hugenode-sys-'));
  for (const [size, count] of [
    ['2048', '7'],
    ['1048576', '0'],
  ]) {
    mkdirSync(join(root, `hugepages-${size}kB`));
    writeFileSync(join(root, `hugepages-${size}kB`, 'resv_hugepages'), `${count}\n`);
  }
  expect(readPromisedPages(root).toSorted((a, b) => a.pageSizeKib - b.pageSizeKib)).toEqual([
    { pageSizeKib: 2048, pages: 7 },
    { pageSizeKib: 1048576, pages: 0 },
  ]);
  expect(readPromisedPages(join(root, 'none'))).toEqual([]);
});
