/**
 * The dry run: instances of one guest placed one after the other, as admission would, each on what the ones before it
 * left. This is the agent's own order, not the best packing that could be found.
 */
import { cpuSetOf, type CpuSet } from '../numa/cpu_set.ts';
import { fitMatrix, sharesOf, type FitRefusal, type PlacedCell, type Placement } from '../numa/fit.ts';
import type { AcrossRefusal } from '../numa/fit_across.ts';
import type { GuestTopology } from '../numa/guest_topology.ts';
import type { HostCell } from '../numa/host_cell.ts';
import type { FitMatrix, FitOptions } from '../numa/pair_table.ts';
import { fitWithin, ordinaryKib, type OrdinaryMemory } from '../numa/ordinary_memory.ts';
import { claim, type UsageError } from '../numa/usage.ts';
import { advise, type Advice, type Alternative } from './advice.ts';

/** A guest that shares everything fits without end; nobody asks for more than this. */
export const FILL_LIMIT = 10_000;

/** Why the next instance is not placed. */
export type PlanStop =
  | {
      readonly reason: 'refused';
      readonly refusal: FitRefusal;
      /** Memory mode preferred: why not across host cells. */
      readonly across: readonly AcrossRefusal[];
      /** Every guest cell on every host cell. */
      readonly matrix: FitMatrix;
      /** For the next instance alone; following it makes room for one. */
      readonly advice: readonly Advice[];
    }
  /**
   * It would be placed, and its CPUs could then not be had. Happens only with `emulatorOnFreeCore` off, where isolated
   * emulator threads are placed as Nova places them.
   */
  | { readonly reason: 'not-claimable'; readonly error: UsageError }
  /** The nodes would take it, and the host as a whole lacks ordinary memory for its QEMU and base pages. */
  | { readonly reason: 'host-memory'; readonly neededKib: number; readonly leftKib: number };

export type InstancesPlan = {
  readonly wanted: number;
  /** One for each instance that fits. */
  readonly placements: readonly Placement[];
  /** Null where all fit. */
  readonly stop: PlanStop | null;
};

/** What all instances of a fill have on one host cell in pages of one size. */
export type FilledNode = {
  /** The kernel's node number. */
  readonly hostCell: number;
  /** Null where no size was asked for. */
  readonly pageSizeKib: number | null;
  readonly guestCells: number;
  /** Null where no size was asked for. */
  readonly pages: number | null;
  readonly memoryKib: number;
  /** CPUs given away, those for emulators too. */
  readonly cpus: CpuSet;
};

export type Fill = {
  readonly count: number;
  /** There may be room for more: the count ended at the bound. */
  readonly bounded: boolean;
  /** By host cell in the host's order, then by page size, largest first. */
  readonly nodes: readonly FilledNode[];
  /** Why there is not one more; null where the count ended at the bound. */
  readonly stop: PlanStop | null;
};

/**
 * Places up to `count` instances. Changes nothing.
 * @param alternatives what the request could be instead (alternatives.ts); the advice has those that fit.
 * @param memory null where the host's ordinary memory is not known, and bounds nothing.
 */
export function planInstances(
  guest: GuestTopology,
  host: readonly HostCell[],
  options: FitOptions,
  count: number,
  alternatives: readonly Alternative[] = [],
  memory: OrdinaryMemory | null = null,
): InstancesPlan {
  const placements: Placement[] = [];
  let now = host;
  let leftKib = memory?.leftKib ?? Infinity;
  while (placements.length < count) {
    const result = fitWithin(guest, now, options, memory && { ...memory, leftKib });
    if (!result.fits) {
      const { refusal, across } = result;
      if (refusal.reason === 'host-memory') return { wanted: count, placements, stop: { ...refusal, leftKib } };
      const matrix = fitMatrix(guest, now, options);
      // A page that comes free comes with the memory of the guest that had it; a change of the request frees nothing.
      const advice = advise(guest, now, options, alternatives).filter(
        (one) => one.kind === 'free-pages' || ordinaryKib(one.placement, memory) <= leftKib,
      );
      return { wanted: count, placements, stop: { reason: 'refused', refusal, across, matrix, advice } };
    }
    const { placement } = result;
    leftKib -= ordinaryKib(placement, memory);
    const claimed = claim(now, guest, placement);
    if (!claimed.ok) return { wanted: count, placements, stop: { reason: 'not-claimable', error: claimed.error } };
    now = claimed.host;
    placements.push(placement);
  }
  return { wanted: count, placements, stop: null };
}

/** Counts how many more instances fit, and what they would have, up to a bound. Changes nothing. */
export function fillCount(
  guest: GuestTopology,
  host: readonly HostCell[],
  options: FitOptions,
  alternatives: readonly Alternative[] = [],
  limit = FILL_LIMIT,
  memory: OrdinaryMemory | null = null,
): Fill {
  const { placements, stop } = planInstances(guest, host, options, limit, alternatives, memory);
  return { count: placements.length, bounded: stop === null, nodes: foldByNode(placements, host), stop };
}

function foldByNode(placements: readonly Placement[], host: readonly HostCell[]): readonly FilledNode[] {
  const groups = new Map<string, FilledNode[]>();
  for (const share of placements.flat().flatMap(filledShares)) {
    const key = `${share.hostCell} ${share.pageSizeKib}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [share]);
    else group.push(share);
  }
  const places = new Map(host.map(({ id }, at) => [id, at]));
  const placeOf = ({ hostCell }: FilledNode): number => places.get(hostCell) ?? 0;
  return [...groups.values()]
    .flatMap((shares) => foldShares(shares))
    .toSorted((a, b) => placeOf(a) - placeOf(b) || (b.pageSizeKib ?? 0) - (a.pageSizeKib ?? 0));
}

/** What one guest cell has of each host cell: its CPUs where it is at home, pages perhaps on others too. */
function filledShares(placed: PlacedCell): readonly FilledNode[] {
  const { pageSizeKib, pins, reservedCpus } = placed;
  const cpus = cpuSetOf([...pins.map(({ cpu }) => cpu), ...reservedCpus]);
  return sharesOf(placed).map((share, at) => {
    return at === 0
      ? { ...share, pageSizeKib, guestCells: 1, cpus }
      : { ...share, pageSizeKib, guestCells: 0, cpus: [] };
  });
}

/** Shares of the same host cell and page size as one entry. */
function foldShares(shares: readonly FilledNode[]): readonly FilledNode[] {
  const [first] = shares;
  if (first === undefined) return [];
  const sumOf = (count: (share: FilledNode) => number) => shares.reduce((sum, share) => sum + count(share), 0);
  return [
    {
      ...first,
      guestCells: sumOf(({ guestCells }) => guestCells),
      pages: first.pages === null ? null : sumOf(({ pages }) => pages ?? 0),
      memoryKib: sumOf(({ memoryKib }) => memoryKib),
      cpus: cpuSetOf(shares.flatMap(({ cpus }) => cpus)),
    },
  ];
}
