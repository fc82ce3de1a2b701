/** Short runs of what the soak lane (test/soak) does at length: mutated packets, and calls over connections that break. */
import { expect, test } from 'vitest';
import { Events } from '../../src/node-libvirt/events/definitions.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import { fuzz, unforeseen } from './fuzzing.ts';
import { soak, unforeseen as unforeseenBySoak } from './soaking.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_260_101);
const PACKETS = 50_000;

test(`${PACKETS} mutated packets (seed ${seed}; FUZZ_SEED sets another)`, { timeout: 60_000 }, async () => {
  const report = await fuzz({ seed, packets: PACKETS });
  expect(report.packets).toBeGreaterThanOrEqual(PACKETS);
  expect(unforeseen(report)).toEqual([]);
  // The mutations reach deep enough to bring about each of these, in every layout there is.
  expect([...report.outcomes.keys()].toSorted()).toEqual([
    'ConnectionClosedError',
    'LibvirtError',
    'ProtocolError',
    'fulfilled',
  ]);
  expect(report.layouts.size).toBe(2 * Object.keys(Procedures).length + Object.keys(Events).length + 1);
  expect(report.events).toBeGreaterThan(1000);
  expect(report.streams).toBeGreaterThan(100);
});

test(`5,000 calls, one in fifty with a fault (seed ${seed})`, { timeout: 60_000 }, async () => {
  const report = await soak({ seed, calls: 5000, events: 500, faultRate: 0.02 });
  expect(unforeseenBySoak(report)).toEqual([]);
  expect(report.outcomes['fulfilled']).toBeGreaterThan(3000);
  expect(report.connections).toBeGreaterThan(10);
  expect(report.eventsHeard).toBeGreaterThan(500);
});
