/**
 * The client at length, against a fake daemon: what goes wrong once in a million packets, and what grows by a byte per
 * call. `npm run test:soak`; SOAK_SEED sets another seed.
 */
import { expect, test } from 'vitest';
import { fuzz, unforeseen } from '../node-libvirt/fuzzing.ts';
import { held } from '../node-libvirt/memory.ts';
import { soak, unforeseen as unforeseenBySoak } from '../node-libvirt/soaking.ts';

const seed = Number(process.env['SOAK_SEED'] ?? 20_260_101);
const TIMEOUT_MS = 600_000;
/** Ten bytes for each of 200,000 calls are 2 MiB. */
const HEAP_MIB = 2;
/** The allocator's own high water rises for a while yet; a leak beside the heap that matters is larger. */
const RSS_MIB = 128;

/**
 * Runs it in two halves and compares what is held after the second with what was after the first, so that what is made
 * or compiled once is not taken for growth.
 */
async function inHalves<R>(what: string, half: (seed: number) => Promise<R>): Promise<R[]> {
  const start = performance.now();
  const reports = [await half(seed)];
  const before = await held();
  reports.push(await half(seed + 1));
  const after = await held();
  const seconds = Math.round((performance.now() - start) / 1000);
  process.stdout.write(`${what}: ${JSON.stringify({ seed, seconds, before, after, reports }, jsonOf, 2)}\n`);
  expect(after.heapMib - before.heapMib).toBeLessThan(HEAP_MIB);
  expect(after.rssMib - before.rssMib).toBeLessThan(RSS_MIB);
  expect(after.resources).toEqual(before.resources);
  return reports;
}

function jsonOf(_: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  return value instanceof Set ? value.size : value;
}

test(`1,000,000 mutated packets (seed ${seed})`, { timeout: TIMEOUT_MS }, async () => {
  const reports = await inHalves('fuzz', (half) => fuzz({ seed: half, packets: 500_000 }));
  for (const report of reports) {
    expect(report.packets).toBeGreaterThanOrEqual(500_000);
    expect(unforeseen(report)).toEqual([]);
  }
});

test(`200,000 calls and 20,000 events, a fault in one call of 100 (seed ${seed})`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const reports = await inHalves('calls', (half) =>
    soak({ seed: half, calls: 100_000, events: 10_000, faultRate: 0.01 }),
  );
  for (const report of reports) {
    expect(report.calls).toBeGreaterThanOrEqual(100_000);
    expect([report.eventsTold, report.eventsHeard > 10_000]).toEqual([10_000, true]);
    expect(Object.entries(report.faults).filter(([, hits]) => hits < 30)).toEqual([]);
    expect(unforeseenBySoak(report)).toEqual([]);
  }
});
