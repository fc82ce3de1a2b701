/**
 * The plug-in contract: what compute needs of a hypervisor, and all that it knows of one. `LibvirtDriver` is the one
 * implementation for now. Every method rejects with a ComputeError: HypervisorUnavailable where the hypervisor does not
 * answer, HypervisorError where it refuses.
 */
import type { HostMemory, NodePages } from './admission/host_memory.ts';
import type { Image } from './images/image_store.ts';
import type { Instance } from './instance.ts';

/** Power states, in Ceilometer's words. */
export type PowerState = 'running' | 'paused' | 'shutdown' | 'suspended' | 'crashed' | 'pending';

/** Nova's vm_state of a guest in that power state. */
export const VM_STATE = {
  running: 'active',
  paused: 'paused',
  shutdown: 'stopped',
  suspended: 'suspended',
  crashed: 'error',
  pending: 'building',
} as const satisfies Readonly<Record<PowerState, string>>;

export type GuestInfo = {
  readonly instance: Instance;
  readonly powerState: PowerState;
  readonly domainName: string;
  readonly consoleLogPath: string;
};

/** Figures of one running guest; memory in KiB. What is unknown is absent, never zero. */
export type GuestStatistics = {
  readonly instance: Instance;
  readonly powerState: PowerState;
  readonly domainName: string;
  /** CPU architecture, such as x86_64. */
  readonly architecture: string;
  /** libvirt's number of the domain's state (virDomainState). */
  readonly stateNumber?: number;
  /** From the guest's balloon driver; absent where the guest never reported. */
  readonly balloon?: {
    readonly availableKib?: number;
    readonly usableKib?: number;
    readonly unusedKib?: number;
    readonly swapInKib?: number;
    readonly swapOutKib?: number;
    /** When the guest last reported, in seconds since the epoch. */
    readonly lastUpdateS: number;
  };
  /** Whether the guest has a balloon; absent where the hypervisor could not ask it now. */
  readonly hasBalloon?: boolean;
  /** How often this guest's balloon is asked, in ms; 0: never. */
  readonly balloonPeriodMs?: number;
  /** What the balloon leaves of the guest's memory: what the hypervisor says, not the guest. */
  readonly actualKib?: number;
  /** Of the QEMU process: ordinary resident memory plus hugetlb pages. */
  readonly residentKib?: number;
  /** Pages of the hugetlb pools that the process holds, per node and size. */
  readonly held?: readonly NodePages[];
  /** CPU time used so far, in ns. */
  readonly cpuNs?: bigint;
  /** vCPUs that are plugged in. */
  readonly vcpus?: number;
  /** Since when this run of the guest is known, in ms. */
  readonly watchedMs?: number;
};

export type StatisticsOptions = {
  /** With CPU time and vCPUs, which cost the hypervisor more. */
  readonly cpu?: boolean;
  /** Longest time that the hypervisor is waited for, in ms. */
  readonly deadlineMs?: number;
};

export type AvailableResource = {
  readonly memory: HostMemory;
  /** Pages that exist, per node and size; for base pages: what is not in a hugepage pool. */
  readonly totals: readonly NodePages[];
};

/** A process that holds pages of the hugetlb pools. */
export type HoldingProcess = {
  readonly pid: number;
  /** Printable, at most 15 characters. */
  readonly command: string;
  /** The guest of ours that it is the hypervisor process of, or null. */
  readonly instance: Instance | null;
};

/** Who holds the pages of the hugetlb pools, as far as the host's kernel tells. */
export type PageHolders = {
  /** Pages there are (surplus pages among them), and pages nobody has taken. */
  readonly pools: readonly {
    readonly node: number;
    readonly pageSizeKib: number;
    readonly totalPages: number;
    readonly freePages: number;
  }[];
  /** Free pages that are promised to mappings, host-wide. */
  readonly promised: HostMemory['promised'];
  readonly holders: readonly (HoldingProcess & {
    /** Each page is counted with one process only. */
    readonly held: readonly NodePages[];
    /** Pages that it maps too, counted with another process. */
    readonly alsoMapped: readonly NodePages[];
  })[];
  /** Processes with such pages that may not be looked into, with the KiB of them over all sizes and nodes. */
  readonly unreadable: readonly (HoldingProcess & { readonly hugetlbKib: number })[];
};

export type LifecycleListener = (event: { readonly uuid: string; readonly event: string }) => void;

export interface ComputeDriver {
  /** Free and promised pages per node, as the kernel has them at this moment, and where our guests are placed. */
  readHostMemory(): Promise<HostMemory>;

  /** As {@link readHostMemory}, with the size of the pools. */
  getAvailableResource(): Promise<AvailableResource>;

  /**
   * Defines and starts the guest; takes back whatever it did where that fails.
   * @throws {ComputeError} InstanceConflict, InstanceSpawnFailed, FlavorDiskSmallerThanImage.
   */
  spawn(instance: Instance, image: Image | null): Promise<void>;

  /** Pages that the guest's process really holds, from the kernel; undefined where this host cannot be asked. */
  getHoldings(uuid: string): Promise<readonly NodePages[] | undefined>;

  /** Who holds pages of the hugetlb pools; undefined where the guests' host cannot be asked. */
  getPageHolders(): Promise<PageHolders | undefined>;

  /** Keeps the instance's record with the guest, in place of the one before. */
  saveInstance(instance: Instance): Promise<void>;

  /** Ends the guest and removes all that is kept of it; resolves when its pages are back. False: there was none. */
  destroy(uuid: string): Promise<boolean>;

  /** Removes files of guests that are not there any more. To be called while nothing is being built. */
  removeStrays(): Promise<void>;

  getInfo(uuid: string): Promise<GuestInfo | undefined>;
  listGuests(): Promise<readonly GuestInfo[]>;

  /**
   * Statistics of all running guests of ours, or of those named, with one call to the hypervisor. A guest that does not
   * answer is there with what is known without it, or not at all; the others do not wait for it.
   */
  getStatistics(uuids?: readonly string[], options?: StatisticsOptions): Promise<readonly GuestStatistics[]>;

  /**
   * Tells of guests that start and stop, whoever made them do so. After a time in which that was not heard each guest is
   * told of, as `unknown`.
   */
  onLifecycle(listener: LifecycleListener): void;
}
