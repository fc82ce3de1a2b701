import fc from 'fast-check';
import { expect, test } from 'vitest';
import { reportPageHolders } from '../../src/compute/page_holders_report.ts';
import type { PageHolders } from '../../src/compute_driver.ts';
import { instanceOf } from '../domain/instances.ts';

const on = (node: number, pages: number, pageSizeKib = 2048) => ({ node, pageSizeKib, pages });
const ours = instanceOf();
const { uuid, name } = ours;

const found = (over: Partial<PageHolders> = {}): PageHolders => ({
  pools: [
    { node: 0, pageSizeKib: 2048, totalPages: 100, freePages: 40 },
    { node: 1, pageSizeKib: 2048, totalPages: 50, freePages: 50 },
  ],
  promised: [{ pageSizeKib: 2048, pages: 3 }],
  holders: [
    { pid: 7, command: 'dpdk', instance: null, held: [on(0, 30)], alsoMapped: [] },
    { pid: 9, command: 'ovs', instance: null, held: [], alsoMapped: [on(0, 20)] },
    { pid: 8, command: 'qemu', instance: ours, held: [on(0, 20)], alsoMapped: [] },
  ],
  unreadable: [],
  ...over,
});

test('per pool: ours first, then others by what they hold, then what nobody can be named for', () => {
  const [first, second] = reportPageHolders(found()).pools;
  expect(first).toEqual({
    node: 0,
    pageSizeKib: 2048,
    totalPages: 100,
    freePages: 40,
    promisedPages: 3,
    holders: [
      { instance: { uuid, name }, pid: 8, command: 'qemu', pages: 20, alsoMappedPages: 0 },
      { instance: null, pid: 7, command: 'dpdk', pages: 30, alsoMappedPages: 0 },
      { instance: null, pid: 9, command: 'ovs', pages: 0, alsoMappedPages: 20 },
    ],
    unexplainedPages: 10,
  });
  expect(second).toMatchObject({ node: 1, holders: [], unexplainedPages: 0 });
});

test('the pages of a process that may not be looked into are unexplained, and it is named', () => {
  const [hidden, ...others] = found().holders;
  const report = reportPageHolders(
    found({ holders: others, unreadable: [{ pid: 7, command: 'dpdk', instance: null, hugetlbKib: 61440 }] }),
  );
  expect(hidden?.pid).toBe(7);
  expect(report.available).toBe(true);
  expect(report.pools[0]?.unexplainedPages).toBe(40);
  expect(report.unreadable).toEqual([{ pid: 7, command: 'dpdk', instance: null, hugetlbKib: 61440 }]);
});

test('a host that cannot be asked', () => {
  expect(reportPageHolders(undefined)).toEqual({ available: false, pools: [], unreadable: [] });
});

test('property: held, free and unexplained make up the total, and nothing is negative', () => {
  const count = fc.integer({ min: 0, max: 100 });
  fc.assert(
    fc.property(count, count, fc.array(count), (totalPages, freePages, pages) => {
      const [pool] = reportPageHolders(
        found({
          pools: [{ node: 0, pageSizeKib: 2048, totalPages, freePages }],
          holders: pages.map((held, pid) => ({
            pid,
            command: 'x',
            instance: null,
            held: [on(0, held), on(1, 5), on(0, 5, 1048576)],
            alsoMapped: [],
          })),
        }),
      ).pools;
      const held = pages.reduce((sum, one) => sum + one, 0);
      expect(pool?.unexplainedPages).toBe(Math.max(0, totalPages - freePages - held));
      expect(pool?.holders.length).toBe(pages.filter((one) => one > 0).length);
    }),
  );
});
