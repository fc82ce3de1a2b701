/** How long each phase of a verb took, for the log: an operator's first question about a slow start. */
import { channel } from 'node:diagnostics_channel';

/** For whoever watches verbs on their way: `VERB.PHASE` when it has ended, before the next begins (diagnostics_channel). */
export const VERB_PHASES = 'hugenode.compute.phase';

/** The same with its time, a {@link PhaseTime}. */
export const PHASE_TIMES = 'hugenode.compute.phase_time';

export type PhaseTime = { readonly verb: 'create' | 'delete'; readonly phase: string; readonly tookMs: number };

/** Whether a message of that channel is one. */
export function isPhaseTime(message: unknown): message is PhaseTime {
  return typeof message === 'object' && message !== null && 'tookMs' in message;
}

const ended = channel(VERB_PHASES);
const timed = channel(PHASE_TIMES);

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
    const tookMs = now - this.#sinceMs;
    this.#ms[phase] = Math.round(tookMs * 10) / 10;
    this.#sinceMs = now;
    if (timed.hasSubscribers) timed.publish({ verb: this.#verb, phase, tookMs } satisfies PhaseTime);
    if (ended.hasSubscribers) ended.publish(`${this.#verb}.${phase}`);
  }

  /** Phase → ms. */
  get ms(): Readonly<Record<string, number>> {
    return this.#ms;
  }
}
