/** The answer to get_host. Pure. */
import { pagesOn, type NodePages } from '../admission/host_memory.ts';
import type { HostAccount } from '../admission/host_cells.ts';
import type { AdmissionRules } from '../admission/rules.ts';
import type { HostCell } from '../numa/host_cell.ts';
import { entryAt } from '../numa/list.ts';
import type { OrdinaryMemory } from '../numa/ordinary_memory.ts';
import type { PageHoldersReport } from './page_holders_report.ts';

export type PoolReport = {
  readonly pageSizeKib: number;
  readonly totalPages: number;
  readonly freePages: number;
  /** Admitted, and not yet seen as taken by the kernel. */
  readonly claimedPages: number;
  readonly reservedPages: number;
  /** Held by running guests of ours; null where the kernel of one cannot be asked. */
  readonly heldPages: number | null;
  /** Kept for instances that are shut off. */
  readonly keptPages: number;
};

export type HostReport = {
  readonly host: string;
  readonly instances: number;
  readonly nodes: readonly {
    readonly node: number;
    readonly cpus: readonly number[];
    readonly pools: readonly PoolReport[];
    /** The node as fits see it. */
    readonly capacity: HostCell;
  }[];
  readonly rules: AdmissionRules;
  /** Where a request asks for no page size. */
  readonly defaultPageSize: string;
  /** Null where it is not known. */
  readonly memory: OrdinaryMemory | null;
  /** Promised by the kernel to mappings, host-wide: still among the free pages, and not to be had. */
  readonly promised: readonly { readonly pageSizeKib: number; readonly pages: number }[];
  /** Who holds the pages of the pools; absent where that was not asked. */
  readonly holders?: PageHoldersReport;
};

export type HostFacts = {
  readonly host: string;
  readonly instances: number;
  readonly account: HostAccount;
  /** Pages there are. */
  readonly totals: readonly NodePages[];
  readonly held: readonly NodePages[] | null;
  readonly defaultPageSize: string;
};

export function describeHost(facts: HostFacts): HostReport {
  const { account, totals, held } = facts;
  const { rules } = account;
  const { cells, promised } = account.host;
  const capacities = account.cells();
  return {
    host: facts.host,
    instances: facts.instances,
    rules,
    defaultPageSize: facts.defaultPageSize,
    memory: account.ordinaryMemory(),
    nodes: cells.map((cell, at) => ({
      node: cell.node,
      cpus: cell.cpus,
      capacity: entryAt(capacities, at),
      pools: cell.free.map((pool) => {
        const { free, claimed, reserved, kept } = account.countsOf(cell, pool);
        return {
          pageSizeKib: pool.pageSizeKib,
          totalPages: pagesOn(totals, cell.node, pool.pageSizeKib),
          freePages: free,
          claimedPages: claimed,
          reservedPages: reserved,
          heldPages: held === null ? null : pagesOn(held, cell.node, pool.pageSizeKib),
          keptPages: kept,
        };
      }),
    })),
    promised,
  };
}
