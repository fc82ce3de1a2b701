import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GuestStatistics } from '../../src/compute_driver.ts';
import { BALLOON_STATES } from '../../src/metering/balloon.ts';
import { freshUsageKib, guestSamples, METERS, type Sample } from '../../src/metering/samples.ts';
import { signSample } from '../../src/metering/signature.ts';
import { METERS as METERS_OF_SETTINGS } from '../../src/settings/schema.ts';
import { stringify } from '../../src/rpc/json.ts';
import { instanceOf } from '../domain/instances.ts';
import { CLOCK, FRESH, guestOf, NOW, OPTIONS } from './guests.ts';

const volumes = (samples: readonly Sample[]) =>
  samples.map((sample) => [
    sample.counter_name,
    sample['counter_type'],
    sample['counter_unit'],
    sample['counter_volume'],
  ]);

test('each meter is what its name says', () => {
  expect(volumes(guestSamples(guestOf(), FRESH, CLOCK, OPTIONS))).toEqual([
    ['memory.usage', 'gauge', 'MB', (94_800 - 73_156) / 1024],
    ['memory.resident', 'gauge', 'MB', (106_012 + 131_072) / 1024],
    ['memory.swap.in', 'cumulative', 'MB', 104 / 1024],
    ['memory.swap.out', 'cumulative', 'MB', 21_776 / 1024],
    ['cpu', 'cumulative', 'ns', 12_345_678_901n],
    ['memory', 'gauge', 'MB', 128],
    ['memory.available', 'gauge', 'MB', 94_800 / 1024],
    ['vcpus', 'gauge', 'vcpu', 1],
    ['power.state', 'gauge', '', 1],
  ]);
});

test('the meters that are set, in that order, with that label', () => {
  const options = { ...OPTIONS, memoryUnit: 'MiB', meters: ['memory', 'memory.usage'] as const };
  expect(volumes(guestSamples(guestOf(), FRESH, CLOCK, options)).map(([name, , unit]) => [name, unit])).toEqual([
    ['memory', 'MiB'],
    ['memory.usage', 'MiB'],
  ]);
  expect(METERS_OF_SETTINGS).toEqual(METERS);
});

/** Keys in their order, down to the leaves, with types. */
const shape = (value: unknown): unknown =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).map(([key, inner]) => [key, shape(inner)])
    : typeof value;

test.each(['memory.usage', 'memory.resident', 'memory.swap.in', 'memory.swap.out'] as const)(
  '%s: keys, their order, types and units are those of Ceilometer’s own agent, apart from numa',
  (name) => {
    const path = new URL(`../vectors/metering/telemetry.polling.${name}.json`, import.meta.url);
    const golden = JSON.parse(readFileSync(path, 'utf8'));
    const theirs = golden.inner_message.payload.samples[0];
    const guest = guestOf({ instance: instanceOf({ metadata: {} }) });
    const [ours] = guestSamples(guest, FRESH, CLOCK, { ...OPTIONS, meters: [name] });
    const { numa, ...metadata } = Object(ours?.['resource_metadata']);
    expect(shape({ ...ours, resource_metadata: metadata })).toEqual(shape(theirs));
    expect(numa).toEqual({ node0: { '2048kB': 64 }, node1: { '2048kB': 32, '1048576kB': 1 } });
    const { counter_unit, counter_type, source } = theirs;
    expect(ours).toMatchObject({ counter_unit, counter_type, source });
    expect(ours?.['timestamp']).toBe('2026-11-22T01:16:13.651000');
  },
);

test('cpu says of how many vCPUs, as Ceilometer has it', () => {
  const [cpu, memory] = guestSamples(guestOf(), FRESH, CLOCK, { ...OPTIONS, meters: ['cpu', 'memory'] });
  expect(cpu?.['resource_metadata']).toMatchObject({ cpu_number: 1 });
  expect(memory?.['resource_metadata']).not.toHaveProperty('cpu_number');
});

test('the signature is over the sample as it is sent', () => {
  const samples = guestSamples(guestOf(), FRESH, CLOCK, OPTIONS);
  for (const sample of samples) {
    expect(sample.message_signature).toBe(signSample(JSON.parse(stringify(sample)), 'key'));
  }
  const unsigned = guestSamples(guestOf(), FRESH, CLOCK, { ...OPTIONS, telemetrySecret: '' });
  expect(unsigned[0]?.message_signature).toBe('');
});

test('what the owner marked for metering goes along', () => {
  const [sample] = guestSamples(guestOf(), FRESH, CLOCK, OPTIONS);
  expect(sample?.['resource_metadata']).toMatchObject({ user_metadata: { stack: 'blue' } });
});

const FROM_GUEST = ['memory.usage', 'memory.swap.in', 'memory.swap.out', 'memory.available'];

test.each([...BALLOON_STATES.filter((state) => state !== 'fresh'), undefined])(
  'of a guest whose statistics are %s nothing is told that it said itself',
  (state) => {
    const reading = state === undefined ? undefined : { state, ageMs: 60_000 };
    const names = guestSamples(guestOf(), reading, CLOCK, OPTIONS).map((sample) => sample.counter_name);
    expect(names).toEqual(METERS.filter((name) => !FROM_GUEST.includes(name)));
  },
);

test('no sample rather than an invented one', () => {
  const { instance, powerState, domainName, architecture } = guestOf();
  expect(guestSamples({ instance, powerState, domainName, architecture }, FRESH, CLOCK, OPTIONS)).toEqual([]);
  const half = guestOf({ balloon: { swapInKib: 1, lastUpdateS: NOW / 1000 } });
  expect(guestSamples(half, FRESH, CLOCK, { ...OPTIONS, meters: ['memory.swap.in', 'memory.usage'] })).toEqual([]);
});

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
  expect(freshUsageKib(balloon, NOW, 10_000)).toBe(expected);
});

test('whatever is absent or odd, a sample is a number that the reading has, and never below zero', () => {
  const kib = fc.nat({ max: 2 ** 30 });
  const balloon = fc.record(
    { availableKib: kib, usableKib: kib, unusedKib: kib, swapInKib: kib, swapOutKib: kib },
    { requiredKeys: [] },
  );
  const figures = fc.record({ residentKib: kib, actualKib: kib }, { requiredKeys: [] });
  const reading = fc.constantFrom(...BALLOON_STATES);
  fc.assert(
    fc.property(balloon, figures, reading, (said, known, state) => {
      const { residentKib: _resident, actualKib: _actual, ...unknown } = guestOf();
      const guest: GuestStatistics = { ...unknown, ...known, balloon: { ...said, lastUpdateS: NOW / 1000 } };
      const samples = guestSamples(guest, { state, ageMs: 0 }, CLOCK, OPTIONS);
      const numbers = samples.map((sample) => Number(sample['counter_volume']));
      expect(numbers.filter((number) => !(Number.isFinite(number) && number >= 0))).toEqual([]);
      const ofGuest = samples.filter((sample) => FROM_GUEST.includes(sample.counter_name));
      expect(state === 'fresh' || ofGuest.length === 0).toBe(true);
    }),
  );
});
