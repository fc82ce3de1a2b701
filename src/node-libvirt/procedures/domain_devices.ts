/** Domains: devices, jobs, the guest, migration (virDomain*). */
import { domain } from '../wire/objects.ts';
import { typedParams } from '../wire/typed_params.ts';
import {
  byteCount,
  defaulting,
  fixed,
  flags,
  hyperNumber,
  int,
  list,
  naming,
  opaque,
  optional,
  shyperNumber,
  string,
  uint,
} from '../wire/xdr.ts';
import { remote } from './procedure.ts';

const JOB_STATS_MAX = 128;
const KEYCODES_MAX = 16;
const MOUNTPOINTS_MAX = 256;
const GUEST_INFO_MAX = 16_384;
const SSH_KEYS_MAX = 2048;
const MIGRATE_PARAMS_MAX = 64;
const MIGRATE_COOKIE_MAX = 4_194_304;

const text = optional(string);
const modify = naming('DomainDeviceModifyFlags', flags);
const mountpoints = defaulting(list(string, MOUNTPOINTS_MAX), []);
const mute = { AGENT_UNRESPONSIVE: 'no agent answers', ARGUMENT_UNSUPPORTED: 'the domain has no channel for it' };
const noAgent = { ...mute, OPERATION_INVALID: 'it does not run' };
/** Ours is always the single call of peer-to-peer migration: nothing to hand from one phase to the next. */
const noCookie = fixed(opaque(MIGRATE_COOKIE_MAX), Buffer.alloc(0));

