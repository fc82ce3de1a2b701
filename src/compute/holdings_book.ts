/**
 * What each guest holds of the hugetlb pools, by the kernel's word, not asked more often than it can change: a guest has
 * all of its pages from its start on. Shared by whoever shows it or writes it down.
 */
import type { NodePages } from '../admission/host_memory.ts';
import type { ComputeDriver } from '../compute_driver.ts';

/** Read anew after this time, for what no event tells of. */
const KEEP_MS = 60_000;

type Entry = { readonly readMs: number; readonly held: Promise<readonly NodePages[] | undefined> };

export class HoldingsBook {
  readonly #driver: Pick<ComputeDriver, 'getHoldings'>;
  readonly #keepMs: number;
  readonly #entries = new Map<string, Entry>();

  constructor(driver: Pick<ComputeDriver, 'getHoldings'>, keepMs = KEEP_MS) {
    this.#driver = driver;
    this.#keepMs = keepMs;
  }

  /**
   * Pages per node and size; undefined where they cannot be read.
   * @param sizesKib page sizes that the guest was placed on. Without a huge one nothing is read: over base pages
   * numa_maps is a long walk through the whole guest.
   */
  async of(
    uuid: string,
    sizesKib: readonly number[],
    basePageSizeKib: number,
  ): Promise<readonly NodePages[] | undefined> {
    if (sizesKib.every((size) => size <= basePageSizeKib)) return [];
    const now = performance.now();
    const known = this.#entries.get(uuid);
    const entry = known !== undefined && now - known.readMs < this.#keepMs ? known : this.#read(uuid, now);
    const held = await entry.held;
    return held?.filter(({ pageSizeKib }) => pageSizeKib > basePageSizeKib);
  }

  /** The guest has started, stopped or gone: to be asked again. */
  forget(uuid: string): void {
    this.#entries.delete(uuid);
  }

  /** Of guests that are not there any more nothing is kept. */
  forgetAllBut(uuids: ReadonlySet<string>): void {
    for (const uuid of this.#entries.keys()) if (!uuids.has(uuid)) this.#entries.delete(uuid);
  }

  #read(uuid: string, readMs: number): Entry {
    const held = this.#driver.getHoldings(uuid).catch(() => undefined);
    const entry = { readMs, held };
    this.#entries.set(uuid, entry);
    // What could not be read is tried again at once.
    void held.then((pages) => {
      if (pages === undefined && this.#entries.get(uuid) === entry) this.#entries.delete(uuid);
    });
    return entry;
  }
}
