/**
 * Properties of a decision, on hosts of one to four nodes with running, shut-off and starting guests. What a host has
 * left is counted here once more, from the readings alone.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { claimedPages, ClaimLedger, type Claim } from '../../src/admission/claims.ts';
import { decide, type Decision } from '../../src/admission/decide.ts';
import { HostAccount } from '../../src/admission/host_cells.ts';
import type { HostCell, HostMemory, NodePages, PlacedGuest } from '../../src/admission/host_memory.ts';
import type { PlacedCell, Placement } from '../../src/admission/placement.ts';
import type { PlacementRequest } from '../../src/admission/request.ts';
import { DEFAULT_RULES, type AdmissionRules } from '../../src/admission/rules.ts';
import { cpuSetOf, firstCpus } from '../../src/numa/cpu_set.ts';
import type { PageSizeWish } from '../../src/numa/memory_backing.ts';
import { deepFreeze } from '../numa/vector_files.ts';
import { GIB_1, guestOf, hostOf, MIB_2, withoutSetAside } from './hosts.ts';

/** For the long run; the tests that run before each commit have seconds. */
const RUNS = Number(process.env.HUGENODE_PROPERTY_RUNS ?? 1000);

const BASE = 4;
const SIZES = [BASE, MIB_2, GIB_1];
const CPUS_PER_NODE = 8;
/** Ids with gaps, and not in order. */
const NODES = [9, 2, 5, 0];

type Case = {
  readonly host: HostMemory;
  readonly rules: AdmissionRules;
  readonly claims: readonly Claim[];
  readonly request: PlacementRequest;
};

const CLAIMANT = { instanceUuid: 'new', projectId: 'p' };

const decideCase = ({ request, host, rules, claims }: Case): Decision => decide(CLAIMANT, request, host, rules, claims);

const nodeArbitrary = (node: number): fc.Arbitrary<HostCell> =>
  fc
    .record({
      base: fc.constantFrom(512, 1536, 4096, 600_000, 600_000),
      huge: fc.nat(14),
      giant: fc.nat(2),
      missing: fc.nat(3),
      isWithoutGiant: fc.constantFrom(false, false, true),
      isWithoutCpus: fc.constantFrom(false, false, false, false, true),
      threads: fc.constantFrom(1, 2, 2, 4),
      otherKib: fc.constantFrom(0, 4096, 4 * GIB_1),
    })
    .map(({ base, huge, giant, missing, isWithoutGiant, isWithoutCpus, threads, otherKib }) => {
      const cpus = isWithoutCpus ? [] : firstCpus(CPUS_PER_NODE).map((nth) => node * CPUS_PER_NODE + nth);
      const cores = firstCpus(cpus.length / threads);
      const free = [
        { pageSizeKib: BASE, pages: base, total: base + missing * 64 },
        { pageSizeKib: MIB_2, pages: huge, total: huge + missing },
        ...(isWithoutGiant ? [] : [{ pageSizeKib: GIB_1, pages: giant, total: giant + missing }]),
      ];
      const siblings = cores.map((core) => cpus.slice(core * threads, (core + 1) * threads));
      const memoryKib = free.reduce((sum, pool) => sum + pool.total * pool.pageSizeKib, otherKib);
      return { node, cpus, siblings, memoryKib, free };
    });

const STATES = ['running', 'shut off', 'starting', 'starting, seen running', 'starting, seen shut off'] as const;

const guestSeedArbitrary = fc.record({
  state: fc.constantFrom(...STATES),
  cells: fc.array(
    fc.record({
      nth: fc.nat(3),
      sizeKib: fc.constantFrom(BASE, MIB_2, MIB_2, GIB_1),
      pages: fc.integer({ min: 1, max: 3 }),
      cpus: fc.subarray([...firstCpus(CPUS_PER_NODE)], { maxLength: 3 }),
      sharedVcpus: fc.nat(2),
      pinned: fc.nat(3),
    }),
    { minLength: 1, maxLength: 2 },
  ),
});

type GuestSeed = typeof guestSeedArbitrary extends fc.Arbitrary<infer Seed> ? Seed : never;

