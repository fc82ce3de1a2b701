/**
 * A plan as an answer: snake case and MiB, as the API's other answers, and nothing that JSON has no word for. Sentences
 * come beside the numbers, so that whoever shows an answer needs no rules of its own.
 */
import { describeAcross, describeFitRefusal } from '../numa/describe.ts';
import { sharesOf, type FitRefusal, type Placement } from '../numa/fit.ts';
import type { AcrossRefusal } from '../numa/fit_across.ts';
import type { FitMatrix } from '../numa/pair_table.ts';
import type { Pin } from '../numa/thread_packing.ts';
import { describeKib, mibFromKib } from '../units.ts';
import type { Advice } from './advice.ts';
import { describeAdvice } from './describe_advice.ts';
import type { Fill, InstancesPlan, PlanStop } from './instances.ts';
import { planReason, type PlanReason } from './plan_reasons.ts';

/** One guest cell and where it would be. */
export type PlanCell = {
  readonly guest_cell: number;
  readonly node: number;
  /** Null where no size was asked for, and so are the pages. */
  readonly page_size_kib: number | null;
  readonly pages: number | null;
  readonly memory_mb: number;
  readonly pins: readonly Pin[];
  readonly emulator_cpus: readonly number[];
  /** What other nodes would give (memory mode preferred), as far as that can be foreseen. */
  readonly elsewhere: readonly { readonly node: number; readonly pages: number }[];
};

/** One guest cell on one node. */
export type PlanPair = {
  readonly guest_cell: number;
  readonly node: number;
  /** Of a pair that would do by itself; null where no size was asked for or the pair is refused. */
  readonly page_size_kib: number | null;
  /** The first reason in Nova's order; null where the pair would do by itself. */
  readonly reason: PlanReason | null;
};

export type PlanRefusal = {
  readonly code: FitRefusal['reason'] | 'not-claimable' | 'host-memory';
  readonly text: string;
  /** Memory mode preferred: why not even several nodes together, for each page size. */
  readonly across: readonly {
    readonly code: AcrossRefusal['code'];
    readonly page_size_kib: number;
    readonly text: string;
  }[];
  readonly pairs: readonly PlanPair[];
};

export type PlanAdvice =
  | {
      readonly kind: 'free-pages';
      readonly text: string;
      /** The fewest pages; not always the least memory. */
      readonly free: readonly { readonly node: number; readonly page_size_kib: number; readonly pages: number }[];
      readonly pages: number;
      readonly memory_mb: number;
    }
  | {
      readonly kind: 'other-page-size' | 'other-split';
      readonly text: string;
      /** The extra spec or image property to change, and what it would be. */
      readonly field: string;
      readonly value: string;
      readonly cells: readonly PlanCell[];
    };

export type PlanResult = {
  readonly wanted: number;
  /** How many of them fit. */
  readonly fits: number;
  /** One for each that fits. */
  readonly instances: readonly { readonly cells: readonly PlanCell[] }[];
  /** Why the next one does not fit; null where all do. */
  readonly refusal: PlanRefusal | null;
  /** What would make room for the next one; empty where all fit, or nothing of this helps. */
  readonly advice: readonly PlanAdvice[];
};

export type FillNode = {
  readonly node: number;
  readonly page_size_kib: number | null;
  readonly guest_cells: number;
  readonly pages: number | null;
  readonly memory_mb: number;
  /** CPUs given away. */
  readonly cpus: readonly number[];
};

export type FillResult = {
  /** How many more fit. */
  readonly fits: number;
  /** There may be room for more: counting ended here. */
  readonly at_least: boolean;
  readonly nodes: readonly FillNode[];
  readonly refusal: PlanRefusal | null;
  readonly advice: readonly PlanAdvice[];
};

/** The answer to `plan` with a count. */
export function planResult({ wanted, placements, stop }: InstancesPlan): PlanResult {
  const instances = placements.map((placement) => ({ cells: planCells(placement) }));
  return { wanted, fits: placements.length, instances, refusal: planRefusal(stop), advice: planAdvice(stop) };
}

/** The answer to `plan --fill`. */
export function fillResult({ count, bounded, nodes, stop }: Fill): FillResult {
  return {
    fits: count,
    at_least: bounded,
    nodes: nodes.map(({ hostCell, pageSizeKib, guestCells, pages, memoryKib, cpus }) => ({
      node: hostCell,
      page_size_kib: pageSizeKib,
      guest_cells: guestCells,
      pages,
      memory_mb: mibFromKib(memoryKib),
      cpus,
    })),
    refusal: planRefusal(stop),
    advice: planAdvice(stop),
  };
}

function planCells(placement: Placement): readonly PlanCell[] {
  return placement.map((placed) => {
    const { guestCell, hostCell, pageSizeKib, memoryKib, pins, reservedCpus, elsewhere = [] } = placed;
    return {
      guest_cell: guestCell,
      node: hostCell,
      page_size_kib: pageSizeKib,
      pages: sharesOf(placed)[0]?.pages ?? null,
      memory_mb: mibFromKib(memoryKib),
      pins,
      emulator_cpus: reservedCpus,
      elsewhere: elsewhere.map(({ hostCell: node, pages }) => ({ node, pages })),
    };
  });
}

function planRefusal(stop: PlanStop | null): PlanRefusal | null {
  if (stop === null) return null;
  if (stop.reason === 'not-claimable')
    return { code: 'not-claimable', text: stop.error.message, across: [], pairs: [] };
  if (stop.reason === 'host-memory') {
    const { neededKib, leftKib } = stop;
    const left = describeKib(Math.max(0, leftKib));
    const text = `${describeKib(neededKib)} of ordinary memory needed for QEMU and base pages, ${left} left on this host`;
    return { code: 'host-memory', text, across: [], pairs: [] };
  }
  const { refusal, matrix } = stop;
  const across = stop.across.map((one) => {
    return { code: one.code, page_size_kib: one.pageSizeKib, text: describeAcross(one) };
  });
  return { code: refusal.reason, text: describeFitRefusal(refusal), across, pairs: planPairs(matrix) };
}

function planPairs(matrix: FitMatrix): readonly PlanPair[] {
  return matrix.flatMap(({ guestCell, verdicts }) =>
    verdicts.map((verdict) => ({
      guest_cell: guestCell,
      node: verdict.hostCell,
      page_size_kib: verdict.accepted ? verdict.pageSizeKib : null,
      reason: verdict.accepted ? null : planReason(verdict.reason),
    })),
  );
}

function planAdvice(stop: PlanStop | null): readonly PlanAdvice[] {
  return stop?.reason === 'refused' ? stop.advice.map(oneAdvice) : [];
}

function oneAdvice(advice: Advice): PlanAdvice {
  const text = describeAdvice(advice);
  if (advice.kind !== 'free-pages') {
    const { kind, field, value, placement } = advice;
    return { kind, text, field, value, cells: planCells(placement) };
  }
  const free = advice.free.map(({ hostCell, pageSizeKib, pages }) => ({
    node: hostCell,
    page_size_kib: pageSizeKib,
    pages,
  }));
  return { kind: 'free-pages', text, free, pages: advice.pages, memory_mb: mibFromKib(advice.memoryKib) };
}
