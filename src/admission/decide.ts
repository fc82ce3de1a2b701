/**
 * Admits, refuses, or says that the answer is not known yet. Pure.
 *
 * While a QEMU starts, its pages leave the pool gradually and late, so the kernel's free count may already lack pages
 * that are also claimed. Two bounds decide what can be decided:
 *   - counted twice (free minus every unsettled claim): what fits here fits for certain;
 *   - counted once, as taken already (free alone): what does not fit here fits only if a start fails, and is not made
 *     to wait for that.
 * Between the two the request depends on starts under way, and has to be decided again when one settles.
 */
import { fit, type FitResult, type Placement } from './fit.ts';
import { pagesOfSize, type HostMemory, type NodePages } from './host_memory.ts';
import type { Refusal } from './refusal.ts';
import type { PlacementRequest } from './request.ts';

export type Decision =
  | { readonly outcome: 'admitted'; readonly placement: Placement }
  | { readonly outcome: 'refused'; readonly refusal: Refusal }
  /** Refused only because of claims that have not settled. `refusal` is the answer if nothing more happens. */
  | { readonly outcome: 'unsettled'; readonly refusal: Refusal };

/**
 * Decides one request.
 * @param unsettled every claim that was unsettled at some moment while `host` was read.
 */
export function decide(
  request: PlacementRequest,
  host: HostMemory,
  reserved: readonly NodePages[],
  unsettled: readonly NodePages[],
): Decision {
  const certain = fit(request, host, { reserved, claimed: unsettled });
  if (certain.fits) return { outcome: 'admitted', placement: certain.placement };
  const possible: FitResult = fit(request, withoutOwnPromises(host, unsettled), { reserved, claimed: [] });
  return { outcome: possible.fits ? 'unsettled' : 'refused', refusal: certain.refusal };
}

/** A starting QEMU's mapping is promised its pages before it touches them: up to its claim, the promise is our own. */
function withoutOwnPromises(host: HostMemory, unsettled: readonly NodePages[]): HostMemory {
  const promised = host.promised.map(({ pageSizeKib, pages }) => ({
    pageSizeKib,
    pages: Math.max(0, pages - pagesOfSize(unsettled, pageSizeKib)),
  }));
  return { ...host, promised };
}
