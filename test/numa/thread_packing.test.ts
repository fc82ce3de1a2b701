import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fit } from '../../src/numa/fit.ts';
import type { GuestTopology } from '../../src/numa/guest_topology.ts';
import type { HostCell } from '../../src/numa/host_cell.ts';
import { firstCpus } from '../../src/numa/cpu_set.ts';
import type { FitOptions } from '../../src/numa/pair_table.ts';
import { hostCell, pinnedGuest } from './cells.ts';

function cpusOf(guest: GuestTopology, host: HostCell, options: FitOptions = {}) {
  const result = fit(guest, [host], options);
  if (!result.fits) return undefined;
  const [cell] = result.placement;
  return { pins: cell?.pins.map(({ cpu }) => cpu), reserved: cell?.reservedCpus };
}

const free = hostCell(0, 8);

test.each<[string, number, Partial<GuestTopology>, HostCell, number[] | undefined, number[]]>([
  ['threads of one core first', 3, {}, free, [0, 1, 2], []],
  ['only whole cores, where they are enough', 2, {}, hostCell(0, 8, { pinnedCpus: [0] }), [2, 3], []],
  ['any threads, where no core is whole', 3, {}, hostCell(0, 8, { pinnedCpus: [0, 3, 5, 6] }), [1, 2, 4], []],
  ['across cores, where it has to be', 5, {}, hostCell(0, 8, { pinnedCpus: [0, 4] }), [1, 2, 3, 5, 6], []],
  ['require: siblings only', 2, { threadPolicy: 'require' }, hostCell(0, 8, { pinnedCpus: [0] }), [2, 3], []],
  [
    'require: not across cores',
    2,
    { threadPolicy: 'require' },
    hostCell(0, 8, { pinnedCpus: [0, 2, 4, 6] }),
    undefined,
    [],
  ],
  ['isolate: a core each', 3, { threadPolicy: 'isolate' }, free, [0, 2, 4], []],
  ['isolate: the emulator too', 3, { threadPolicy: 'isolate', emulatorPolicy: 'isolate' }, free, [0, 2, 4], [6]],
  ['isolate: no core left for it', 4, { threadPolicy: 'isolate', emulatorPolicy: 'isolate' }, free, undefined, []],
  ['the emulator takes the next thread', 3, { emulatorPolicy: 'isolate' }, free, [0, 1, 2], [3]],
])('%s', (_name, vcpus, policies, host, pins, reserved) => {
  expect(cpusOf(pinnedGuest(vcpus, policies), host)).toEqual(pins && { pins, reserved });
});

test('isolated emulator threads beside a busy core: as Nova answers, or as it can be claimed', () => {
  const guest = pinnedGuest(2, { threadPolicy: 'isolate', emulatorPolicy: 'isolate' });
  const host = hostCell(0, 8, { pinnedCpus: [1] });
  expect(cpusOf(guest, host)).toEqual({ pins: [2, 4], reserved: [0] });
  expect(cpusOf(guest, host, { emulatorOnFreeCore: true })).toEqual({ pins: [2, 4], reserved: [6] });
  const full = hostCell(0, 8, { pinnedCpus: [1, 3] });
  expect(cpusOf(guest, full)).toEqual({ pins: [4, 6], reserved: [0] });
  expect(cpusOf(guest, full, { emulatorOnFreeCore: true })).toBeUndefined();
});

test('property: pins are free CPUs, each once, one for each vCPU, and as the policy says', () => {
  const policy = fc.constantFrom('prefer' as const, 'require' as const, 'isolate' as const, null);
  const given = [fc.subarray([...TWELVE]), fc.integer({ min: 1, max: 8 }), fc.constantFrom(1, 2, 3)] as const;
  fc.assert(
    fc.property(...given, policy, fc.boolean(), (pinnedCpus, vcpus, threads, threadPolicy, emulator) => {
      const siblings = coresOf(threads);
      const host = hostCell(0, 8, { sharedCpus: TWELVE, pinnableCpus: TWELVE, pinnedCpus, siblings });
      const emulatorPolicy = emulator ? 'isolate' : null;
      const chosen = cpusOf(pinnedGuest(vcpus, { threadPolicy, emulatorPolicy }), host);
      const reserve = emulator ? 1 : 0;
      const whole = siblings.filter((core) => !core.some((cpu) => pinnedCpus.includes(cpu))).length;
      const room = TWELVE.length - pinnedCpus.length;
      const possible = {
        prefer: vcpus + reserve <= room,
        isolate: vcpus <= whole && (reserve === 0 || coresWithRoom(siblings, pinnedCpus) > vcpus),
        // Whether siblings come out depends on more than counts: at least the room has to be there.
        require: chosen !== undefined && vcpus + reserve <= room && threads > 1,
      };
      expect(chosen !== undefined).toBe(possible[threadPolicy ?? 'prefer']);
      if (chosen === undefined) return;
      const all = [...(chosen.pins ?? []), ...(chosen.reserved ?? [])];
      expect(all).toHaveLength(vcpus + reserve);
      expect(all.filter((cpu) => pinnedCpus.includes(cpu))).toEqual([]);
      const cores = new Set(all.map((cpu) => (threadPolicy === 'isolate' ? Math.floor(cpu / threads) : cpu)));
      expect(cores.size).toBe(all.length);
    }),
    { numRuns: 3000 },
  );
});

const TWELVE = firstCpus(12);

function coresOf(threads: number): number[][] {
  return TWELVE.filter((cpu) => cpu % threads === 0).map((cpu) => firstCpus(threads).map((nth) => cpu + nth));
}

function coresWithRoom(cores: readonly (readonly number[])[], pinnedCpus: readonly number[]): number {
  return cores.filter((core) => core.some((cpu) => !pinnedCpus.includes(cpu))).length;
}
