/** How long each phase of a build took, for the log: an operator's first question about a slow start. */
export class Phases {
  readonly #ms: Record<string, number> = {};
  #sinceMs = performance.now();

  /** The phase of that name ends now; the next one begins. */
  end(name: string): void {
    const now = performance.now();
    this.#ms[name] = Math.round((now - this.#sinceMs) * 10) / 10;
    this.#sinceMs = now;
  }

  /** Phase → ms. */
  get ms(): Readonly<Record<string, number>> {
    return this.#ms;
  }
}
