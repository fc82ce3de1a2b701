/** The host, its CPUs and devices (libvirt-host.h, libvirt-nodedev.h), and the connection. */

/** virDrvFeature; those that this package asks for */
export const Feature = Object.freeze({
  PROGRAM_KEEPALIVE: 10,
  REMOTE_EVENT_CALLBACK: 14,
} as const);

/** virConnectCompareCPUFlags */
export const CompareCPUFlags = Object.freeze({
  FAIL_INCOMPATIBLE: 1,
  VALIDATE_XML: 2,
} as const);

/** virCPUCompareResult */
export const CPUCompareResult = Object.freeze({
  ERROR: -1,
  INCOMPATIBLE: 0,
  IDENTICAL: 1,
  /** The host has more than was asked. */
  SUPERSET: 2,
} as const);

/** virConnectBaselineCPUFlags */
export const BaselineCPUFlags = Object.freeze({
  EXPAND_FEATURES: 1,
  MIGRATABLE: 2,
} as const);

/** virNodeAllocPagesFlags */
export const NodeAllocPagesFlags = Object.freeze({
  ADD: 0,
  SET: 1,
} as const);

/** virConnectListAllNodeDeviceFlags (VIR_CONNECT_LIST_NODE_DEVICES_*); 0 is all devices */
export const ListAllNodeDevicesFlags = Object.freeze({
  CAP_SYSTEM: 1,
  CAP_PCI_DEV: 2,
  CAP_USB_DEV: 4,
  CAP_USB_INTERFACE: 8,
  CAP_NET: 16,
  CAP_SCSI_HOST: 32,
  CAP_SCSI_TARGET: 64,
  CAP_SCSI: 128,
  CAP_STORAGE: 256,
  CAP_FC_HOST: 512,
  CAP_VPORTS: 1024,
  CAP_SCSI_GENERIC: 2048,
  CAP_DRM: 4096,
  CAP_MDEV_TYPES: 8192,
  CAP_MDEV: 16384,
  CAP_CCW_DEV: 32768,
  CAP_CSS_DEV: 65536,
  CAP_VDPA: 131072,
  CAP_AP_CARD: 262144,
  CAP_AP_QUEUE: 524288,
  CAP_AP_MATRIX: 1048576,
  CAP_VPD: 2097152,
  PERSISTENT: 268435456,
  TRANSIENT: 536870912,
  INACTIVE: 1073741824,
  ACTIVE: 0x80000000,
} as const);

/** virNodeDeviceDefineXMLFlags */
export const NodeDeviceDefineXMLFlags = Object.freeze({
  VALIDATE: 1,
} as const);
