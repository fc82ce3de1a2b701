/**
 * The gate: one request at a time is decided against a fresh reading of the host and the claims, and its claim is
 * noted before the next request is looked at. Starting guests happens outside the gate; only the decision is serial.
 */
import type { Claim, Claimant, ClaimLedger } from './claims.ts';
import { decide } from './decide.ts';
import type { HostMemory } from './host_memory.ts';
import type { Placement } from './placement.ts';
import type { Refusal } from './refusal.ts';
import type { PlacementRequest } from './request.ts';
import type { AdmissionRules } from './rules.ts';

export type Admission =
  | { readonly admitted: true; readonly placement: Placement; readonly claim: Claim }
  | { readonly admitted: false; readonly refusal: Refusal };

/** How a request ended at the gate, for whoever counts them. */
export type GateOutcome = {
  readonly outcome: 'admitted' | 'refused' | 'failed';
  readonly reason: 'none' | Refusal['reason'] | 'host-not-read';
  /** Waiting for starts under way included. */
  readonly tookMs: number;
};

export type GateOptions = {
  /** The kernel's count of free pages, read when asked. */
  readonly readHost: () => Promise<HostMemory>;
  readonly ledger: ClaimLedger;
  readonly rules: AdmissionRules;
  /** How long a request waits for claims of others to settle. */
  readonly settleTimeoutMs: number;
  /** Told of every decision; must not throw. */
  readonly onOutcome?: (outcome: GateOutcome) => void;
};

export class AdmissionGate {
  readonly #options: GateOptions;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /**
   * Admits the request and claims its pages, or refuses it. A request that would be refused only because of starts
   * under way is decided again whenever one of them ends, until the settle timeout.
   * @throws what reading the host throws.
   */
  async admit(claimant: Claimant, request: PlacementRequest): Promise<Admission> {
    const beganMs = performance.now();
    const told = (outcome: GateOutcome['outcome'], reason: GateOutcome['reason']) =>
      this.#options.onOutcome?.({ outcome, reason, tookMs: performance.now() - beganMs });
    try {
      const admission = await this.#decided(claimant, request);
      if (admission.admitted) told('admitted', 'none');
      else told('refused', admission.refusal.reason);
      return admission;
    } catch (error) {
      told('failed', 'host-not-read');
      throw error;
    }
  }

  async #decided(claimant: Claimant, request: PlacementRequest): Promise<Admission> {
    const { ledger, settleTimeoutMs } = this.#options;
    const deadline = performance.now() + settleTimeoutMs;
    for (;;) {
      const seen = ledger.endedCount;
      const attempt = await this.#oneAtATime(() => this.#attempt(claimant, request));
      if (attempt.outcome === 'admitted') return { admitted: true, placement: attempt.placement, claim: attempt.claim };
      const left = deadline - performance.now();
      const again = attempt.outcome === 'unsettled' && left > 0 && (await ledger.nextEnd(seen, left));
      if (!again) return { admitted: false, refusal: attempt.refusal };
    }
  }

  async #attempt(claimant: Claimant, request: PlacementRequest) {
    const { ledger, readHost, rules } = this.#options;
    const { value: host, claims } = await ledger.readBeside(readHost);
    const decision = decide(claimant, request, host, rules, claims);
    if (decision.outcome !== 'admitted') return decision;
    return { ...decision, claim: ledger.add(claimant, decision.placement) };
  }

  #oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work, work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}
