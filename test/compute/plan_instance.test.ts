import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Claim } from '../../src/admission/claims.ts';
import { fit } from '../../src/admission/fit.ts';
import { HostAccount } from '../../src/admission/host_cells.ts';
import { DEFAULT_RULES, type AdmissionRules } from '../../src/admission/rules.ts';
import { placementRequestOf } from '../../src/compute/placement_request.ts';
import { planInstance, type PlanWish } from '../../src/compute/plan_instance.ts';
import { GIB_1, hostOf } from '../admission/hosts.ts';

const WANTED = 9;

const rulesArbitrary: fc.Arbitrary<AdmissionRules> = fc
  .record({
    strategy: fc.constantFrom('spread' as const, 'pack' as const),
    pageSizePreference: fc.constantFrom('largest' as const, 'best-fit' as const),
    cpuDedicatedSet: fc.constantFrom(null, [1, 2, 3, 5, 6, 7], [0, 1, 4, 5]),
    overheadKib: fc.constantFrom(0, 131072),
    floorKib: fc.constantFrom(0, 524288),
    reserved: fc.constantFrom([], [{ node: 0, pageSizeKib: 2048, pages: 3 }]),
  })
  .map((over) => ({ ...DEFAULT_RULES, ...over }));

const wishArbitrary: fc.Arbitrary<PlanWish> = fc
  .record({
    vcpus: fc.integer({ min: 1, max: 4 }),
    memoryMib: fc.constantFrom(4, 8, 12, 24, 48, 1024),
    nodes: fc.constantFrom({}, { 'hw:numa_nodes': '1' }, { 'hw:numa_nodes': '2' }),
    size: fc.constantFrom({}, ...['small', 'large', 'any', '2MB', '1GB'].map((text) => ({ 'hw:mem_page_size': text }))),
    cpus: fc.constantFrom(
      {},
      {},
      { 'hw:cpu_policy': 'dedicated' },
      { 'hw:cpu_policy': 'dedicated', 'hw:cpu_thread_policy': 'isolate' },
      { 'hw:cpu_policy': 'dedicated', 'hw:emulator_threads_policy': 'isolate' },
    ),
  })
  .map(({ vcpus, memoryMib, nodes, size, cpus }) => ({
    flavor: {
      vcpus: 'hw:numa_nodes' in nodes ? vcpus * 2 : vcpus,
      memoryMib,
      extraSpecs: { ...nodes, ...size, ...cpus },
    },
    imageProperties: {},
    count: WANTED,
  }));

const hostArbitrary = fc
  .record({
    free2M: fc.array(fc.oneof(fc.nat(24), fc.constant(0)), { minLength: 1, maxLength: 3 }),
    free1G: fc.array(fc.nat(2), { minLength: 3, maxLength: 3 }),
    promised2M: fc.constantFrom(0, 0, 2),
    // Often so little that a guest can have huge pages only.
    availableKib: fc.constantFrom(null, 8 * GIB_1, GIB_1, 600_000, 530_000, 10_000),
  })
  .map(({ free2M, availableKib, ...extra }) => ({ ...hostOf(free2M, extra), availableKib }));

test('property: a plan is what admission would do, one request after the other', () => {
  const fitCounts = new Set<number>();
  fc.assert(
    fc.property(hostArbitrary, rulesArbitrary, wishArbitrary, (host, rules, wish) => {
      const claims: Claim[] = [];
      const request = placementRequestOf(wish, 'large');
      for (let nth = 0; nth < WANTED; nth += 1) {
        const result = fit(request, new HostAccount(host, rules, claims, true));
        if (!result.fits) break;
        claims.push({ instanceUuid: `${nth}`, projectId: 'p', placement: result.placement });
      }
      const account = new HostAccount(host, rules, [], true);
      const planHost = { cells: account.cells(), memory: account.ordinaryMemory(), rules, defaultPageSize: 'large' };
      const { result } = planInstance(wish, planHost);
      if (!('wanted' in result)) throw new Error('a count was asked for');
      const planned = result.instances.map(({ cells }) =>
        cells.map(({ node, page_size_kib, pages, pins, emulator_cpus }) => [
          node,
          page_size_kib,
          pages,
          pins,
          emulator_cpus,
        ]),
      );
      const admitted = claims.map(({ placement }) =>
        placement.map((cell) => [cell.node, cell.pageSizeKib, cell.pages, cell.pins, cell.emulatorCpus]),
      );
      expect(planned).toEqual(admitted);
      expect(result.refusal === null).toBe(result.fits === WANTED);
      const { result: fill } = planInstance({ ...wish, count: 'fill' }, planHost);
      expect(Math.min(fill.fits, WANTED)).toBe(result.fits);
      fitCounts.add(result.fits);
    }),
    { numRuns: 1500 },
  );
  expect(fitCounts.size).toBeGreaterThan(5);
});

test('the floor of ordinary memory bounds a plan as it bounds admission', () => {
  const rules = { ...DEFAULT_RULES, overheadKib: 131072, floorKib: 524288 };
  const account = new HostAccount({ ...hostOf([64]), availableKib: 524288 + 2 * 131072 + 1 }, rules, [], true);
  const planHost = { cells: account.cells(), memory: account.ordinaryMemory(), rules, defaultPageSize: 'large' };
  const flavor = { vcpus: 1, memoryMib: 2, extraSpecs: {} };
  expect(planInstance({ flavor, imageProperties: {}, count: 'fill' }, planHost).result).toMatchObject({
    fits: 2,
    refusal: {
      code: 'host-memory',
      text: '128 MiB of ordinary memory needed for QEMU and base pages, 1 KiB left on this host',
    },
  });
});

test('where ordinary memory is short, a guest that may have any page size is planned on huge ones, and told of nothing else', () => {
  const rules = { ...DEFAULT_RULES, overheadKib: 1000, floorKib: 5000, strategy: 'pack' as const };
  // The first node in the order of trying has base pages only.
  const account = new HostAccount({ ...hostOf([0, 16]), availableKib: 9000 }, rules, [], true);
  const planHost = { cells: account.cells(), memory: account.ordinaryMemory(), rules, defaultPageSize: 'large' };
  const plan = (size: string) => {
    const flavor = { vcpus: 1, memoryMib: 16, extraSpecs: { 'hw:mem_page_size': size } };
    return planInstance({ flavor, imageProperties: {}, count: 3 }, planHost).result;
  };
  expect(plan('any')).toMatchObject({
    instances: [{ cells: [{ node: 1, page_size_kib: 2048 }] }, { cells: [{ node: 1, page_size_kib: 2048 }] }],
    refusal: { code: 'host-memory' },
  });
  // Base pages would be there, the memory that they are made of is not.
  expect(plan('large')).toMatchObject({ fits: 2, advice: [{ kind: 'free-pages' }] });
});
