import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasNumaMaps, printableCommand, readPageHolders } from '../../src/host/page_holders.ts';
import { readPagePools } from '../../src/host/page_pools.ts';

const MIB = 1024 * 1024;

type Mapping = {
  /** Pages of 2 MiB on node 0. */
  pages: number;
  inode?: number;
  /** In pages of the file. */
  from?: number;
  length?: number;
  perms?: string;
  mapmax?: number;
  words?: string;
  sizeKib?: number;
};

/** A made-up /proc: kernel 6.18 wrote lines of this form. */
function procOf(processes: Record<number, { comm?: string; hugetlbKib?: number; mappings?: Mapping[] }>): string {
  const root = mkdtempSync(join(tmpdir(), 'hugenode-proc-'));
  writeFileSync(join(root, 'meminfo'), '');
  for (const [pid, { comm = 'x', mappings = [], hugetlbKib = mappings.length > 0 ? 2048 : 0 }] of Object.entries(
    processes,
  )) {
    mkdirSync(join(root, pid));
    const file = (name: string, text: string) => writeFileSync(join(root, pid, name), text);
    file('comm', `${comm}\n`);
    file('status', `Name:\tx\nVmRSS:\t 100 kB\nHugetlbPages:\t ${hugetlbKib} kB\n`);
    const lines = mappings.map((mapping, index) => {
      const { pages, inode = Number(pid) * 100 + index, from = 0, length = 64, perms = 'rw-p', mapmax } = mapping;
      const begin = 0x7f0000000000 + index * 2 ** 36;
      const [start, end] = [begin, begin + length * 2 * MIB].map((address) => address.toString(16));
      const offset = (from * 2 * MIB).toString(16).padStart(8, '0');
      const most = mapmax === undefined ? '' : ` mapmax=${mapmax}`;
      return {
        numa: `${start} default file=/dev/hugepages/a\\040b ${mapping.words ?? 'huge'} dirty=${pages}${most} N0=${pages} kernelpagesize_kB=${mapping.sizeKib ?? 2048}`,
        maps: `${start}-${end} ${perms} ${offset} 00:11 ${inode}                      /dev/hugepages/a b`,
      };
    });
    file(
      'numa_maps',
      `7e00 default heap anon=3 N0=3 kernelpagesize_kB=4\n${lines.map(({ numa }) => numa).join('\n')}\n`,
    );
    file('maps', `7e00-7e01 rw-p 00000000 00:00 0 [heap]\n${lines.map(({ maps }) => maps).join('\n')}\n`);
  }
  return root;
}

const sumOf = (list: readonly { pages: number }[]) => list.reduce((total, { pages }) => total + pages, 0);

/** Per pid: pages that it holds, pages that it also maps. */
const heldIn = async (root: string, owners: number[] = []) => {
  const { holders } = await readPageHolders(new Set(owners), root);
  return Object.fromEntries(holders.map(({ pid, held, alsoMapped }) => [pid, [sumOf(held), sumOf(alsoMapped)]]));
};

const shared = (pages: number, over: Partial<Mapping> = {}): Mapping => ({
  pages,
  inode: 7,
  perms: 'rw-s',
  mapmax: 2,
  ...over,
});

test('who has hugetlb pages is listed with them; ordinary memory, and processes without, are not', async () => {
  const root = procOf({
    30: { comm: 'qemu-system-x86', mappings: [{ pages: 5 }, { pages: 2 }, { pages: 1, sizeKib: 1048576 }] },
    4: { comm: 'dpdk', mappings: [{ pages: 3 }, { pages: 9, words: 'not', sizeKib: 4 }] },
    5: { mappings: [{ pages: 9 }], hugetlbKib: 0 },
    6: {},
  });
  expect(await readPageHolders(new Set(), root)).toEqual({
    holders: [
      { pid: 4, command: 'dpdk', held: [{ node: 0, pageSizeKib: 2048, pages: 3 }], alsoMapped: [] },
      {
        pid: 30,
        command: 'qemu-system-x86',
        held: [
          { node: 0, pageSizeKib: 2048, pages: 7 },
          { node: 0, pageSizeKib: 1048576, pages: 1 },
        ],
        alsoMapped: [],
      },
    ],
    unreadable: [],
  });
});

test('a process that may not be looked into is named with what its status says; one that ended is not', async () => {
  const root = procOf({
    4: { comm: 'secret', hugetlbKib: 6144 },
    5: { comm: 'ended', hugetlbKib: 2048 },
  });
  for (const pid of ['4', '5']) rmSync(join(root, pid, 'numa_maps'));
  // A folder stands for what may not be read: the tests run as root, who may read all files.
  mkdirSync(join(root, '4', 'numa_maps'));
  expect(await readPageHolders(new Set(), root)).toEqual({
    holders: [],
    unreadable: [{ pid: 4, command: 'secret', hugetlbKib: 6144 }],
  });
});