/** No two guests have the same CPU, as admission would have it. Some have taken more than they are pinned to. */
function guestsOf(seeds: readonly GuestSeed[], cells: readonly HostCell[]) {
  const given = new Set<number>();
  return seeds.map(({ state, cells: parts }, guest) => {
    const placement = parts.map((part, guestCell): PlacedCell => {
      const { node, cpus } = cells[part.nth % cells.length] ?? cells[0] ?? { node: 0, cpus: [] };
      const takenCpus = cpus.filter((cpu, at) => part.cpus.includes(at) && !given.has(cpu));
      for (const cpu of takenCpus) given.add(cpu);
      const pins = takenCpus.slice(0, part.pinned).map((cpu, vcpu) => ({ vcpu, cpu }));
      const { sizeKib: pageSizeKib, pages } = part;
      const vcpus = firstCpus(pins.length + part.sharedVcpus);
      const own = { pins, sharedCpus: part.sharedVcpus > 0 ? cpus : [], emulatorCpus: [], takenCpus };
      return { node, pageSizeKib, pages, elsewhere: [], guestCell, memoryKib: pages * pageSizeKib, vcpus, ...own };
    });
    return { instanceUuid: `guest ${guest}`, projectId: guest % 2 === 0 ? 'p' : 'q', state, placement };
  });
}

const rulesArbitrary = (cells: readonly HostCell[]): fc.Arbitrary<AdmissionRules> => {
  const cpus = cpuSetOf(cells.flatMap((cell) => cell.cpus));
  const node = fc.constantFrom(...cells.map((cell) => cell.node));
  const threads = (low: number, high: number) => cpus.filter((cpu) => cpu % 8 >= low && cpu % 8 < high);
  return fc
    .record({
      reserved: fc.array(fc.record({ node, pageSizeKib: fc.constantFrom(...SIZES), pages: fc.nat(2) }), {
        maxLength: 2,
      }),
      cpus: fc.constantFrom(
        { cpuSharedSet: null, cpuDedicatedSet: null },
        { cpuSharedSet: null, cpuDedicatedSet: null },
        { cpuSharedSet: threads(0, 2), cpuDedicatedSet: threads(2, 8) },
        { cpuSharedSet: threads(0, 8), cpuDedicatedSet: null },
        { cpuSharedSet: null, cpuDedicatedSet: threads(0, 8) },
      ),
      strategy: fc.constantFrom('spread' as const, 'pack' as const),
      pageSizePreference: fc.constantFrom('largest' as const, 'best-fit' as const),
      overheadKib: fc.constantFrom(0, 100),
      floorKib: fc.constantFrom(0, 1000),
      shutOffInstances: fc.constantFrom('keep' as const, 'release' as const),
    })
    .map(({ cpus: sets, ...rules }) => ({ ...DEFAULT_RULES, ...rules, ...sets }));
};

type Kind = Pick<PlacementRequest['topology'], 'cpuPolicy' | 'threadPolicy' | 'emulatorPolicy'>;

const SHARED: fc.Arbitrary<Kind> = fc.record({
  cpuPolicy: fc.constantFrom('shared' as const, null),
  threadPolicy: fc.constant(null),
  emulatorPolicy: fc.constantFrom('share' as const, null),
});
const PINNED: fc.Arbitrary<Kind> = fc.record({
  cpuPolicy: fc.constantFrom('dedicated' as const, 'dedicated' as const, 'mixed' as const),
  threadPolicy: fc.constantFrom('prefer' as const, 'isolate' as const, 'isolate' as const, 'require' as const, null),
  emulatorPolicy: fc.constantFrom('isolate' as const, 'share' as const, null),
});

