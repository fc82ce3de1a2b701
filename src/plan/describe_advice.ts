/** Advice in words, with the numbers that the data has. */
import type { Placement } from '../numa/fit.ts';
import { describeKib } from '../units.ts';
import type { Advice } from './advice.ts';
import type { PagesToFree } from './relief.ts';

/** `free 12 pages of 2 MiB on node 1`, or `with hw:mem_page_size=small it fits now, on node 0`. */
export function describeAdvice(advice: Advice): string {
  switch (advice.kind) {
    case 'free-pages': {
      const parts = advice.free.map(describePages).join(' and ');
      return advice.free.length > 1 ? `free ${parts} (${advice.pages} pages together)` : `free ${parts}`;
    }
    case 'other-page-size':
      return `with ${advice.field}=${advice.value} it fits now, ${describeNodes(advice.placement)}`;
    case 'other-split': {
      const cells = advice.placement.length;
      return `split into ${cells} guest cell${cells === 1 ? '' : 's'} (${advice.field}=${advice.value}) it fits now, ${describeNodes(advice.placement)}`;
    }
  }
}

function describePages({ pages, pageSizeKib, hostCell }: PagesToFree): string {
  return `${pages} page${pages === 1 ? '' : 's'} of ${describeKib(pageSizeKib)} on node ${hostCell}`;
}

function describeNodes(placement: Placement): string {
  const nodes = placement.map(({ hostCell }) => hostCell);
  return `on node${nodes.length === 1 ? '' : 's'} ${nodes.join(', ')}`;
}
