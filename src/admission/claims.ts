/**
 * The claims: what was admitted for an instance that its QEMU has not all taken yet. A claim ends in one of two ways:
 * settled (the kernel shows the pages as taken, so free pages count them) or released (the build failed).
 * Plain state, no I/O. Claims are not kept over a restart: a guest that runs is counted by the kernel.
 */
import { pagesOfSize, type NodePages } from './host_memory.ts';
import { isSplit, pagesOf, type Placement } from './placement.ts';

/** Whose the claim is. */
export type Claimant = { readonly instanceUuid: string; readonly projectId: string };

export type Claim = Claimant & { readonly placement: Placement };

/** Pages of all these claims. */
export function claimedPages(claims: readonly Claim[]): readonly NodePages[] {
  return claims.flatMap((claim) => pagesOf(claim.placement));
}

/** The most of one pool that these claims may come to take: a guest that is split takes where the kernel likes. */
export function mostClaimed(claims: readonly Claim[], node: number, pageSizeKib: number): number {
  return claims.reduce((sum, { placement }) => {
    const pages = pagesOf(placement);
    const here = isSplit(placement) ? pages : pages.filter((entry) => entry.node === node);
    return sum + pagesOfSize(here, pageSizeKib);
  }, 0);
}

export class ClaimLedger {
  readonly #unsettled = new Set<Claim>();
  readonly #waiting = new Set<() => void>();
  #ended = 0;

  /** Takes note of what was just admitted. */
  add({ instanceUuid, projectId }: Claimant, placement: Placement): Claim {
    const claim: Claim = { instanceUuid, projectId, placement };
    this.#unsettled.add(claim);
    return claim;
  }

  /** The claim is over, settled or released; whoever waits for that decides again. Ending twice is ending once. */
  end(claim: Claim): void {
    if (!this.#unsettled.delete(claim)) return;
    this.#ended += 1;
    for (const wake of this.#waiting) wake();
  }

  /** All claims that count beside the kernel's free pages. */
  unsettled(): readonly Claim[] {
    return [...this.#unsettled];
  }

  /**
   * Reads the host, with every claim that was unsettled at some moment meanwhile: one that settles while the host is read
   * may be in neither the claims after nor the count before, so it counts.
   * @throws what `read` throws.
   */
  async readBeside<T>(read: () => Promise<T>): Promise<{ readonly value: T; readonly claims: readonly Claim[] }> {
    const before = this.unsettled();
    const value = await read();
    return { value, claims: [...new Set([...before, ...this.unsettled()])] };
  }

  /** How many claims have ended so far: two equal readings mean that none ended between them. */
  get endedCount(): number {
    return this.#ended;
  }

  /** Resolves true when more claims than `seen` have ended, false after `timeoutMs`. */
  async nextEnd(seen: number, timeoutMs: number): Promise<boolean> {
    if (this.#ended > seen) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const wake = () => resolve(true);
    this.#waiting.add(wake);
    const timer = setTimeout(() => resolve(false), timeoutMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(wake);
    }
  }
}
