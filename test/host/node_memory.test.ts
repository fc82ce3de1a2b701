import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseReclaimable, readAvailable, readReclaimable } from '../../src/host/node_memory.ts';

const meminfo = (node: number) => `Node ${node} MemTotal:       13330644 kB
Node ${node} MemFree:         5529480 kB
Node ${node} Inactive(anon):  3523368 kB
Node ${node} Active(file):     737816 kB
Node ${node} Inactive(file):  1027468 kB
Node ${node} FilePages:       1829136 kB
Node ${node} KReclaimable:     234964 kB
Node ${node} SReclaimable:     234964 kB
Node ${node} HugePages_Total:  1024
`;

test('what the kernel would give up: file pages and reclaimable slabs, and nothing twice', () => {
  expect(parseReclaimable(meminfo(0))).toBe(737816 + 1027468 + 234964);
  expect(parseReclaimable('')).toBe(0);
});

test('per node, numbers with gaps', () => {
  const root = mkdtempSync(join(tmpdir(), 'hugenode-nodes-'));
  for (const node of [0, 3]) {
    mkdirSync(join(root, `node${node}`));
    writeFileSync(join(root, `node${node}`, 'meminfo'), meminfo(node));
  }
  writeFileSync(join(root, 'online'), '0,3');
  expect([...readReclaimable(root)].toSorted(([a], [b]) => a - b)).toEqual([
    [0, 2000248],
    [3, 2000248],
  ]);
  expect(readReclaimable(join(root, 'nowhere')).size).toBe(0);
});

test('MemAvailable, and a kernel that has none', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'hugenode-meminfo-')), 'meminfo');
  expect(readAvailable(file)).toBeNull();
  writeFileSync(file, 'MemTotal: 10 kB\nMemAvailable:    4711 kB\n');
  expect(readAvailable(file)).toBe(4711);
  writeFileSync(file, 'MemTotal: 10 kB\n');
  expect(readAvailable(file)).toBeNull();
});
