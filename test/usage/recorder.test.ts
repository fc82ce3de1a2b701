import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { UsageRecorder } from '../../src/usage/usage_recorder.ts';
import { UsageStore } from '../../src/usage/usage_store.ts';
import { quietLog } from '../quiet_log.ts';
import { PROJECTS, World, type WorldStep } from './history_world.ts';

const ALL = { fromMs: 0, toMs: 4_000_000_000_000 };
const HOUR = 3_600_000;

/** The agent's record over a simulated host. */
class Bed {
  readonly world = new World();
  readonly store = UsageStore.open({ path: '', keepMs: 1e12, rows: 1e6, log: quietLog() });
  isBroken = false;
  recorder: UsageRecorder | undefined;

  async startAgent(): Promise<void> {
    this.recorder = new UsageRecorder({
      store: this.store,
      readClock: () => this.world.clock,
      readPresent: async () => {
        if (this.isBroken) throw new Error('libvirt is away');
        return [...this.world.holdings.values()];
      },
      heartbeatMs: 24 * HOUR,
      log: quietLog(),
    });
    await this.recorder.start();
  }

  /** Page-ms of that project in that span, by the record. */
  async sum(projectId: string, span = ALL): Promise<bigint> {
    await this.recorder?.report(ALL);
    return this.store.sums({ ...span, projectId }).reduce((sum, { pageMs }) => sum + pageMs, 0n);
  }
}

async function bedOf(): Promise<Bed> {
  const bed = new Bed();
  await bed.startAgent();
  return bed;
}

test('a guest that runs for an hour, then is shut off for another, then deleted', async () => {
  const bed = await bedOf();
  bed.world.start(0, 64);
  await bed.sum('p-0');
  bed.world.pass(HOUR);
  bed.world.shutOff(0);
  await bed.sum('p-0');
  bed.world.pass(HOUR);
  bed.world.holdings.delete(0);
  await bed.sum('p-0');
  bed.world.pass(HOUR);
  const report = await bed.recorder?.report(ALL);
  expect(report?.rows).toEqual([
    {
      projectId: 'p-0',
      node: 0,
      pageSizeKib: 2048,
      runningPageMs: 64n * BigInt(HOUR),
      keptPageMs: 64n * BigInt(HOUR),
    },
  ]);
});

test('an agent that died: what ran through is billed through, the rest up to the last look', async () => {
  const bed = await bedOf();
  bed.world.start(0, 10);
  bed.world.start(2, 10);
  bed.world.start(4, 10);
  await bed.sum('p-0');
  bed.world.pass(1_000);
  await bed.sum('p-0');
  bed.recorder = undefined;
  bed.world.pass(1_000);
  bed.world.holdings.delete(0);
  bed.world.start(2, 10);
  bed.world.pass(1_000);
  await bed.startAgent();
  expect(await bed.sum('p-0')).toBe(10_000n + 10_000n + 30_000n);
});

test('a guest whose process cannot be told is billed through no gap', async () => {
  const bed = await bedOf();
  bed.world.start(0, 10);
  const holding = bed.world.holdings.get(0);
  if (holding !== undefined) bed.world.holdings.set(0, { ...holding, identity: null });
  await bed.sum('p-0');
  bed.world.pass(1_000);
  expect(await bed.sum('p-0')).toBe(10_000n);
  bed.world.pass(500);
  await bed.startAgent();
  expect(await bed.sum('p-0')).toBe(10_000n);
  bed.world.pass(100);
  expect(await bed.sum('p-0')).toBe(11_000n);
});

test('a host that cannot be read is a gap; its end is told once', async () => {
  const bed = await bedOf();
  bed.world.start(0, 1);
  await bed.sum('p-0');
  bed.isBroken = true;
  bed.world.pass(5_000);
  expect(await bed.sum('p-0')).toBe(0n);
  bed.isBroken = false;
  expect(await bed.sum('p-0')).toBe(5_000n);
});

test('what happens is looked at soon, and what happens together once', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const bed = await bedOf();
  const sums = vi.spyOn(bed.store, 'write');
  bed.world.start(0, 1);
  for (let times = 0; times < 10; times += 1) bed.recorder?.notice();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sums).toHaveBeenCalledTimes(1);
  expect(bed.store.open()).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(24 * HOUR);
  expect(sums).toHaveBeenCalledTimes(2);
});

