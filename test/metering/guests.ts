/** A guest that has reported, as the hypervisor reads it; varied where a test needs it. */
import type { GuestStatistics } from '../../src/compute_driver.ts';
import { METERS, type SampleOptions } from '../../src/metering/samples.ts';
import { instanceOf } from '../domain/instances.ts';

export const NOW = Date.parse('2026-11-22T01:16:13.651Z');
export const CLOCK = { nowMs: NOW, monotonicS: 2421.5 };
export const FRESH = { state: 'fresh', ageMs: 5000 } as const;
export const OPTIONS: SampleOptions = { host: 'cmp1', memoryUnit: 'MB', telemetrySecret: 'key', meters: METERS };

export function guestOf(over: Partial<GuestStatistics> = {}): GuestStatistics {
  return {
    instance: instanceOf(),
    powerState: 'running',
    stateNumber: 1,
    domainName: 'hugenode-x',
    architecture: 'x86_64',
    hasBalloon: true,
    balloonPeriodMs: 10_000,
    actualKib: 131_072,
    balloon: {
      availableKib: 94_800,
      usableKib: 73_156,
      unusedKib: 67_624,
      swapInKib: 104,
      swapOutKib: 21_776,
      lastUpdateS: NOW / 1000 - 5,
    },
    residentKib: 106_012 + 131_072,
    held: [
      { node: 0, pageSizeKib: 2048, pages: 64 },
      { node: 1, pageSizeKib: 2048, pages: 32 },
      { node: 1, pageSizeKib: 1_048_576, pages: 1 },
    ],
    cpuNs: 12_345_678_901n,
    vcpus: 1,
    watchedMs: 600_000,
    ...over,
  };
}
