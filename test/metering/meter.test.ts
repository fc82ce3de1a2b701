import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { GuestStatistics } from '../../src/compute_driver.ts';
import { Meter } from '../../src/metering/meter.ts';
import type { Sample } from '../../src/metering/samples.ts';
import { instanceOf, UUID } from '../domain/instances.ts';
import { quietLog } from '../quiet_log.ts';

function meterOf(read: (uuids?: readonly string[]) => Promise<readonly GuestStatistics[]>, periodMs: number) {
  const sent: Sample[][] = [];
  const log = quietLog();
  const meter = new Meter({
    host: 'cmp1',
    memoryUnit: 'MB',
    telemetrySecret: '',
    balloonPeriodMs: 10_000,
    periodMs,
    readStatistics: read,
    publish: async (samples) => void sent.push([...samples]),
    log,
  });
  return { meter, sent, log };
}

const guest = (lastUpdateS: number): GuestStatistics => ({
  instance: instanceOf(),
  powerState: 'running',
  domainName: 'd',
  architecture: 'x86_64',
  residentKib: 4,
  ...(lastUpdateS === 0 ? {} : { balloon: { availableKib: 8, usableKib: 4, lastUpdateS } }),
});

test('one reading per period for all guests', async () => {
  let reads = 0;
  const { meter, sent } = meterOf(async () => {
    reads += 1;
    return [guest(Date.now() / 1000), guest(Date.now() / 1000)];
  }, 50);
  meter.start();
  await sleep(180);
  await meter.stop();
  expect(reads).toBeGreaterThanOrEqual(2);
  expect(sent).toHaveLength(reads);
  expect(sent[0]).toHaveLength(4);
});

test('a new guest’s first sample goes out as soon as it has reported, and once', async () => {
  let asked = 0;
  const { meter, sent } = meterOf(async (uuids) => {
    expect(uuids).toEqual([UUID]);
    asked += 1;
    return [guest(asked < 2 ? 0 : Date.now() / 1000)];
  }, 600_000);
  meter.start();
  meter.watch(UUID);
  await expect.poll(() => sent.length, { timeout: 5000 }).toBe(1);
  await sleep(700);
  await meter.stop();
  expect(asked).toBe(2);
  expect(sent[0]?.map((sample) => sample.counter_name)).toEqual(['memory.usage', 'memory.resident']);
});

test('a cycle that fails costs that cycle only', async () => {
  let reads = 0;
  const { meter, sent, log } = meterOf(async () => {
    reads += 1;
    if (reads === 1) throw new Error('libvirt is gone');
    return [guest(Date.now() / 1000)];
  }, 40);
  meter.start();
  await expect.poll(() => sent.length, { timeout: 5000 }).toBeGreaterThan(0);
  await meter.stop();
  expect(log.lines).toContainEqual(['error', 'samples of one cycle are missing']);
});

test('cycles that overrun do not pile up', async () => {
  let running = 0;
  let most = 0;
  const { meter } = meterOf(async () => {
    running += 1;
    most = Math.max(most, running);
    await sleep(60);
    running -= 1;
    return [];
  }, 20);
  meter.start();
  await sleep(250);
  await meter.stop();
  expect(most).toBe(1);
});
