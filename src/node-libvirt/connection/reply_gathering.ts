/**
 * What network cards call interrupt moderation. With many calls under way libvirtd answers one every 20 us or so, and
 * each answer wakes this process out of epoll; waking it is work of the daemon's, one call in ten's worth. So while many
 * are under way the event loop sleeps for a set short time instead, on a futex that no answer wakes, and then reads
 * together what has come.
 *
 * Nothing else of this process runs during such a sleep, which is why it has to be asked for, is short, and ends where
 * answers do not come: calls that are slow are waited for as ever.
 */
import type { Session } from '../session/session.ts';

/** Fewer calls than these leave the daemon idle before the sleep is over. */
const MANY = 8;
/** Sleeps in a row that brought no answer: the calls under way are slow ones. */
const VAIN_SLEEPS = 3;

/** What of a session counts here. */
export type Answering = Pick<Session, 'load' | 'answered'>;

export class ReplyGathering {
  readonly #sessions: readonly Answering[];
  readonly #sleep: () => void;
  #isOn = false;
  #answered = 0;
  #vainSleeps = 0;

  constructor(sessions: readonly Answering[], sleep: () => void) {
    this.#sessions = sessions;
    this.#sleep = sleep;
  }

  /** To be told of each call: many at a time begin the gathering, which ends by itself. */
  onCall(): void {
    if (this.#isOn || this.#underWay() < MANY) return;
    this.#isOn = true;
    this.#vainSleeps = 0;
    this.#answered = this.#answeredSoFar();
    setImmediate(this.#turn);
  }

  /** After the sockets have been read, and what they brought has been written on: the sleep, then the sockets again. */
  readonly #turn = (): void => {
    const answered = this.#answeredSoFar();
    this.#vainSleeps = answered === this.#answered ? this.#vainSleeps + 1 : 0;
    this.#answered = answered;
    this.#isOn = this.#vainSleeps <= VAIN_SLEEPS && this.#underWay() >= MANY;
    if (!this.#isOn) return;
    this.#sleep();
    setImmediate(this.#turn);
  };

  #underWay(): number {
    return this.#sessions.reduce((sum, { load }) => sum + load, 0);
  }

  #answeredSoFar(): number {
    return this.#sessions.reduce((sum, { answered }) => sum + answered, 0);
  }
}

/** Holds this thread up for so long (and some 50 us, by which the kernel may be late). */
export function sleeperOf(sleepUs: number): () => void {
  const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  return () => {
    Atomics.wait(never, 0, 0, sleepUs / 1000);
  };
}
