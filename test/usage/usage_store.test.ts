import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Holding } from '../../src/usage/history.ts';
import { UsageStore, type UsageStoreOptions } from '../../src/usage/usage_store.ts';
import { quietLog } from '../quiet_log.ts';

const ALL = { fromMs: 0, toMs: 1e13 };
const beatAt = (atMs: number) => ({ atMs, monotonicMs: atMs, bootId: 'b' });

const holding = (over: Partial<Holding> = {}): Holding => ({
  instanceUuid: 'i',
  projectId: 'p',
  node: 0,
  pageSizeKib: 2048,
  pages: 3,
  state: 'running',
  identity: 'run',
  ...over,
});

function fileOf(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hugenode-usage-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'inner', 'usage.sqlite');
}

function storeOf(over: Partial<UsageStoreOptions> = {}): { store: UsageStore; lines: [string, string][] } {
  const lines: [string, string][] = [];
  const store = UsageStore.open({ path: '', keepMs: 1e12, rows: 1e6, log: quietLog(lines), ...over });
  onTestFinished(() => store.close());
  return { store, lines };
}

test('what was written is there in the next process, for this user alone', () => {
  const path = fileOf();
  const first = UsageStore.open({ path, keepMs: 1e12, rows: 1e6, log: quietLog() });
  first.write({ closed: [], opened: [{ ...holding(), fromMs: 1_000 }] }, beatAt(1_000));
  first.write({ closed: [], opened: [] }, beatAt(5_000));
  // As after kill -9: it is not closed.
  const { store } = storeOf({ path });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(store.beat()).toEqual(beatAt(5_000));
  expect(store.open()).toEqual([{ ...holding(), id: 1, fromMs: 1_000 }]);
  expect(store.sums(ALL)).toEqual([{ projectId: 'p', node: 0, pageSizeKib: 2048, state: 'running', pageMs: 12_000n }]);
  first.close();
});

test('a file that is no database is moved aside, and told', () => {
  const path = fileOf();
  UsageStore.open({ path, keepMs: 1, rows: 1, log: quietLog() }).close();
  writeFileSync(path, 'no database at all, but long enough to have a header of one'.repeat(40));
  const lines: [string, string][] = [];
  const store = UsageStore.open({ path, keepMs: 1, rows: 1, log: quietLog(lines) });
  expect(store.beat()).toBeUndefined();
  expect(lines).toEqual([['error', 'the history of usage is no database; starting with a new one']]);
  expect(readdirSync(join(path, '..')).filter((name) => name.includes('.broken-'))).toHaveLength(1);
  store.close();
});

test('a folder that cannot be made is an error of its own', () => {
  const file = join(fileOf(), '..', '..', 'file');
  writeFileSync(file, '');
  const path = join(file, 'usage.sqlite');
  expect(() => UsageStore.open({ path, keepMs: 1, rows: 1, log: quietLog() })).toThrow('EEXIST');
});

test('spans and projects cut what is summed', () => {
  const { store } = storeOf();
  const opened = [
    { ...holding(), fromMs: 1_000 },
    { ...holding({ projectId: 'q', instanceUuid: 'j', node: 1, pages: 5 }), fromMs: 2_000 },
  ];
  store.write({ closed: [], opened }, beatAt(1_000));
  store.write({ closed: [{ id: 1, atMs: 3_000 }], opened: [] }, beatAt(4_000));
  const sums = (fromMs: number, toMs: number, projectId?: string) =>
    store
      .sums({ fromMs, toMs, ...(projectId === undefined ? {} : { projectId }) })
      .map((sum) => [sum.projectId, sum.node, sum.pageMs]);
  expect(sums(0, 10_000)).toEqual([
    ['p', 0, 6_000n],
    ['q', 1, 10_000n],
  ]);
  expect(sums(1_500, 2_500)).toEqual([
    ['p', 0, 3_000n],
    ['q', 1, 2_500n],
  ]);
  expect(sums(0, 10_000, 'q')).toEqual([['q', 1, 10_000n]]);
  expect(sums(3_000, 10_000)).toEqual([['q', 1, 5_000n]]);
  expect(sums(4_000, 10_000)).toEqual([]);
  expect(sums(0, 10_000, "p' OR 1=1 --")).toEqual([]);
});

test('sums beyond what a double holds are exact', () => {
  const { store } = storeOf();
  const year = 366 * 86_400_000;
  const opened = [1, 2, 3].map((one) => ({
    ...holding({ instanceUuid: `i-${one}`, pageSizeKib: 4, pages: 2 ** 31 - one }),
    fromMs: 1,
  }));
  store.write({ closed: [], opened }, beatAt(1));
  store.write({ closed: [], opened: [] }, beatAt(1 + year));
  expect(store.sums(ALL)[0]?.pageMs).toBe(BigInt(3 * 2 ** 31 - 6) * BigInt(year));
});

test('what ended long ago goes, and the answer says from when on it is whole', () => {
  const { store, lines } = storeOf({ keepMs: 10_000 });
  store.write({ closed: [], opened: [{ ...holding(), fromMs: 1_000 }] }, beatAt(1_000));
  store.write({ closed: [{ id: 1, atMs: 2_000 }], opened: [{ ...holding(), fromMs: 2_000 }] }, beatAt(2_000));
  expect(store.sinceMs()).toBe(1_000);
  for (let look = 0; look < 64; look += 1) store.write({ closed: [], opened: [] }, beatAt(20_000));
  expect(store.sums(ALL)[0]?.pageMs).toBe(3n * 18_000n);
  expect(store.sinceMs()).toBe(10_000);
  expect(lines).toEqual([]);
});

test('beyond its rows the oldest go, told in the log; what goes on stays', () => {
  const { store, lines } = storeOf({ rows: 4 });
  const opened = [1, 2, 3, 4, 5, 6].map((one) => ({ ...holding({ instanceUuid: `i-${one}` }), fromMs: 1_000 }));
  store.write({ closed: [], opened }, beatAt(1_000));
  const closed = [1, 2, 3].map((id) => ({ id, atMs: 2_000 + id }));
  store.write({ closed, opened: [] }, beatAt(3_000));
  for (let look = 0; look < 64; look += 1) store.write({ closed: [], opened: [] }, beatAt(4_000));
  expect(store.open()).toHaveLength(3);
  expect(store.sinceMs()).toBe(2_002);
  expect(store.sums(ALL)[0]?.pageMs).toBe(3n * (3n * 3_000n + 1_003n));
  expect(lines).toEqual([['warn', 'the history of usage is full: what ended first is gone (usage.rows)']]);
});

test('a look that cannot be written leaves nothing of itself', () => {
  const { store } = storeOf();
  store.write({ closed: [], opened: [{ ...holding(), fromMs: 1_000 }] }, beatAt(1_000));
  const broken = { ...holding(), pages: 1.5, fromMs: 2_000 };
  expect(() => store.write({ closed: [{ id: 1, atMs: 2_000 }], opened: [broken] }, beatAt(2_000))).toThrow('REAL');
  expect(store.beat()).toEqual(beatAt(1_000));
  expect(store.open()).toHaveLength(1);
});
