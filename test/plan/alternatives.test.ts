/** Other page sizes and splits: only such as the reader of requests takes, and as fit. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fit } from '../../src/numa/fit.ts';
import { readGuestTopology, type GuestTopology } from '../../src/numa/guest_topology.ts';
import type { FlavorRequest, ImageProperties } from '../../src/numa/request_errors.ts';
import { mibFromKib } from '../../src/units.ts';
import { advise, applyAdvice } from '../../src/plan/advice.ts';
import { alternativesOf } from '../../src/plan/alternatives.ts';
import { describeAdvice } from '../../src/plan/describe_advice.ts';
import { GIB_1, hostCell, MIB_2, poolOf, SMALL } from '../numa/cells.ts';
import { deepFreeze } from '../numa/vector_files.ts';
import { RUNS } from './arbitraries.ts';

const HOST = [hostCell(0, 4), hostCell(1, 3)];

function flavorOf(memoryMib: number, extraSpecs: Record<string, string>, vcpus = 4): FlavorRequest {
  return { vcpus, memoryMib, extraSpecs };
}

function changesOf(flavor: FlavorRequest, image: ImageProperties = {}, host = HOST): string[] {
  return alternativesOf(flavor, image, host).map(({ change }) => `${change.field}=${change.value}`);
}

function guestOfFlavor(flavor: FlavorRequest, image: ImageProperties = {}): GuestTopology {
  const result = readGuestTopology(flavor, image);
  if (!result.ok || result.request.topology === null) throw new Error('not a request for host cells');
  return result.request.topology;
}

describe('the alternatives', () => {
  test('are the other page sizes of the host, and the splits that are even', () => {
    const host = [...HOST, hostCell(2, 0), hostCell(3, 0)];
    expect(changesOf(flavorOf(8, { 'hw:mem_page_size': '2MB', 'hw:numa_nodes': '2' }), {}, host)).toEqual([
      'hw:mem_page_size=small',
      `hw:mem_page_size=${GIB_1}`,
      'hw:numa_nodes=1',
      'hw:numa_nodes=4',
    ]);
  });

  test('leave a guest that is split cell by cell as it is', () => {
    const listed = { 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '0-3', 'hw:numa_mem.0': '8' };
    expect(changesOf(flavorOf(8, listed))).not.toContain('hw:numa_nodes=2');
  });

  test('change the image where the image has the property', () => {
    const image = { hw_mem_page_size: 'small', hw_numa_nodes: '2' };
    expect(changesOf(flavorOf(8, { 'hw:mem_page_size': 'any' }), image)).toEqual([
      `hw_mem_page_size=${GIB_1}`,
      `hw_mem_page_size=${MIB_2}`,
      'hw_numa_nodes=1',
    ]);
  });

  test('are none for a request that is wrong', () => {
    expect(changesOf(flavorOf(8, { 'hw:mem_page_size': '2M' }))).toEqual([]);
  });

  test('of a flavor without a wish are those of one cell', () => {
    expect(changesOf(flavorOf(8, {}))).toEqual([
      'hw:mem_page_size=small',
      `hw:mem_page_size=${GIB_1}`,
      `hw:mem_page_size=${MIB_2}`,
      'hw:numa_nodes=2',
    ]);
  });
});

describe('the advice', () => {
  test('names what fits now, and where', () => {
    const flavor = flavorOf(12, { 'hw:mem_page_size': '2048', 'hw:numa_nodes': '1' });
    const advice = advise(guestOfFlavor(flavor), HOST, {}, alternativesOf(flavor, {}, HOST));
    expect(advice.map(describeAdvice)).toEqual([
      'with hw:mem_page_size=small it fits now, on node 0',
      'split into 2 guest cells (hw:numa_nodes=2) it fits now, on nodes 0, 1',
    ]);
  });

  test('can be fewer guest cells', () => {
    const host = [hostCell(0, 6), hostCell(1, 1, { pools: [poolOf(MIB_2, 1)] })];
    const flavor = flavorOf(12, { 'hw:mem_page_size': '2048', 'hw:numa_nodes': '2' });
    const advice = advise(guestOfFlavor(flavor), host, {}, alternativesOf(flavor, {}, host));
    expect(advice.map(describeAdvice)).toEqual(['split into 1 guest cell (hw:numa_nodes=1) it fits now, on node 0']);
  });

  test('cannot be followed with alternatives that it was not made with', () => {
    const advice = { kind: 'other-split', field: 'hw:numa_nodes', value: '2', placement: [] } as const;
    expect(() => applyAdvice(advice, guestOfFlavor(flavorOf(8, { 'hw:numa_nodes': '1' })), HOST)).toThrow(
      'no alternative has hw:numa_nodes=2',
    );
  });
});

const requestArbitrary = fc.record({
  vcpus: fc.integer({ min: 1, max: 8 }),
  memoryMib: fc.constantFrom(2, 4, 6, 8, 12, 1024, 2048),
  pageSize: fc.constantFrom('small', 'large', 'any', '2MB', '1GB', '16MB'),
  nodes: fc.constantFrom('1', '2', '3'),
  cpuPolicy: fc.constantFrom('shared', 'dedicated'),
});

const hostArbitrary = fc.array(fc.tuple(fc.nat(6), fc.nat(2), fc.nat(8), fc.nat(2000)), { minLength: 1, maxLength: 4 });

test('property: each advice is a request that fits when it is made, and none is given that is not needed', () => {
  fc.assert(
    fc.property(requestArbitrary, hostArbitrary, (request, cells) => {
      const { vcpus, memoryMib, pageSize, nodes, cpuPolicy } = request;
      const extraSpecs = { 'hw:mem_page_size': pageSize, 'hw:numa_nodes': nodes, 'hw:cpu_policy': cpuPolicy };
      const flavor = deepFreeze({ vcpus, memoryMib, extraSpecs });
      const host = deepFreeze(
        cells.map(([pages2M, pages1G, pinned, small], id) => {
          const pools = [poolOf(SMALL, small), poolOf(MIB_2, pages2M + 1, { used: 1 }), poolOf(GIB_1, pages1G)];
          return hostCell(id, 0, {
            pools,
            pinnedCpus: [0, 1, 2, 3, 4, 5, 6, 7].slice(pinned).map((nth) => id * 8 + nth),
          });
        }),
      );
      const read = readGuestTopology(flavor);
      const alternatives = deepFreeze(alternativesOf(flavor, {}, host));
      const guest = read.ok ? read.request.topology : null;
      expect(guest === null ? alternatives : []).toEqual([]);
      if (guest === null) return;
      deepFreeze(guest);
      const advice = advise(guest, host, {}, alternatives);
      const fitsAlready = fit(guest, host).fits;
      expect(fitsAlready ? advice : []).toEqual([]);
      if (fitsAlready) return;
      for (const one of advice) {
        const after = applyAdvice(one, guest, host, alternatives);
        const result = fit(after.guest, after.host);
        expect(result.fits).toBe(true);
        if (one.kind === 'free-pages') continue;
        // The same as who changes the flavor by hand and asks.
        const byHand = guestOfFlavor({ ...flavor, extraSpecs: { ...extraSpecs, [one.field]: one.value } });
        expect(after.guest).toEqual(byHand);
        expect(result.fits && result.placement).toEqual(one.placement);
        expect(mibFromKib(one.placement.reduce((sum, { memoryKib }) => sum + memoryKib, 0))).toBe(memoryMib);
      }
      const unadvised = alternatives.filter(({ change }) => {
        return !advice.some(
          (one) => one.kind !== 'free-pages' && one.field === change.field && one.value === change.value,
        );
      });
      expect(unadvised.filter((alternative) => fit(alternative.guest, host).fits)).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});