test('page tables that another process has filled: only the file tells that there are huge pages', async () => {
  const root = procOf({ 4: { mappings: [shared(3, { length: 512 })], hugetlbKib: 0 }, 5: { hugetlbKib: 0 } });
  const asked: string[] = [];
  const holdersWhere = async (isHuge: boolean) => {
    const isHugeFile = async (path: string) => asked.push(path) > 0 && isHuge;
    return (await readPageHolders(new Set(), root, isHugeFile)).holders.map(({ pid }) => pid);
  };
  expect(await holdersWhere(true)).toEqual([4]);
  expect(await holdersWhere(false)).toEqual([]);
  expect(new Set(asked)).toEqual(new Set([join(root, '4', 'map_files', '7f0000000000-7f0040000000')]));
});

test.each([
  ['two map the same file: once, with the one that maps most', { 10: [shared(4)], 11: [shared(6)] }, [], [0, 6]],
  ['two map the same file: with the guest', { 10: [shared(6)], 11: [shared(6)] }, [11], [0, 6]],
  ['the guest has touched less: the rest is with the other', { 10: [shared(6)], 11: [shared(2)] }, [11], [4, 2]],
  ['different parts of a file', { 10: [shared(6)], 11: [shared(5, { from: 64 })] }, [], [6, 5]],
  ['different files', { 10: [shared(6)], 11: [shared(5, { inode: 8 })] }, [], [6, 5]],
  [
    'each page in one mapping only, as the kernel says: nothing is shared',
    { 10: [shared(6, { mapmax: 1 })], 11: [shared(5, { mapmax: 1 })] },
    [],
    [6, 5],
  ],
  [
    'from 1 GiB on page tables may be shared, and the kernel’s word is not enough',
    { 10: [shared(6, { mapmax: 1, length: 512 })], 11: [shared(5, { mapmax: 1, length: 512 })] },
    [],
    [6, 0],
  ],
  [
    'but private mappings share no page tables',
    {
      10: [shared(6, { mapmax: 1, length: 512, perms: 'rw-p' })],
      11: [shared(5, { mapmax: 1, length: 512, perms: 'rw-p' })],
    },
    [],
    [6, 5],
  ],
  [
    'a fork, with a file without a name',
    { 10: [shared(6, { perms: 'rw-p' })], 11: [shared(6, { perms: 'rw-p' })] },
    [],
    [6, 0],
  ],
  ['one process maps a file twice', { 10: [shared(6), shared(6)], 11: [] }, [], [6, undefined]],
])('%s', async (_what, mappings, owners, [first, second]) => {
  const root = procOf(Object.fromEntries(Object.entries(mappings).map(([pid, list]) => [pid, { mappings: list }])));
  const held = await heldIn(root, owners);
  expect([held['10']?.[0], held['11']?.[0]]).toEqual([first, second]);
});

test('property: a shared file counts as much as the largest of its mappings, whoever owns it', async () => {
  const counts = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(counts, fc.integer({ min: 0, max: 5 }), async (pages, owner) => {
      const root = procOf(Object.fromEntries(pages.map((count, index) => [10 + index, { mappings: [shared(count)] }])));
      const held = await heldIn(root, [10 + owner]);
      const sum = (column: 0 | 1) => Object.values(held).reduce((total, pair) => total + (pair[column] ?? 0), 0);
      expect(sum(0)).toBe(Math.max(...pages));
      expect(sum(0) + sum(1)).toBe(pages.reduce((total, count) => total + count, 0));
      // Whoever owns it has no page that is counted with another.
      expect(held[10 + owner]?.[1] ?? 0).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('a name is 15 printable characters, whatever the process calls itself', () => {
  expect(printableCommand('qemu-system-x86\n')).toBe('qemu-system-x86');
  expect(printableCommand('\u001B[2J\u009Bx\n\r\u202Eé\n')).toBe('?[2J?x????');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (comm) => {
      expect(printableCommand(comm)).toMatch(/^[ -~]{0,15}$/);
    }),
  );
});

test('a kernel without NUMA cannot be asked', async () => {
  const root = procOf({});
  expect(await hasNumaMaps(root)).toBe(false);
  mkdirSync(join(root, 'self'));
  writeFileSync(join(root, 'self', 'numa_maps'), '');
  expect(await hasNumaMaps(root)).toBe(true);
});

test('pools per node and size', async () => {
  const root = mkdtempSync(join(tmpdir(), 'hugenode-node-'));
  mkdirSync(join(root, 'node10'));
  for (const [node, size, total, free] of [
    ['node2', '2048', '7', '5'],
    ['node0', '1048576', '1', '0'],
    ['node0', '2048', '9', '9'],
  ] as const) {
    const folder = join(root, node, 'hugepages', `hugepages-${size}kB`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'nr_hugepages'), `${total}\n`);
    writeFileSync(join(folder, 'free_hugepages'), `${free}\n`);
  }
  expect(await readPagePools(root)).toEqual([
    { node: 0, pageSizeKib: 2048, totalPages: 9, freePages: 9 },
    { node: 0, pageSizeKib: 1048576, totalPages: 1, freePages: 0 },
    { node: 2, pageSizeKib: 2048, totalPages: 7, freePages: 5 },
  ]);
});
