/** Compares what a started guest holds, by the kernel's account, with what it was placed on. Pure. */
import { isSplit, pagesOf, type Placement } from '../admission/placement.ts';
import { pagesOfSize, pagesOn, type NodePages } from '../admission/host_memory.ts';
import { describeKib } from '../units.ts';

/** A sentence per node and page size that differs; empty where the guest holds what it was given. */
export function holdingsMismatch(placement: Placement, held: readonly NodePages[]): string[] {
  return isSplit(placement) ? splitMismatch(placement, held) : strictMismatch(placement, held);
}

/** From which nodes was the kernel's choice; how many was not. */
function splitMismatch(placement: Placement, held: readonly NodePages[]): string[] {
  const sizes = [...new Set(placement.map((cell) => cell.pageSizeKib))];
  return sizes.flatMap((pageSizeKib) => {
    const pages = pagesOfSize(held, pageSizeKib);
    const expected = pagesOfSize(pagesOf(placement), pageSizeKib);
    return pages >= expected ? [] : [`the host gave ${pages} of ${expected} pages of ${describeKib(pageSizeKib)}`];
  });
}

function strictMismatch(placement: Placement, held: readonly NodePages[]): string[] {
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
