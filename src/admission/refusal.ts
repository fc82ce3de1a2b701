/** Why a request was refused: data first, a sentence with the same numbers second. Pure. */
import { describeAcross, describeReason } from '../numa/describe.ts';
import type { FitRefusal } from '../numa/fit.ts';
import type { AcrossRefusal } from '../numa/fit_across.ts';
import type { PageSizeWish } from '../numa/memory_backing.ts';
import type { PairReason, PairRefusal } from '../numa/pair.ts';
import type { FitMatrix, FitRow } from '../numa/pair_table.ts';
import { describeKib } from '../units.ts';
import type { HostAccount, MemoryRefusal, PageCounts } from './host_cells.ts';
import type { QuotaRefusal } from './quota.ts';
import type { PlacementRequest } from './request.ts';

export type Shortfall =
  | ({
      readonly cause: 'pages';
      readonly node: number;
      readonly pageSizeKib: number;
      /** Pages that one guest cell needs on this node. */
      readonly needed: number;
    } & PageCounts)
  | { readonly cause: 'cpus'; readonly node: number; readonly needed: number; readonly present: number }
  /** The node has no page size that is both allowed and divides the guest cell's memory. */
  | { readonly cause: 'page-size'; readonly node: number; readonly memoryKib: number }
  /** Any other rule of the fit; `code` is stable, the sentence has its numbers. */
  | {
      readonly cause: 'rule';
      readonly node: number;
      readonly guestCell: number;
      readonly code: PairReason['code'];
      readonly sentence: string;
    };

export type Refusal =
  | MemoryRefusal
  | QuotaRefusal
  | {
      readonly reason: 'page-size-not-supported';
      readonly pageSize: PageSizeWish;
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
      /** Nodes that would take one of the guest cells; too few for all of them. */
      readonly fittingNodes: number;
      /** Why each of the other nodes does not. */
      readonly shortfalls: readonly Shortfall[];
      /** Memory mode preferred: why not even several nodes together, for each page size. */
      readonly across: readonly AcrossRefusal[];
    };

/** The refusal of a fit with the kernel's counts in it. */
export function refusalOf(
  refusal: FitRefusal,
  across: readonly AcrossRefusal[],
  request: PlacementRequest,
  account: HostAccount,
): Refusal {
  if (refusal.reason === 'too-few-host-cells') {
    return { reason: 'too-few-nodes', guestCells: refusal.guestCells, hostNodes: refusal.hostCells };
  }
  const rows = refusal.matrix.filter((row) => refusal.guestCells.includes(row.guestCell));
  return (
    pageSizeAbsent(rows, request, account) ??
    notWholePages(rows, request) ?? {
      reason: 'insufficient-resources',
      guestCells: request.topology.cells.length,
      fittingNodes: account.host.cells.filter((_, at) => rows.some((row) => row.verdicts[at]?.accepted)).length,
      shortfalls: shortfallsOf(rows, account),
      across,
    }
  );
}

/** No node has pages that the guest cell may have at all. */
function pageSizeAbsent(rows: FitMatrix, request: PlacementRequest, account: HostAccount): Refusal | undefined {
  const row = rows.find((candidate) => refusedEverywhere(candidate, hasNoSize));
  const pageSize = request.topology.cells.find((cell) => cell.id === row?.guestCell)?.pageSize;
  if (pageSize === undefined || pageSize === null) return undefined;
  const offered = new Set(account.host.cells.flatMap((cell) => cell.free.map((pool) => pool.pageSizeKib)));
  return { reason: 'page-size-not-supported', pageSize, offeredKib: [...offered].toSorted((a, b) => a - b) };
}

/** No node has a page size that divides the guest cell's memory. */
function notWholePages(rows: FitMatrix, request: PlacementRequest): Refusal | undefined {
  const row = rows.find((candidate) => refusedEverywhere(candidate, hasNoDividingSize));
  const cell = request.topology.cells.find((candidate) => candidate.id === row?.guestCell);
  if (row === undefined || cell === undefined) return undefined;
  const allowed = row.verdicts.flatMap((verdict) =>
    !verdict.accepted && verdict.reason.code === 'pages' ? verdict.reason.pools.map((pool) => pool.sizeKib) : [],
  );
  const pageSizesKib = [...new Set(allowed)].toSorted((a, b) => a - b);
  return { reason: 'not-whole-pages', guestCell: cell.id, memoryKib: cell.memoryKib, pageSizesKib };
}

function hasNoSize({ reason }: PairRefusal): boolean {
  return reason.code === 'size_absent' || (reason.code === 'pages' && reason.pools.length === 0);
}

function hasNoDividingSize({ reason }: PairRefusal): boolean {
  if (reason.code === 'size_absent') return true;
  return reason.code === 'pages' && reason.pools.every((pool) => pool.needed === undefined);
}

