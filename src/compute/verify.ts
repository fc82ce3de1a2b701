/** Compares what a started guest holds, by the kernel's account, with what it was placed on. Pure. */
import type { Placement } from '../admission/placement.ts';
import { pagesOn, type NodePages } from '../admission/host_memory.ts';
import { describeKib } from '../units.ts';

/** A sentence per node and page size that differs; empty where the guest holds what it was given. */
export function holdingsMismatch(placement: Placement, held: readonly NodePages[]): string[] {
  const wanted = new Set(placement.map((cell) => `${cell.node}/${cell.pageSizeKib}`));
  const short = placement.flatMap((cell) => {
    const pages = pagesOn(held, cell.node, cell.pageSizeKib);
    const expected = pagesOn(placement, cell.node, cell.pageSizeKib);
    if (pages >= expected) return [];
    return [`node ${cell.node} gave ${pages} of ${expected} pages of ${describeKib(cell.pageSizeKib)}`];
  });
  // Pages of a placed size on a node that was not chosen: strict binding did not hold.
  const sizes = new Set(placement.map((cell) => cell.pageSizeKib));
  const astray = held
    .filter((entry) => sizes.has(entry.pageSizeKib) && !wanted.has(`${entry.node}/${entry.pageSizeKib}`))
    .map((entry) => `node ${entry.node} gave ${entry.pages} pages of ${describeKib(entry.pageSizeKib)} unasked`);
  return [...short, ...astray];
}
