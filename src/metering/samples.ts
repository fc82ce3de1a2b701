/**
 * Turns one guest's statistics into samples in Ceilometer's format (19.0.0: telemetry.polling). Pure: the clock comes
 * in as an argument. What is unknown or stale gives no sample: a wrong number is worse than none.
 */
import { createHash, randomUUID } from 'node:crypto';
import { VM_STATE, type GuestStatistics } from '../compute_driver.ts';
import type { Instance } from '../instance.ts';
import { mibFromKib, withoutZone } from '../units.ts';
import { freshnessMs, type BalloonReading, type SampleClock } from './balloon.ts';
import { signSample, type SampleValue } from './signature.ts';

export type Sample = { readonly [key: string]: SampleValue } & {
  readonly counter_name: string;
  readonly resource_id: string;
  readonly message_signature: string;
};

export const METERS = [
  'memory.usage',
  'memory.resident',
  'memory.swap.in',
  'memory.swap.out',
  'cpu',
  'memory',
  'memory.available',
  'vcpus',
  'power.state',
] as const;
export type Meter = (typeof METERS)[number];

export type SampleOptions = {
  readonly host: string;
  /** Label of memory, which is MiB either way. */
  readonly memoryUnit: string;
  readonly telemetrySecret: string;
  /** In the order in which they are sent. */
  readonly meters: readonly Meter[];
};

type MeterRule = {
  readonly type: 'gauge' | 'cumulative';
  /** Undefined: the label of memory. */
  readonly unit?: string;
  /** What the guest itself says, and must have said lately. */
  readonly fromGuest?: true;
  readonly volume: (guest: GuestStatistics) => number | bigint | undefined;
  readonly metadata?: (guest: GuestStatistics) => { [key: string]: SampleValue };
};

const inMib = (kib: number | undefined) => (kib === undefined ? undefined : mibFromKib(kib));

const RULES: Readonly<Record<Meter, MeterRule>> = {
  'memory.usage': { type: 'gauge', fromGuest: true, volume: ({ balloon }) => inMib(usedKib(balloon)) },
  'memory.resident': { type: 'gauge', volume: ({ residentKib }) => inMib(residentKib) },
  'memory.swap.in': { type: 'cumulative', fromGuest: true, volume: (guest) => inMib(swapOf(guest)?.inKib) },
  'memory.swap.out': { type: 'cumulative', fromGuest: true, volume: (guest) => inMib(swapOf(guest)?.outKib) },
  cpu: {
    type: 'cumulative',
    unit: 'ns',
    volume: ({ cpuNs }) => cpuNs,
    metadata: ({ vcpus }) => (vcpus === undefined ? {} : { cpu_number: vcpus }),
  },
  memory: { type: 'gauge', volume: ({ actualKib }) => inMib(actualKib) },
  'memory.available': { type: 'gauge', fromGuest: true, volume: ({ balloon }) => inMib(balloon?.availableKib) },
  vcpus: { type: 'gauge', unit: 'vcpu', volume: ({ vcpus }) => vcpus },
  'power.state': { type: 'gauge', unit: '', volume: ({ stateNumber }) => stateNumber },
};

/**
 * Samples of one guest, of each meter that is known. What the guest itself says counts only where it is fresh.
 * @param balloon how far its statistics can be trusted; undefined: not at all.
 */
export function guestSamples(
  guest: GuestStatistics,
  balloon: BalloonReading | undefined,
  clock: SampleClock,
  options: SampleOptions,
): Sample[] {
  const metadata = resourceMetadata(guest, options.host);
  const pages = numa(guest);
  // One object for most meters: the signature has its part of it once.
  const common = { ...metadata, ...pages };
  return options.meters.flatMap((name) => {
    const rule = RULES[name];
    if (rule.fromGuest === true && balloon?.state !== 'fresh') return [];
    const volume = rule.volume(guest);
    if (volume === undefined) return [];
    const own = rule.metadata?.(guest);
    const measured = { name, rule, volume, metadata: own === undefined ? common : { ...metadata, ...own, ...pages } };
    return [signed(guest, measured, clock, options)];
  });
}

/** What the guest uses, in KiB: available minus usable, or minus unused from older drivers. */
export function usedKib(balloon: GuestStatistics['balloon']): number | undefined {
  const rest = balloon?.usableKib ?? balloon?.unusedKib;
  if (balloon?.availableKib === undefined || rest === undefined || rest > balloon.availableKib) return undefined;
  return balloon.availableKib - rest;
}

/** As {@link usedKib}, if the guest said so lately by the wall clock. */
export function freshUsageKib(
  balloon: GuestStatistics['balloon'],
  nowMs: number,
  balloonPeriodMs: number,
): number | undefined {
  if (balloon === undefined) return undefined;
  const ageMs = nowMs - balloon.lastUpdateS * 1000;
  // A report from the future is a clock that was set; within a second it is rounding.
  if (ageMs > freshnessMs(balloonPeriodMs) || ageMs < -1000) return undefined;
  return usedKib(balloon);
}

/** Both or neither, as Ceilometer has it. */
function swapOf({ balloon }: GuestStatistics): { inKib: number; outKib: number } | undefined {
  if (balloon?.swapInKib === undefined || balloon.swapOutKib === undefined) return undefined;
  return { inKib: balloon.swapInKib, outKib: balloon.swapOutKib };
}

type Measured = {
  readonly name: Meter;
  readonly rule: MeterRule;
  readonly volume: number | bigint;
  readonly metadata: { [key: string]: SampleValue };
};

function signed(
  { instance }: GuestStatistics,
  { name, rule, volume, metadata }: Measured,
  clock: SampleClock,
  options: SampleOptions,
): Sample {
  const sample = {
    source: 'openstack',
    counter_name: name,
    counter_type: rule.type,
    counter_unit: rule.unit ?? options.memoryUnit,
    counter_volume: volume,
    user_id: instance.userId,
    project_id: instance.projectId,
    resource_id: instance.uuid,
    timestamp: withoutZone(new Date(clock.nowMs).toISOString()),
    resource_metadata: metadata,
    message_id: randomUUID(),
    monotonic_time: clock.monotonicS,
  };
  return { ...sample, message_signature: signSample(sample, options.telemetrySecret) };
}

/** Pages of the hugetlb pools that the guest holds: `{ numa: { node0: { '2048kB': 64 } } }`; nothing where unknown. */
function numa({ held }: GuestStatistics): { numa?: { [node: string]: { [size: string]: number } } } {
  if (held === undefined || held.length === 0) return {};
  const nodes: { [node: string]: { [size: string]: number } } = {};
  for (const { node, pageSizeKib, pages } of held) {
    nodes[`node${node}`] = { ...nodes[`node${node}`], [`${pageSizeKib}kB`]: pages };
  }
  return { numa: nodes };
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