const guest = fc.nat(5);
const step: fc.Arbitrary<WorldStep> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(100_000) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('start' as const), guest, pages: fc.integer({ min: 1, max: 4096 }) }),
  },
  fc.record({ do: fc.constant('end' as const), guest }),
  fc.record({ do: fc.constant('shut-off' as const), guest }),
  fc.record({ do: fc.constant('set-clock' as const), ms: fc.integer({ min: -1e7, max: 1e7 }) }),
  fc.constant({ do: 'kill-agent' as const }),
  fc.constant({ do: 'start-agent' as const }),
  fc.constant({ do: 'break-host' as const }),
  fc.constant({ do: 'mend-host' as const }),
);

/** What a look should have made of the time since the one before. */
class Ledger {
  readonly pageMs = new Map<string, bigint>(PROJECTS.map((project) => [project, 0n]));
  mostPages = 0;
  #before: World['holdings'] = new Map();
  #beforeMs = 0;
  isGap = true;

  look({ holdings, monotonicMs }: World): void {
    const passed = BigInt(monotonicMs - this.#beforeMs);
    for (const [number, was] of this.#before) {
      const now = holdings.get(number);
      if (this.isGap && (now?.identity !== was.identity || now.state !== was.state)) continue;
      this.pageMs.set(was.projectId, (this.pageMs.get(was.projectId) ?? 0n) + BigInt(was.pages) * passed);
    }
    this.#before = new Map(holdings);
    this.#beforeMs = monotonicMs;
    this.isGap = false;
    const pages = [...holdings.values()].reduce((sum, one) => sum + one.pages, 0);
    this.mostPages = Math.max(this.mostPages, pages);
  }
}

async function play(steps: readonly WorldStep[]): Promise<{ bed: Bed; ledger: Ledger }> {
  const bed = await bedOf();
  const { world } = bed;
  const ledger = new Ledger();
  ledger.look(world);
  for (const one of steps) {
    if (one.do === 'pass') world.pass(one.ms);
    else if (one.do === 'start') world.start(one.guest, one.pages);
    else if (one.do === 'end') world.holdings.delete(one.guest);
    else if (one.do === 'shut-off') world.shutOff(one.guest);
    else if (one.do === 'set-clock') world.wallMs += one.ms;
    else if (one.do === 'kill-agent') bed.recorder = undefined;
    else if (one.do === 'break-host') bed.isBroken = true;
    else if (one.do === 'mend-host') bed.isBroken = false;
    else await bed.startAgent();
    if (bed.recorder === undefined || bed.isBroken) ledger.isGap = true;
    if (one.do === 'start-agent') ledger.isGap = true;
    if (bed.recorder === undefined) continue;
    await bed.recorder.report(ALL);
    if (!bed.isBroken) ledger.look(world);
  }
  return { bed, ledger };
}

test('property: every page-second is billed once, none is lost, whatever agent and clock do', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { bed, ledger } = await play(steps);
      bed.isBroken = false;
      for (const project of PROJECTS) {
        const sums = bed.store.sums({ ...ALL, projectId: project });
        expect(sums.reduce((sum, { pageMs }) => sum + pageMs, 0n)).toBe(ledger.pageMs.get(project));
      }
    }),
    { numRuns: Number(process.env['HUGENODE_PROPERTY_RUNS'] ?? 300) },
  );
});

test('property: spans that meet add up, and no span has more than was ever held at once', async () => {
  const cut = fc.integer({ min: -20_000_000, max: 20_000_000 });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.array(cut, { maxLength: 5 }), async (steps, cuts) => {
      const { bed, ledger } = await play(steps);
      const total = (fromMs: number, toMs: number) =>
        bed.store.sums({ fromMs, toMs }).reduce((sum, { pageMs }) => sum + pageMs, 0n);
      const edges = [0, ...cuts.map((ms) => 1_700_000_000_000 + ms).toSorted((a, b) => a - b), ALL.toMs];
      let sum = 0n;
      for (const [at, fromMs] of edges.slice(0, -1).entries()) {
        const toMs = edges[at + 1] ?? fromMs;
        const part = total(fromMs, toMs);
        expect(part).toBeLessThanOrEqual(BigInt(ledger.mostPages) * BigInt(toMs - fromMs));
        sum += part;
      }
      expect(sum).toBe(total(0, ALL.toMs));
    }),
    { numRuns: Number(process.env['HUGENODE_PROPERTY_RUNS'] ?? 300) },
  );
});
