import { expect, test } from 'vitest';
import { hostTable } from '../../src/cli/tables.ts';
import type { HoldersView, HostView } from '../../src/api/views.ts';

const UUID = '46b5e582-9784-4efc-9a0f-360244828e3f';
const host = (holders?: HoldersView): HostView => ({
  host: 'cmp1',
  api_version: '1.1',
  instances: 1,
  shut_off_instances: 'keep',
  nodes: [],
  promised: [],
  ...(holders === undefined ? {} : { holders }),
});
const pool = { node: 0, page_size_kib: 2048, total: 100, free: 40, promised: 0 };

test('holders: one line each, with what is unexplained and who may not be looked into', () => {
  const text = hostTable(
    host({
      available: true,
      pools: [
        {
          ...pool,
          holders: [
            { instance: { uuid: UUID, name: 'web' }, pid: 8, command: 'qemu', pages: 20, also_mapped: 0 },
            { instance: null, pid: 7, command: 'ovs', pages: 30, also_mapped: 20 },
          ],
          unexplained: 10,
        },
      ],
      unreadable: [{ instance: null, pid: 9, command: 'secret', hugetlb_kib: 20480 }],
    }),
  );
  expect(text).toMatch(new RegExp(`0 +│ 2 MiB │ web ${UUID}, qemu \\(pid 8\\) +│ 20 +│ 0 `));
  expect(text).toMatch(/0 +│ 2 MiB │ ovs \(pid 7\) +│ 30 +│ 20 /);
  expect(text).toMatch(/0 +│ 2 MiB │ unexplained +│ 10 +│ 0 /);
  expect(text).toContain('secret (pid 9) has 20 MiB of pages and may not be looked into');
});

test('holders: none, not asked for, and not to be had', () => {
  const none = { ...pool, holders: [], unexplained: 0 };
  expect(hostTable(host({ available: true, pools: [none], unreadable: [] }))).toContain('nobody holds a page');
  expect(hostTable(host())).not.toContain('hold');
  expect(hostTable(host({ available: false, pools: [], unreadable: [] }))).toContain('cannot be told');
});
