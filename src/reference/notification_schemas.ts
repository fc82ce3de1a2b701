/** What notifications and samples look like to those who read them; tests hold real ones against it, key by key. */
import { z } from 'zod';
import { METERS } from '../metering/samples.ts';

const EMPTY = 'Always empty: there is no such thing here, and consumers take it by name.';
const NULL = 'Always null from this agent.';

const text = (about: string) => z.string().describe(about);
const count = (about: string) => z.int().min(0).describe(about);
const unknownText = z.string().nullable().describe(NULL);

/** Six digits, no zone, as Python prints it. */
const NAIVE_TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}`;
const timeOrEmpty = (about: string) =>
  z
    .string()
    .regex(new RegExp(`^(${NAIVE_TIME})?$`))
    .describe(about);

const time = (about: string) =>
  z
    .string()
    .regex(new RegExp(`^${NAIVE_TIME}$`))
    .describe(about);
const timeToTheSecond = (about: string) =>
  z
    .string()
    .regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
    .describe(about);

const VM_STATES = ['building', 'active', 'paused', 'suspended', 'stopped', 'error', 'deleted'] as const;

/** The keys that Nova puts into every `compute.instance.*` notification. */
const commonKeys = {
  tenant_id: text('project of the instance'),
  user_id: text('user who asked for it'),
  instance_id: text('uuid of the instance'),
  display_name: text('name of the instance'),
  reservation_id: text(EMPTY),
  hostname: text('name of the instance'),
  instance_type: text('name of the flavor'),
  instance_type_id: z.int().describe('Always 0: the id of the flavor in Nova’s database.'),
  instance_flavor_id: text('id of the flavor, or its name where it has none'),
  architecture: unknownText,
  memory_mb: count('MiB'),
  disk_gb: count('GiB'),
  vcpus: count('vCPUs'),
  root_gb: count('GiB'),
  ephemeral_gb: count('Always 0.'),
  host: text('host of the instance'),
  node: text('the same as `host`'),
  availability_zone: text(EMPTY),
  cell_name: text(EMPTY),
  created_at: z
    .string()
    .regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00$/)
    .describe('UTC'),
  terminated_at: timeOrEmpty('UTC; empty until then'),
  deleted_at: timeOrEmpty('UTC; empty until then'),
  launched_at: timeOrEmpty('UTC; empty until then'),
  image_ref_url: text('id of the image, empty without one'),
  os_type: unknownText,
  kernel_id: unknownText,
  ramdisk_id: unknownText,
  state: z.enum(VM_STATES).describe('vm_state at that moment'),
  state_description: z.enum(['spawning', 'deleting', '']).describe('task_state at that moment'),
  progress: z.union([z.string(), z.int()]).describe(EMPTY),
  access_ip_v4: unknownText,
  access_ip_v6: unknownText,
  image_meta: z.record(z.string(), z.string()).describe('`base_image_ref`, where there is an image'),
  metadata: z.record(z.string(), z.string()).describe('metadata of the instance'),
} as const;

const lifecycle = z.strictObject(commonKeys);

/** Payload of each lifecycle notification, by what follows `compute.instance.` in its event type. */
export const LIFECYCLE_PAYLOADS = {
  'create.start': lifecycle.extend({ image_name: text('id of the image, empty without one') }),
  'create.end': lifecycle.extend({
    message: text('Success'),
    fixed_ips: z.array(z.unknown()).describe('Always empty: no network is managed here.'),
  }),
  'create.error': lifecycle.extend({
    message: text('what went wrong'),
    code: z.int().describe('Always 500.'),
    exception: text('class and message of the error'),
  }),
  'delete.start': lifecycle,
  'delete.end': lifecycle,
  update: lifecycle.extend({
    old_state: z.enum(VM_STATES).describe('vm_state before'),
    old_task_state: z.string().nullable().describe(NULL),
    new_task_state: z.string().nullable().describe(NULL),
    audit_period_beginning: time('beginning of the audit period under way, UTC'),
    audit_period_ending: time('when it happened, UTC'),
  }),
  exists: lifecycle.extend({
    audit_period_beginning: timeToTheSecond('beginning of the audit period, UTC'),
    audit_period_ending: timeToTheSecond('its end, UTC'),
  }),
} as const;

/** When each of them is sent. */
export const LIFECYCLE_ABOUT: Readonly<Record<keyof typeof LIFECYCLE_PAYLOADS, string>> = {
  'create.start': 'An instance was asked for, and its build begins.',
  'create.end': 'The instance runs on verified pages.',
  'create.error': 'The build failed, or was refused; nothing of it is left.',
  'delete.start': 'The instance is about to be ended.',
  'delete.end': 'The instance is gone, and its pages are back.',
  update: 'The guest was paused, resumed or shut off otherwise than by a request (`notifications.state_changes`).',
  exists: 'The instance was there at the end of an audit period (`notifications.audit_period`).',
};

const resourceMetadata = z.strictObject({
  display_name: text('name of the instance'),
  name: text('name of the libvirt domain'),
  instance_id: text('uuid of the instance'),
  instance_type: text('name of the flavor'),
  host: text('SHA-224 of project id and host name, as Ceilometer has it'),
  instance_host: text('the host in clear'),
  flavor: z.strictObject({
    id: text('id of the flavor, or its name where it has none'),
    name: text('name of the flavor'),
    vcpus: count('vCPUs'),
    ram: count('MiB'),
    disk: count('GiB'),
    ephemeral: count('Always 0.'),
    swap: count('Always 0.'),
  }),
  status: z.enum(['building', 'active', 'paused', 'suspended', 'stopped', 'error']),
  state: z.enum(['running', 'paused', 'shutdown', 'suspended', 'crashed', 'pending']).describe('power state'),
  task_state: text(EMPTY),
  image: z.object({ id: z.string() }).nullable(),
  image_ref: z.string().nullable(),
  image_ref_url: unknownText,
  architecture: text('such as x86_64'),
  os_type: text('hvm'),
  vcpus: count('vCPUs'),
  memory_mb: count('MiB'),
  disk_gb: count('GiB'),
  ephemeral_gb: count('Always 0.'),
  root_gb: count('GiB'),
  user_metadata: z
    .record(z.string(), z.string())
    .optional()
    .describe('metadata whose key begins with `metering.`, without that; absent where there is none'),
  cpu_number: count('vCPUs; of the meter cpu alone').optional(),
  numa: z
    .record(z.string().regex(/^node\d+$/), z.record(z.string().regex(/^\d+kB$/), z.int().min(0)))
    .optional()
    .describe(
      'pages of the hugetlb pools that the guest holds, by host node and page size; absent where it holds none',
    ),
});

const sample = z.strictObject({
  source: z.literal('openstack'),
  counter_name: z
    .enum(METERS)
    .describe(
      'memory.usage: what the guest says it uses; memory.resident: what its QEMU holds, huge pages among it; cpu: its CPU time so far',
    ),
  counter_type: z.enum(['gauge', 'cumulative']),
  counter_unit: z
    .enum(['MB', 'MiB', 'ns', 'vcpu', ''])
    .describe('of memory a label (`metering.memory_unit`): the volume is MiB either way'),
  counter_volume: z.number().min(0),
  user_id: z.string(),
  project_id: z.string(),
  resource_id: text('uuid of the instance'),
  timestamp: z
    .string()
    .regex(new RegExp(`^${NAIVE_TIME}$`))
    .describe('UTC'),
  resource_metadata: resourceMetadata,
  message_id: z.string(),
  monotonic_time: z.number().describe('seconds of a clock that is never set'),
  message_signature: text('HMAC-SHA256 of the sample with `metering.telemetry_secret`; empty without a secret'),
});

/** Payload of `telemetry.polling`. */
export const POLLING_PAYLOAD = z.strictObject({ samples: z.array(sample).min(1) });
