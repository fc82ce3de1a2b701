/**
 * The one schema of the configuration: every key with its default, its unit and its reason. `config/hugenode.yaml` is
 * written from it (`npm run docs:write`), so that the file an operator reads cannot drift from what the agent takes.
 */
import { hostname } from 'node:os';
import { z } from 'zod';
import { readDefaultPageSize } from '../admission/request.ts';
import { lastOf, parseCpuRanges } from '../numa/cpu_set.ts';
import { MEMORY_MODES } from '../numa/pages.ts';
import { isLoopback, parseListenAddress } from './listen_address.ts';

const url = (about: string, standard: string) => z.string().min(1).default(standard).describe(about);
const flag = (about: string, standard: boolean) => z.boolean().default(standard).describe(about);
const text = (about: string, standard: string) => z.string().default(standard).describe(about);
const durationMs = (about: string, standard: number, least = 1) =>
  z.int().min(least).max(86_400_000).default(standard).describe(about);

const count = (about: string) => z.int().min(0).max(2_147_483_647).default(0).describe(about);

const reservedHugePages = z.strictObject({
  node: z.int().min(0).describe('host NUMA node'),
  size_kib: z.int().min(4).describe('page size in KiB: 2048 for 2 MiB, 1048576 for 1 GiB'),
  count: z.int().min(0).describe('pages that no instance gets'),
});

const rpc = z.strictObject({
  transport_url: url(
    'where RabbitMQ listens, as oslo.messaging writes it: rabbit://user:password@host:5672/vhost; options in its query (?rabbit_quorum_queue=true) win over the settings below, as there',
    'rabbit://guest:guest@127.0.0.1:5672/',
  ),
  exchange: text('control exchange of our API', 'hugenode'),
  topic: text('topic of our API; this host listens on <topic>, <topic>.<host> and <topic>_fanout', 'hugenode'),
  heartbeat_ms: durationMs(
    'AMQP heartbeat in ms; a dead connection is noticed after two to three of these',
    20_000,
    1000,
  ),
  connect_timeout_ms: durationMs('how long a connection attempt may take, in ms', 10_000),
  prefetch: z
    .int()
    .min(1)
    .max(65_535)
    .default(64)
    .describe('requests taken from each queue and worked on at the same time (AMQP holds 65535 at most)'),
  durable_queues: flag('the same as queues: durable (amqp_durable_queues of oslo.messaging)', false),
  queues: z
    .enum(['classic', 'durable', 'quorum'])
    .default('classic')
    .describe(
      'exchanges and queues as all others on the bus declare them: classic, durable (amqp_durable_queues of oslo.messaging) or quorum (rabbit_quorum_queue)',
    ),
  auto_delete_queues: flag('the broker deletes them when their last consumer is gone (amqp_auto_delete)', false),
  quorum_delivery_limit: count(
    'deliveries of one message before a quorum queue drops it (rabbit_quorum_delivery_limit); 0: any number',
  ),
  quorum_max_memory_length: count('messages that a quorum queue keeps in memory; 0: all of them'),
  quorum_max_memory_bytes: count('bytes that a quorum queue keeps in memory; 0: all of them'),
  transient_queues: z
    .enum(['classic', 'quorum'])
    .default('classic')
    .describe('what fanout casts go through (rabbit_transient_quorum_queue of newer oslo.messaging)'),
  transient_queues_ttl_ms: durationMs(
    'a fanout queue that nobody uses goes after this time, in ms (rabbit_transient_queues_ttl)',
    1_800_000,
    1000,
  ),
  adopt_existing_queues: flag(
    'where an exchange or queue exists with other flags: use it as it is, instead of refusing to start',
    false,
  ),
  login_method: z
    .enum(['PLAIN', 'AMQPLAIN', 'EXTERNAL'])
    .default('PLAIN')
    .describe('how to log in (rabbit_login_method); EXTERNAL: by the client certificate'),
  start_timeout_ms: durationMs('how long a starting agent waits for the broker, in ms; 0: for ever', 0, 0),
  max_message_bytes: z
    .int()
    .min(1024)
    .max(128 * 1024 ** 2)
    .default(16 * 1024 ** 2)
    .describe('a larger request is refused unread, with an answer to its caller'),
  builds: z
    .int()
    .min(1)
    .max(1024)
    .default(16)
    .describe('create_instance requests at work at the same time; others wait, and hold up no other method'),
  journal_path: text(
    'file (SQLite) of the requests that were begun and how they ended, so that none is done twice, across restarts too; empty: known only as long as the agent runs',
    '/var/lib/hugenode/requests.sqlite',
  ),
  journal_keep_ms: durationMs('how long an ended request is known, in ms', 12 * 3_600_000, 60_000),
  hold_ms: durationMs(
    'longest time that a request waits or is at work before the broker is told, in ms; less than half of its consumer_timeout (30 min)',
    14 * 60_000,
    1000,
  ),
  hearing_interval_ms: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(10_000)
    .describe('how often the agent proves through the broker that it hears its queues, in ms; 0: never'),
  dead_letters: flag('keep requests that cannot be read in the queue <topic>.dead_letters', true),
  response_timeout_ms: durationMs('how long the command line waits for an answer, in ms', 120_000),
  stop_timeout_ms: durationMs('how long a stopping agent waits for requests under way, in ms', 60_000),
  tls_ca_file: text('CA certificates (PEM) for rabbits:// and amqps:// URLs; empty: those of the system', ''),
  tls_cert_file: text('client certificate (PEM); empty: none', ''),
  tls_key_file: text('key of the client certificate (PEM); empty: none', ''),
});

