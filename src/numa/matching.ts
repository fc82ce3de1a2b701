/**
 * Distinct host cells for all guest cells, as a matching of two sides. Two questions: is there one at all, and which one
 * comes first. A try that still leaves a matching for the others is never taken back, so what would be a search through
 * permutations is a few steps per guest cell.
 */

const NONE = -1;

export type Matched = {
  readonly possible: true;
  /** For each guest cell the host cell it gets. */
  readonly choices: readonly number[];
};

/** These guest cells have, together, fewer host cells than they are. */
export type Contested = {
  readonly possible: false;
  readonly guests: readonly number[];
  readonly hosts: readonly number[];
};

/**
 * Finds the first matching in lexicographic order: the first guest cell has the first of its candidates with which the
 * others can still be served, and so on.
 * @param candidates for each guest cell the host cells it may have, by number, in the order of preference.
 */
export function firstMatching(candidates: readonly (readonly number[])[]): Matched | Contested {
  const matching = new Matching(candidates);
  for (let guest = 0; guest < candidates.length; guest += 1) {
    const contested = matching.add(guest);
    if (contested !== undefined) return contested;
  }
  for (let guest = 0; guest < candidates.length; guest += 1) matching.improve(guest);
  return { possible: true, choices: matching.choices };
}

class Matching {
  readonly choices: number[];
  readonly #candidates: readonly (readonly number[])[];
  /** The guest cell on each host cell that has had one. */
  readonly #holder: number[] = [];
  /** The round in which a host cell was last asked. */
  readonly #asked: number[] = [];
  #round = 0;
  /** Guest cells below this one keep what they have. */
  #settled = 0;

  constructor(candidates: readonly (readonly number[])[]) {
    this.#candidates = candidates;
    this.choices = candidates.map(() => NONE);
  }

  /** Serves one more guest cell; where that cannot be, says who stands in its way. */
  add(guest: number): Contested | undefined {
    if (this.#serve(guest)) return undefined;
    const guests: number[] = [];
    const hosts: number[] = [];
    for (let other = 0; other < guest; other += 1) {
      const host = this.choices[other] ?? NONE;
      if (this.#asked[host] !== this.#round) continue;
      guests.push(other);
      hosts.push(host);
    }
    guests.push(guest);
    return { possible: false, guests, hosts };
  }

  /** Gives a guest cell the first host cell that can be spared by those after it, for good. */
  improve(guest: number): void {
    this.#settled = guest + 1;
    const before = this.choices[guest] ?? NONE;
    for (const host of this.#candidates[guest] ?? []) {
      if (host === before) return;
      const holder = this.#holder[host] ?? NONE;
      if (holder >= 0 && holder < guest) continue;
      this.#give(host, guest);
      this.#holder[before] = NONE;
      if (holder < 0 || this.#serve(holder)) return;
      this.#give(host, holder);
      this.#give(before, guest);
    }
  }

  #serve(guest: number): boolean {
    this.#round += 1;
    return this.#augment(guest);
  }

  /** Finds a host cell for the guest cell, moving those that are not settled. Changes nothing where it finds none. */
  #augment(guest: number): boolean {
    for (const host of this.#candidates[guest] ?? []) {
      if (this.#asked[host] === this.#round) continue;
      const holder = this.#holder[host] ?? NONE;
      if (holder >= 0 && holder < this.#settled) continue;
      this.#asked[host] = this.#round;
      if (holder < 0 || this.#augment(holder)) {
        this.#give(host, guest);
        return true;
      }
    }
    return false;
  }

  #give(host: number, guest: number): void {
    this.#holder[host] = guest;
    this.choices[guest] = host;
  }
}
