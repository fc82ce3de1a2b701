/**
 * The nouns that every room shares: what a control plane asked for, and the instance that came of it. Field names are
 * Nova's; memory is MiB where it is the flavor's own figure.
 */
import type { Placement } from './admission/placement.ts';
import type { CpuPolicy, EmulatorPolicy } from './numa/cpu_policy.ts';

export type Flavor = {
  readonly id: string | null;
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
  readonly extraSpecs: Readonly<Record<string, string>>;
};

/** What a create request says. Two requests with the same content are the same request. */
export type InstanceRequest = {
  readonly uuid: string;
  readonly name: string;
  readonly projectId: string;
  readonly userId: string;
  readonly flavor: Flavor;
  /** Id of an image in the local store, or null for a guest without anything to boot. */
  readonly imageId: string | null;
  /** Properties of the image that shape the guest, by Nova's names (`hw_cpu_policy`). */
  readonly imageProperties: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
};

/** What a flavor and an image ask of the guest beside its pages. */
export type GuestTuning = {
  readonly cpuPolicy: CpuPolicy | null;
  readonly emulatorPolicy: EmulatorPolicy | null;
  /** vCPUs that are scheduled first-in, first-out. */
  readonly realtimeVcpus: readonly number[];
  readonly lockedMemory: boolean;
};

/** What a flavor that asks for nothing gets. */
export const NO_TUNING: GuestTuning = {
  cpuPolicy: null,
  emulatorPolicy: null,
  realtimeVcpus: [],
  lockedMemory: false,
};

/** An admitted instance. */
export type Instance = InstanceRequest & {
  readonly placement: Placement;
  readonly tuning: GuestTuning;
  /** When the request was admitted (ISO 8601, UTC). */
  readonly createdAt: string;
  /** When the guest was started and its pages verified; null while the build is under way. */
  readonly launchedAt: string | null;
};
