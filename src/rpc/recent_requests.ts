// Which requests this process has already taken, by `_unique_id`: a request that comes again (a publisher that repeats
// itself, a redelivery after a lost connection) joins the first run instead of starting a second one. In memory only.

/** Remembers the last `limit` requests and how their work ends; those still at work are never forgotten. */
export class RecentRequests {
  readonly #limit: number;
  readonly #ends = new Map<string, { end: Promise<void>; isOver: boolean }>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Runs `work` for a new id; for a known one resolves at the end of the first run. Tells which it was. */
  async once(uniqueId: string, work: () => Promise<void>): Promise<'ran' | 'duplicate'> {
    const known = this.#ends.get(uniqueId);
    if (known) {
      await known.end;
      return 'duplicate';
    }

    const entry = { end: work(), isOver: false };
    this.#ends.set(uniqueId, entry);
    try {
      await entry.end;
    } finally {
      entry.isOver = true;
      this.#forgetOldest();
    }
    return 'ran';
  }

  #forgetOldest(): void {
    // A Map iterates in the order of insertion: the oldest come first.
    for (const [uniqueId, { isOver }] of this.#ends) {
      if (this.#ends.size <= this.#limit) return;
      if (isOver) this.#ends.delete(uniqueId);
    }
  }
}
