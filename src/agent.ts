/**
 * The agent put together: the one place that names every room. It connects libvirt and the broker, takes back what an
 * earlier agent left half-built, and only then takes requests. Stopping is the same in reverse.
 */
import { AdmissionGate } from './admission/gate.ts';
import { lockSetting } from './agent_lock.ts';
import { ClaimLedger } from './admission/claims.ts';
import type { NodePages } from './admission/host_memory.ts';
import { ruleProblem, type AdmissionRules } from './admission/rules.ts';
import { API_VERSION, apiEndpoint, BUILD_LANE } from './api/endpoint.ts';
import { ERROR_MODULE } from './api/faults.ts';
import type { ServedState } from './api/views.ts';
import { HoldingsBook } from './compute/holdings_book.ts';
import { ComputeManager } from './compute/manager.ts';
import { readPagePools } from './host/page_pools.ts';
import { LibvirtDriver } from './hypervisor/libvirt_driver.ts';
import { isLocal } from './hypervisor/libvirt_link.ts';
import type { Logger } from './log.ts';
import { Meter } from './metering/meter.ts';
import type { AgentMetrics } from './metrics/agent_metrics.ts';
import { readHost } from './metrics/host_reading.ts';
import { MetricsServer } from './metrics/metrics_server.ts';
import { Scraper } from './metrics/scrape.ts';
import { Audit } from './notifications/audit.ts';
import { Teller } from './notifications/teller.ts';
import {
  BrokerConnection,
  BrokerUnavailableError,
  MemoryRequestStore,
  Notifier,
  prepareNotification,
  RpcServer,
  safeContext,
  SqliteRequestStore,
  type Readiness,
  type RequestStore,
} from './rpc/index.ts';
import { brokerOptions, prefetchOf, topologyFlags } from './settings/broker_options.ts';
import { expand, parseCpuRanges } from './numa/cpu_set.ts';
import { parseListenAddress } from './settings/listen_address.ts';
import { SettingsError } from './settings/load.ts';
import type { Settings } from './settings/schema.ts';
import { Spool } from './spool/spool.ts';
import { IN_MEMORY, SpoolFile } from './spool/spool_file.ts';
import { UndoStack } from './undo.ts';
import { kibFromMib } from './units.ts';
import { openUsage } from './usage/open_usage.ts';
import type { UsageRecorder } from './usage/usage_recorder.ts';

export type Agent = { stop(): Promise<void> };

/** Requests that are known at most. */
const REQUEST_BOUND = 100_000;
const STARTING: ServedState = {
  readiness: { ready: false, reasons: ['the server is starting'] },
  requests: { taken: 0, waiting: 0, unreadable: 0 },
};
/** Of each kind, while the disk takes nothing. */
const SPOOL_MEMORY = { messages: 10_000, bytes: 64 * 1024 ** 2 };
const SPOOL_RETRY_MS = 1_000;
/** How long a stopping agent tries to get rid of what waits. */
const SPOOL_DRAIN_MS = 5_000;

/**
 * Starts the agent; resolves when it takes requests.
 * @throws what connecting to libvirt or the broker throws: there is no agent without either.
 */
export async function startAgent(settings: Settings, log: Logger): Promise<Agent> {
  // Stopping is taking back what starting took, newest first; so is a start that fails half-way.
  const taken = new UndoStack();
  try {
    await takeUp(settings, log, taken);
  } catch (error) {
    await takeBack(taken, log);
    throw error;
  }
  log.info('taking requests', { api: API_VERSION, topic: `${settings.rpc.topic}.${settings.host}` });
  return {
    async stop() {
      await takeBack(taken, log);
      log.info('stopped');
    },
  };
}

async function takeBack(taken: UndoStack, log: Logger): Promise<void> {
  for (const { step, error } of await taken.unwind()) log.error('not stopped in order', { step, error: String(error) });
}

/** One agent per set of guests, and per file. */
async function takeLocks(settings: Settings, taken: UndoStack): Promise<void> {
  for (const setting of ['domain_prefix', 'path'] as const) {
    const lock = await lockSetting(`instances.${setting}`, settings.instances[setting]);
    taken.push('lock', () => lock.release());
  }
  const files = [
    ['rpc.journal_path', settings.rpc.journal_path],
    ['spool.path', settings.spool.path],
    ['usage.path', settings.usage.path],
  ] as const;
  for (const [setting, path] of files) {
    if (path === '') continue;
    const lock = await lockSetting(setting, path);
    taken.push('lock', () => lock.release());
  }
}

