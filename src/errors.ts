/**
 * What can go wrong with a request, by class. The names are part of the API: they cross the wire as they stand here,
 * and docs/errors.md tells what a caller does about each. Names that Nova has too mean what they mean there.
 */

export const ERROR_CLASSES = {
  InstanceNotFound: 'no instance with that uuid on this host',
  InstanceConflict: 'the uuid is taken: by an instance made from a different request, or by a domain that is not ours',
  ComputeResourcesUnavailable: 'the host cannot take the instance now; details name node, page size and every count',
  MemoryPageSizeInvalid: 'hw:mem_page_size cannot be read',
  MemoryPageSizeNotSupported: 'no node of this host has pages of the size asked for',
  MemoryNotWholePages: 'the memory of a guest cell is no multiple of the page size',
  InvalidNUMANodesNumber: 'hw:numa_nodes is not a whole number from 1',
  ImageNUMATopologyAsymmetric: 'vCPUs or memory cannot be split evenly over the guest cells',
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
