/**
 * The agent put together: the one place that names every room. It connects libvirt and the broker, takes back what an
 * earlier agent left half-built, and only then takes requests. Stopping is the same in reverse.
 */
import { AdmissionGate } from './admission/gate.ts';
import { ClaimLedger } from './admission/claims.ts';
import type { NodePages } from './admission/host_memory.ts';
import { API_VERSION, apiEndpoint } from './api/endpoint.ts';
import { ERROR_MODULE } from './api/faults.ts';
import type { InstanceEvent } from './compute/events.ts';
import { ComputeManager } from './compute/manager.ts';
import { LibvirtDriver } from './hypervisor/libvirt_driver.ts';
import type { Logger } from './log.ts';
import { Meter } from './metering/meter.ts';
import { lifecycleNotification } from './notifications/lifecycle.ts';
import { Outbox } from './notifications/outbox.ts';
import { BrokerConnection, Notifier, RpcServer } from './rpc/index.ts';
import { brokerOptions } from './settings/broker_options.ts';
import type { Settings } from './settings/schema.ts';

export type Agent = { stop(): Promise<void> };

/** Events that wait for the broker at most; beyond, the oldest go. */
const OUTBOX_BOUND = 10_000;

/**
 * Starts the agent; resolves when it takes requests.
 * @throws what connecting to libvirt or the broker throws: there is no agent without either.
 */
export async function startAgent(settings: Settings, log: Logger): Promise<Agent> {
  const driver = new LibvirtDriver({
    ...libvirtOptions(settings),
    instancesPath: settings.instances.path,
    domainPrefix: settings.instances.domain_prefix,
    balloonPeriodMs: settings.metering.balloon_period_ms,
    log,
  });
  await driver.open();
  const broker = await BrokerConnection.open(brokerOptions(settings, 'hugenode serve', log));
  const notifier = new Notifier(broker, { durable: settings.rpc.durable_queues });

  const meter = new Meter({
    host: settings.host,
    memoryUnit: settings.metering.memory_unit,
    telemetrySecret: settings.metering.telemetry_secret,
    balloonPeriodMs: settings.metering.balloon_period_ms,
    periodMs: settings.metering.period_ms,
    readStatistics: (uuids) => driver.getStatistics(uuids),
    publish: (samples) =>
      notifier.notify({
        exchange: settings.metering.exchange,
        topic: settings.metering.topic,
        publisherId: settings.metering.publisher_id,
        eventType: 'telemetry.polling',
        priority: 'sample',
        payload: { samples },
      }),
    log,
  });

  const outbox = new Outbox<InstanceEvent>({
    bound: OUTBOX_BOUND,
    log,
    describe: (event) => ({ instance: event.instance.uuid, event: event.kind }),
    send: (event) =>
      notifier.notify({
        exchange: settings.notifications.exchange,
        topic: settings.notifications.topic,
        publisherId: `compute.${settings.host}`,
        context: event.context.attributes,
        ...lifecycleNotification(event, settings.host),
      }),
  });

  const reserved = reservedPages(settings);
  const ledger = new ClaimLedger();
  const gate = new AdmissionGate({
    readHost: () => driver.readHostMemory(),
    ledger,
    reserved,
    settleTimeoutMs: settings.admission.settle_timeout_ms,
  });
  const compute = new ComputeManager({
    driver,
    gate,
    ledger,
    reserved,
    log,
    host: settings.host,
    imagesPath: settings.images.path,
    defaultPageSize: settings.admission.default_mem_page_size,
    emit: (event) => {
      if (settings.notifications.enabled) outbox.post(event);
      if (event.kind === 'create.end') meter.watch(event.instance.uuid);
    },
  });
  driver.onLifecycle(({ uuid, event }) => log.debug('domain event', { instance: uuid, event }));

  await compute.recover();
  if (settings.metering.enabled) meter.start();
  const server = await RpcServer.start(broker, {
    exchange: settings.rpc.exchange,
    topic: settings.rpc.topic,
    server: settings.host,
    endpoints: [apiEndpoint(compute, settings.host)],
    prefetch: settings.rpc.prefetch,
    errorModule: ERROR_MODULE,
    flags: { durable: settings.rpc.durable_queues },
    logger: log,
  });
  log.info('taking requests', { api: API_VERSION, topic: `${settings.rpc.topic}.${settings.host}` });

  return {
    async stop() {
      await server.stop(settings.rpc.stop_timeout_ms);
      await meter.stop();
      await outbox.drained();
      await broker.close();
      await driver.close();
      log.info('stopped');
    },
  };
}

function libvirtOptions({ libvirt }: Settings) {
  return {
    uri: libvirt.uri,
    socket: libvirt.socket,
    callTimeoutMs: libvirt.call_timeout_ms,
    startTimeoutMs: libvirt.start_timeout_ms,
    virtType: libvirt.virt_type,
    machine: libvirt.machine,
    pidPath: libvirt.pid_path,
  };
}

function reservedPages({ admission }: Settings): NodePages[] {
  return admission.reserved_huge_pages.map(({ node, size_kib, count }) => ({
    node,
    pageSizeKib: size_kib,
    pages: count,
  }));
}
