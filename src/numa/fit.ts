/**
 * The decision: which host cell takes which guest cell, with which page size and which CPUs, or why none can. All guest
 * cells go on distinct host cells or nothing does.
 *
 * Each pair of a guest cell and a host cell is judged once, and by itself. Nova's own search writes its first choices
 * into the request while it goes on, and so refuses guests that fit and accepts guests that do not; here the same rules
 * are asked of the request as it came. The answer is the first one in Nova's order of trying.
 */
import type { GuestTopology } from './guest_topology.ts';
import type { HostCell } from './host_cell.ts';
import type { HostView } from './host_view.ts';
import { entryAt } from './list.ts';
import { firstMatching } from './matching.ts';
import { pinPair } from './pair.ts';
import { PairTable, type FitMatrix, type FitOptions, type Ask } from './pair_table.ts';
import type { Pins } from './thread_packing.ts';

export type PlacedCell = Pins & {
  /** The guest's cell number. */
  readonly guestCell: number;
  /** The kernel's node number. */
  readonly hostCell: number;
  /** Null where no size was asked for. */
  readonly pageSizeKib: number | null;
  /** All of it, also what other host cells give. */
  readonly memoryKib: number;
  /** What the host cell does not have (memory mode preferred); absent where it has all. */
  readonly elsewhere?: readonly PagesElsewhere[];
};

export type PagesElsewhere = { readonly hostCell: number; readonly pages: number };

/** Where each guest cell goes, in the order of the guest cells. */
export type Placement = readonly PlacedCell[];

/** What of a placed guest cell is on each host cell, its own first. Pages are null where no size was asked for. */
export function sharesOf(
  placed: PlacedCell,
): readonly { readonly hostCell: number; readonly pages: number | null; readonly memoryKib: number }[] {
  const { hostCell, pageSizeKib, memoryKib, elsewhere = [] } = placed;
  if (pageSizeKib === null) return [{ hostCell, pages: null, memoryKib }];
  const others = elsewhere.map((other) => ({ ...other, memoryKib: other.pages * pageSizeKib }));
  const ownKib = others.reduce((left, other) => left - other.memoryKib, memoryKib);
  return [{ hostCell, pages: Math.trunc(ownKib / pageSizeKib), memoryKib: ownKib }, ...others];
}

export type FitRefusal =
  | { readonly reason: 'too-few-host-cells'; readonly guestCells: number; readonly hostCells: number }
  /** Some guest cells fit nowhere, each for these reasons. */
  | { readonly reason: 'no-host-cell'; readonly guestCells: readonly number[]; readonly matrix: FitMatrix }
  /** Each fits somewhere, but these guest cells have only these host cells between them. */
  | {
      readonly reason: 'not-together';
      readonly guestCells: readonly number[];
      readonly hostCells: readonly number[];
      readonly matrix: FitMatrix;
    };

export type FitResult =
  | { readonly fits: true; readonly placement: Placement }
  | { readonly fits: false; readonly refusal: FitRefusal };

/** Finds the first placement in the order of trying, or every reason against one. Changes nothing. */
export function fit(guest: GuestTopology, host: readonly HostCell[], options: FitOptions = {}): FitResult {
  const guestCells = guest.cells.length;
  if (host.length < guestCells) {
    return { fits: false, refusal: { reason: 'too-few-host-cells', guestCells, hostCells: host.length } };
  }
  const table = new PairTable(guest, host, options);
  const order = table.tryOrder();
  const choices = firstOfEach(table, order);
  if (choices !== undefined) return { fits: true, placement: place(table, choices) };
  return search(table, order);
}

/** Every verdict, also where the guest fits. */
export function fitMatrix(guest: GuestTopology, host: readonly HostCell[], options: FitOptions = {}): FitMatrix {
  return new PairTable(guest, host, options).complete();
}

/** The host cells in the order in which they are tried. */
export function tryOrder(
  guest: GuestTopology,
  host: readonly HostCell[],
  options: FitOptions = {},
): readonly HostCell[] {
  return new PairTable(guest, host, options).tryOrder().map((view) => view.cell);
}

/** Each guest cell on the first host cell that takes it: where that comes out, nothing comes before it. */
function firstOfEach(table: PairTable, order: readonly HostView[]): readonly HostView[] | undefined {
  const choices: HostView[] = [];
  for (const row of table.rows) {
    const first = firstFor(table, row.ask, order, choices);
    if (first === undefined) return undefined;
    choices.push(first);
  }
  return choices;
}

function firstFor(
  table: PairTable,
  ask: Ask,
  order: readonly HostView[],
  taken: readonly HostView[],
): HostView | undefined {
  for (const view of order) {
    if (!taken.includes(view) && table.verdict(ask, view).accepted) return view;
  }
  return undefined;
}

/** Where the first of each does not come out: the first of all together, or why there is none. */
function search(table: PairTable, order: readonly HostView[]): FitResult {
  const matrix = table.complete();
  const accepted = table.asks.map((ask) => acceptedBy(table, ask, order));
  const candidates = table.rows.map((row) => entryAt(accepted, row.ask.at));
  if (candidates.some((hosts) => hosts.length === 0)) {
    const nowhere = table.rows.filter((_, at) => candidates[at]?.length === 0).map((row) => row.cell.id);
    return { fits: false, refusal: { reason: 'no-host-cell', guestCells: nowhere, matrix } };
  }
  const matched = firstMatching(candidates);
  if (matched.possible) {
    const choices = matched.choices.map((at) => entryAt(table.views, at));
    return { fits: true, placement: place(table, choices) };
  }
  const guestCells = matched.guests.map((at) => entryAt(table.rows, at).cell.id);
  const hostCells = matched.hosts.map((at) => entryAt(table.views, at).cell.id);
  return { fits: false, refusal: { reason: 'not-together', guestCells, hostCells, matrix } };
}

/** Places of the host cells that take such a guest cell, in the order of trying. */
function acceptedBy(table: PairTable, ask: Ask, order: readonly HostView[]): readonly number[] {
  const accepted: number[] = [];
  for (const view of order) {
    if (table.verdict(ask, view).accepted) accepted.push(view.at);
  }
  return accepted;
}

function place(table: PairTable, choices: readonly HostView[]): Placement {
  return table.rows.map((row, at) => {
    const view = entryAt(choices, at);
    const verdict = table.verdict(row.ask, view);
    const { id: guestCell, memoryKib, dedicatedVcpus } = row.cell;
    const { pins, reservedCpus } = pinPair(view, dedicatedVcpus, row.ask.reserve, table.rules);
    const pageSizeKib = verdict.accepted ? verdict.pageSizeKib : null;
    return { guestCell, hostCell: view.cell.id, pageSizeKib, memoryKib, pins, reservedCpus };
  });
}
