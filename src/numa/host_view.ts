/** A host cell during one fit: what follows from the cell alone is found out once, and only if a guest cell asks. */
import type { CpuSet } from './cpu_set.ts';
import { freePinnable, type HostCell } from './host_cell.ts';
import { freeThreadsOf, type FreeThreads } from './thread_packing.ts';

export class HostView {
  readonly cell: HostCell;
  /** Its place in the host's own order. */
  readonly at: number;
  #freeCpus: CpuSet | undefined;
  #freeThreads: FreeThreads | undefined;

  constructor(cell: HostCell, at: number) {
    this.cell = cell;
    this.at = at;
  }

  /** CPUs that can be given to one vCPU alone. */
  get freeCpus(): CpuSet {
    this.#freeCpus ??= freePinnable(this.cell);
    return this.#freeCpus;
  }

  get freeThreads(): FreeThreads {
    this.#freeThreads ??= freeThreadsOf(this.cell, this.freeCpus);
    return this.#freeThreads;
  }
}
