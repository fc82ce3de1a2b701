/** Where a guest was placed: the answer of admission, kept with the instance and rendered into its domain. */
import { spreadPages } from '../numa/fit_across.ts';
import { pagesOn, type NodePages } from './host_memory.ts';

/** The pages are those on the node itself. */
export type PlacedCell = NodePages & {
  readonly guestCell: number;
  /** All vCPUs of the guest cell. */
  readonly vcpus: readonly number[];
  /** All of the guest cell, also what other nodes give. */
  readonly memoryKib: number;
  /** Pages that other nodes give, because the node has not all of them (memory mode preferred). */
  readonly elsewhere: readonly { readonly node: number; readonly pages: number }[];
  /** vCPUs that have a host CPU of their own, and which. */
  readonly pins: readonly { readonly vcpu: number; readonly cpu: number }[];
  /** Host CPUs on which the other vCPUs run. */
  readonly sharedCpus: readonly number[];
  /** Host CPUs of the emulator's own threads (`hw:emulator_threads_policy=isolate`). */
  readonly emulatorCpus: readonly number[];
  /** Host CPUs that no other guest may be given: those above that are its own and, with `isolate`, their siblings. */
  readonly takenCpus: readonly number[];
};

/** Where each guest cell goes, in the order of the guest cells. */
export type Placement = readonly PlacedCell[];

/** All pages of a guest, those that other nodes give too. */
export function pagesOf(placement: Placement): readonly NodePages[] {
  return placement.flatMap(({ node, pageSizeKib, pages, elsewhere }) => [
    { node, pageSizeKib, pages },
    ...elsewhere.map((other) => ({ ...other, pageSizeKib })),
  ]);
}

/** Whether a guest cell has pages on several nodes, which of them was the kernel's choice. */
export function isSplit(placement: Placement): boolean {
  return placement.some(({ elsewhere }) => elsewhere.length > 0);
}

/**
 * The placement of a split guest as the kernel has made it. A guest's holdings are known by node, not by guest cell, so
 * of several cells the first ones are counted at home first; each node's sum is exact.
 * @param held all pages of the guest, at least as many of each size as it was placed with.
 */
export function asHeld(placement: Placement, held: readonly NodePages[]): Placement {
  const [first] = placement;
  if (first === undefined || !isSplit(placement)) return placement;
  const { pageSizeKib } = first;
  const wants = placement.map(({ node, memoryKib }) => ({ hostCell: node, pages: memoryKib / pageSizeKib }));
  const nodes = [...new Set(held.map(({ node }) => node))];
  const pools = nodes.map((node) => ({ hostCell: node, pages: pagesOn(held, node, pageSizeKib) }));
  const spread = spreadPages(wants, pools);
  return placement.map((cell, at) => {
    const elsewhere = (spread[at] ?? []).map(({ hostCell, pages }) => ({ node: hostCell, pages }));
    const pages = elsewhere.reduce((left, other) => left - other.pages, cell.memoryKib / pageSizeKib);
    return { ...cell, pages, elsewhere };
  });
}
