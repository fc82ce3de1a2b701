/** Where a guest was placed: the answer of admission, kept with the instance and rendered into its domain. */
import type { NodePages } from './host_memory.ts';

export type PlacedCell = NodePages & {
  readonly guestCell: number;
  /** All vCPUs of the guest cell. */
  readonly vcpus: readonly number[];
  readonly memoryKib: number;
  /** vCPUs that have a host CPU of their own, and which. */
  readonly pins: readonly { readonly vcpu: number; readonly cpu: number }[];
  /** Host CPUs on which the other vCPUs run. */
  readonly sharedCpus: readonly number[];
  /** Host CPUs of the emulator's own threads (`hw:emulator_threads_policy=isolate`). */
  readonly emulatorCpus: readonly number[];
  /** Host CPUs that no other guest may be given: those above that are its own and, with `isolate`, their siblings. */
  readonly takenCpus: readonly number[];
};

/** Where each guest cell goes, in the order of the guest cells. */
export type Placement = readonly PlacedCell[];
