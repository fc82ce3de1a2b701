/** Reading the host beside the claims, for answers that take nothing. */
import type { Claim, ClaimLedger } from '../admission/claims.ts';

/**
 * Reads, and takes the claims that count beside what was read.
 * @throws what `read` throws.
 */
export async function readBesideClaims<T>(
  ledger: ClaimLedger,
  read: () => Promise<T>,
): Promise<{ readonly value: T; readonly claims: readonly Claim[] }> {
  // As the gate does: a claim that settles while the host is read may be in neither count, so it counts.
  const before = ledger.unsettled();
  const value = await read();
  return { value, claims: [...new Set([...before, ...ledger.unsettled()])] };
}
