/**
 * The fit within the host's ordinary memory, which every guest takes some of beside its pages: its QEMU, and whatever of
 * the guest is on base pages. That memory is bounded for the host as a whole, not for a node.
 */
import type { FitRefusal, Placement } from './fit.ts';
import { fitByMode, type AcrossRefusal } from './fit_across.ts';
import type { GuestTopology } from './guest_topology.ts';
import { withoutBasePages, type HostCell } from './host_cell.ts';
import type { FitOptions } from './pair_table.ts';

export type OrdinaryMemory = {
  /** What guests may still take, in KiB. Negative where the host is below its floor. */
  readonly leftKib: number;
  /** Of one QEMU, in KiB. */
  readonly overheadKib: number;
  /** In KiB; larger ones are in pools of their own. */
  readonly basePageSizeKib: number;
};

export type BoundedFit =
  | { readonly fits: true; readonly placement: Placement }
  | {
      readonly fits: false;
      readonly refusal: FitRefusal | { readonly reason: 'host-memory'; readonly neededKib: number };
      /** As {@link fitByMode} has it. */
      readonly across: readonly AcrossRefusal[];
    };

/** Cells as far as their memory is concerned. */
type Sized = readonly { readonly pageSizeKib: number | null; readonly memoryKib: number }[];

/** What one guest takes of it, in KiB; nothing that counts where it is not known. */
export function ordinaryKib(cells: Sized, memory: Omit<OrdinaryMemory, 'leftKib'> | null): number {
  if (memory === null) return 0;
  const { overheadKib, basePageSizeKib } = memory;
  const onBasePages = cells.filter(({ pageSizeKib }) => pageSizeKib === null || pageSizeKib <= basePageSizeKib);
  return onBasePages.reduce((sum, { memoryKib }) => sum + memoryKib, overheadKib);
}

/**
 * As {@link fitByMode}, within that memory. Where the first placement takes too much of it, huge pages alone are tried: base
 * pages are what is short, and a guest that may have any size may do with those.
 * @param memory null where it is not known, and bounds nothing.
 */
export function fitWithin(
  guest: GuestTopology,
  host: readonly HostCell[],
  options: FitOptions,
  memory: OrdinaryMemory | null,
): BoundedFit {
  const isBorne = (placement: Placement) => memory === null || ordinaryKib(placement, memory) <= memory.leftKib;
  const first = fitByMode(guest, host, options);
  if (!first.fits || isBorne(first.placement)) return first;
  const onHugePages = fitByMode(guest, host.map(withoutBasePages), options);
  if (onHugePages.fits && isBorne(onHugePages.placement)) return onHugePages;
  return {
    fits: false,
    refusal: { reason: 'host-memory', neededKib: ordinaryKib(first.placement, memory) },
    across: [],
  };
}