const libvirt = z.strictObject({
  uri: text('libvirt URI of the hypervisor on this host', 'qemu:///system'),
  socket: text('unix socket of libvirt; empty: virtqemud-sock where it exists, else libvirt-sock', ''),
  call_timeout_ms: durationMs('how long one libvirt call may take, in ms', 60_000),
  start_timeout_ms: durationMs(
    'how long starting a domain may take, in ms; large guests take a while to get their pages',
    600_000,
  ),
  virt_type: z
    .enum(['auto', 'kvm', 'qemu'])
    .default('auto')
    .describe('domain type; auto: kvm where libvirt offers it, else qemu (emulated)'),
  machine: text('QEMU machine type', 'q35'),
  pid_path: text('where libvirt keeps the pid files of its QEMU processes', '/run/libvirt/qemu'),
});

/** More than any kernel is built for. */
const MOST_CPU = 65_535;

const cpuSet = (about: string) =>
  z
    .string()
    .refine((list) => {
      const ranges = parseCpuRanges(list);
      return ranges !== undefined && lastOf(ranges) <= MOST_CPU;
    }, `a list of CPUs such as 0-3,8,^2, none above ${MOST_CPU}`)
    .default('')
    .describe(about);

const memoryMb = (about: string, standard: number) =>
  z
    .int()
    .min(0)
    .max(1024 ** 3)
    .default(standard)
    .describe(about);

