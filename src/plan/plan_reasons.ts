/** A refused pair for programs: the reason's code, its sentence, and its numbers in one shape for all reasons. */
import { describeReason } from '../numa/describe.ts';
import type { PairReason } from '../numa/pair.ts';
import type { PoolShortfall } from '../numa/pages.ts';
import { mibFromKib } from '../units.ts';

/** What one bound of a host cell says. A number that the reason does not have is not there. */
export type PlanCounts = {
  /** What is counted; `memory` is MiB. */
  readonly of: 'pages' | 'memory' | 'cpus';
  readonly page_size_kib?: number;
  /** Null where the guest cell's memory is no whole number of such pages. */
  readonly needed?: number | null;
  readonly free?: number;
  readonly total?: number;
  readonly used?: number;
  readonly reserved?: number;
  /** How often over the total may be used. */
  readonly ratio?: number;
};

export type PlanReason = {
  readonly code: PairReason['code'];
  readonly text: string;
  readonly counts: readonly PlanCounts[];
};

/** The reason in the words and numbers of an answer. */
export function planReason(reason: PairReason): PlanReason {
  return { code: reason.code, text: describeReason(reason), counts: countsOf(reason) };
}

function countsOf(reason: PairReason): readonly PlanCounts[] {
  switch (reason.code) {
    case 'size_absent':
      return [{ of: 'pages', page_size_kib: reason.pageSizeKib, total: 0 }];
    case 'pages':
      return reason.pools.map(poolCounts);
    case 'small_total':
      return [poolCounts(reason.pool)];
    case 'mem_total':
      return [{ of: 'memory', needed: mibFromKib(reason.neededKib), total: mibFromKib(reason.totalKib) }];
    case 'mem_free':
      return [{ ...memoryCounts(reason), free: mibFromKib(reason.freeKib) }];
    case 'vcpu_total':
      return [{ of: 'cpus', needed: reason.needed, total: reason.total }];
    case 'pcpu_total':
    case 'pcpu_free':
    case 'pack':
      return [{ of: 'cpus', needed: reason.needed + reason.reserve, free: reason.free, total: reason.total }];
    case 'cpu_limit': {
      const { needed, used, total, ratio } = reason;
      return [{ of: 'cpus', needed, used, total, ratio }];
    }
    case 'ram_limit':
      return [{ ...memoryCounts(reason), ratio: reason.ratio }];
  }
}

function poolCounts({ sizeKib, needed, free, total, used, reserved }: PoolShortfall): PlanCounts {
  return { of: 'pages', page_size_kib: sizeKib, needed: needed ?? null, free, total, used, reserved };
}

function memoryCounts(reason: Extract<PairReason, { code: 'mem_free' | 'ram_limit' }>): PlanCounts {
  const { neededKib, totalKib, usedKib } = reason;
  return { of: 'memory', needed: mibFromKib(neededKib), total: mibFromKib(totalKib), used: mibFromKib(usedKib) };
}
