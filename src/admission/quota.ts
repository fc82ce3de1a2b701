/**
 * What a project may have on this host. Instances count from their admission to their end, whether they run or not. Pure.
 */
import type { Claim, Claimant } from './claims.ts';
import { pagesOfSize, type PlacedGuest } from './host_memory.ts';
import { pagesOf, type Placement } from './placement.ts';
import type { ProjectQuota } from './rules.ts';

export type QuotaRefusal = { readonly reason: 'project-quota'; readonly projectId: string } & (
  | { readonly what: 'instances'; readonly used: number; readonly needed: number; readonly quota: number }
  | {
      readonly what: 'pages';
      readonly pageSizeKib: number;
      readonly used: number;
      readonly needed: number;
      readonly quota: number;
    }
);

/** Whether one more instance, placed like this, is more than its project may have. */
export function quotaRefusal(
  { projectId, instanceUuid }: Claimant,
  placement: Placement,
  quota: ProjectQuota,
  others: readonly (Claim | PlacedGuest)[],
): QuotaRefusal | undefined {
  // A guest that is being started is among the claims and may be among the guests: it counts once.
  const its = new Map(others.filter((one) => one.projectId === projectId).map((one) => [one.instanceUuid, one]));
  its.delete(instanceUuid);
  const { instances } = quota;
  if (instances !== null && its.size + 1 > instances) {
    return { reason: 'project-quota', projectId, what: 'instances', used: its.size, needed: 1, quota: instances };
  }
  const held = [...its.values()].flatMap((one) => pagesOf(one.placement));
  for (const { pageSizeKib, pages } of quota.pages) {
    const used = pagesOfSize(held, pageSizeKib);
    const needed = pagesOfSize(pagesOf(placement), pageSizeKib);
    if (needed > 0 && used + needed > pages) {
      return { reason: 'project-quota', projectId, what: 'pages', pageSizeKib, used, needed, quota: pages };
    }
  }
  return undefined;
}
