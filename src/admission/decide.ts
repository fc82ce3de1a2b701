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
import { claimedPages, type Claim, type Claimant } from './claims.ts';
import { fit } from './fit.ts';
import { HostAccount } from './host_cells.ts';
import { pagesOfSize, type HostMemory } from './host_memory.ts';
import type { Placement } from './placement.ts';
import { quotaRefusal } from './quota.ts';
import type { Refusal } from './refusal.ts';
import type { PlacementRequest } from './request.ts';
import type { AdmissionRules } from './rules.ts';

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
  claimant: Claimant,
  request: PlacementRequest,
  host: HostMemory,
  rules: AdmissionRules,
  unsettled: readonly Claim[],
): Decision {
  const certain = fit(request, new HostAccount(host, rules, unsettled, true));
  if (certain.fits) {
    const { placement } = certain;
    const refusal = quotaRefusal(claimant, placement, rules.projectQuota, [...host.guests, ...unsettled]);
    return refusal === undefined ? { outcome: 'admitted', placement } : { outcome: 'refused', refusal };
  }
  if (unsettled.length === 0) return { outcome: 'refused', refusal: certain.refusal };
  const atBest = new HostAccount(withoutOwnPromises(host, unsettled), rules, unsettled, false);
  const possible = fit(request, atBest);
  return { outcome: possible.fits ? 'unsettled' : 'refused', refusal: certain.refusal };
}

/** A starting QEMU's mapping is promised its pages before it touches them: up to its claim, the promise is our own. */
function withoutOwnPromises(host: HostMemory, unsettled: readonly Claim[]): HostMemory {
  const promised = host.promised.map(({ pageSizeKib, pages }) => ({
    pageSizeKib,
    pages: Math.max(0, pages - pagesOfSize(claimedPages(unsettled), pageSizeKib)),
  }));
  return { ...host, promised };
}