async function takeUp(settings: Settings, log: Logger, taken: UndoStack): Promise<void> {
  await takeLocks(settings, taken);
  const driver = new LibvirtDriver({ ...driverOptions(settings), log });
  taken.push('libvirt', () => driver.close());
  await driver.open();
  await checkRules(settings, driver);
  // All but requests goes on without a broker: an agent that is started while it is away measures and tells all the same.
  const bus: { notifier?: Notifier } = {};
  const spool = spoolOf(settings, bus, log);
  taken.push('spool', () => spool.close());
  const teller = tellerOf(settings, spool, log);
  const meter = meterOf(settings, driver, spool, log);
  taken.push('metering', () => meter.stop());
  const ledger = new ClaimLedger();
  const holdings = new HoldingsBook(driver);
  const usage = await usageOf(settings, driver, holdings, log);
  taken.push('usage', () => usage.stop());
  // The server answers for the endpoint that it serves.
  const served = { now: (): ServedState => STARTING };
  const metrics = metricsOf(settings, { driver, ledger, spool, meter, served: () => served.now(), log });
  taken.push('metrics', () => metrics?.stop());
  const compute = computeOf(settings, { driver, ledger, teller, log }, [meter, metrics?.agent, usage]);
  taken.push('compute', () => compute.stop());
  driver.onLifecycle(({ uuid, event }) => {
    log.debug('domain event', { instance: uuid, event });
    if (settings.notifications.state_changes) void compute.noticeLifecycle(uuid);
  });

  await compute.recover();
  await usage.start();
  if (settings.metering.enabled) meter.start();
  const audit = auditOf(settings, driver, teller, log);
  audit?.start();
  taken.push('audit', () => audit?.stop());
  const store = requestStore(settings, log);
  taken.push('journal', () => store.close());
  const metricsServer = metrics && (await serveMetrics(settings, metrics, log));
  taken.push('metrics server', () => metricsServer?.stop());
  const broker = await BrokerConnection.open({
    ...brokerOptions(settings, 'hugenode serve', log),
    startTimeoutMs: settings.rpc.start_timeout_ms,
  });
  taken.push('broker', () => broker.close());
  const flags = topologyFlags(settings);
  const { driver: format, declare_queues: declaresQueues } = settings.notifications;
  bus.notifier = new Notifier(broker, { flags, format, declaresQueues });
  spool.start();
  taken.push('what waits for the broker', () => spool.drain(SPOOL_DRAIN_MS));
  const server = await RpcServer.start(broker, {
    exchange: settings.rpc.exchange,
    topic: settings.rpc.topic,
    server: settings.host,
    endpoints: [
      apiEndpoint({
        compute,
        host: settings.host,
        served: () => served.now(),
        usage: (query) => usage.report(query),
      }),
    ],
    prefetch: prefetchOf(settings),
    maxMessageBytes: settings.rpc.max_message_bytes,
    lanes: { [BUILD_LANE]: settings.rpc.builds },
    store,
    holdMs: settings.rpc.hold_ms,
    hearingIntervalMs: settings.rpc.hearing_interval_ms,
    deadLetters: settings.rpc.dead_letters,
    errorModule: ERROR_MODULE,
    flags,
    logger: log,
  });
  served.now = () => ({
    readiness: withProblems(server.readiness, spool.problems),
    requests: server.requestCounts,
    ...(settings.metering.enabled ? { metering: meter.figures } : {}),
    spool: spool.figures,
  });
  taken.push('requests', () => server.stop(settings.rpc.stop_timeout_ms));
}

function withProblems({ reasons: given }: Readiness, problems: readonly string[]): Readiness {
  const reasons = [...given, ...problems];
  return { ready: reasons.length === 0, reasons };
}

function requestStore({ rpc }: Settings, log: Logger): RequestStore {
  const { journal_path: path, journal_keep_ms: keepMs } = rpc;
  if (path === '') return new MemoryRequestStore(REQUEST_BOUND);
  try {
    return SqliteRequestStore.open({ path, keepMs, limit: REQUEST_BOUND, logger: log });
  } catch (error) {
    throw new SettingsError(`rpc.journal_path: cannot open ${path}: ${String(error)}`, { cause: error });
  }
}

