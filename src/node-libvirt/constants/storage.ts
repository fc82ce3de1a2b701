/** Storage pools and volumes (libvirt-storage.h). */

/** virConnectListAllStoragePoolsFlags (VIR_CONNECT_LIST_STORAGE_POOLS_*); 0 is all pools */
export const ListAllStoragePoolsFlags = Object.freeze({
  INACTIVE: 1,
  ACTIVE: 2,
  PERSISTENT: 4,
  TRANSIENT: 8,
  AUTOSTART: 16,
  NO_AUTOSTART: 32,
  DIR: 64,
  FS: 128,
  NETFS: 256,
  LOGICAL: 512,
  DISK: 1024,
  ISCSI: 2048,
  SCSI: 4096,
  MPATH: 8192,
  RBD: 16384,
  SHEEPDOG: 32768,
  GLUSTER: 65536,
  ZFS: 131072,
  VSTORAGE: 262144,
  ISCSI_DIRECT: 524288,
} as const);

/** virStoragePoolState */
export const StoragePoolState = Object.freeze({
  INACTIVE: 0,
  BUILDING: 1,
  RUNNING: 2,
  DEGRADED: 3,
  INACCESSIBLE: 4,
} as const);

/** virStoragePoolDefineFlags */
export const StoragePoolDefineFlags = Object.freeze({
  VALIDATE: 1,
} as const);

/** virStoragePoolCreateFlags */
export const StoragePoolCreateFlags = Object.freeze({
  NORMAL: 0,
  WITH_BUILD: 1,
  WITH_BUILD_OVERWRITE: 2,
  WITH_BUILD_NO_OVERWRITE: 4,
} as const);

/** virStoragePoolBuildFlags */
export const StoragePoolBuildFlags = Object.freeze({
  NEW: 0,
  REPAIR: 1,
  RESIZE: 2,
  NO_OVERWRITE: 4,
  OVERWRITE: 8,
} as const);

/** virStorageXMLFlags */
export const StorageXMLFlags = Object.freeze({
  INACTIVE: 1,
} as const);

/** virStorageVolType */
export const StorageVolType = Object.freeze({
  FILE: 0,
  BLOCK: 1,
  DIR: 2,
  NETWORK: 3,
  NETDIR: 4,
  PLOOP: 5,
} as const);

/** virStorageVolCreateFlags */
export const StorageVolCreateFlags = Object.freeze({
  PREALLOC_METADATA: 1,
  REFLINK: 2,
  VALIDATE: 4,
} as const);

/** virStorageVolDeleteFlags */
export const StorageVolDeleteFlags = Object.freeze({
  NORMAL: 0,
  ZEROED: 1,
  WITH_SNAPSHOTS: 2,
} as const);

/** virStorageVolResizeFlags */
export const StorageVolResizeFlags = Object.freeze({
  ALLOCATE: 1,
  DELTA: 2,
  SHRINK: 4,
} as const);
