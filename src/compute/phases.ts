/** How long each phase of a verb took, for the log: an operator's first question about a slow start. */
import { channel } from 'node:diagnostics_channel';

/** For whoever watches verbs on their way: `VERB.PHASE` when it has ended, before the next begins (diagnostics_channel). */
export const VERB_PHASES = 'hugenode.compute.phase';

const ended = channel(VERB_PHASES);

export class Phases {
  readonly #verb: 'create' | 'delete';
  readonly #ms: Record<string, number> = {};
  #sinceMs = performance.now();

  constructor(verb: 'create' | 'delete') {
    this.#verb = verb;
  }

  /** The phase of that name ends now; the next one begins. */
  end(phase: string): void {
    const now = performance.now();
    this.#ms[phase] = Math.round((now - this.#sinceMs) * 10) / 10;
    this.#sinceMs = now;
    if (ended.hasSubscribers) ended.publish(`${this.#verb}.${phase}`);
  }

  /** Phase → ms. */
  get ms(): Readonly<Record<string, number>> {
    return this.#ms;
  }
}
