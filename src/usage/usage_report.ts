/** The sums of a span as they are answered. Pure. */
import type { HoldingState } from './history.ts';

/** What was held in a span, summed exactly. */
export type UsageSum = {
  readonly projectId: string;
  readonly node: number;
  readonly pageSizeKib: number;
  readonly state: HoldingState;
  /** Pages times ms. */
  readonly pageMs: bigint;
};

export type UsageQuery = { readonly fromMs: number; readonly toMs: number; readonly projectId?: string };

/** Pages of one size on one node that a project had, in page-ms. */
export type UsageRow = {
  readonly projectId: string;
  readonly node: number;
  readonly pageSizeKib: number;
  /** By guests that ran. */
  readonly runningPageMs: bigint;
  /** By guests that were shut off and kept theirs. */
  readonly keptPageMs: bigint;
};

export type UsageReport = {
  readonly fromMs: number;
  readonly toMs: number;
  /** What was written when it was asked: nothing is known of later. */
  readonly untilMs: number;
  /** From when on the history is whole. */
  readonly sinceMs: number;
  readonly rows: readonly UsageRow[];
};

/** One row per project, page size and node, sorted by these. */
export function usageRows(sums: readonly UsageSum[]): UsageRow[] {
  const rows = new Map<string, UsageRow>();
  for (const { projectId, node, pageSizeKib, state, pageMs } of sums) {
    const key = `${node}/${pageSizeKib}/${projectId}`;
    const row = rows.get(key) ?? { projectId, node, pageSizeKib, runningPageMs: 0n, keptPageMs: 0n };
    rows.set(
      key,
      state === 'running'
        ? { ...row, runningPageMs: row.runningPageMs + pageMs }
        : { ...row, keptPageMs: row.keptPageMs + pageMs },
    );
  }
  return [...rows.values()].toSorted(
    (a, b) => compare(a.projectId, b.projectId) || a.pageSizeKib - b.pageSizeKib || a.node - b.node,
  );
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
