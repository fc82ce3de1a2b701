/** The answer to get_host. Pure. */
import { pagesOfSize, pagesOn, type NodePages } from '../admission/host_memory.ts';
import type { AdmissionRules } from '../admission/rules.ts';
import type { AvailableResource } from '../compute_driver.ts';
import type { PageHoldersReport } from './page_holders_report.ts';

export type PoolReport = {
  readonly pageSizeKib: number;
  readonly totalPages: number;
  readonly freePages: number;
  /** Admitted, and not yet seen as taken by the kernel. */
  readonly claimedPages: number;
  readonly reservedPages: number;
  /** Held by running guests of ours. */
  readonly heldPages: number;
  /** Kept for instances that are shut off. */
  readonly keptPages: number;
};

export type HostReport = {
  readonly host: string;
  readonly instances: number;
  /** Whether instances that are shut off keep their pages. */
  readonly shutOffInstances: AdmissionRules['shutOffInstances'];
  readonly nodes: readonly {
    readonly node: number;
    readonly cpus: readonly number[];
    readonly pools: readonly PoolReport[];
  }[];
  /** Promised by the kernel to mappings, host-wide: still among the free pages, and not to be had. */
  readonly promised: readonly { readonly pageSizeKib: number; readonly pages: number }[];
  /** Who holds the pages of the pools; absent where that was not asked. */
  readonly holders?: PageHoldersReport;
};

export type HostFacts = {
  readonly host: string;
  readonly instances: number;
  readonly resource: AvailableResource;
  readonly rules: AdmissionRules;
  readonly claimed: readonly NodePages[];
  readonly held: readonly NodePages[];
  readonly kept: readonly NodePages[];
};

export function describeHost(facts: HostFacts): HostReport {
  const { cells, promised } = facts.resource.memory;
  return {
    host: facts.host,
    instances: facts.instances,
    shutOffInstances: facts.rules.shutOffInstances,
    nodes: cells.map(({ node, cpus, free }) => ({
      node,
      cpus,
      pools: free.map(({ pageSizeKib }) => ({
        pageSizeKib,
        totalPages: pagesOn(facts.resource.totals, node, pageSizeKib),
        freePages: pagesOfSize(free, pageSizeKib),
        claimedPages: pagesOn(facts.claimed, node, pageSizeKib),
        reservedPages: pagesOn(facts.rules.reserved, node, pageSizeKib),
        heldPages: pagesOn(facts.held, node, pageSizeKib),
        keptPages: pagesOn(facts.kept, node, pageSizeKib),
      })),
    })),
    promised,
  };
}