function spoolOf({ spool }: Settings, bus: { readonly notifier?: Notifier }, log: Logger): Spool {
  const { path, max_messages: messages, max_bytes: bytes } = spool;
  try {
    return new Spool({
      openFile: () => SpoolFile.open(path === '' ? IN_MEMORY : path, log),
      deliver: async (message) => {
        if (bus.notifier === undefined) throw new BrokerUnavailableError('not connected yet');
        await bus.notifier.deliver(message);
      },
      isAbsence: (error) => error instanceof BrokerUnavailableError,
      bound: { messages, bytes },
      memoryBound: SPOOL_MEMORY,
      retryDelayMs: SPOOL_RETRY_MS,
      isDurable: path !== '',
      log,
    });
  } catch (error) {
    throw new SettingsError(`spool.path: cannot open ${path}: ${String(error)}`, { cause: error });
  }
}

function meterOf(settings: Settings, driver: LibvirtDriver, spool: Spool, log: Logger): Meter {
  const { metering, notifications, host } = settings;
  return new Meter({
    host,
    memoryUnit: metering.memory_unit,
    telemetrySecret: metering.telemetry_secret,
    balloonPeriodMs: metering.balloon_period_ms,
    periodMs: metering.period_ms,
    deadlineMs: metering.deadline_ms,
    meters: metering.meters,
    readStatistics: (uuids, options) => driver.getStatistics(uuids, options),
    publish: (messages) => {
      const prepared = messages.map((samples) => ({
        ...prepareNotification(
          {
            exchange: metering.exchange,
            topic: metering.topic,
            publisherId: metering.publisher_id,
            eventType: 'telemetry.polling',
            priority: 'sample',
            payload: { samples },
          },
          notifications.driver,
        ),
        lane: 'samples',
        about: { samples: samples.length, at: samples[0]?.['timestamp'] },
      }));
      spool.post(prepared);
    },
    log,
  });
}

function tellerOf({ notifications, instances, host }: Settings, spool: Spool, log: Logger): Teller {
  const { enabled, format, exchange, topic, versioned_topic, audit_period } = notifications;
  const formats = format === 'both' ? (['unversioned', 'versioned'] as const) : [format];
  return new Teller({
    host,
    domainPrefix: instances.domain_prefix,
    formats: enabled ? formats : [],
    auditUnit: audit_period === 'off' ? 'month' : audit_period,
    prepare: (message) =>
      prepareNotification(
        { ...message, exchange, topic: message.format === 'versioned' ? versioned_topic : topic },
        notifications.driver,
      ),
    safeContext,
    spool,
    log,
  });
}

function auditOf({ notifications }: Settings, driver: LibvirtDriver, teller: Teller, log: Logger): Audit | undefined {
  if (!notifications.enabled || notifications.audit_period === 'off') return undefined;
  return new Audit({
    unit: notifications.audit_period,
    listGuests: () => driver.listGuests(),
    told: () => teller.auditedUntil,
    tell: (events, until) => teller.tellAudit(events, until),
    log,
  });
}

/** Who is told of events beside notifications; none of them fails or makes a build wait. */
type Watchers = readonly [meter: Meter, metrics: AgentMetrics | undefined, usage: UsageRecorder];

function computeOf(
  settings: Settings,
  { driver, ledger, teller, log }: { driver: LibvirtDriver; ledger: ClaimLedger; teller: Teller; log: Logger },
  [meter, metrics, usage]: Watchers,
): ComputeManager {
  const { admission } = settings;
  const rules = admissionRules(settings);
  const gate = new AdmissionGate({
    readHost: () => driver.readHostMemory(),
    ledger,
    rules,
    settleTimeoutMs: admission.settle_timeout_ms,
    onOutcome: (outcome) => metrics?.admission(outcome),
  });
  return new ComputeManager({
    driver,
    gate,
    ledger,
    rules,
    emit: (event) => {
      teller.tell(event);
      if (event.kind === 'create.end') meter.watch(event.instance.uuid);
      if (event.kind === 'delete.start') meter.unwatch(event.instance.uuid);
      metrics?.event(event);
      usage.notice();
    },
    intents: teller,
    log,
    host: settings.host,
    imagesPath: settings.images.path,
    defaultPageSize: admission.default_mem_page_size,
  });
}

type MetricsParts = {
  readonly driver: LibvirtDriver;
  readonly ledger: ClaimLedger;
  readonly spool: Spool;
  readonly meter: Meter;
  readonly served: () => ServedState;
  readonly log: Logger;
};

