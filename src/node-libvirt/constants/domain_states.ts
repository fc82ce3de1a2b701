/** What domains are and do: states, jobs, statistics (libvirt-domain.h). */

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
  NOSTATE: Object.freeze({ UNKNOWN: 0 } as const),
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
  BLOCKED: Object.freeze({ UNKNOWN: 0 } as const),
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
  SHUTDOWN: Object.freeze({ UNKNOWN: 0, USER: 1 } as const),
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
  CRASHED: Object.freeze({ UNKNOWN: 0, PANICKED: 1 } as const),
  PMSUSPENDED: Object.freeze({ UNKNOWN: 0 } as const),
});

/** virVcpuState */
export const VcpuState = Object.freeze({
  OFFLINE: 0,
  RUNNING: 1,
  BLOCKED: 2,
} as const);

/** virVcpuHostCpuState; numbers of 0 or more are host CPUs */
export const VcpuHostCpuState = Object.freeze({
  UNAVAILABLE: -2,
  OFFLINE: -1,
} as const);

/** virDomainJobType */
export const DomainJobType = Object.freeze({
  NONE: 0,
  BOUNDED: 1,
  UNBOUNDED: 2,
  COMPLETED: 3,
  FAILED: 4,
  CANCELLED: 5,
} as const);

/** virDomainJobOperation */
export const DomainJobOperation = Object.freeze({
  UNKNOWN: 0,
  START: 1,
  SAVE: 2,
  RESTORE: 3,
  MIGRATION_IN: 4,
  MIGRATION_OUT: 5,
  SNAPSHOT: 6,
  SNAPSHOT_REVERT: 7,
  DUMP: 8,
  BACKUP: 9,
  SNAPSHOT_DELETE: 10,
} as const);

/** virDomainGetJobStatsFlags */
export const DomainGetJobStatsFlags = Object.freeze({
  COMPLETED: 1,
  KEEP_COMPLETED: 2,
} as const);

/** virDomainAbortJobFlagsValues */
export const DomainAbortJobFlags = Object.freeze({
  POSTCOPY: 1,
} as const);

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
  ACTIVE: 1,
  INACTIVE: 2,
  PERSISTENT: 4,
  TRANSIENT: 8,
  RUNNING: 16,
  PAUSED: 32,
  SHUTOFF: 64,
  OTHER: 128,
  /** Skip what another job on the domain would make us wait for. */
  NOWAIT: 536870912,
  BACKING: 1073741824,
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
