/** Why a request was refused: data first, a sentence with the same numbers second. Pure. */
import { describeKib } from '../units.ts';
import { describePageSizeRequest, type PageSizeRequest } from './page_size.ts';

export type Shortfall =
  | {
      readonly cause: 'pages';
      readonly node: number;
      readonly pageSizeKib: number;
      /** Pages that one guest cell needs on this node. */
      readonly needed: number;
      /** Pages the kernel has free there. Of these the next three are not to be had. */
      readonly free: number;
      /** Admitted for other instances, not yet taken. */
      readonly claimed: number;
      /** Kept back by `admission.reserved_huge_pages`. */
      readonly reserved: number;
      /** Promised by the kernel to mappings that have not touched them (`resv_hugepages`, host-wide). */
      readonly promised: number;
    }
  | { readonly cause: 'cpus'; readonly node: number; readonly needed: number; readonly present: number }
  /** The node has no page size that is both allowed and divides the guest cell's memory. */
  | { readonly cause: 'page-size'; readonly node: number; readonly memoryKib: number };

export type Refusal =
  | {
      readonly reason: 'page-size-not-supported';
      readonly pageSize: PageSizeRequest;
      readonly offeredKib: readonly number[];
    }
  | { readonly reason: 'too-few-nodes'; readonly guestCells: number; readonly hostNodes: number }
  | {
      readonly reason: 'not-whole-pages';
      readonly guestCell: number;
      readonly memoryKib: number;
      readonly pageSizesKib: readonly number[];
    }
  | {
      readonly reason: 'insufficient-resources';
      readonly guestCells: number;
      /** Nodes that would take one guest cell each; too few for all of them. */
      readonly fittingNodes: number;
      /** Why each of the other nodes does not. */
      readonly shortfalls: readonly Shortfall[];
    };

/** One sentence with every number of the decision. */
export function describeRefusal(refusal: Refusal): string {
  switch (refusal.reason) {
    case 'page-size-not-supported':
      return `no node has pages of the size asked for (${describePageSizeRequest(refusal.pageSize)}); this host has ${sizes(refusal.offeredKib)}`;
    case 'too-few-nodes':
      return `the guest has ${refusal.guestCells} NUMA cells, this host ${refusal.hostNodes}: each cell needs a node of its own`;
    case 'not-whole-pages':
      return `the memory of guest cell ${refusal.guestCell}, ${refusal.memoryKib} KiB, is no multiple of a page of ${sizes(refusal.pageSizesKib)}`;
    case 'insufficient-resources': {
      const need =
        refusal.guestCells > 1 ? `${refusal.guestCells} nodes needed, ${refusal.fittingNodes} can take a cell; ` : '';
      return need + refusal.shortfalls.map(describeShortfall).join('; ');
    }
  }
}

function describeShortfall(shortfall: Shortfall): string {
  if (shortfall.cause === 'cpus') {
    return `node ${shortfall.node}: ${shortfall.needed} vCPUs needed, the node has ${shortfall.present} CPUs`;
  }
  if (shortfall.cause === 'page-size') {
    return `node ${shortfall.node}: no page size there divides ${shortfall.memoryKib} KiB`;
  }
  const { node, pageSizeKib, needed, free, claimed, reserved, promised } = shortfall;
  return `node ${node}: ${needed} pages of ${describeKib(pageSizeKib)} needed, ${free} free, of these ${claimed} claimed, ${reserved} reserved and ${promised} promised to mappings`;
}

function sizes(list: readonly number[]): string {
  return list.map(describeKib).join(', ');
}