const admission = z.strictObject({
  default_mem_page_size: z
    .string()
    .refine(
      (size) => readDefaultPageSize(size) !== undefined,
      'small, large, any or a size such as 2MB, 1GB or 2048 (KiB)',
    )
    .default('large')
    .describe('hw:mem_page_size of a flavor that names none: small, large, any or a size such as 2MB'),
  reserved_huge_pages: z
    .array(reservedHugePages)
    .default([])
    .describe('pages per node and size that no instance gets, such as [{ node: 0, size_kib: 2048, count: 64 }]'),
  cpu_shared_set: cpuSet('CPUs for guests without CPUs of their own, such as 0-3,8,^2; empty: see cpu_dedicated_set'),
  cpu_dedicated_set: cpuSet(
    'CPUs that may be given to one vCPU alone (hw:cpu_policy=dedicated); with both sets empty every CPU is for both',
  ),
  strategy: z
    .enum(['spread', 'pack'])
    .default('spread')
    .describe('spread: the node with most to give first; pack: the one with least'),
  page_size_preference: z
    .enum(['largest', 'best-fit'])
    .default('largest')
    .describe('large and any: the largest page size that does, as Nova has it, or the smallest huge one (best-fit)'),
  memory_mode: z
    .enum(MEMORY_MODES)
    .default('strict')
    .describe(
      'hugenode:memory_mode of a flavor that names none. strict: all pages of a guest cell from one node; preferred: where no node has them all, several nodes together',
    ),
  qemu_overhead_mb: memoryMb('ordinary memory that a QEMU needs beside the pages of its guest, in MiB', 128),
  host_memory_floor_mb: memoryMb('MemAvailable that no start may take the host below, in MiB', 512),
  project_instances: z
    .int()
    .min(0)
    .default(0)
    .describe('instances that one project may have on this host; 0: any number'),
  project_pages: z
    .array(z.strictObject({ size_kib: z.int().min(4), count: z.int().min(0) }))
    .default([])
    .describe('pages per size that one project may have on this host, such as [{ size_kib: 1048576, count: 8 }]'),
  shut_off_instances: z
    .enum(['keep', 'release'])
    .default('keep')
    .describe('whether a guest that is shut off keeps its pages for its next start, or gives them back'),
  settle_timeout_ms: durationMs('how long a request waits for starts under way before it is refused, in ms', 30_000),
});

const instances = z.strictObject({
  path: text('one folder per instance below it: console log and disk', '/var/lib/hugenode/instances'),
  domain_prefix: z
    .string()
    .regex(/^[A-Za-z0-9._-]{0,64}$/, 'letters, digits, dot, dash and underscore, 64 at most')
    .default('hugenode-')
    .describe("a domain's name is this prefix and the instance uuid"),
});

const images = z.strictObject({
  path: text(
    'an image id is a folder below it: kernel, initrd and cmdline, or one raw disk',
    '/var/lib/hugenode/images',
  ),
});

/** The meters there are (metering/samples.ts; a test compares). */
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

const metering = z.strictObject({
  enabled: flag('send memory samples', true),
  period_ms: durationMs('time between two samples of an instance, in ms', 10_000, 1000),
  balloon_period_ms: durationMs(
    'how often the guest reports its memory to the hypervisor, in ms (whole seconds)',
    10_000,
    1000,
  ).refine((ms) => ms % 1000 === 0, 'whole seconds only: libvirt takes the period in seconds'),
  deadline_ms: durationMs(
    'how long the hypervisor is waited for in one reading of all guests, in ms; a guest that is stuck is then passed over',
    5_000,
    100,
  ),
  meters: z
    .array(z.enum(METERS))
    .min(1)
    .refine((meters) => new Set(meters).size === meters.length, 'each meter once')
    .default(['memory.usage', 'memory.resident', 'memory.swap.in', 'memory.swap.out', 'cpu'])
    .describe(
      'what is sent of each instance; beside these there are memory, memory.available, vcpus and power.state of newer Ceilometer',
    ),
  exchange: text('exchange that samples go to', 'ceilometer'),
  topic: text('topic that samples go to: the queue is <topic>.sample', 'notifications'),
  publisher_id: text('publisher id of samples', 'ceilometer.polling'),
  memory_unit: z
    .enum(['MB', 'MiB'])
    .default('MB')
    .describe('unit label of memory samples; Ceilometer wrote MB until 2025'),
  telemetry_secret: text(
    "key of the samples' signature (Ceilometer's telemetry_secret); empty: not signed",
    'change this for valid signing',
  ),
});

const notifications = z.strictObject({
  enabled: flag('send lifecycle notifications (compute.instance.*)', true),
  driver: z
    .enum(['messagingv2', 'messaging'])
    .default('messagingv2')
    .describe('format of notifications and samples: messagingv2 has an envelope, messaging has none'),
  declare_queues: flag(
    'declare the queues of notifications and samples, so that what is sent before their first consumer starts is kept; without a consumer they grow',
    true,
  ),
  exchange: text('exchange that lifecycle notifications go to', 'nova'),
  topic: text(
    'topic that lifecycle notifications go to: the queues are <topic>.info and <topic>.error',
    'notifications',
  ),
  format: z
    .enum(['unversioned', 'versioned', 'both'])
    .default('unversioned')
    .describe(
      'lifecycle notifications as compute.instance.* (unversioned: Ceilometer reads these), as instance.* (versioned), or both (notification_format of Nova)',
    ),
  versioned_topic: text('as topic, for versioned notifications', 'versioned_notifications'),
  state_changes: flag('tell of guests that shut off, pause or resume by themselves (compute.instance.update)', true),
  audit_period: z
    .enum(['off', 'hour', 'day', 'month'])
    .default('off')
    .describe('after each of these (UTC) tell which instances are there (compute.instance.exists)'),
});