export const domainDeviceProcedures = remote({
  DOMAIN_ATTACH_DEVICE_FLAGS: {
    number: 160,
    args: { domain, xml: string, flags: modify },
    method: {
      c: 'virDomainAttachDeviceFlags',
      doc: 'Plugs in a device: to the running guest (LIVE), the definition (CONFIG) or both.',
      throws: {
        CONFIG_UNSUPPORTED: 'a device that cannot be plugged',
        XML_ERROR: 'a place that is taken',
        OPERATION_INVALID: 'LIVE, and it does not run',
      },
    },
  },
  DOMAIN_DETACH_DEVICE_FLAGS: {
    number: 161,
    args: { domain, xml: string, flags: modify },
    method: {
      c: 'virDomainDetachDeviceFlags',
      doc: 'Asks the guest to let go of a device: it is gone when the deviceRemoved event comes, or at once from CONFIG.',
      throws: { DEVICE_MISSING: 'there is no such device' },
    },
  },
  DOMAIN_UPDATE_DEVICE_FLAGS: {
    number: 174,
    args: { domain, xml: string, flags: modify },
    method: {
      c: 'virDomainUpdateDeviceFlags',
      doc: 'Changes what can be changed of a device: a medium, a link, a password.',
      throws: { OPERATION_UNSUPPORTED: 'it cannot be changed', INVALID_ARG: 'there is no such device' },
    },
  },
  DOMAIN_DETACH_DEVICE_ALIAS: {
    number: 392,
    args: { domain, alias: string, flags: modify },
    method: {
      c: 'virDomainDetachDeviceAlias',
      doc: 'As detachDeviceFlags, by the alias. It is gone when the deviceRemoved event comes.',
      throws: { INTERNAL_ERROR: 'there is no such device' },
    },
  },
  DOMAIN_GET_JOB_INFO: {
    number: 163,
    args: { domain },
    result: {
      type: naming('DomainJobType', int),
      timeElapsedMs: hyperNumber,
      timeRemainingMs: hyperNumber,
      dataTotalBytes: byteCount,
      dataProcessedBytes: byteCount,
      dataRemainingBytes: byteCount,
      memTotalBytes: byteCount,
      memProcessedBytes: byteCount,
      memRemainingBytes: byteCount,
      fileTotalBytes: byteCount,
      fileProcessedBytes: byteCount,
      fileRemainingBytes: byteCount,
    },
    method: {
      c: 'virDomainGetJobInfo',
      doc: 'How far the save, dump or migration under way is; type 0 where there is none.',
      returns: 'DomainJobInfo',
    },
  },
  DOMAIN_GET_JOB_STATS: {
    number: 298,
    args: { domain, flags: naming('DomainGetJobStatsFlags', flags) },
    result: { type: naming('DomainJobType', int), params: typedParams(JOB_STATS_MAX) },
    method: {
      c: 'virDomainGetJobStats',
      doc: "As getJobInfo, with all that the hypervisor tells, by libvirt's names. COMPLETED asks for the last job, once.",
      returns: 'DomainJobStats',
      shape: 'jobStats',
    },
  },
  DOMAIN_ABORT_JOB: {
    number: 164,
    args: { domain },
    method: {
      c: 'virDomainAbortJob',
      doc: 'Aborts the save, dump or migration under way; whoever began it gets OPERATION_ABORTED.',
      throws: { OPERATION_INVALID: 'there is none' },
    },
  },
  DOMAIN_ABORT_JOB_FLAGS: {
    number: 442,
    since: '8.5.0',
    args: { domain, flags: naming('DomainAbortJobFlags', flags) },
    method: {
      c: 'virDomainAbortJobFlags',
      doc: 'As abortJob; with POSTCOPY also a post-copy migration, which then waits to be resumed.',
      throws: { OPERATION_INVALID: 'there is none' },
    },
  },
  DOMAIN_OPEN_CONSOLE: {
    number: 201,
    args: { domain, device: text, flags: naming('DomainConsoleFlags', flags) },
    stream: 'duplex',
    method: {
      c: 'virDomainOpenConsole',
      doc: 'The console: what the guest writes and what is typed. `device` is an alias as in the XML; null is the first.',
      throws: { OPERATION_FAILED: 'somebody has the console and FORCE was not given' },
    },
  },
  DOMAIN_SCREENSHOT: {
    number: 211,
    args: { domain, screen: defaulting(uint, 0), flags },
    result: { mime: text },
    stream: 'read',
    method: { c: 'virDomainScreenshot', doc: 'A picture of the screen, with its type, e.g. «image/png».' },
  },
  DOMAIN_SEND_KEY: {
    number: 226,
    args: {
      domain,
      codeset: naming('KeycodeSet', uint),
      holdtimeMs: uint,
      keycodes: list(uint, KEYCODES_MAX),
      flags,
    },
    method: {
      c: 'virDomainSendKey',
      doc: 'Presses up to 16 keys together and lets them go after the hold time.',
      throws: { OPERATION_INVALID: 'it does not run' },
    },
  },
  DOMAIN_INJECT_NMI: {
    number: 210,
    args: { domain, flags },
    method: {
      c: 'virDomainInjectNMI',
      doc: 'A non-maskable interrupt for the guest, which most take as an order to dump.',
      throws: { OPERATION_INVALID: 'it does not run' },
    },
  },
  DOMAIN_FSFREEZE: {
    number: 335,
    args: { domain, mountpoints, flags },
    result: { filesystems: int },
    method: {
      c: 'virDomainFSFreeze',
      doc: "Has the guest's agent freeze file systems (none given: all) and answers how many. Thaw them soon.",
      throws: noAgent,
    },
  },
  DOMAIN_FSTHAW: {
    number: 336,
    args: { domain, mountpoints, flags },
    result: { filesystems: int },
    method: {
      c: 'virDomainFSThaw',
      doc: "Has the guest's agent thaw file systems (none given: all) and answers how many.",
      throws: noAgent,
    },
  },
  DOMAIN_SET_TIME: {
    number: 338,
    args: {
      domain,
      seconds: shyperNumber,
      nanoseconds: defaulting(uint, 0),
      flags: naming('DomainSetTimeFlags', flags),
    },
    method: {
      c: 'virDomainSetTime',
      doc: "Has the guest's agent set the clock (seconds since 1970); with SYNC to the guest's hardware clock.",
      throws: mute,
    },
  },
  DOMAIN_SET_USER_PASSWORD: {
    number: 357,
    args: { domain, user: text, password: text, flags: naming('DomainSetUserPasswordFlags', flags) },
    method: {
      c: 'virDomainSetUserPassword',
      doc: "Has the guest's agent set a user's password.",
      throws: noAgent,
    },
  },
  DOMAIN_AUTHORIZED_SSH_KEYS_GET: {
    number: 424,
    since: '6.10.0',
    args: { domain, user: string, flags },
    result: { keys: list(string, SSH_KEYS_MAX) },
    method: {
      c: 'virDomainAuthorizedSSHKeysGet',
      doc: "The authorized SSH keys of a user, from the guest's agent.",
      throws: noAgent,
    },
  },
  DOMAIN_AUTHORIZED_SSH_KEYS_SET: {
    number: 425,
    since: '6.10.0',
    args: {
      domain,
      user: string,
      keys: list(string, SSH_KEYS_MAX),
      flags: naming('DomainAuthorizedSSHKeysSetFlags', flags),
    },
    method: {
      c: 'virDomainAuthorizedSSHKeysSet',
      doc: "Has the guest's agent replace, or with APPEND and REMOVE change, the authorized SSH keys of a user.",
      throws: noAgent,
    },
  },
  DOMAIN_GET_GUEST_INFO: {
    number: 418,
    args: { domain, types: naming('DomainGuestInfoTypes', flags), flags },
    result: { params: typedParams(GUEST_INFO_MAX) },
    method: {
      c: 'virDomainGetGuestInfo',
      doc: "What the guest's agent tells, by libvirt's names, e.g. `os.id`; types 0 is all it can.",
      throws: noAgent,
      returns: 'TypedParamRecord',
      shape: 'record',
    },
  },
  DOMAIN_AGENT_SET_RESPONSE_TIMEOUT: {
    number: 420,
    args: { domain, timeoutSeconds: naming('DomainAgentResponseTimeout', int), flags },
    result: { result: fixed(int, 0) },
    method: {
      c: 'virDomainAgentSetResponseTimeout',
      doc: "How long libvirt waits for the guest's agent, in seconds.",
      throws: { INVALID_ARG: 'less than BLOCK (-2)' },
    },
  },
  DOMAIN_START_DIRTY_RATE_CALC: {
    number: 427,
    since: '7.2.0',
    args: { domain, seconds: int, flags: naming('DomainDirtyRateCalcFlags', flags) },
    method: {
      c: 'virDomainStartDirtyRateCalc',
      doc: 'Begins to measure for 1 to 60 seconds how fast the guest dirties memory; getAllDomainStats tells (DIRTYRATE).',
      throws: { CONFIG_UNSUPPORTED: 'another number of seconds', OPERATION_INVALID: 'it does not run' },
    },
  },
  DOMAIN_MIGRATE_PERFORM3_PARAMS: {
    number: 305,
    args: {
      domain,
      dconnuri: text,
      params: typedParams(MIGRATE_PARAMS_MAX),
      cookieIn: noCookie,
      flags: naming('DomainMigrateFlags', flags),
    },
    result: { cookieOut: noCookie },
    method: {
      c: 'virDomainMigrateToURI3',
      doc:
        'Migrates to another daemon (dconnuri, as seen from this one) and resolves when the guest runs there. Flags must ' +
        'hold PEER2PEER: only there is it a single call. Parameters e.g. migrate_uri (string), bandwidth (ullong, MiB/s).',
      throws: {
        MIGRATE_UNSAFE: 'disks that may lose data, without UNSAFE',
        OPERATION_ABORTED: 'somebody aborted the job',
        OPERATION_INVALID: 'it does not run, or flags lack PEER2PEER',
        SYSTEM_ERROR: 'the other daemon cannot be reached',
      },
    },
  },
  DOMAIN_MIGRATE_SET_MAX_DOWNTIME: {
    number: 166,
    args: { domain, downtimeMs: hyperNumber, flags },
    method: {
      c: 'virDomainMigrateSetMaxDowntime',
      doc: 'How long the guest may stand still at the end of a migration.',
      throws: { OPERATION_INVALID: 'it does not run' },
    },
  },
  DOMAIN_MIGRATE_SET_MAX_SPEED: {
    number: 207,
    args: { domain, bandwidthMibPerSecond: hyperNumber, flags: naming('DomainMigrateMaxSpeedFlags', flags) },
    method: {
      c: 'virDomainMigrateSetMaxSpeed',
      doc: 'The bandwidth of migrations, also of one under way.',
      throws: { OVERFLOW: 'more than QEMU can count' },
    },
  },
  DOMAIN_MIGRATE_START_POST_COPY: {
    number: 364,
    args: { domain, flags },
    method: {
      c: 'virDomainMigrateStartPostCopy',
      doc: 'Lets the guest of a POSTCOPY migration run on the other side now; the rest of its memory follows.',
      throws: { OPERATION_INVALID: 'there is no such migration' },
    },
  },
});
