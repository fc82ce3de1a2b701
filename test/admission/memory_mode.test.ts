/** Memory mode preferred: guests across nodes, and why the kernel's choice of nodes can hurt nobody. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClaimLedger, type Claim } from '../../src/admission/claims.ts';
import { decide } from '../../src/admission/decide.ts';
import type { HostMemory } from '../../src/admission/host_memory.ts';
import { asHeld, isSplit, pagesOf, type Placement } from '../../src/admission/placement.ts';
import { describeRefusal } from '../../src/admission/refusal.ts';
import { readPlacementRequest, type PlacementRequest } from '../../src/admission/request.ts';
import { DEFAULT_RULES, type AdmissionRules } from '../../src/admission/rules.ts';
import type { MemoryMode } from '../../src/numa/pages.ts';
import { placedCell } from '../domain/instances.ts';
import { GIB_1, guestOf, hostOf, MIB_2 } from './hosts.ts';

const RUNS = Number(process.env['HUGENODE_PROPERTY_RUNS'] ?? 1000);
const CLAIMANT = { instanceUuid: 'new', projectId: 'p' };

const preferring = (request: PlacementRequest): PlacementRequest => ({ ...request, memoryMode: 'preferred' });

type Aside = { rules?: Partial<AdmissionRules>; claims?: readonly Claim[] };

const decideOn = (host: HostMemory, request: PlacementRequest, { rules = {}, claims = [] }: Aside = {}) =>
  decide(CLAIMANT, request, host, { ...DEFAULT_RULES, ...rules }, claims);

/** Pages by node, or the sentence of the refusal. */
function answerOn(host: HostMemory, request: PlacementRequest, aside?: Aside) {
  const decision = decideOn(host, request, aside);
  if (decision.outcome !== 'admitted') return describeRefusal(decision.refusal);
  return decision.placement.map(({ node, pages, elsewhere }) => ({ node, pages, elsewhere }));
}

describe('where no node has all pages', () => {
  test('strict refuses, which is the default; preferred takes what the node has, and the rest from others', () => {
    expect(answerOn(hostOf([3, 5, 4]), guestOf(8))).toMatch(/^node 0: 8 pages of 2 MiB needed, 3 free/);
    const spread = [{ node: 1, pages: 5, elsewhere: [{ node: 2, pages: 3 }] }];
    expect(answerOn(hostOf([3, 5, 4]), preferring(guestOf(8)))).toEqual(spread);
    expect(answerOn(hostOf([3, 5, 4]), guestOf(8), { rules: { memoryMode: 'preferred' } })).toEqual(spread);
  });

  test('the request has its own way, whatever the host does by default', () => {
    const strict: PlacementRequest = { ...guestOf(8), memoryMode: 'strict' };
    expect(decideOn(hostOf([5, 5]), strict, { rules: { memoryMode: 'preferred' } }).outcome).toBe('refused');
  });

  test('a guest that fits on one node is bound to it, as without the mode', () => {
    expect(decideOn(hostOf([8, 20, 9]), preferring(guestOf(8)))).toEqual(decideOn(hostOf([8, 20, 9]), guestOf(8)));
  });

  test('two cells are on two nodes, and the second finds what the first has left', () => {
    expect(answerOn(hostOf([6, 6]), preferring(guestOf(6, 2)))).toEqual([
      { node: 0, pages: 6, elsewhere: [] },
      { node: 1, pages: 6, elsewhere: [] },
    ]);
    expect(answerOn(hostOf([7, 4, 1]), preferring(guestOf(6, 2)))).toEqual([
      { node: 0, pages: 6, elsewhere: [] },
      {
        node: 1,
        pages: 4,
        elsewhere: [
          { node: 2, pages: 1 },
          { node: 0, pages: 1 },
        ],
      },
    ]);
  });

  test('large takes 1 GiB pages first, where they are enough; best-fit leaves them', () => {
    const host = hostOf([600, 600], { free1G: [1, 1] });
    const guest = preferring(guestOf(1024));
    expect(decideOn(host, guest)).toMatchObject({ placement: [{ pageSizeKib: GIB_1, pages: 1 }] });
    expect(decideOn(host, guest, { rules: { pageSizePreference: 'best-fit' } })).toMatchObject({
      placement: [{ pageSizeKib: MIB_2, pages: 600, elsewhere: [{ node: 1, pages: 424 }] }],
    });
  });
});

