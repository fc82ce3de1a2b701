/**
 * Turns one guest's statistics into samples in Ceilometer's format (19.0.0: telemetry.polling). Pure: the clock comes
 * in as an argument. What is unknown or stale gives no sample: a wrong number is worse than none.
 */
import { createHash, randomUUID } from 'node:crypto';
import { VM_STATE, type GuestStatistics } from '../compute_driver.ts';
import type { Instance } from '../instance.ts';
import { mibFromKib, withoutZone } from '../units.ts';
import { signSample, type SampleValue } from './signature.ts';

export type Sample = { readonly [key: string]: SampleValue } & {
  readonly counter_name: string;
  readonly resource_id: string;
  readonly message_signature: string;
};

export type SampleOptions = {
  readonly host: string;
  readonly memoryUnit: string;
  readonly telemetrySecret: string;
  readonly balloonPeriodMs: number;
};

export type SampleClock = { readonly nowMs: number; readonly monotonicS: number };

/** memory.usage and memory.resident of one guest, as far as they are known. */
export function memorySamples(guest: GuestStatistics, clock: SampleClock, options: SampleOptions): Sample[] {
  const usageKib = freshUsageKib(guest.balloon, clock.nowMs, options.balloonPeriodMs);
  const meters = [
    { name: 'memory.usage', kib: usageKib },
    { name: 'memory.resident', kib: guest.residentKib },
  ];
  return meters.flatMap(({ name, kib }) =>
    kib === undefined ? [] : [gauge(guest, name, mibFromKib(kib), clock, options)],
  );
}

/** Statistics older than this are not current: two periods, but at least 30 s for guests that answer slowly. */
export function freshnessMs(balloonPeriodMs: number): number {
  return Math.max(2 * balloonPeriodMs, 30_000);
}

/** What the guest uses, in KiB, if it said so lately: available minus usable, or minus unused from older drivers. */
export function freshUsageKib(
  balloon: GuestStatistics['balloon'],
  nowMs: number,
  balloonPeriodMs: number,
): number | undefined {
  if (balloon === undefined) return undefined;
  const ageMs = nowMs - balloon.lastUpdateS * 1000;
  // A report from the future is a clock that was set; within a second it is rounding.
  if (ageMs > freshnessMs(balloonPeriodMs) || ageMs < -1000) return undefined;
  const rest = balloon.usableKib ?? balloon.unusedKib;
  if (balloon.availableKib === undefined || rest === undefined || rest > balloon.availableKib) return undefined;
  return balloon.availableKib - rest;
}

function gauge(
  guest: GuestStatistics,
  name: string,
  volumeMib: number,
  clock: SampleClock,
  options: SampleOptions,
): Sample {
  const { instance } = guest;
  const sample = {
    source: 'openstack',
    counter_name: name,
    counter_type: 'gauge',
    counter_unit: options.memoryUnit,
    counter_volume: volumeMib,
    user_id: instance.userId,
    project_id: instance.projectId,
    resource_id: instance.uuid,
    timestamp: withoutZone(new Date(clock.nowMs).toISOString()),
    resource_metadata: resourceMetadata(guest, options.host),
    message_id: randomUUID(),
    monotonic_time: clock.monotonicS,
  };
  return { ...sample, message_signature: signSample(sample, options.telemetrySecret) };
}

/** Everything from which Gnocchi creates the resource, in the order in which Ceilometer's own agent sends it. */
function resourceMetadata(guest: GuestStatistics, host: string): { [key: string]: SampleValue } {
  const { instance } = guest;
  const { flavor } = instance;
  return {
    display_name: instance.name,
    name: guest.domainName,
    instance_id: instance.uuid,
    instance_type: flavor.name,
    // Ceilometer hides the host's name from the project behind this hash and gives it in clear below, too.
    host: createHash('sha224')
      .update(instance.projectId + host)
      .digest('hex'),
    instance_host: host,
    flavor: {
      id: flavor.id ?? flavor.name,
      name: flavor.name,
      vcpus: flavor.vcpus,
      ram: flavor.memoryMib,
      disk: flavor.diskGib,
      ephemeral: 0,
      swap: 0,
    },
    status: VM_STATE[guest.powerState],
    state: guest.powerState,
    task_state: '',
    image: instance.imageId === null ? null : { id: instance.imageId },
    image_ref: instance.imageId,
    image_ref_url: null,
    architecture: guest.architecture,
    os_type: 'hvm',
    vcpus: flavor.vcpus,
    memory_mb: flavor.memoryMib,
    disk_gb: flavor.diskGib,
    ephemeral_gb: 0,
    root_gb: flavor.diskGib,
    ...userMetadata(instance),
  };
}

const USER_PREFIX = 'metering.';
const USER_VALUE_LENGTH = 256;

/** Metadata that the owner marked for metering, as Ceilometer passes it on. */
function userMetadata(instance: Instance): { user_metadata?: { [key: string]: string } } {
  const marked = Object.entries(instance.metadata).filter(([key]) => key.startsWith(USER_PREFIX));
  if (marked.length === 0) return {};
  return {
    user_metadata: Object.fromEntries(
      marked.map(([key, value]) => [key.slice(USER_PREFIX.length), value.slice(0, USER_VALUE_LENGTH)]),
    ),
  };
}
