/**
 * The pairs of one fit: each guest cell on each host cell, judged when it is asked for, and once. Guest cells that ask
 * for the same have their verdicts together, because most guests are split evenly.
 */
import type { EmulatorPolicy } from './cpu_policy.ts';
import type { GuestCell, GuestTopology } from './guest_topology.ts';
import type { HostCell } from './host_cell.ts';
import { HostView } from './host_view.ts';
import type { MemoryMode, PageSizePreference } from './pages.ts';
import { judgePair, type FitLimits, type PairRules, type PairVerdict } from './pair.ts';
import { inTryOrder } from './try_order.ts';

export type FitOptions = {
  /** Null or absent: the host's own counts are the only bound. */
  readonly limits?: FitLimits | null;
  /** Fill host cells one after the other, instead of spreading guests over them. */
  readonly pack?: boolean;
  /**
   * Whether a cell of a dedicated or mixed guest may have no dedicated vCPU. Nova 26 never places such a guest, Nova 27
   * and later do (bug 1994526).
   */
  readonly zeroPinnedCells?: boolean;
  /**
   * Whether isolated emulator threads of isolated vCPUs need a core of which no thread is given away. Nova takes any
   * free thread for them, and where its sibling is busy its own claim then fails with CPUPinningInvalid: what Nova
   * answers is the default, what can be claimed is `true`.
   */
  readonly emulatorOnFreeCore?: boolean;
  /** Nova's is `largest`. */
  readonly pageSizePreference?: PageSizePreference;
  /** `strict` where absent. Pairs are judged strictly in any case: see fit_across.ts. */
  readonly memoryMode?: MemoryMode;
};

/** What Nova 26 answers, right or wrong. */
export const NOVA_26 = { zeroPinnedCells: false, emulatorOnFreeCore: false } as const;

/** One guest cell, by its number, on each host cell, in the host's order. */
export type FitRow = { readonly guestCell: number; readonly verdicts: readonly PairVerdict[] };

/** For each guest cell the verdict on each host cell. */
export type FitMatrix = readonly FitRow[];

/** What one guest cell, or several alike, asks of a host cell, and what is known of the answers. */
export type Ask = {
  /** Its place among those that are different. */
  readonly at: number;
  /** The first cell that asks this. */
  readonly cell: GuestCell;
  /** CPUs that the emulator needs beside the cell's vCPUs. */
  readonly reserve: number;
  /** By place of the host cell; not all are known. */
  readonly verdicts: PairVerdict[];
};

export type GuestRow = { readonly cell: GuestCell; readonly ask: Ask };

export class PairTable {
  readonly rows: readonly GuestRow[];
  /** Without those that are the same. */
  readonly asks: readonly Ask[];
  /** In the host's order. */
  readonly views: readonly HostView[];
  readonly rules: PairRules;
  readonly #pack: boolean;

  constructor(guest: GuestTopology, host: readonly HostCell[], options: FitOptions) {
    const { limits = null, pack = false, pageSizePreference = 'largest' } = options;
    const { zeroPinnedCells = NOVA_26.zeroPinnedCells, emulatorOnFreeCore = NOVA_26.emulatorOnFreeCore } = options;
    const asks: Ask[] = [];
    this.rows = guest.cells.map((cell) => ({ cell, ask: askOf(cell, guest.emulatorPolicy, asks) }));
    this.asks = asks;
    this.views = host.map((cell, at) => new HostView(cell, at));
    const { cpuPolicy, threadPolicy } = guest;
    const shared = cpuPolicy !== 'dedicated';
    const pinned = !shared || cpuPolicy === 'mixed';
    this.rules = { pinned, shared, threadPolicy, limits, zeroPinnedCells, emulatorOnFreeCore, pageSizePreference };
    this.#pack = pack;
  }

  verdict(ask: Ask, view: HostView): PairVerdict {
    const known = ask.verdicts[view.at];
    if (known !== undefined) return known;
    const verdict = judgePair(view, ask.cell, ask.reserve, this.rules);
    ask.verdicts[view.at] = verdict;
    return verdict;
  }

  tryOrder(): readonly HostView[] {
    return inTryOrder(this.views, this.rows.length, this.rules.pinned, this.#pack);
  }

  complete(): FitMatrix {
    for (const ask of this.asks) {
      for (const view of this.views) this.verdict(ask, view);
    }
    return this.rows.map(({ cell, ask }) => ({ guestCell: cell.id, verdicts: ask.verdicts }));
  }
}

/** The same ask where an earlier cell has it already. */
function askOf(cell: GuestCell, emulatorPolicy: EmulatorPolicy | null, asks: Ask[]): Ask {
  // The emulator of a guest with isolated emulator threads lives with the guest's first cell.
  const reserve = emulatorPolicy === 'isolate' && asks.length === 0 ? 1 : 0;
  for (const ask of asks) {
    if (ask.reserve === reserve && isAlike(ask.cell, cell)) return ask;
  }
  const ask: Ask = { at: asks.length, cell, reserve, verdicts: [] };
  asks.push(ask);
  return ask;
}

function isAlike(a: GuestCell, b: GuestCell): boolean {
  return (
    a.memoryKib === b.memoryKib &&
    a.pageSize === b.pageSize &&
    a.sharedVcpus.length === b.sharedVcpus.length &&
    a.dedicatedVcpus.length === b.dedicatedVcpus.length
  );
}
