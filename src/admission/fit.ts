/**
 * The decision: which host node takes which guest cell, and with which page size, or why none can. Pure: no clock, no
 * I/O, nothing is changed.
 *
 * All guest cells go on distinct nodes or nothing does. Page sizes are tried largest first, as Nova does. Where the
 * guest spans fewer nodes than there are, the node with most free page memory comes first, so that guests spread.
 */
import { wholePages } from '../units.ts';
import { pagesOfSize, pagesOn, type HostCell, type HostMemory, type NodePages } from './host_memory.ts';
import type { PageSizeRequest } from './page_size.ts';
import type { Refusal, Shortfall } from './refusal.ts';
import type { GuestCell, PlacementRequest } from './request.ts';

export type PlacedCell = NodePages & {
  readonly guestCell: number;
  readonly vcpus: readonly number[];
  readonly memoryKib: number;
};

/** Where each guest cell goes, in the order of the guest cells. */
export type Placement = readonly PlacedCell[];

export type FitResult =
  | { readonly fits: true; readonly placement: Placement }
  | { readonly fits: false; readonly refusal: Refusal };

/** Pages that count as gone although the kernel still has them free. */
export type SetAside = {
  /** Kept back by configuration. */
  readonly reserved: readonly NodePages[];
  /** Admitted, not yet taken by their QEMU. */
  readonly claimed: readonly NodePages[];
};

type CellChoice = { accepted: true; placed: PlacedCell } | { accepted: false; shortfalls: Shortfall[] };

/** Finds the placement that comes first in the order above, or the reasons of every node. */
export function fit(request: PlacementRequest, host: HostMemory, aside: SetAside): FitResult {
  const absent = pageSizeAbsent(request, host);
  if (absent !== undefined) return { fits: false, refusal: absent };
  if (request.cells.length > host.cells.length) {
    const refusal = {
      reason: 'too-few-nodes',
      guestCells: request.cells.length,
      hostNodes: host.cells.length,
    } as const;
    return { fits: false, refusal };
  }
  const ragged = notWholePages(request, host);
  if (ragged !== undefined) return { fits: false, refusal: ragged };

  // The split is symmetric: every guest cell asks for the same, so the first nodes that take one take them all.
  const placement: PlacedCell[] = [];
  const shortfalls: Shortfall[] = [];
  for (const cell of inTryOrder(request, host, aside)) {
    const guestCell = request.cells[placement.length];
    if (guestCell === undefined) break;
    const choice = chooseOn(cell, guestCell, request.pageSize, host, aside);
    if (choice.accepted) placement.push(choice.placed);
    else shortfalls.push(...choice.shortfalls);
  }
  if (placement.length === request.cells.length) return { fits: true, placement };
  const refusal = {
    reason: 'insufficient-resources',
    guestCells: request.cells.length,
    fittingNodes: placement.length,
    shortfalls: shortfalls.toSorted((a, b) => a.node - b.node),
  } as const;
  return { fits: false, refusal };
}

function chooseOn(
  cell: HostCell,
  guest: GuestCell,
  wish: PageSizeRequest,
  host: HostMemory,
  aside: SetAside,
): CellChoice {
  if (guest.vcpus.length > cell.cpus.length) {
    return {
      accepted: false,
      shortfalls: [{ cause: 'cpus', node: cell.node, needed: guest.vcpus.length, present: cell.cpus.length }],
    };
  }
  const shortfalls: Shortfall[] = [];
  for (const pageSizeKib of candidateSizes(cell, wish)) {
    const pages = wholePages(guest.memoryKib, pageSizeKib);
    if (pages === undefined) continue;
    const counts = countsOf(cell, pageSizeKib, host, aside);
    if (pages <= availableOf(counts)) {
      const { id: guestCell, vcpus, memoryKib } = guest;
      return { accepted: true, placed: { node: cell.node, pageSizeKib, pages, guestCell, vcpus, memoryKib } };
    }
    shortfalls.push({ cause: 'pages', node: cell.node, pageSizeKib, needed: pages, ...counts });
  }
  if (shortfalls.length === 0) shortfalls.push({ cause: 'page-size', node: cell.node, memoryKib: guest.memoryKib });
  return { accepted: false, shortfalls };
}

type PageCounts = { free: number; promised: number; reserved: number; claimed: number };

/** Pages that are to be had: free, and wanted by nobody else. Negative where more is wanted than there is. */
function availableOf({ free, promised, reserved, claimed }: PageCounts): number {
  return free - promised - reserved - claimed;
}

function countsOf(cell: HostCell, pageSizeKib: number, host: HostMemory, aside: SetAside): PageCounts {
  return {
    free: pagesOfSize(cell.free, pageSizeKib),
    promised: pagesOfSize(host.promised, pageSizeKib),
    reserved: pagesOn(aside.reserved, cell.node, pageSizeKib),
    claimed: pagesOn(aside.claimed, cell.node, pageSizeKib),
  };
}

/** Sizes of this node that the wish allows, largest first. `small` is the smallest size, `large` all the others. */
function candidateSizes(cell: HostCell, wish: PageSizeRequest): number[] {
  const sizes = cell.free.map((pool) => pool.pageSizeKib).toSorted((a, b) => b - a);
  switch (wish.kind) {
    case 'small':
      return sizes.slice(-1);
    case 'large':
      return sizes.slice(0, -1);
    case 'any':
      return sizes;
    case 'explicit':
      return sizes.filter((size) => size === wish.pageSizeKib);
  }
}

function inTryOrder(request: PlacementRequest, host: HostMemory, aside: SetAside): readonly HostCell[] {
  if (request.cells.length === host.cells.length) return host.cells;
  const available = (cell: HostCell) =>
    Math.max(
      0,
      ...candidateSizes(cell, request.pageSize).map((size) => availableOf(countsOf(cell, size, host, aside)) * size),
    );
  return host.cells.toSorted((a, b) => available(b) - available(a));
}

function sizesOffered(request: PlacementRequest, host: HostMemory): number[] {
  const sizes = new Set(host.cells.flatMap((cell) => candidateSizes(cell, request.pageSize)));
  return [...sizes].toSorted((a, b) => a - b);
}

function pageSizeAbsent(request: PlacementRequest, host: HostMemory): Refusal | undefined {
  if (sizesOffered(request, host).length > 0) return undefined;
  const offered = sizesOffered({ ...request, pageSize: { kind: 'any' } }, host);
  return { reason: 'page-size-not-supported', pageSize: request.pageSize, offeredKib: offered };
}

function notWholePages(request: PlacementRequest, host: HostMemory): Refusal | undefined {
  const sizes = sizesOffered(request, host);
  const cell = request.cells.find((guest) => sizes.every((size) => wholePages(guest.memoryKib, size) === undefined));
  if (cell === undefined) return undefined;
  return { reason: 'not-whole-pages', guestCell: cell.id, memoryKib: cell.memoryKib, pageSizesKib: sizes };
}
