/**
 * libvirt's flags and states under libvirt's names minus VIR_ and the name of the set (include/libvirt/libvirt-domain.h
 * and libvirt-host.h). Flags are combined with `|`. Data only: numbers that a newer daemon adds pass through as they are.
 */

/** The name of a value, e.g. nameOf(DomainState, 3) is 'PAUSED'; UNKNOWN_<n> for one this table does not have. */
export function nameOf<T extends Readonly<Record<string, number>>>(
  table: T,
  value: number,
): Extract<keyof T, string> | `UNKNOWN_${number}` {
  for (const name in table) if (table[name] === value) return name;
  return `UNKNOWN_${value}`;
}

/** virDomainState */
export const DomainState = Object.freeze({
  NOSTATE: 0,
  RUNNING: 1,
  BLOCKED: 2,
  PAUSED: 3,
  SHUTDOWN: 4,
  SHUTOFF: 5,
  CRASHED: 6,
  PMSUSPENDED: 7,
} as const);

/** The reasons that go with a state, by the state's name (virDomainRunningReason and its sisters). */
export const DomainStateReason = Object.freeze({
  RUNNING: Object.freeze({
    UNKNOWN: 0,
    BOOTED: 1,
    MIGRATED: 2,
    RESTORED: 3,
    FROM_SNAPSHOT: 4,
    UNPAUSED: 5,
    MIGRATION_CANCELED: 6,
    SAVE_CANCELED: 7,
    WAKEUP: 8,
    CRASHED: 9,
    POSTCOPY: 10,
    POSTCOPY_FAILED: 11,
  } as const),
  PAUSED: Object.freeze({
    UNKNOWN: 0,
    USER: 1,
    MIGRATION: 2,
    SAVE: 3,
    DUMP: 4,
    IOERROR: 5,
    WATCHDOG: 6,
    FROM_SNAPSHOT: 7,
    SHUTTING_DOWN: 8,
    SNAPSHOT: 9,
    CRASHED: 10,
    STARTING_UP: 11,
    POSTCOPY: 12,
    POSTCOPY_FAILED: 13,
    API_ERROR: 14,
  } as const),
  SHUTOFF: Object.freeze({
    UNKNOWN: 0,
    SHUTDOWN: 1,
    DESTROYED: 2,
    CRASHED: 3,
    MIGRATED: 4,
    SAVED: 5,
    FAILED: 6,
    FROM_SNAPSHOT: 7,
    DAEMON: 8,
  } as const),
});

/** virDomainXMLFlags */
export const DomainXMLFlags = Object.freeze({ SECURE: 1, INACTIVE: 2, UPDATE_CPU: 4, MIGRATABLE: 8 } as const);

/** virDomainDefineFlags */
export const DomainDefineFlags = Object.freeze({ VALIDATE: 1 } as const);

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
export const DomainDestroyFlags = Object.freeze({ DEFAULT: 0, GRACEFUL: 1, REMOVE_LOGS: 2 } as const);

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
export const DomainModificationImpact = Object.freeze({ CURRENT: 0, LIVE: 1, CONFIG: 2 } as const);

/** virDomainMetadataType */
export const DomainMetadataType = Object.freeze({ DESCRIPTION: 0, TITLE: 1, ELEMENT: 2 } as const);

/** virDomainStatsTypes; 0 is every group the daemon knows */
export const DomainStatsTypes = Object.freeze({
  STATE: 1,
  CPU_TOTAL: 2,
  BALLOON: 4,
  VCPU: 8,
  INTERFACE: 16,
  BLOCK: 32,
  PERF: 64,
  IOTHREAD: 128,
  MEMORY: 256,
  DIRTYRATE: 512,
  VM: 1024,
} as const);

/** virConnectGetAllDomainStatsFlags */
export const GetAllDomainStatsFlags = Object.freeze({
  ACTIVE: 1 << 0,
  INACTIVE: 1 << 1,
  PERSISTENT: 1 << 2,
  TRANSIENT: 1 << 3,
  RUNNING: 1 << 4,
  PAUSED: 1 << 5,
  SHUTOFF: 1 << 6,
  OTHER: 1 << 7,
  /** Skip what another job on the domain would make us wait for. */
  NOWAIT: 1 << 29,
  BACKING: 1 << 30,
  ENFORCE_STATS: 0x80000000,
} as const);

/** virDomainMemoryStatTags; all in KiB but the faults and hugetlb counts (times) and LAST_UPDATE (seconds since 1970) */
export const MemoryStatTag = Object.freeze({
  SWAP_IN: 0,
  SWAP_OUT: 1,
  MAJOR_FAULT: 2,
  MINOR_FAULT: 3,
  UNUSED: 4,
  AVAILABLE: 5,
  ACTUAL_BALLOON: 6,
  RSS: 7,
  USABLE: 8,
  LAST_UPDATE: 9,
  DISK_CACHES: 10,
  HUGETLB_PGALLOC: 11,
  HUGETLB_PGFAIL: 12,
} as const);

/** virDomainEventID; those this package can subscribe to */
export const DomainEventID = Object.freeze({ LIFECYCLE: 0 } as const);

/** virDomainEventType */
export const LifecycleEvent = Object.freeze({
  DEFINED: 0,
  UNDEFINED: 1,
  STARTED: 2,
  SUSPENDED: 3,
  RESUMED: 4,
  STOPPED: 5,
  SHUTDOWN: 6,
  PMSUSPENDED: 7,
  CRASHED: 8,
} as const);

/** The details that go with a lifecycle event, by the event's name (virDomainEventDefinedDetailType and its sisters). */
export const LifecycleEventDetail = Object.freeze({
  DEFINED: Object.freeze({ ADDED: 0, UPDATED: 1, RENAMED: 2, FROM_SNAPSHOT: 3 } as const),
  UNDEFINED: Object.freeze({ REMOVED: 0, RENAMED: 1 } as const),
  STARTED: Object.freeze({ BOOTED: 0, MIGRATED: 1, RESTORED: 2, FROM_SNAPSHOT: 3, WAKEUP: 4, RECREATED: 5 } as const),
  SUSPENDED: Object.freeze({
    PAUSED: 0,
    MIGRATED: 1,
    IOERROR: 2,
    WATCHDOG: 3,
    RESTORED: 4,
    FROM_SNAPSHOT: 5,
    API_ERROR: 6,
    POSTCOPY: 7,
    POSTCOPY_FAILED: 8,
  } as const),
  RESUMED: Object.freeze({ UNPAUSED: 0, MIGRATED: 1, FROM_SNAPSHOT: 2, POSTCOPY: 3, POSTCOPY_FAILED: 4 } as const),
  STOPPED: Object.freeze({
    SHUTDOWN: 0,
    DESTROYED: 1,
    CRASHED: 2,
    MIGRATED: 3,
    SAVED: 4,
    FAILED: 5,
    FROM_SNAPSHOT: 6,
    RECOVERED: 7,
  } as const),
  SHUTDOWN: Object.freeze({ FINISHED: 0, GUEST: 1, HOST: 2 } as const),
  PMSUSPENDED: Object.freeze({ MEMORY: 0, DISK: 1 } as const),
  CRASHED: Object.freeze({ PANICKED: 0, CRASHLOADED: 1 } as const),
});

/** virDrvFeature; those of the handshake */
export const Feature = Object.freeze({ PROGRAM_KEEPALIVE: 10, REMOTE_EVENT_CALLBACK: 14 } as const);
