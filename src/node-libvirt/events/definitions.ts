/**
 * Every event that libvirt tells, as data: which message carries it, how it is registered for, what it holds. Adding an
 * event is one entry. Numbers and layouts are those of remote_*_event_*_msg; what libvirt numbers has its name here, and
 * a number that a newer daemon adds is UNKNOWN_<n>.
 */
import {
  AgentLifecycleReason,
  AgentLifecycleState,
  DomainBlockJobStatus,
  DomainBlockJobType,
  ConnectCloseReason,
  DiskChangeReason,
  DomainMetadataType,
  IOErrorAction,
  MemoryFailureAction,
  MemoryFailureRecipient,
  NetworkLifecycleEvent,
  NodeDeviceLifecycleEvent,
  SecretLifecycleEvent,
  StoragePoolLifecycleEvent,
  TrayChangeReason,
  WatchdogAction,
} from '../constants/index.ts';
import { choice } from '../wire/choice.ts';
import { domain, network, nodeDevice, secret, storagePool } from '../wire/objects.ts';
import { typedParams } from '../wire/typed_params.ts';
import { byteCount, fixed, hyperNumber, int, optional, shyperNumber, string, struct, uint } from '../wire/xdr.ts';
import {
  closeEvent,
  domainEvent,
  networkEvent,
  nodeDeviceEvent,
  qemuEvent,
  secretEvent,
  storagePoolEvent,
  type EventDefinition,
} from './kinds.ts';
import { lifecycle } from './lifecycle.ts';

const TUNABLE_MAX = 2048;
const JOB_STATS_MAX = 64;

const blockJob = struct({
  domain,
  disk: string,
  type: choice(DomainBlockJobType),
  status: choice(DomainBlockJobStatus),
});
/** libvirt sends a reason that has no meaning, always 0. */
const powerManagement = struct({ reason: fixed(int, 0), domain });
const device = struct({ domain, device: string });

/** What subscribe() takes. */
export const Events = {
  /** Defined, started, stopped... */
  domainLifecycle: domainEvent(0, 318, lifecycle),
  domainReboot: domainEvent(1, 319, struct({ domain })),
  /** The guest set its clock. */
  domainRtcChange: domainEvent(2, 320, struct({ domain, offsetSeconds: shyperNumber })),
  domainWatchdog: domainEvent(3, 321, struct({ domain, action: choice(WatchdogAction) })),
  domainIOError: domainEvent(4, 322, struct({ domain, path: string, device: string, action: choice(IOErrorAction) })),
  /** As domainIOError, with what it was, e.g. «enospc». */
  domainIOErrorReason: domainEvent(
    6,
    324,
    struct({ domain, path: string, device: string, action: choice(IOErrorAction), reason: string }),
  ),
  /** libvirt lost QEMU's monitor. */
  domainControlError: domainEvent(7, 325, struct({ domain })),
  /** `disk` is the path of its source. */
  domainBlockJob: domainEvent(8, 326, blockJob),
  /** As domainBlockJob; `disk` is the target, e.g. «vda». */
  domainBlockJob2: domainEvent(16, 339, blockJob),
  domainDiskChange: domainEvent(
    9,
    327,
    struct({
      domain,
      oldPath: optional(string),
      newPath: optional(string),
      device: string,
      reason: choice(DiskChangeReason),
    }),
  ),
  domainTrayChange: domainEvent(10, 328, struct({ domain, device: string, reason: choice(TrayChangeReason) })),
  domainPMWakeup: domainEvent(11, 329, powerManagement),
  domainPMSuspend: domainEvent(12, 330, powerManagement),
  domainPMSuspendDisk: domainEvent(14, 332, powerManagement),
  domainBalloonChange: domainEvent(13, 331, struct({ domain, actualKib: hyperNumber })),
  domainDeviceRemoved: domainEvent(15, 333, device),
  domainDeviceAdded: domainEvent(19, 354, device),
  domainDeviceRemovalFailed: domainEvent(22, 367, device),
  /** Scheduling, pinning or I/O tuning changed: the new values. */
  domainTunable: domainEvent(17, 346, struct({ domain, params: typedParams(TUNABLE_MAX) })),
  domainAgentLifecycle: domainEvent(
    18,
    348,
    struct({ domain, state: choice(AgentLifecycleState), reason: choice(AgentLifecycleReason) }),
  ),
  /** A migration began another pass over the memory. */
  domainMigrationIteration: domainEvent(20, 359, struct({ domain, iteration: int })),
  domainJobCompleted: domainEvent(21, 363, struct({ domain, params: typedParams(JOB_STATS_MAX) })),
  domainMetadataChange: domainEvent(
    23,
    379,
    struct({ domain, type: choice(DomainMetadataType), uri: optional(string) }),
  ),
  domainBlockThreshold: domainEvent(
    24,
    385,
    struct({
      domain,
      device: string,
      path: optional(string),
      thresholdBytes: byteCount,
      excessBytes: byteCount,
    }),
  ),
  /** The host's memory failed under the guest; flags as in MemoryFailureFlags. libvirt 6.9.0 or later. */
  domainMemoryFailure: domainEvent(
    25,
    423,
    struct({
      domain,
      recipient: choice(MemoryFailureRecipient),
      action: choice(MemoryFailureAction),
      flags: uint,
    }),
  ),
  /** libvirt 7.9.0 or later. */
  domainMemoryDeviceSizeChange: domainEvent(26, 438, struct({ domain, device: string, sizeKib: hyperNumber })),
  /** libvirt 11.2.0 or later. */
  domainNicMacChange: domainEvent(27, 453, struct({ domain, device: string, oldMac: string, newMac: string })),

  networkLifecycle: networkEvent(0, 315, struct({ network, event: choice(NetworkLifecycleEvent), detail: int })),
  storagePoolLifecycle: storagePoolEvent(
    0,
    370,
    struct({ pool: storagePool, event: choice(StoragePoolLifecycleEvent), detail: int }),
  ),
  storagePoolRefresh: storagePoolEvent(1, 373, struct({ pool: storagePool })),
  nodeDeviceLifecycle: nodeDeviceEvent(
    0,
    376,
    struct({ device: nodeDevice, event: choice(NodeDeviceLifecycleEvent), detail: int }),
  ),
  nodeDeviceUpdate: nodeDeviceEvent(1, 377, struct({ device: nodeDevice })),
  secretLifecycle: secretEvent(0, 382, struct({ secret, event: choice(SecretLifecycleEvent), detail: int })),
  secretValueChanged: secretEvent(1, 383, struct({ secret })),

  /** The daemon lost what stands behind it: virtproxyd its driver's daemon. */
  connectClose: closeEvent(362, struct({ reason: choice(ConnectCloseReason) })),
  /** What QEMU's monitor tells, past libvirt; `details` is JSON. Filtered by the daemon, see SubscribeOptions. */
  qemuMonitorEvent: qemuEvent(
    6,
    struct({ domain, event: string, seconds: shyperNumber, micros: uint, details: optional(string) }),
  ),
} as const;

export type EventName = keyof typeof Events;
/** What a listener gets, e.g. EventOf<'domainLifecycle'>. */
export type EventOf<N extends EventName> = (typeof Events)[N] extends EventDefinition<infer E> ? E : never;
