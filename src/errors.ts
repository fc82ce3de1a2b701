/**
 * What can go wrong with a request, by class. The names are part of the API: they cross the wire as they stand here,
 * and docs/errors.md tells what a caller does about each. Names that Nova has too mean what they mean there.
 */

export const ERROR_CLASSES = {
  InstanceNotFound: 'no instance with that uuid on this host',
  InstanceConflict: 'the uuid is taken: by an instance made from a different request, or by a domain that is not ours',
  ComputeResourcesUnavailable: 'the host cannot take the instance now; details name node, page size and every count',
  ProjectQuotaExceeded: 'the project has as many instances or pages on this host as it may have',
  MemoryPageSizeInvalid: 'hw:mem_page_size cannot be read',
  MemoryPageSizeForbidden: 'the image asks for a page size that the flavor does not leave open',
  MemoryPageSizeNotSupported: 'no node of this host has pages of the size asked for',
  MemoryNotWholePages: 'the memory of a guest cell is no multiple of the page size',
  LockMemoryForbidden: 'locked memory without hw:mem_page_size',
  FlavorImageLockedMemoryConflict: 'flavor and image differ in whether memory is locked',
  InvalidNUMANodesNumber: 'hw:numa_nodes is not a whole number from 1',
  ImageNUMATopologyForbidden: 'flavor and image both shape the NUMA cells',
  ImageNUMATopologyIncomplete: 'hw:numa_cpus.N and hw:numa_mem.N do not describe every guest cell',
  ImageNUMATopologyAsymmetric: 'vCPUs or memory cannot be split evenly over the guest cells',
  ImageNUMATopologyCPUOutOfRange: 'hw:numa_cpus.N names a vCPU that the flavor does not have',
  ImageNUMATopologyCPUDuplicates: 'hw:numa_cpus.N names a vCPU twice',
  ImageNUMATopologyCPUsUnassigned: 'hw:numa_cpus.N leaves vCPUs out',
  ImageNUMATopologyMemoryOutOfRange: 'hw:numa_mem.N does not add up to the memory of the flavor',
  InvalidCPUAllocationPolicy: 'hw:cpu_policy is not shared, dedicated or mixed',
  ImageCPUPinningForbidden: 'the image asks for a CPU policy that the flavor does not allow',
  InvalidCPUThreadAllocationPolicy: 'hw:cpu_thread_policy is not prefer, isolate or require',
  ImageCPUThreadPolicyForbidden: 'the image asks for another thread policy than the flavor',
  CPUThreadPolicyConfigurationInvalid: 'a thread policy without dedicated CPUs',
  InvalidEmulatorThreadsPolicy: 'hw:emulator_threads_policy is not share or isolate',
  BadRequirementEmulatorThreadsPolicy: 'isolated emulator threads without dedicated CPUs',
  RealtimeConfigurationInvalid: 'realtime without dedicated CPUs',
  RealtimeMaskNotFoundOrInvalid: 'the realtime mask leaves no vCPU, all of them, or names one that is not there',
  InvalidMixedInstanceDedicatedMask:
    'hw:cpu_dedicated_mask leaves no vCPU, all of them, or names one that is not there',
  RequiredMixedInstancePolicy: 'hw:cpu_dedicated_mask without hw:cpu_policy=mixed',
  RequiredMixedOrRealtimeCPUMask: 'hw:cpu_policy=mixed needs exactly one of a dedicated mask and a realtime mask',
  Invalid: 'a list of CPUs cannot be read',
  InvalidRequest: 'arguments do not fit the schema, or contradict each other',
  ValueError: 'a number or a word cannot be read',
  UnsupportedExtraSpec: 'an extra spec or image property that this release does not implement',
  ImageNotFound: 'the image is not in the local store, or is incomplete',
  FlavorDiskSmallerThanImage: "the flavor's disk is smaller than the image",
  InstanceSpawnFailed: 'the guest could not be started; nothing of it is left',
  HypervisorError: 'libvirt refused an operation on the guest; details have its code',
  HypervisorUnavailable: 'libvirt does not answer; asking again later may help',
} as const;

export type ErrorClass = keyof typeof ERROR_CLASSES;

/** A request that fails for a reason its caller can be told. `details` is data, the message says the same in words. */
export class ComputeError extends Error {
  readonly errorClass: ErrorClass;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    errorClass: ErrorClass,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = errorClass;
    this.errorClass = errorClass;
    this.details = details;
  }
}