/** Undefined where they are switched off. */
function metricsOf(settings: Settings, parts: MetricsParts): Scraper | undefined {
  const { metrics, metering, libvirt } = settings;
  if (!metrics.enabled) return undefined;
  const { driver, ledger, spool, meter, served, log } = parts;
  const rules = admissionRules(settings);
  const readTotals = isLocal(libvirt.uri) ? readPoolTotals : undefined;
  return new Scraper({
    sources: { apiVersion: API_VERSION, served, spools: () => spool.figures, metering: () => meter.figures },
    readHost: () => readHost({ driver, ledger, rules, readTotals, deadlineMs: metrics.deadline_ms }),
    balloonPeriodMs: metering.balloon_period_ms,
    deadlineMs: metrics.deadline_ms,
    log,
  });
}

async function readPoolTotals(): Promise<NodePages[]> {
  return (await readPagePools()).map(({ node, pageSizeKib, totalPages }) => ({ node, pageSizeKib, pages: totalPages }));
}

async function serveMetrics({ metrics }: Settings, scraper: Scraper, log: Logger): Promise<MetricsServer> {
  const listen = parseListenAddress(metrics.listen);
  if (listen === undefined) throw new SettingsError(`metrics.listen: «${metrics.listen}» is no address with a port`);
  return MetricsServer.start({ listen, contentType: scraper.contentType, text: () => scraper.text(), log });
}

async function usageOf(
  settings: Settings,
  driver: LibvirtDriver,
  holdings: HoldingsBook,
  log: Logger,
): Promise<UsageRecorder> {
  const { usage, libvirt, instances } = settings;
  try {
    return await openUsage({
      path: usage.path,
      keepDays: usage.keep_days,
      rows: usage.rows,
      heartbeatMs: usage.heartbeat_ms,
      driver,
      holdings,
      rules: admissionRules(settings),
      pidPath: isLocal(libvirt.uri) ? libvirt.pid_path : undefined,
      domainPrefix: instances.domain_prefix,
      log,
    });
  } catch (error) {
    throw new SettingsError(`usage.path: cannot open ${usage.path}: ${String(error)}`, { cause: error });
  }
}

function admissionRules({ admission }: Settings): AdmissionRules {
  return {
    reserved: admission.reserved_huge_pages.map(({ node, size_kib, count }) => ({
      node,
      pageSizeKib: size_kib,
      pages: count,
    })),
    cpuSharedSet: cpuSetOf(admission.cpu_shared_set),
    cpuDedicatedSet: cpuSetOf(admission.cpu_dedicated_set),
    strategy: admission.strategy,
    pageSizePreference: admission.page_size_preference,
    memoryMode: admission.memory_mode,
    overheadKib: kibFromMib(admission.qemu_overhead_mb),
    floorKib: kibFromMib(admission.host_memory_floor_mb),
    projectQuota: {
      instances: admission.project_instances === 0 ? null : admission.project_instances,
      pages: admission.project_pages.map(({ size_kib, count }) => ({ pageSizeKib: size_kib, pages: count })),
    },
    shutOffInstances: admission.shut_off_instances,
  };
}

/** Null where nothing is set. */
function cpuSetOf(list: string): readonly number[] | null {
  const cpus = expand(parseCpuRanges(list) ?? []);
  return cpus.length > 0 ? cpus : null;
}

/** A rule that matches nothing on this host would silently be none. @throws {SettingsError} naming the entry. */
async function checkRules(settings: Settings, driver: LibvirtDriver): Promise<void> {
  const { cells } = await driver.readHostMemory();
  const problem = ruleProblem(admissionRules(settings), cells);
  if (problem !== undefined) throw new SettingsError(`admission.${problem}`);
}

function driverOptions({ libvirt, instances, metering, admission }: Settings) {
  return {
    uri: libvirt.uri,
    socket: libvirt.socket,
    callTimeoutMs: libvirt.call_timeout_ms,
    startTimeoutMs: libvirt.start_timeout_ms,
    virtType: libvirt.virt_type,
    machine: libvirt.machine,
    pidPath: libvirt.pid_path,
    instancesPath: instances.path,
    domainPrefix: instances.domain_prefix,
    balloonPeriodMs: metering.balloon_period_ms,
    cpuSharedSet: cpuSetOf(admission.cpu_shared_set),
  };
}