function refusedEverywhere(row: FitRow, isSo: (refusal: PairRefusal) => boolean): boolean {
  return row.verdicts.every((verdict) => !verdict.accepted && isSo(verdict));
}

/** Guest cells that ask for the same are refused for the same: each reason is told once per node. */
function shortfallsOf(rows: FitMatrix, account: HostAccount): Shortfall[] {
  const told = new Map<string, Shortfall>();
  for (const row of rows) {
    for (const verdict of row.verdicts) {
      if (verdict.accepted) continue;
      for (const shortfall of shortfallsOfPair(row.guestCell, verdict, account)) {
        const { guestCell: _which, ...what } = { guestCell: undefined, ...shortfall };
        const key = JSON.stringify(what);
        if (!told.has(key)) told.set(key, shortfall);
      }
    }
  }
  return [...told.values()].toSorted((a, b) => a.node - b.node);
}

function shortfallsOfPair(
  guestCell: number,
  { hostCell: node, reason }: PairRefusal,
  account: HostAccount,
): Shortfall[] {
  if (reason.code === 'vcpu_total') return [{ cause: 'cpus', node, needed: reason.needed, present: reason.total }];
  if (reason.code !== 'pages') {
    return [{ cause: 'rule', node, guestCell, code: reason.code, sentence: describeReason(reason) }];
  }
  const cell = account.host.cells.find((candidate) => candidate.node === node);
  const shortfalls = reason.pools.flatMap(({ sizeKib: pageSizeKib, needed }): Shortfall[] => {
    const pool = cell?.free.find((candidate) => candidate.pageSizeKib === pageSizeKib);
    if (needed === undefined || cell === undefined || pool === undefined) return [];
    return [{ cause: 'pages', node, pageSizeKib, needed, ...account.countsOf(cell, pool) }];
  });
  return shortfalls.length > 0 ? shortfalls : [{ cause: 'page-size', node, memoryKib: reason.memoryKib }];
}

/** One sentence with every number of the decision. */
export function describeRefusal(refusal: Refusal): string {
  switch (refusal.reason) {
    case 'page-size-not-supported': {
      const { pageSize, offeredKib } = refusal;
      const asked = typeof pageSize === 'number' ? `${pageSize} KiB` : pageSize;
      return `no node has pages of the size asked for (${asked}); this host has ${sizes(offeredKib)}`;
    }
    case 'too-few-nodes':
      return `the guest has ${refusal.guestCells} NUMA cells, this host ${refusal.hostNodes}: each cell needs a node of its own`;
    case 'not-whole-pages':
      return `the memory of guest cell ${refusal.guestCell}, ${refusal.memoryKib} KiB, is no multiple of a page of ${sizes(refusal.pageSizesKib)}`;
    case 'project-quota': {
      const { projectId, used, needed, quota } = refusal;
      const what = refusal.what === 'instances' ? 'instances' : `pages of ${describeKib(refusal.pageSizeKib)}`;
      return `project ${projectId} may have ${quota} ${what} on this host; it has ${used} and needs ${needed} more`;
    }
    case 'host-memory': {
      const { availableKib, claimedKib, neededKib, floorKib } = refusal;
      return `${describeKib(neededKib)} of ordinary memory needed for QEMU and base pages, ${describeKib(availableKib)} available on this host, of these ${describeKib(claimedKib)} claimed and ${describeKib(floorKib)} left alone`;
    }
    case 'insufficient-resources': {
      const need =
        refusal.guestCells > 1 ? `${refusal.guestCells} nodes needed, ${refusal.fittingNodes} can take a cell; ` : '';
      const across = refusal.across.map((one) => `; across nodes (memory mode preferred): ${describeAcross(one)}`);
      return need + refusal.shortfalls.map(describeShortfall).join('; ') + across.join('');
    }
  }
}

function describeShortfall(shortfall: Shortfall): string {
  switch (shortfall.cause) {
    case 'cpus':
      return `node ${shortfall.node}: ${shortfall.needed} vCPUs needed, the node has ${shortfall.present} CPUs`;
    case 'page-size':
      return `node ${shortfall.node}: no page size there divides ${shortfall.memoryKib} KiB`;
    case 'rule':
      return `node ${shortfall.node}: ${shortfall.sentence}`;
    case 'pages': {
      const { node, pageSizeKib, needed, free, claimed, reserved, promised, kept } = shortfall;
      const shutOff = kept > 0 ? `, and ${kept} kept for instances that are shut off` : '';
      return `node ${node}: ${needed} pages of ${describeKib(pageSizeKib)} needed, ${free} free, of these ${claimed} claimed, ${reserved} reserved and ${promised} promised to mappings${shutOff}`;
    }
  }
}

function sizes(list: readonly number[]): string {
  return list.map(describeKib).join(', ');
}
