import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HostAccount } from '../../src/admission/host_cells.ts';
import { DEFAULT_RULES } from '../../src/admission/rules.ts';
import { viewPlan } from '../../src/api/plan_views.ts';
import { planInstanceArgs, planWishOf } from '../../src/api/schemas.ts';
import { hostView, viewHost } from '../../src/api/views.ts';
import { describeHost } from '../../src/compute/host_report.ts';
import { planInstance } from '../../src/compute/plan_instance.ts';
import { InventoryError } from '../../src/inventory/inventory_error.ts';
import { hostCellsOfInventory, planOnInventory } from '../../src/inventory/plan_inventory.ts';
import { GIB_1, hostOf } from '../admission/hosts.ts';
import { placedCell } from '../domain/instances.ts';

const placementArbitrary = fc
  .record({
    node: fc.nat(2),
    pageSizeKib: fc.constantFrom(4, 2048, 1048576),
    pages: fc.nat(4),
    takenCpus: fc.subarray([0, 1, 2, 5, 6, 9]),
    vcpus: fc.subarray([0, 1, 2]),
  })
  .map((over) => [placedCell({ ...over, memoryKib: over.pages * over.pageSizeKib })]);

const accountArbitrary = fc
  .record({
    free2M: fc.array(fc.nat(24), { minLength: 1, maxLength: 3 }),
    free1G: fc.array(fc.nat(2), { minLength: 3, maxLength: 3 }),
    promised2M: fc.constantFrom(0, 2),
    availableKib: fc.constantFrom(null, 8 * GIB_1, 600_000),
    guests: fc.array(fc.record({ placement: placementArbitrary, isRunning: fc.boolean() }), { maxLength: 3 }),
    claims: fc.array(placementArbitrary, { maxLength: 2 }),
    rules: fc.record({
      strategy: fc.constantFrom('spread' as const, 'pack' as const),
      pageSizePreference: fc.constantFrom('largest' as const, 'best-fit' as const),
      cpuSharedSet: fc.constantFrom(null, [0, 4, 8]),
      cpuDedicatedSet: fc.constantFrom(null, [1, 2, 3, 5, 6, 7]),
      overheadKib: fc.constantFrom(0, 131072),
      floorKib: fc.constantFrom(0, 524288),
      reserved: fc.constantFrom([], [{ node: 0, pageSizeKib: 2048, pages: 3 }]),
      shutOffInstances: fc.constantFrom('keep' as const, 'release' as const),
    }),
  })
  .map(({ free2M, free1G, promised2M, availableKib, guests, claims, rules }) => {
    const named = guests.map((guest, nth) => ({ ...guest, instanceUuid: `guest ${nth}`, projectId: 'p' }));
    // The second claim is of a guest that is there already.
    const claimed = claims.map((placement, nth) => ({ instanceUuid: `guest ${nth + 2}`, projectId: 'p', placement }));
    const host = { ...hostOf(free2M, { free1G, promised2M }), availableKib, guests: named };
    return new HostAccount(host, { ...DEFAULT_RULES, ...rules }, claimed, true);
  });

const argsArbitrary = fc
  .record({
    vcpus: fc.constantFrom(2, 4),
    memory_mb: fc.constantFrom(4, 8, 24, 1024),
    extra_specs: fc.constantFrom<Record<string, string>>(
      {},
      { 'hw:numa_nodes': '2' },
      { 'hw:mem_page_size': 'small', 'hw:numa_nodes': '1' },
      { 'hw:mem_page_size': 'any', 'hw:cpu_policy': 'dedicated' },
      { 'hw:cpu_policy': 'dedicated', 'hw:cpu_thread_policy': 'isolate', 'hw:emulator_threads_policy': 'isolate' },
    ),
    ask: fc.constantFrom({ count: 1 }, { count: 7 }, { fill: true }),
  })
  .map(({ ask, ...flavor }) => planInstanceArgs.parse({ flavor, ...ask }));

const inventoryOf = (account: HostAccount, defaultPageSize = 'large') => {
  const facts = { host: 'cmp1', instances: 0, account, totals: [], held: [], defaultPageSize };
  return hostView.parse(JSON.parse(JSON.stringify(viewHost(describeHost(facts), '1.1'))));
};

test('property: a plan on a saved host is the plan that the agent of that host gives', () => {
  fc.assert(
    fc.property(accountArbitrary, argsArbitrary, fc.constantFrom('large', '2MB', 'any'), (account, args, pageSize) => {
      const view = inventoryOf(account, pageSize);
      expect(hostCellsOfInventory(view)).toEqual(account.cells());
      const agent = planInstance(planWishOf(args), {
        cells: account.cells(),
        memory: account.ordinaryMemory(),
        rules: account.rules,
        defaultPageSize: pageSize,
      });
      expect(planOnInventory(view, args)).toEqual(viewPlan(agent));
    }),
    { numRuns: 800 },
  );
});

test('the answer of an older agent is read, and cannot be planned on', () => {
  const view = inventoryOf(new HostAccount(hostOf([64]), DEFAULT_RULES, [], true));
  const args = planInstanceArgs.parse({ flavor: { vcpus: 1, memory_mb: 2 } });
  const { rules, ...withoutRules } = view;
  expect(rules).toBeDefined();
  const withoutCapacity = { ...view, nodes: view.nodes.map((node) => ({ ...node, capacity: undefined })) };
  for (const old of [withoutRules, withoutCapacity]) {
    expect(() => planOnInventory(hostView.parse(old), args)).toThrow(InventoryError);
  }
});
