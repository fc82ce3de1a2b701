import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { GuestStatistics } from '../../src/compute_driver.ts';
import { Meter, type MeterOptions } from '../../src/metering/meter.ts';
import type { Sample } from '../../src/metering/samples.ts';
import { instanceOf, UUID } from '../domain/instances.ts';
import { quietLog } from '../quiet_log.ts';
import { OPTIONS } from './guests.ts';

function meterOf(read: MeterOptions['readStatistics'], periodMs: number) {
  const sent: Sample[][] = [];
  const log = quietLog();
  const meter = new Meter({
    ...OPTIONS,
    meters: ['memory.usage', 'memory.resident'],
    balloonPeriodMs: 10_000,
    periodMs,
    deadlineMs: 1000,
    readStatistics: read,
    publish: (messages) => void sent.push(...messages.map((samples) => [...samples])),
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
  hasBalloon: true,
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
  expect(reads).toBeLessThanOrEqual(4);
  expect(sent).toHaveLength(reads);
  expect(sent[0]).toHaveLength(4);
  expect(meter.figures).toMatchObject({ cycles: reads, overruns: 0, failures: 0, samples: 4 * reads });
  expect(meter.figures.balloons.get(UUID)?.state).toBe('fresh');
});

test('many samples go in several messages', async () => {
  const { meter, sent } = meterOf(async () => Array.from({ length: 101 }, () => guest(Date.now() / 1000)), 50);
  meter.start();
  await expect.poll(() => sent.length).toBeGreaterThanOrEqual(3);
  await meter.stop();
  expect(sent.slice(0, 3).map((samples) => samples.length)).toEqual([100, 100, 2]);
});

test('a new guest’s first sample goes out as soon as it has reported, and once', async () => {
  let asked = 0;
  const { meter, sent } = meterOf(async (uuids) => {
    expect(uuids).toEqual([UUID]);
    asked += 1;
    return [guest(asked < 2 ? 0 : Date.now() / 1000)];
  }, 86_400_000);
  meter.start();
  meter.watch(UUID);
  await expect.poll(() => sent.length, { timeout: 5000 }).toBe(1);
  await sleep(700);
  await meter.stop();
  expect(asked).toBe(2);
  expect(sent[0]?.map((sample) => sample.counter_name)).toEqual(['memory.usage', 'memory.resident']);
});

test('cycles that fail cost those cycles only, and are told of once', async () => {
  let reads = 0;
  const { meter, sent, log } = meterOf(async () => {
    reads += 1;
    if (reads < 4) throw new Error('libvirt is gone');
    return [guest(Date.now() / 1000)];
  }, 40);
  meter.start();
  await expect.poll(() => sent.length, { timeout: 5000 }).toBeGreaterThan(0);
  await meter.stop();
  expect(log.lines).toEqual([
    ['error', 'samples of one cycle are missing'],
    ['info', 'samples go out again'],
  ]);
  expect(meter.figures.failures).toBe(3);
});

test('cycles that overrun are counted and do not pile up', async () => {
  let running = 0;
  let most = 0;
  const { meter, log } = meterOf(async () => {
    running += 1;
    most = Math.max(most, running);
    await sleep(100);
    running -= 1;
    return [];
  }, 20);
  meter.start();
  await sleep(250);
  await meter.stop();
  expect(most).toBe(1);
  expect(meter.figures.overruns).toBeGreaterThanOrEqual(3);
  expect(meter.figures.cycles).toBeLessThanOrEqual(3);
  expect(log.lines.length).toBeLessThan(meter.figures.overruns);
});
