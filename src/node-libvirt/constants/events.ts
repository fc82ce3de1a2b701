/** Events: which there are, and the numbers in them. */

/** virDomainEventID */
export const DomainEventID = Object.freeze({
  LIFECYCLE: 0,
  REBOOT: 1,
  RTC_CHANGE: 2,
  WATCHDOG: 3,
  IO_ERROR: 4,
  GRAPHICS: 5,
  IO_ERROR_REASON: 6,
  CONTROL_ERROR: 7,
  BLOCK_JOB: 8,
  DISK_CHANGE: 9,
  TRAY_CHANGE: 10,
  PMWAKEUP: 11,
  PMSUSPEND: 12,
  BALLOON_CHANGE: 13,
  PMSUSPEND_DISK: 14,
  DEVICE_REMOVED: 15,
  BLOCK_JOB_2: 16,
  TUNABLE: 17,
  AGENT_LIFECYCLE: 18,
  DEVICE_ADDED: 19,
  MIGRATION_ITERATION: 20,
  JOB_COMPLETED: 21,
  DEVICE_REMOVAL_FAILED: 22,
  METADATA_CHANGE: 23,
  BLOCK_THRESHOLD: 24,
  MEMORY_FAILURE: 25,
  MEMORY_DEVICE_SIZE_CHANGE: 26,
  NIC_MAC_CHANGE: 27,
} as const);

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

/** virDomainEventWatchdogAction */
export const WatchdogAction = Object.freeze({
  NONE: 0,
  PAUSE: 1,
  RESET: 2,
  POWEROFF: 3,
  SHUTDOWN: 4,
  DEBUG: 5,
  INJECTNMI: 6,
} as const);

/** virDomainEventIOErrorAction */
export const IOErrorAction = Object.freeze({
  NONE: 0,
  PAUSE: 1,
  REPORT: 2,
} as const);

/** virDomainEventTrayChangeReason */
export const TrayChangeReason = Object.freeze({
  OPEN: 0,
  CLOSE: 1,
} as const);

/** virConnectDomainEventDiskChangeReason */
export const DiskChangeReason = Object.freeze({
  CHANGE_MISSING_ON_START: 0,
  DROP_MISSING_ON_START: 1,
} as const);

/** virConnectDomainEventAgentLifecycleState */
export const AgentLifecycleState = Object.freeze({
  CONNECTED: 1,
  DISCONNECTED: 2,
} as const);

/** virConnectDomainEventAgentLifecycleReason */
export const AgentLifecycleReason = Object.freeze({
  UNKNOWN: 0,
  DOMAIN_STARTED: 1,
  CHANNEL: 2,
} as const);

/** virDomainMemoryFailureRecipientType */
export const MemoryFailureRecipient = Object.freeze({
  HYPERVISOR: 0,
  GUEST: 1,
} as const);

/** virDomainMemoryFailureActionType */
export const MemoryFailureAction = Object.freeze({
  IGNORE: 0,
  INJECT: 1,
  FATAL: 2,
  RESET: 3,
} as const);

/** virDomainMemoryFailureFlags */
export const MemoryFailureFlags = Object.freeze({
  ACTION_REQUIRED: 1,
  RECURSIVE: 2,
} as const);

/** virNetworkEventID */
export const NetworkEventID = Object.freeze({
  LIFECYCLE: 0,
  METADATA_CHANGE: 1,
} as const);

/** virNetworkEventLifecycleType */
export const NetworkLifecycleEvent = Object.freeze({
  DEFINED: 0,
  UNDEFINED: 1,
  STARTED: 2,
  STOPPED: 3,
} as const);

/** virStoragePoolEventID */
export const StoragePoolEventID = Object.freeze({
  LIFECYCLE: 0,
  REFRESH: 1,
} as const);

/** virStoragePoolEventLifecycleType */
export const StoragePoolLifecycleEvent = Object.freeze({
  DEFINED: 0,
  UNDEFINED: 1,
  STARTED: 2,
  STOPPED: 3,
  CREATED: 4,
  DELETED: 5,
} as const);

/** virNodeDeviceEventID */
export const NodeDeviceEventID = Object.freeze({
  LIFECYCLE: 0,
  UPDATE: 1,
} as const);

/** virNodeDeviceEventLifecycleType */
export const NodeDeviceLifecycleEvent = Object.freeze({
  CREATED: 0,
  DELETED: 1,
  DEFINED: 2,
  UNDEFINED: 3,
} as const);

/** virSecretEventID */
export const SecretEventID = Object.freeze({
  LIFECYCLE: 0,
  VALUE_CHANGED: 1,
} as const);

/** virSecretEventLifecycleType */
export const SecretLifecycleEvent = Object.freeze({
  DEFINED: 0,
  UNDEFINED: 1,
} as const);

/** virConnectCloseReason */
export const ConnectCloseReason = Object.freeze({
  ERROR: 0,
  EOF: 1,
  KEEPALIVE: 2,
  CLIENT: 3,
} as const);
