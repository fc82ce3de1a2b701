/**
 * The host's ordinary memory, which every guest takes some of beside its pages: its QEMU, and whatever of the guest is
 * on base pages.
 */
import type { Placement } from '../numa/fit.ts';

export type OrdinaryMemory = {
  /** What guests may still take, in KiB. Negative where the host is below its floor. */
  readonly leftKib: number;
  /** Of one QEMU, in KiB. */
  readonly overheadKib: number;
  /** In KiB; larger ones are in pools of their own. */
  readonly basePageSizeKib: number;
};

/** What one guest takes of it, in KiB; nothing that counts where it is not known. */
export function ordinaryKib(placement: Placement, memory: OrdinaryMemory | null): number {
  if (memory === null) return 0;
  const { overheadKib, basePageSizeKib } = memory;
  const onBasePages = placement.filter(({ pageSizeKib }) => pageSizeKib === null || pageSizeKib <= basePageSizeKib);
  return onBasePages.reduce((sum, { memoryKib }) => sum + memoryKib, overheadKib);
}
