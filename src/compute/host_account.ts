/** The host as it is read now, accounted with the claims: for answers that take nothing. */
import type { ClaimLedger } from '../admission/claims.ts';
import { HostAccount } from '../admission/host_cells.ts';
import type { HostMemory } from '../admission/host_memory.ts';
import type { AdmissionRules } from '../admission/rules.ts';

/** @throws what reading the host throws. */
export async function readHostAccount(
  readHost: () => Promise<HostMemory>,
  ledger: ClaimLedger,
  rules: AdmissionRules,
): Promise<HostAccount> {
  // As the gate does: a claim that settles while the host is read may be in neither count, so it counts.
  const before = ledger.unsettled();
  const host = await readHost();
  return new HostAccount(host, rules, [...new Set([...before, ...ledger.unsettled()])], true);
}