describe('what the kernel could take from others', () => {
  test('too few pages on all nodes together', () => {
    expect(answerOn(hostOf([3, 4]), preferring(guestOf(8)))).toContain(
      'across nodes (memory mode preferred): 8 pages of 2 MiB needed, 7 free on all of them',
    );
  });

  test('pages in reserve are free for the kernel: a guest that could get at them is refused', () => {
    const reserved = [{ node: 1, pageSizeKib: MIB_2, pages: 2 }];
    expect(answerOn(hostOf([6, 6]), preferring(guestOf(8)), { rules: { reserved } })).toContain(
      '8 pages of 2 MiB needed, and the kernel could take the 2 on node 1 that are kept for others',
    );
    // With so many there the whole guest could come from that node, and would leave them.
    const roomy = hostOf([6, 6, 10]);
    const elsewhere = { reserved: [{ node: 2, pageSizeKib: MIB_2, pages: 2 }] };
    expect(decideOn(roomy, preferring(guestOf(8)), { rules: elsewhere }).outcome).toBe('admitted');
  });

  test('beside a start under way it waits, and a start beside it waits for it', () => {
    const ledger = new ClaimLedger();
    ledger.add({ instanceUuid: 'first', projectId: 'p' }, [placedCell({ node: 0, pages: 2, memoryKib: 2 * MIB_2 })]);
    const claims = ledger.unsettled();
    expect(decideOn(hostOf([6, 6]), preferring(guestOf(8)), { claims }).outcome).toBe('unsettled');

    const split = [placedCell({ node: 0, pages: 6, elsewhere: [{ node: 1, pages: 2 }], memoryKib: 8 * MIB_2 })];
    const splitClaim = [{ instanceUuid: 'split', projectId: 'p', placement: split }];
    // By the foreseen split node 1 would have 4 left, but the kernel may take all 6.
    expect(decideOn(hostOf([6, 6]), guestOf(3), { claims: splitClaim }).outcome).toBe('unsettled');
    expect(decideOn(hostOf([6, 20]), guestOf(3), { claims: splitClaim }).outcome).toBe('admitted');
  });

  test('whatever order the kernel takes pages in, nobody loses what is set aside', () => {
    // Mostly nothing: where every node has something set aside, hardly any guest may be split.
    const aside = fc.oneof(
      { weight: 12, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }) },
    );
    const pool = fc.record({ free: fc.nat(20), reserved: aside, kept: aside, claimed: aside });
    const guest = fc.record({ cells: fc.integer({ min: 1, max: 2 }), pages: fc.integer({ min: 1, max: 16 }) });
    const seen = { split: 0, aside: 0 };
    fc.assert(
      fc.property(fc.array(pool, { minLength: 2, maxLength: 4 }), guest, (pools, { cells, pages }) => {
        const free = pools.map((one) => one.free);
        const guests = pools.map(({ kept }, node) => ({
          instanceUuid: `off ${node}`,
          projectId: 'p',
          isRunning: false,
          placement: [placedCell({ node, pages: kept, memoryKib: kept * MIB_2 })],
        }));
        const claims = pools.map(({ claimed }, node) => ({
          instanceUuid: `start ${node}`,
          projectId: 'p',
          placement: [placedCell({ node, pages: claimed, memoryKib: claimed * MIB_2 })],
        }));
        const reserved = pools.map((one, node) => ({ node, pageSizeKib: MIB_2, pages: one.reserved }));
        const host = { ...hostOf(free), guests };
        const decision = decideOn(host, preferring(guestOf(pages, cells)), { rules: { reserved }, claims });
        if (decision.outcome !== 'admitted' || !isSplit(decision.placement)) return;
        const { placement } = decision;
        seen.split += 1;
        const setAside = pools.map((one) => one.reserved + one.kept + one.claimed);
        if (setAside.some((count) => count > 0)) seen.aside += 1;
        for (const order of ordersOf(pools.length)) {
          const left = placement.reduce((rest, { node }) => takenBy(rest, node, order, pages), free);
          expect(left.every((count, node) => count >= Math.min(setAside[node] ?? 0, free[node] ?? 0))).toBe(true);
        }
      }),
      // One in three hundred is split with something set aside.
      { numRuns: 5 * RUNS },
    );
    expect(seen.split).toBeGreaterThan(RUNS / 50);
    expect(seen.aside).toBeGreaterThan(0);
  });

  test('without anything set aside it is admitted exactly where all nodes together have enough', () => {
    const free = fc.array(fc.nat(9), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(free, fc.integer({ min: 1, max: 20 }), (pools, pages) => {
        const decision = decideOn(hostOf(pools), preferring(guestOf(pages)));
        const together = pools.reduce((sum, count) => sum + count, 0);
        expect(decision.outcome).toBe(pages <= together ? 'admitted' : 'refused');
        if (decision.outcome !== 'admitted') return;
        const taken = pagesOf(decision.placement);
        expect(taken.reduce((sum, part) => sum + part.pages, 0)).toBe(pages);
        expect(taken.every((part) => part.pages <= (pools[part.node] ?? 0))).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('as the kernel has made it', () => {
  const foreseen: Placement = [
    placedCell({ guestCell: 0, node: 0, pages: 5, elsewhere: [{ node: 1, pages: 3 }], memoryKib: 8 * MIB_2 }),
  ];

  test('the nodes are those that give the pages', () => {
    const held = [
      { node: 0, pageSizeKib: MIB_2, pages: 5 },
      { node: 2, pageSizeKib: MIB_2, pages: 3 },
    ];
    const [cell] = asHeld(foreseen, held);
    expect(cell).toMatchObject({ node: 0, pages: 5, elsewhere: [{ node: 2, pages: 3 }] });
  });

  test('a guest that is not split is left as it is', () => {
    const whole = [placedCell()];
    expect(asHeld(whole, [{ node: 0, pageSizeKib: MIB_2, pages: 64 }])).toBe(whole);
  });
});

const read = (mode: string) => {
  const extraSpecs = { 'hugenode:memory_mode': mode };
  return readPlacementRequest({ vcpus: 1, memoryMib: 8, extraSpecs }, {}, 'large');
};

describe('the extra spec', () => {
  test.each<MemoryMode>(['strict', 'preferred'])('%s', (memoryMode) => {
    expect(read(memoryMode)).toMatchObject({ ok: true, request: { memoryMode } });
  });

  test('anything else is told by name and value, beside what else is wrong', () => {
    expect(read('Preferred')).toMatchObject({
      ok: false,
      errors: [
        {
          errorClass: 'InvalidRequest',
          message: 'hugenode:memory_mode must be strict or preferred, not "Preferred"',
        },
      ],
    });
  });

  test('a word of ours that is none is refused, not ignored', () => {
    const extraSpecs = { 'hugenode:memory_mod': 'strict' };
    expect(readPlacementRequest({ vcpus: 1, memoryMib: 8, extraSpecs }, {}, 'large')).toMatchObject({
      errors: [{ errorClass: 'UnsupportedExtraSpec', field: 'hugenode:memory_mod' }],
    });
  });
});

/** What each node has left once a guest cell has taken its pages, home first and then in this order. */
function takenBy(free: readonly number[], home: number, order: readonly number[], pages: number): number[] {
  const left = [...free];
  let missing = pages;
  for (const node of [home, ...order]) {
    const taken = Math.min(missing, left[node] ?? 0);
    left[node] = (left[node] ?? 0) - taken;
    missing -= taken;
  }
  return left;
}

function ordersOf(length: number): number[][] {
  if (length === 0) return [[]];
  return ordersOf(length - 1).flatMap((order) =>
    Array.from({ length }, (_, at) => [...order.slice(0, at), length - 1, ...order.slice(at)]),
  );
}
