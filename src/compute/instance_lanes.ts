/** One thing at a time per instance, in the order of asking; different instances do not wait for each other. */
export class InstanceLanes {
  readonly #tails = new Map<string, Promise<unknown>>();

  async run<T>(uuid: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(uuid) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#tails.set(uuid, turn);
    try {
      return await turn;
    } finally {
      if (this.#tails.get(uuid) === turn) this.#tails.delete(uuid);
    }
  }
}
