/** Flags and kinds of disks and their jobs (libvirt-domain.h). */

/** virDomainBlockResizeFlags */
export const DomainBlockResizeFlags = Object.freeze({
  /** The size is in bytes, not KiB. */

  BYTES: 1,
  CAPACITY: 2,
} as const);

/** virDomainBlockJobType */
export const DomainBlockJobType = Object.freeze({
  UNKNOWN: 0,
  PULL: 1,
  COPY: 2,
  COMMIT: 3,
  ACTIVE_COMMIT: 4,
  BACKUP: 5,
} as const);

/** virConnectDomainEventBlockJobStatus (VIR_DOMAIN_BLOCK_JOB_*) */
export const DomainBlockJobStatus = Object.freeze({
  COMPLETED: 0,
  FAILED: 1,
  CANCELED: 2,
  READY: 3,
} as const);

/** virDomainBlockJobInfoFlags */
export const DomainBlockJobInfoFlags = Object.freeze({
  BANDWIDTH_BYTES: 1,
} as const);

/** virDomainBlockJobAbortFlags */
export const DomainBlockJobAbortFlags = Object.freeze({
  ASYNC: 1,
  PIVOT: 2,
} as const);

/** virDomainBlockCopyFlags */
export const DomainBlockCopyFlags = Object.freeze({
  SHALLOW: 1,
  REUSE_EXT: 2,
  TRANSIENT_JOB: 4,
  SYNCHRONOUS_WRITES: 8,
} as const);

/** virDomainBlockCommitFlags */
export const DomainBlockCommitFlags = Object.freeze({
  SHALLOW: 1,
  DELETE: 2,
  ACTIVE: 4,
  RELATIVE: 8,
  BANDWIDTH_BYTES: 16,
} as const);

/** virDomainBlockRebaseFlags */
export const DomainBlockRebaseFlags = Object.freeze({
  SHALLOW: 1,
  REUSE_EXT: 2,
  COPY_RAW: 4,
  COPY: 8,
  RELATIVE: 16,
  COPY_DEV: 32,
  BANDWIDTH_BYTES: 64,
} as const);
