/**
 * A connection is several: its pool, and one for each stream. Who gives the password may be a person, and is asked for
 * the first of them alone.
 */
import type { Credentials, CredentialsRequest } from './sasl.ts';

type Ask = (request: CredentialsRequest) => Credentials | Promise<Credentials>;

export class RememberedCredentials {
  readonly #ask: Ask;
  readonly #answers = new Map<string, Promise<Credentials>>();

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** Those who ask while the question is still open wait for the same answer. */
  readonly ask = (request: CredentialsRequest): Promise<Credentials> => {
    const key = JSON.stringify([request.peer, request.mechanism]);
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#askNow(request);
    this.#answers.set(key, answer);
    // No answer is none to remember.
    answer.catch(() => this.#answers.delete(key));
    return answer;
  };

  /** For credentials that the daemon refused: they may have been mistyped, or changed since. */
  forget(): void {
    this.#answers.clear();
  }

  /** What the callback throws is a rejection too. */
  async #askNow(request: CredentialsRequest): Promise<Credentials> {
    return this.#ask(request);
  }
}
