/** Who holds this host's hugetlb pages: the kernel's account of its processes, with the guests among them named. */
import type { GuestInfo, PageHolders } from '../compute_driver.ts';
import { hasNumaMaps, readPageHolders } from '../host/page_holders.ts';
import { readPagePools } from '../host/page_pools.ts';
import { readPromisedPages } from '../host/promised_pages.ts';
import type { GuestProcesses } from './guest_processes.ts';

/** Undefined where this kernel does not tell where pages are. */
export async function pageHoldersOf(
  guests: readonly GuestInfo[],
  processes: GuestProcesses,
): Promise<PageHolders | undefined> {
  if (!(await hasNumaMaps())) return undefined;
  const byPid = new Map<number, GuestInfo['instance']>();
  for (const { domainName, instance } of guests) {
    const pid = await processes.pidOf(domainName, instance.uuid);
    if (pid !== undefined) byPid.set(pid, instance);
  }
  const [pools, { holders, unreadable }] = await Promise.all([readPagePools(), readPageHolders(new Set(byPid.keys()))]);
  return {
    pools,
    promised: readPromisedPages(),
    holders: holders.map((holder) => ({ ...holder, instance: byPid.get(holder.pid) ?? null })),
    unreadable: unreadable.map((holder) => ({ ...holder, instance: byPid.get(holder.pid) ?? null })),
  };
}
