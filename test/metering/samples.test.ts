import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { GuestStatistics } from '../../src/compute_driver.ts';
import { freshnessMs, freshUsageKib, memorySamples } from '../../src/metering/samples.ts';
import { signSample } from '../../src/metering/signature.ts';
import { instanceOf } from '../domain/instances.ts';

const NOW = Date.parse('2026-11-22T01:16:13.651Z');
const CLOCK = { nowMs: NOW, monotonicS: 2421.5 };
const OPTIONS = { host: 'cmp1', memoryUnit: 'MB', telemetrySecret: 'key', balloonPeriodMs: 10_000 };

function guestOf(over: Partial<GuestStatistics> = {}): GuestStatistics {
  return {
    instance: instanceOf(),
    powerState: 'running',
    domainName: 'hugenode-x',
    architecture: 'x86_64',
    balloon: { availableKib: 94800, usableKib: 73156, unusedKib: 67624, lastUpdateS: NOW / 1000 - 5 },
    residentKib: 106012 + 131072,
    ...over,
  };
}

test('usage is what the guest says it uses, resident what the process holds', () => {
  const samples = memorySamples(guestOf(), CLOCK, OPTIONS);
  expect(samples.map((sample) => [sample.counter_name, sample['counter_volume']])).toEqual([
    ['memory.usage', (94800 - 73156) / 1024],
    ['memory.resident', (106012 + 131072) / 1024],
  ]);
});

test('keys, their order and types are those of Ceilometer’s own agent', () => {
  const golden = JSON.parse(
    readFileSync(new URL('../vectors/metering/telemetry.polling.memory.usage.json', import.meta.url), 'utf8'),
  );
  const theirs = golden.inner_message.payload.samples[0];
  const [ours] = memorySamples(guestOf({ instance: instanceOf({ metadata: {} }) }), CLOCK, OPTIONS);
  const shape = (value: unknown): unknown =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).map(([key, inner]) => [key, shape(inner)])
      : typeof value;
  expect(shape(ours)).toEqual(shape(theirs));
  expect(ours).toMatchObject({
    counter_unit: theirs.counter_unit,
    counter_type: theirs.counter_type,
    source: theirs.source,
  });
  expect(ours?.['timestamp']).toBe('2026-11-22T01:16:13.651000');
});

test('the signature is over the sample as it is sent', () => {
  const [sample] = memorySamples(guestOf(), CLOCK, OPTIONS);
  expect(sample?.message_signature).toBe(signSample(JSON.parse(JSON.stringify(sample)), 'key'));
  expect(memorySamples(guestOf(), CLOCK, { ...OPTIONS, telemetrySecret: '' })[0]?.message_signature).toBe('');
});

test('what the owner marked for metering goes along', () => {
  const [sample] = memorySamples(guestOf(), CLOCK, OPTIONS);
  expect(sample?.['resource_metadata']).toMatchObject({ user_metadata: { stack: 'blue' } });
});

const usage = (balloon: GuestStatistics['balloon']) => freshUsageKib(balloon, NOW, 10_000);
const at = (ageS: number) => NOW / 1000 - ageS;

test.each([
  ['fresh', { availableKib: 100, usableKib: 30, lastUpdateS: at(29) }, 70],
  ['an older driver without usable', { availableKib: 100, unusedKib: 20, lastUpdateS: at(1) }, 80],
  ['stale', { availableKib: 100, usableKib: 30, lastUpdateS: at(31) }, undefined],
  ['never', undefined, undefined],
  ['from the future', { availableKib: 100, usableKib: 30, lastUpdateS: at(-5) }, undefined],
  ['without available', { usableKib: 30, lastUpdateS: at(1) }, undefined],
  ['more usable than there is', { availableKib: 100, usableKib: 101, lastUpdateS: at(1) }, undefined],
])('statistics that are %s', (_what, balloon, expected) => {
  expect(usage(balloon)).toBe(expected);
});

test('a slow period is given two of them', () => {
  expect(freshnessMs(10_000)).toBe(30_000);
  expect(freshnessMs(60_000)).toBe(120_000);
});

test('no sample rather than an invented one', () => {
  const { balloon: _b, residentKib: _r, ...unknown } = guestOf();
  expect(memorySamples(unknown, CLOCK, OPTIONS)).toEqual([]);
});