const spool = z.strictObject({
  path: text(
    'file (SQLite) of samples and notifications that the broker has not confirmed yet; empty: kept only as long as the agent runs',
    '/var/lib/hugenode/spool.sqlite',
  ),
  max_messages: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(100_000)
    .describe('messages of each kind (samples, notifications) that wait at most; beyond, the oldest go'),
  max_bytes: z
    .int()
    .min(1024 ** 2)
    .max(1024 ** 4)
    .default(256 * 1024 ** 2)
    .describe('bytes of each kind that wait at most; beyond, the oldest go'),
});

const metrics = z
  .strictObject({
    enabled: flag('serve Prometheus metrics at /metrics', true),
    listen: z
      .string()
      .refine((address) => parseListenAddress(address) !== undefined, 'an address and a port such as 127.0.0.1:9177')
      .default('127.0.0.1:9177')
      .describe('address and port of the metrics (9177 is the port of the libvirt exporters); port 0: any'),
    remote: flag(
      'listen may be an address that other machines reach; who reaches it can read, without a password',
      false,
    ),
    deadline_ms: durationMs(
      'how long a scrape waits for the hypervisor, in ms; less than the scrape_timeout of Prometheus (10 s)',
      5_000,
      100,
    ),
  })
  .refine(
    ({ listen, remote }) => {
      const address = parseListenAddress(listen);
      return remote || address === undefined || isLoopback(address);
    },
    { path: ['listen'], message: 'other machines reach this address; metrics.remote=true allows it' },
  );

const DAY_MS = 86_400_000;

const usage = z.strictObject({
  path: text(
    'file (SQLite) of who held which pages from when to when, for hugenode usage; empty: known only as long as the agent runs',
    '/var/lib/hugenode/usage.sqlite',
  ),
  keep_days: z.int().min(1).max(36_500).default(400).describe('how long that which has ended is known, in days'),
  rows: z
    .int()
    .min(1_000)
    .max(100_000_000)
    .default(1_000_000)
    .describe('entries that there may be (an instance has one per node, page size and run); beyond, the oldest go'),
  heartbeat_ms: z
    .int()
    .min(1_000)
    .max(DAY_MS)
    .default(30_000)
    .describe(
      'longest time between two looks at the host, in ms: of a guest that ends while no agent runs, no more is lost',
    ),
});

const log = z.strictObject({
  level: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('least level that is written'),
});

export const settingsSchema = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,253}[A-Za-z0-9])?$/, 'a host name: letters, digits, dots and dashes')
    .default(() => hostname())
    .describe('name of this host on the bus: requests reach it as <topic>.<host>; default: the host name'),
  log: log.prefault({}).describe('log lines are JSON on standard error'),
  rpc: rpc.prefault({}).describe('the bus that requests come from'),
  libvirt: libvirt.prefault({}).describe('the hypervisor'),
  admission: admission.prefault({}).describe('who gets pages'),
  instances: instances.prefault({}).describe('what hugenode keeps on disk'),
  images: images.prefault({}).describe('what instances boot from'),
  metering: metering.prefault({}).describe('memory samples for billing'),
  notifications: notifications.prefault({}).describe('what happened to instances, as Nova tells it'),
  metrics: metrics.prefault({}).describe('what Prometheus scrapes'),
  usage: usage.prefault({}).describe('page-hours per project, for billing without OpenStack'),
  spool: spool.prefault({}).describe('what waits for the broker'),
});

export type Settings = z.output<typeof settingsSchema>;