const requestArbitrary = (kinds: fc.Arbitrary<Kind>): fc.Arbitrary<PlacementRequest> =>
  fc
    .record({
      shapes: fc.array(
        fc.record({
          memoryKib: fc.constantFrom(MIB_2, MIB_2, 2 * MIB_2, 3 * MIB_2, 5 * MIB_2, GIB_1, 2 * GIB_1, BASE),
          vcpus: fc.constantFrom(1, 1, 2, 3, 4),
          shared: fc.integer({ min: 0, max: 4 }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
      pageSize: fc.constantFrom<PageSizeWish[]>('small', 'large', 'large', 'any', BASE, MIB_2, GIB_1),
      kind: kinds,
    })
    .map(({ shapes, pageSize, kind }) => {
      const cells = shapes.map(({ memoryKib, vcpus, shared }, id) => {
        const ids = firstCpus(vcpus).map((nth) => id * 4 + nth);
        const isPinned = kind.cpuPolicy === 'dedicated' || kind.cpuPolicy === 'mixed';
        // A mixed guest may have cells without a dedicated vCPU, or with nothing else.
        const floating = kind.cpuPolicy === 'mixed' ? shared : isPinned ? 0 : vcpus;
        return { id, sharedVcpus: ids.slice(0, floating), dedicatedVcpus: ids.slice(floating), memoryKib, pageSize };
      });
      return { topology: { cells, ...kind }, realtimeVcpus: [], lockedMemory: false, memoryMode: null };
    });

/** Frozen in all its parts: a decision that changed one would throw, in every test here. */
const caseArbitrary = (kinds: fc.Arbitrary<Kind>): fc.Arbitrary<Case> =>
  fc
    .integer({ min: 1, max: 4 })
    .chain((nodes) => fc.tuple(...NODES.slice(0, nodes).map(nodeArbitrary)))
    .chain((cells) =>
      fc.record({
        cells: fc.constant(cells),
        rules: rulesArbitrary(cells),
        seeds: fc.array(guestSeedArbitrary, { maxLength: 4 }),
        promised: fc.tuple(fc.constantFrom(0, 0, 1, 2, 3), fc.constantFrom(0, 0, 1)),
        availableKib: fc.constantFrom(null, null, null, 0, 1200, 3 * MIB_2, 8 * GIB_1),
        request: requestArbitrary(kinds),
      }),
    )
    .map(({ cells, rules, seeds, promised, availableKib, request }) => {
      const guests = guestsOf(seeds, cells);
      const claims = guests.filter(({ state }) => state.startsWith('starting'));
      const listed = guests.filter(({ state }) => state !== 'starting');
      const host: HostMemory = {
        cells,
        promised: [MIB_2, GIB_1].map((pageSizeKib, at) => ({ pageSizeKib, pages: promised[at] ?? 0 })),
        availableKib,
        guests: listed.map(({ state, ...guest }) => ({ ...guest, isRunning: state.endsWith('running') })),
      };
      const noted = claims.map(({ state: _any, ...claim }) => claim);
      return deepFreeze({ host, rules, claims: noted, request });
    });

const ANY_CASE = caseArbitrary(fc.oneof(SHARED, PINNED, PINNED));

const sum = (list: readonly NodePages[], node: number, sizeKib: number) =>
  list
    .filter((part) => part.node === node && part.pageSizeKib === sizeKib)
    .reduce((pages, part) => pages + part.pages, 0);

/** Who has no process and is not being started, and so holds pages that the kernel calls free. */
function shutOff({ host, rules, claims }: Case): readonly PlacedGuest[] {
  if (rules.shutOffInstances === 'release') return [];
  const starting = claims.map((claim) => claim.instanceUuid);
  return host.guests.filter((guest) => !guest.isRunning && !starting.includes(guest.instanceUuid));
}

/** Pages to be had of that size on that node; with claims counted beside the free pages, or as taken from them. */
function available(one: Case, node: number, sizeKib: number, countsClaims: boolean): number {
  const { host, rules, claims } = one;
  const pool = host.cells.find((cell) => cell.node === node)?.free.find(({ pageSizeKib }) => pageSizeKib === sizeKib);
  const claimed = claims.flatMap((claim) => claim.placement);
  const ofSize = claimed.filter((part) => part.pageSizeKib === sizeKib).reduce((pages, part) => pages + part.pages, 0);
  const promised = host.promised.find(({ pageSizeKib }) => pageSizeKib === sizeKib)?.pages ?? 0;
  const kept = shutOff(one).flatMap((guest) => guest.placement);
  const promisedToOthers = countsClaims ? promised : Math.max(0, promised - ofSize);
  const beside = countsClaims ? sum(claimed, node, sizeKib) : 0;
  return (pool?.pages ?? 0) - promisedToOthers - sum(rules.reserved, node, sizeKib) - beside - sum(kept, node, sizeKib);
}

/** Ordinary memory that a guest needs: its QEMU's, and its own where it is on base pages. */
function ordinaryKib(parts: readonly { pageSizeKib: number; memoryKib: number }[], rules: AdmissionRules): number {
  return parts.reduce((kib, part) => kib + (part.pageSizeKib === BASE ? part.memoryKib : 0), rules.overheadKib);
}

function bearsMemory(one: Case, neededKib: number, countsClaims: boolean): boolean {
  if (one.host.availableKib === null) return true;
  const starting = countsClaims ? one.claims : [];
  const claimedKib = starting.reduce((kib, claim) => kib + ordinaryKib(claim.placement, one.rules), 0);
  return one.host.availableKib - claimedKib - neededKib >= one.rules.floorKib;
}

function allowedSizes(wish: PageSizeWish | null): readonly number[] {
  if (wish === 'small') return [BASE];
  if (wish === 'large') return [MIB_2, GIB_1];
  return typeof wish === 'number' ? [wish] : SIZES;
}

function expectDistinct(values: readonly number[]) {
  expect(new Set(values).size).toBe(values.length);
}

/** CPUs that are given to somebody else already, in whatever state they are. */
function givenCpus({ host, claims }: Case): number[] {
  return [...claims, ...host.guests].flatMap(({ placement }) => placement.flatMap((cell) => cell.takenCpus));
}

function expectPagesToBeHad(one: Case, placement: Placement) {
  const { topology } = one.request;
  expect(placement.map((cell) => cell.guestCell)).toEqual(topology.cells.map((cell) => cell.id));
  expectDistinct(placement.map((cell) => cell.node));
  for (const [at, cell] of placement.entries()) {
    const asked = topology.cells[at];
    expect(cell.pages * cell.pageSizeKib).toBe(asked?.memoryKib);
    expect(Number.isInteger(cell.pages)).toBe(true);
    expect(allowedSizes(asked?.pageSize ?? null)).toContain(cell.pageSizeKib);
    expect(cell.pages).toBeLessThanOrEqual(available(one, cell.node, cell.pageSizeKib, true));
  }
  expect(bearsMemory(one, ordinaryKib(placement, one.rules), true)).toBe(true);
}

function expectCpusToBeHad(one: Case, placement: Placement) {
  const { rules, request, host } = one;
  const { topology } = request;
  const given = givenCpus(one);
  const bothUnset = rules.cpuSharedSet === null && rules.cpuDedicatedSet === null;
  for (const [at, cell] of placement.entries()) {
    const node = host.cells.find((candidate) => candidate.node === cell.node);
    const online = node?.cpus ?? [];
    const own = [...cell.pins.map((pin) => pin.cpu), ...cell.emulatorCpus];
    expectDistinct(own);
    expect(cell.pins.map((pin) => pin.vcpu).toSorted((a, b) => a - b)).toEqual(topology.cells[at]?.dedicatedVcpus);
    expect(cell.takenCpus).toEqual(expect.arrayContaining(own));
    expect(cell.takenCpus.filter((cpu) => given.includes(cpu))).toEqual([]);
    expect(bothUnset ? online : online.filter((cpu) => rules.cpuDedicatedSet?.includes(cpu))).toEqual(
      expect.arrayContaining(own),
    );
    const floats = (topology.cells[at]?.sharedVcpus.length ?? 0) > 0;
    const shared = bothUnset ? online : online.filter((cpu) => rules.cpuSharedSet?.includes(cpu));
    expect(cell.sharedCpus).toEqual(floats ? shared : []);
    const whole = topology.threadPolicy === 'isolate' ? (node?.siblings ?? []) : [];
    expect(cell.takenCpus).toEqual(withTheirCores(own, whole));
  }
  // One CPU for the emulator, where it is to have its own.
  expect(placement.flatMap((cell) => cell.emulatorCpus)).toHaveLength(topology.emulatorPolicy === 'isolate' ? 1 : 0);
}

/** An isolated vCPU has its core to itself: its siblings are taken with it. */
function withTheirCores(own: readonly number[], cores: readonly (readonly number[])[]): readonly number[] {
  return cpuSetOf([...own, ...cores.filter((core) => core.some((cpu) => own.includes(cpu))).flat()]);
}

test('(1) what is admitted is there: pages beyond all that is set aside, memory above the floor, CPUs that nobody has', () => {
  const seen = { admitted: 0, refused: 0, unsettled: 0, pinned: 0, isolated: 0 };
  fc.assert(
    fc.property(ANY_CASE, (one) => {
      const decision = decideCase(one);
      seen[decision.outcome] += 1;
      if (decision.outcome !== 'admitted') return;
      expectPagesToBeHad(one, decision.placement);
      expectCpusToBeHad(one, decision.placement);
      if (decision.placement.some((cell) => cell.pins.length > 0)) seen.pinned += 1;
      if (one.request.topology.threadPolicy === 'isolate') seen.isolated += 1;
    }),
    { numRuns: RUNS },
  );
  // Otherwise the above says nothing.
  expect(Object.entries(seen).filter(([, times]) => times < Math.floor(RUNS / 1000))).toEqual([]);
});

test('(2) a claim that was made and released leaves no trace', () => {
  fc.assert(
    fc.property(ANY_CASE, requestArbitrary(fc.oneof(SHARED, PINNED)), (one, other) => {
      const ledger = new ClaimLedger();
      const noted = one.claims.map((claim) => ledger.add(claim, claim.placement));
      const answer = () => decideCase({ ...one, claims: ledger.unsettled() });
      const before = answer();
      const decision = decideCase({ ...one, request: other, claims: ledger.unsettled() });
      const placement = decision.outcome === 'admitted' ? decision.placement : [];
      const claim = ledger.add(CLAIMANT, placement);
      const counted = claimedPages(ledger.unsettled()).length;
      expect(counted).toBe(noted.flatMap((each) => each.placement).length + placement.length);
      ledger.end(claim);
      ledger.end(claim);
      expect(ledger.unsettled()).toEqual(noted);
      expect(answer()).toEqual(before);
    }),
    { numRuns: RUNS },
  );
});

test('(2) a claim holds what the guest holds once it runs', () => {
  let settled = 0;
  fc.assert(
    fc.property(ANY_CASE, (one) => {
      const { host, rules, claims } = one;
      const decision = decideCase(one);
      if (decision.outcome !== 'admitted') return;
      settled += 1;
      const guest = { ...CLAIMANT, placement: decision.placement };
      const cells = host.cells.map((cell) => {
        const taken = (sizeKib: number) => sum(guest.placement, cell.node, sizeKib);
        return { ...cell, free: cell.free.map((pool) => ({ ...pool, pages: pool.pages - taken(pool.pageSizeKib) })) };
      });
      const running: HostMemory = { ...host, cells, guests: [...host.guests, { ...guest, isRunning: true }] };
      const claimed = new HostAccount(host, rules, [...claims, guest], true);
      expect(withoutSetAside(new HostAccount(running, rules, claims, true))).toEqual(withoutSetAside(claimed));
    }),
    { numRuns: RUNS },
  );
  expect(settled).toBeGreaterThan(RUNS / 20);
});

test('(3) the order in which guests, claims and reserves are listed decides nothing', () => {
  const shuffled = ANY_CASE.chain((one) => {
    const { host, rules, claims } = one;
    return fc.tuple(fc.constant(one), order(host.guests), order(claims), order(rules.reserved), order(host.promised));
  });
  fc.assert(
    fc.property(shuffled, ([one, guests, claims, reserved, promised]) => {
      const { host, rules, request } = one;
      const other = { request, host: { ...host, guests, promised }, rules: { ...rules, reserved }, claims };
      expect(decideCase(other)).toEqual(decideCase(one));
    }),
    { numRuns: RUNS },
  );
});

function order<T>(list: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...list], { minLength: list.length });
}

/** Brute force: each guest cell on each node that is left, with each page size it may have. */
function somePlacementExists(one: Case, countsClaims: boolean): boolean {
  const { host, rules, request } = one;
  const { cells } = request.topology;
  const bothUnset = rules.cpuSharedSet === null && rules.cpuDedicatedSet === null;
  const shared = (cell: HostCell) => cell.cpus.filter((cpu) => bothUnset || rules.cpuSharedSet?.includes(cpu)).length;
  const from = (at: number, taken: readonly number[], neededKib: number): boolean => {
    const guest = cells[at];
    if (guest === undefined) return bearsMemory(one, neededKib, countsClaims);
    return host.cells.some((cell) => {
      if (taken.includes(cell.node) || shared(cell) < guest.sharedVcpus.length) return false;
      return allowedSizes(guest.pageSize).some((pageSizeKib) => {
        const pages = guest.memoryKib / pageSizeKib;
        const isThere = Number.isInteger(pages) && cell.free.some((pool) => pool.pageSizeKib === pageSizeKib);
        if (!isThere || pages > available(one, cell.node, pageSizeKib, countsClaims)) return false;
        const ownKib = ordinaryKib([{ pageSizeKib, memoryKib: guest.memoryKib }], { ...rules, overheadKib: 0 });
        return from(at + 1, [...taken, cell.node], neededKib + ownKib);
      });
    });
  };
  return from(0, [], rules.overheadKib);
}

function expectedOutcome(one: Case): Decision['outcome'] {
  if (somePlacementExists(one, true)) return 'admitted';
  return one.claims.length > 0 && somePlacementExists(one, false) ? 'unsettled' : 'refused';
}

test('(4) a guest on shared CPUs is admitted exactly when there is a way, and waits exactly when there may be one', () => {
  const seen = { admitted: 0, refused: 0, unsettled: 0 };
  fc.assert(
    fc.property(caseArbitrary(SHARED), (drawn) => {
      // Where base pages are one way of several, the floor is asked about the first way, and about huge pages alone.
      const isAny = drawn.request.topology.cells.some((cell) => cell.pageSize === 'any');
      const host = isAny ? { ...drawn.host, availableKib: null } : drawn.host;
      const one = { ...drawn, host };
      const { outcome } = decideCase(one);
      seen[outcome] += 1;
      expect(outcome).toBe(expectedOutcome(one));
    }),
    { numRuns: RUNS },
  );
  expect(Object.entries(seen).filter(([, times]) => times < Math.floor(RUNS / 1000))).toEqual([]);
});

test('(4) every host of up to four nodes with 0 to 2 free pages, every guest of up to three cells of 1 to 3 pages', () => {
  const counts = (length: number, from: number, to: number): number[][] =>
    length === 0
      ? [[]]
      : counts(length - 1, from, to).flatMap((rest) => firstCpus(to - from + 1).map((nth) => [...rest, from + nth]));
  const guests = [1, 2, 3].flatMap((cells) => counts(cells, 1, 3));
  const wrong: object[] = [];
  let admitted = 0;
  for (const free of [1, 2, 3, 4].flatMap((nodes) => counts(nodes, 0, 2))) {
    for (const pages of guests) {
      const cells = guestOf(1, pages.length).topology.cells.map((cell, at) => ({
        ...cell,
        memoryKib: (pages[at] ?? 0) * MIB_2,
      }));
      const request = { ...guestOf(1), topology: { ...guestOf(1).topology, cells } };
      const { outcome } = decide(CLAIMANT, request, hostOf(free), DEFAULT_RULES, []);
      // The largest cells on the fullest nodes: where that comes out too short, every way does.
      const most = free.toSorted((a, b) => b - a);
      const fits = pages.toSorted((a, b) => b - a).every((needed, at) => needed <= (most[at] ?? -1));
      if (fits) admitted += 1;
      if (outcome !== (fits ? 'admitted' : 'refused')) wrong.push({ free, pages, outcome });
    }
  }
  expect(wrong).toEqual([]);
  expect(admitted).toBeGreaterThan(100);
});

test('(5) deciding changes nothing, and asking again gives the same answer', () => {
  fc.assert(
    fc.property(ANY_CASE, (one) => {
      const before = structuredClone(one);
      const first = decideCase(one);
      const answer = structuredClone(first);
      expect(decideCase(one)).toEqual(answer);
      expect(first).toEqual(answer);
      expect(one).toEqual(before);
    }),
    { numRuns: RUNS },
  );
});
