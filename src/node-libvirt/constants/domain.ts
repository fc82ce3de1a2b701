/** Flags and kinds of what is asked of domains (libvirt-domain.h). */

/** virDomainXMLFlags */
export const DomainXMLFlags = Object.freeze({
  SECURE: 1,
  INACTIVE: 2,
  UPDATE_CPU: 4,
  MIGRATABLE: 8,
} as const);

/** virDomainDefineFlags */
export const DomainDefineFlags = Object.freeze({
  VALIDATE: 1,
} as const);

/** virDomainCreateFlags (VIR_DOMAIN_START_*) */
export const DomainCreateFlags = Object.freeze({
  NONE: 0,
  START_PAUSED: 1,
  /** The domain ends with this connection. */
  START_AUTODESTROY: 2,
  START_BYPASS_CACHE: 4,
  START_FORCE_BOOT: 8,
  START_VALIDATE: 16,
  START_RESET_NVRAM: 32,
} as const);

/** virDomainDestroyFlagsValues */
export const DomainDestroyFlags = Object.freeze({
  DEFAULT: 0,
  GRACEFUL: 1,
  REMOVE_LOGS: 2,
} as const);

/** virDomainUndefineFlagsValues */
export const DomainUndefineFlags = Object.freeze({
  MANAGED_SAVE: 1,
  SNAPSHOTS_METADATA: 2,
  NVRAM: 4,
  KEEP_NVRAM: 8,
  CHECKPOINTS_METADATA: 16,
  TPM: 32,
  KEEP_TPM: 64,
} as const);

/** virDomainShutdownFlagValues */
export const DomainShutdownFlags = Object.freeze({
  DEFAULT: 0,
  ACPI_POWER_BTN: 1,
  GUEST_AGENT: 2,
  INITCTL: 4,
  SIGNAL: 8,
  PARAVIRT: 16,
} as const);

/** virDomainRebootFlagValues */
export const DomainRebootFlags = Object.freeze({
  DEFAULT: 0,
  ACPI_POWER_BTN: 1,
  GUEST_AGENT: 2,
  INITCTL: 4,
  SIGNAL: 8,
  PARAVIRT: 16,
} as const);

/** virDomainSaveRestoreFlags */
export const DomainSaveRestoreFlags = Object.freeze({
  BYPASS_CACHE: 1,
  RUNNING: 2,
  PAUSED: 4,
  RESET_NVRAM: 8,
} as const);

/** virConnectListAllDomainsFlags (VIR_CONNECT_LIST_DOMAINS_*); 0 is all domains */
export const ListAllDomainsFlags = Object.freeze({
  ACTIVE: 1,
  INACTIVE: 2,
  PERSISTENT: 4,
  TRANSIENT: 8,
  RUNNING: 16,
  PAUSED: 32,
  SHUTOFF: 64,
  OTHER: 128,
  MANAGEDSAVE: 256,
  NO_MANAGEDSAVE: 512,
  AUTOSTART: 1024,
  NO_AUTOSTART: 2048,
  HAS_SNAPSHOT: 4096,
  NO_SNAPSHOT: 8192,
  HAS_CHECKPOINT: 16384,
  NO_CHECKPOINT: 32768,
} as const);

/** virDomainModificationImpact (VIR_DOMAIN_AFFECT_*) */
export const DomainModificationImpact = Object.freeze({
  CURRENT: 0,
  LIVE: 1,
  CONFIG: 2,
} as const);

/** virDomainMemoryModFlags (VIR_DOMAIN_MEM_*) */
export const DomainMemoryModFlags = Object.freeze({
  CURRENT: 0,
  LIVE: 1,
  CONFIG: 2,
  MAXIMUM: 4,
} as const);

/** virDomainVcpuFlags */
export const DomainVcpuFlags = Object.freeze({
  CURRENT: 0,
  LIVE: 1,
  CONFIG: 2,
  MAXIMUM: 4,
  /** As the guest's agent sees it. */
  GUEST: 8,
  HOTPLUGGABLE: 16,
} as const);

/** virDomainDeviceModifyFlags */
export const DomainDeviceModifyFlags = Object.freeze({
  CURRENT: 0,
  LIVE: 1,
  CONFIG: 2,
  FORCE: 4,
} as const);

/** virDomainMetadataType */
export const DomainMetadataType = Object.freeze({
  DESCRIPTION: 0,
  TITLE: 1,
  ELEMENT: 2,
} as const);

