/** Who held which pages from when to when: what becomes of the record when the host is looked at. Pure. */
import type { NodePages } from '../admission/host_memory.ts';

/** Held by a guest that runs, or kept for one that is shut off. */
export type HoldingState = 'running' | 'kept';

/** Pages of one size on one node that one instance has. */
export type Holding = NodePages & {
  readonly instanceUuid: string;
  readonly projectId: string;
  readonly state: HoldingState;
  /**
   * Two holdings with the same identity are one that went on between two looks, whether or not anybody looked meanwhile:
   * the same process of the same boot, or pages kept for the same instance. Null: nothing is known of between.
   */
  readonly identity: string | null;
};

/** A holding that goes on. */
export type OpenInterval = Holding & { readonly id: number; readonly fromMs: number };

export type Change = {
  /** Ended at `atMs`. */
  readonly closed: readonly { readonly id: number; readonly atMs: number }[];
  /** Begun at `fromMs`. */
  readonly opened: readonly (Holding & { readonly fromMs: number })[];
};

export type Look = {
  readonly open: readonly OpenInterval[];
  readonly present: readonly Holding[];
  /** The last moment at which the open ones were known to go on. */
  readonly lastMs: number;
  /** Where that which went on has come to by now. */
  readonly untilMs: number;
  /** From when on what is there is written; later than `untilMs` where the wall clock was set forward. */
  readonly fromMs: number;
  /** Nobody looked since `lastMs`: the agent was not there, or the host could not be read. */
  readonly isAfterGap: boolean;
};

/**
 * What the look changes. Without a gap, what is not there any more went on until now, for its end is told at once. After
 * one, what has the same identity went on throughout; of anything else nothing is known, and it ends where it was last
 * seen.
 */
export function changeOf({ open, present, lastMs, untilMs, fromMs, isAfterGap }: Look): Change {
  const found = new Map(present.map((holding) => [keyOf(holding), holding]));
  const closed: { id: number; atMs: number }[] = [];
  const goesOn = new Set<string>();
  for (const interval of open) {
    const key = keyOf(interval);
    const now = found.get(key);
    const isSame = now !== undefined && isSameHolding(interval, now, isAfterGap);
    const isHole = fromMs > untilMs;
    if (isSame && !isHole && !goesOn.has(key)) goesOn.add(key);
    else closed.push({ id: interval.id, atMs: !isAfterGap || isSame ? untilMs : lastMs });
  }
  const opened = [...found]
    .filter(([key, { pages }]) => !goesOn.has(key) && pages > 0)
    .map(([, holding]) => ({ ...holding, fromMs }));
  return { closed, opened };
}

function isSameHolding(interval: Holding, now: Holding, isAfterGap: boolean): boolean {
  const isKnown = !isAfterGap || interval.identity !== null;
  return (
    isKnown &&
    interval.identity === now.identity &&
    interval.pages === now.pages &&
    interval.projectId === now.projectId
  );
}

function keyOf({ instanceUuid, node, pageSizeKib, state }: Holding): string {
  return `${instanceUuid}/${node}/${pageSizeKib}/${state}`;
}
