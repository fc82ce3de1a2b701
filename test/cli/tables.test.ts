import { expect, test } from 'vitest';
import { viewInstance } from '../../src/api/views.ts';
import { hostTable, instanceTable } from '../../src/cli/tables.ts';
import type { HoldersView, HostView } from '../../src/api/views.ts';

import { instanceOf, placedCell } from '../domain/instances.ts';

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

test('an instance shows the CPUs that are its own, and a host what is kept for those that are shut off', () => {
  const cell = { ...placedCell({ vcpus: [0, 1] }), pins: [{ vcpu: 1, cpu: 5 }] };
  const instance = instanceOf({ placement: [cell] });
  const info = { instance, powerState: 'running', domainName: 'd', consoleLogPath: '/c' } as const;
  expect(instanceTable(viewInstance(info, 'cmp1'))).toContain('64 pages of 2 MiB, vCPU 0, 1 on CPU 5');
  const poolView = { page_size_kib: 2048, total: 9, free: 8, claimed: 7, reserved: 6, held_by_instances: 5 };
  const nodes = [{ node: 0, cpus: [0], pools: [{ ...poolView, kept_for_shut_off: 4 }] }];
  expect(hostTable({ ...host(), nodes })).toMatch(/HELD │ KEPT [^]*│ 9 +│ 8 +│ 7 +│ 6 +│ 5 +│ 4 /);
});