/** virDomainMessageType */
export const DomainMessageType = Object.freeze({
  DEPRECATION: 1,
  TAINTING: 2,
} as const);

/** virDomainNumatuneMemMode */
export const DomainNumatuneMemMode = Object.freeze({
  STRICT: 0,
  PREFERRED: 1,
  INTERLEAVE: 2,
  RESTRICTIVE: 3,
} as const);

/** virDomainInterfaceAddressesSource */
export const DomainInterfaceAddressesSource = Object.freeze({
  LEASE: 0,
  AGENT: 1,
  ARP: 2,
} as const);

/** virDomainConsoleFlags */
export const DomainConsoleFlags = Object.freeze({
  /** Throws out whoever has the console. */

  FORCE: 1,
  /** Only where libvirt can make sure that nobody else has it. */
  SAFE: 2,
} as const);

/** virKeycodeSet */
export const KeycodeSet = Object.freeze({
  LINUX: 0,
  XT: 1,
  ATSET1: 2,
  ATSET2: 3,
  ATSET3: 4,
  OSX: 5,
  XT_KBD: 6,
  USB: 7,
  WIN32: 8,
  QNUM: 9,
} as const);

/** virDomainSetTimeFlags */
export const DomainSetTimeFlags = Object.freeze({
  SYNC: 1,
} as const);

/** virDomainSetUserPasswordFlags */
export const DomainSetUserPasswordFlags = Object.freeze({
  ENCRYPTED: 1,
} as const);

/** virDomainAuthorizedSSHKeysSetFlags */
export const DomainAuthorizedSSHKeysSetFlags = Object.freeze({
  APPEND: 1,
  REMOVE: 2,
} as const);

/** virDomainGuestInfoTypes; 0 is all that the agent can tell */
export const DomainGuestInfoTypes = Object.freeze({
  USERS: 1,
  OS: 2,
  TIMEZONE: 4,
  HOSTNAME: 8,
  FILESYSTEM: 16,
  DISKS: 32,
  INTERFACES: 64,
  LOAD: 128,
} as const);

/** virDomainAgentResponseTimeoutValues; other values are seconds */
export const DomainAgentResponseTimeout = Object.freeze({
  BLOCK: -2,
  DEFAULT: -1,
  NOWAIT: 0,
} as const);

/** virDomainQemuMonitorCommandFlags */
export const DomainQemuMonitorCommandFlags = Object.freeze({
  DEFAULT: 0,
  HMP: 1,
} as const);

/** virConnectDomainQemuMonitorEventRegisterFlags */
export const QemuMonitorEventRegisterFlags = Object.freeze({
  REGEX: 1,
  NOCASE: 2,
} as const);

/** virDomainQemuAgentCommandTimeoutValues; other values are seconds */
export const DomainQemuAgentCommandTimeout = Object.freeze({
  BLOCK: -2,
  DEFAULT: -1,
  NOWAIT: 0,
  SHUTDOWN: 60,
} as const);

/** virDomainDirtyRateCalcFlags */
export const DomainDirtyRateCalcFlags = Object.freeze({
  PAGE_SAMPLING: 0,
  /** libvirt 8.1.0 or later, as is DIRTY_RING. */
  DIRTY_BITMAP: 1,
  DIRTY_RING: 2,
} as const);

/** virDomainMigrateFlags (VIR_MIGRATE_*) */
export const DomainMigrateFlags = Object.freeze({
  LIVE: 1,
  /** The daemons do it between themselves; the only way of this package. */
  PEER2PEER: 2,
  TUNNELLED: 4,
  PERSIST_DEST: 8,
  UNDEFINE_SOURCE: 16,
  PAUSED: 32,
  NON_SHARED_DISK: 64,
  NON_SHARED_INC: 128,
  CHANGE_PROTECTION: 256,
  UNSAFE: 512,
  OFFLINE: 1024,
  COMPRESSED: 2048,
  ABORT_ON_ERROR: 4096,
  AUTO_CONVERGE: 8192,
  RDMA_PIN_ALL: 16384,
  POSTCOPY: 32768,
  TLS: 65536,
  PARALLEL: 131072,
  NON_SHARED_SYNCHRONOUS_WRITES: 262144,
  POSTCOPY_RESUME: 524288,
  ZEROCOPY: 1048576,
} as const);

/** virDomainMigrateMaxSpeedFlags */
export const DomainMigrateMaxSpeedFlags = Object.freeze({
  POSTCOPY: 1,
} as const);
