/**
 * One reading of the host for a scrape: one bulk call for the statistics of all guests, the free pages as an admission
 * reads them (without its lock), and from the kernel what is no call to the hypervisor at all.
 */
import type { ClaimLedger } from '../admission/claims.ts';
import { HostAccount } from '../admission/host_cells.ts';
import type { HostMemory, NodePages } from '../admission/host_memory.ts';
import type { AdmissionRules } from '../admission/rules.ts';
import type { ComputeDriver, GuestStatistics } from '../compute_driver.ts';
import type { PoolReading } from './pool_metrics.ts';

export type HostReadingOptions = {
  readonly driver: Pick<ComputeDriver, 'getStatistics' | 'readHostMemory'>;
  readonly ledger: ClaimLedger;
  readonly rules: AdmissionRules;
  /** Pages there are, from the kernel; undefined where it cannot be asked: then as they were at the start. */
  readonly readTotals: (() => Promise<readonly NodePages[]>) | undefined;
  /** Longest time that the hypervisor is waited for, in ms. */
  readonly deadlineMs: number;
};

export type HostReading = { readonly guests: readonly GuestStatistics[]; readonly pools: PoolReading };

/** @throws what the driver throws. */
export async function readHost(options: HostReadingOptions): Promise<HostReading> {
  const { driver, ledger, rules, readTotals, deadlineMs } = options;
  const [guests, { value: memory, claims }, totals] = await Promise.all([
    driver.getStatistics(undefined, { deadlineMs }),
    ledger.readBeside(() => driver.readHostMemory()),
    readTotals?.(),
  ]);
  const account = new HostAccount(memory, rules, claims, true);
  const held = guests.map((guest) => guest.held);
  return {
    guests,
    pools: {
      account,
      totals: totals ?? totalsOf(memory),
      held: held.every((pages) => pages !== undefined) ? held.flat() : null,
    },
  };
}

function totalsOf({ cells }: HostMemory): NodePages[] {
  return cells.flatMap(({ node, free }) =>
    free.map(({ pageSizeKib, total, pages }) => ({ node, pageSizeKib, pages: Math.max(total, pages) })),
  );
}
