/** Flags of snapshots (libvirt-domain-snapshot.h). */

/** virDomainSnapshotCreateFlags */
export const DomainSnapshotCreateFlags = Object.freeze({
  REDEFINE: 1,
  CURRENT: 2,
  NO_METADATA: 4,
  HALT: 8,
  DISK_ONLY: 16,
  REUSE_EXT: 32,
  QUIESCE: 64,
  ATOMIC: 128,
  LIVE: 256,
  VALIDATE: 512,
} as const);

/** virDomainSnapshotListFlags; 0 is all snapshots */
export const DomainSnapshotListFlags = Object.freeze({
  /** Of a snapshot; of a domain the same bit is ROOTS. */

  DESCENDANTS: 1,
  ROOTS: 1,
  METADATA: 2,
  LEAVES: 4,
  NO_LEAVES: 8,
  NO_METADATA: 16,
  INACTIVE: 32,
  ACTIVE: 64,
  DISK_ONLY: 128,
  INTERNAL: 256,
  EXTERNAL: 512,
  TOPOLOGICAL: 1024,
} as const);

/** virDomainSnapshotDeleteFlags */
export const DomainSnapshotDeleteFlags = Object.freeze({
  CHILDREN: 1,
  METADATA_ONLY: 2,
  CHILDREN_ONLY: 4,
} as const);

/** virDomainSnapshotRevertFlags */
export const DomainSnapshotRevertFlags = Object.freeze({
  RUNNING: 1,
  PAUSED: 2,
  FORCE: 4,
  RESET_NVRAM: 8,
} as const);

/** virDomainSnapshotXMLFlags */
export const DomainSnapshotXMLFlags = Object.freeze({
  SECURE: 1,
} as const);
