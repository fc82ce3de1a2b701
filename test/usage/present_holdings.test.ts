import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { NodePages, PlacedGuest } from '../../src/admission/host_memory.ts';
import { DEFAULT_RULES } from '../../src/admission/rules.ts';
import { HoldingsBook } from '../../src/compute/holdings_book.ts';
import { parseStartTicks, readBootId, readStartTicks } from '../../src/host/process_start.ts';
import { readPresent } from '../../src/usage/present_holdings.ts';
import { RunIdentities } from '../../src/usage/run_identities.ts';
import { hostOf } from '../admission/hosts.ts';
import { placedCell } from '../domain/instances.ts';

const guestOf = (over: Partial<PlacedGuest> = {}): PlacedGuest => ({
  instanceUuid: 'i',
  projectId: 'p',
  placement: [placedCell({ node: 0, pageSizeKib: 2048, pages: 64 })],
  isRunning: true,
  launchedAt: '2026-11-01T00:00:00Z',
  ...over,
});

async function presentOf(guest: PlacedGuest, held: readonly NodePages[] | undefined, rules = DEFAULT_RULES) {
  const host = hostOf([64]);
  const base = host.cells.map((cell) => ({
    ...cell,
    free: [{ pageSizeKib: 4, pages: 9, total: 9 }, ...cell.free],
  }));
  return readPresent({
    driver: { readHostMemory: async () => ({ ...host, cells: base, guests: [guest] }) },
    holdings: new HoldingsBook({ getHoldings: async () => held }),
    rules,
    identityOf: async (uuid) => `run of ${uuid}`,
  });
}

const HELD = [
  { node: 0, pageSizeKib: 2048, pages: 60 },
  { node: 1, pageSizeKib: 2048, pages: 4 },
];

test('a guest that runs has what the kernel says', async () => {
  const common = { instanceUuid: 'i', projectId: 'p', state: 'running', identity: 'run of i' };
  const small = { node: 0, pageSizeKib: 4, pages: 777 };
  expect(await presentOf(guestOf(), [...HELD, small])).toEqual(HELD.map((one) => ({ ...one, ...common })));
});

test('where the kernel cannot be asked, it has what it was placed with', async () => {
  expect(await presentOf(guestOf(), undefined)).toMatchObject([{ node: 0, pages: 64 }]);
});

test('base pages are what was sold, not what was touched so far', async () => {
  const placement = [placedCell({ node: 0, pageSizeKib: 4, pages: 1000 })];
  expect(await presentOf(guestOf({ placement }), [{ node: 0, pageSizeKib: 4, pages: 3 }])).toMatchObject([
    { node: 0, pageSizeKib: 4, pages: 1000 },
  ]);
});

test('one that is shut off keeps its pages where the rule says so, and a build is not sold yet', async () => {
  const shutOff = guestOf({ isRunning: false });
  expect(await presentOf(shutOff, undefined)).toMatchObject([
    { pages: 64, state: 'kept', identity: 'kept/2026-11-01T00:00:00Z' },
  ]);
  expect(await presentOf(shutOff, undefined, { ...DEFAULT_RULES, shutOffInstances: 'release' })).toEqual([]);
  expect(await presentOf(guestOf({ launchedAt: null }), HELD)).toEqual([]);
});

test('holdings are read once, until something happened or they could not be read', async () => {
  let reads = 0;
  const answers = [undefined, HELD, HELD, HELD];
  const book = new HoldingsBook({ getHoldings: async () => answers[reads++] });
  expect(await book.of('i', [2048], 4)).toBeUndefined();
  for (let times = 0; times < 3; times += 1) expect(await book.of('i', [2048], 4)).toEqual(HELD);
  expect(reads).toBe(2);
  book.forget('i');
  await book.of('i', [2048], 4);
  book.forgetAllBut(new Set());
  await book.of('i', [2048], 4);
  expect(reads).toBe(4);
  expect(await book.of('small', [4], 4)).toEqual([]);
  expect(reads).toBe(4);
});

test('the run of a process: its boot, its pid and when it was started', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hugenode-run-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const uuid = randomUUID();
  const { pid = 0, ...guest } = spawnGuest(uuid);
  onTestFinished(() => guest.end());
  writeFileSync(join(folder, `pre-${uuid}.pid`), `${pid}`);
  mkdirSync(join(folder, 'pre-broken.pid'));
  const identities = new RunIdentities({ pidPath: folder, domainPrefix: 'pre-', bootId: 'b' });
  expect(await identities.of(uuid)).toBe(`b/${pid}/${await readStartTicks(pid)}`);
  expect(await identities.of('nobody')).toBeNull();
  expect(await identities.of('broken')).toBeNull();
  expect(await new RunIdentities({ pidPath: undefined, domainPrefix: '', bootId: 'b' }).of(uuid)).toBeNull();
  expect(await readBootId()).toMatch(/^[0-9a-f-]{36}$/);
});

/** A process whose command line names the guest. */
function spawnGuest(uuid: string): { pid: number | undefined; end: () => void } {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)', uuid]);
  return { pid: child.pid, end: () => void child.kill() };
}

test('a command may hold anything', () => {
  const fields = Array.from({ length: 30 }, (_, at) => at + 3).join(' ');
  expect(parseStartTicks(`17 (a) b (c) ${fields}\n`)).toBe(22);
  expect(parseStartTicks('')).toBeUndefined();
});
