// What is known of requests by their `_unique_id`: that one was begun, and how it ended. A request that comes again (a
// publisher that repeats itself, a redelivery after a lost connection or a dead process) is answered from here.

import { parseJson } from './json.ts';
import type { Outcome } from './reply_sender.ts';

export type Known =
  | { state: 'new' }
  /** By a process that died before its end: what it did, it may have done in part or whole. */
  | { state: 'begun' }
  | { state: 'ended'; outcome: Outcome };

/** A request that was acknowledged before its end, as it was delivered. */
export interface AcceptedRequest {
  uniqueId: string;
  body: Uint8Array;
  properties: Record<string, unknown>;
}

/** What is resolved is kept, whatever happens to the process from then on. */
export interface RequestStore {
  /** Notes that the request is begun, unless it is known; tells what was known before. */
  begin(uniqueId: string, method: string): Promise<Known>;
  /** Notes its end. `outcome` is its JSON text. */
  end(uniqueId: string, outcome: string): Promise<void>;
  /** Keeps a whole request whose end the broker will not wait for; false where nothing can be kept. */
  accept(request: AcceptedRequest): Promise<boolean>;
  /** Those that were accepted and have not ended. */
  accepted(): AcceptedRequest[];
  close(): void;
}

/** The last so many requests, as long as the process lives. Those at work are never forgotten. */
export class MemoryRequestStore implements RequestStore {
  readonly #limit: number;
  readonly #outcomes = new Map<string, string | null>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  async begin(uniqueId: string): Promise<Known> {
    const outcome = this.#outcomes.get(uniqueId);
    if (outcome === undefined) {
      this.#outcomes.set(uniqueId, null);
      return { state: 'new' };
    }
    return outcome === null ? { state: 'begun' } : { state: 'ended', outcome: outcomeOf(outcome) };
  }

  async end(uniqueId: string, outcome: string): Promise<void> {
    this.#outcomes.set(uniqueId, outcome);
    // A Map iterates in the order of insertion: the oldest come first.
    for (const [id, ended] of this.#outcomes) {
      if (this.#outcomes.size <= this.#limit) return;
      if (ended !== null) this.#outcomes.delete(id);
    }
  }

  async accept(): Promise<boolean> {
    return false;
  }

  accepted(): AcceptedRequest[] {
    return [];
  }

  close(): void {
    this.#outcomes.clear();
  }
}

/** Reads an outcome back from the text that was kept of it. */
export function outcomeOf(text: string): Outcome {
  // What was written here is read here, and nothing else is in that file.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return parseJson(text)?.value as Outcome;
}
