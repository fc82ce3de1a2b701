/**
 * The compute driver on libvirt. Two connections: one for what takes long (define, start, destroy), one for what must
 * answer at once (free pages, lookups, statistics, events), because libvirtd works on at most a handful of calls per
 * connection and a row of starts would hold up the admission of the next request.
 */
import {
  DomainMetadataType,
  DomainModificationImpact,
  DomainStatsTypes,
  DomainUndefineFlags,
  ErrorCode,
  GetAllDomainStatsFlags,
  type Domain,
} from 'node-libvirt';
import type { HostMemory, NodePages } from '../admission/host_memory.ts';
import type {
  AvailableResource,
  ComputeDriver,
  GuestInfo,
  GuestStatistics,
  LifecycleListener,
} from '../compute_driver.ts';
import { ComputeError } from '../errors.ts';
import { readInstance } from '../domain/read.ts';
import { recordElement } from '../domain/metadata.ts';
import { RECORD_NAMESPACE, RECORD_PREFIX } from '../domain/record.ts';
import { renderDomain } from '../domain/render.ts';
import type { Image } from '../images/image_store.ts';
import type { Instance } from '../instance.ts';
import type { Logger } from '../log.ts';
import { UndoStack } from '../undo.ts';
import { GuestProcesses } from './guest_processes.ts';
import { HostReader } from './host_reader.ts';
import { instanceFiles, makeBootSource, makeFolder, removeFolder } from './instance_files.ts';
import { hasLibvirtCode, LibvirtLink } from './libvirt_link.ts';
import { balloonOf, powerStateOf } from './statistics.ts';

export type LibvirtDriverOptions = {
  readonly uri: string;
  readonly socket: string;
  readonly callTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly virtType: 'auto' | 'kvm' | 'qemu';
  readonly machine: string;
  readonly pidPath: string;
  readonly instancesPath: string;
  readonly domainPrefix: string;
  readonly balloonPeriodMs: number;
  readonly log: Logger;
};

/** libvirt gives up on a QEMU that does not die at once; Nova asks again three times too (error 38, errno EBUSY). */
const DESTROY_ATTEMPTS = 3;

export class LibvirtDriver implements ComputeDriver {
  readonly #options: LibvirtDriverOptions;
  readonly #slow: LibvirtLink;
  readonly #quick: LibvirtLink;
  readonly #host: HostReader;
  readonly #processes: GuestProcesses;
  /** Records of domains seen so far; null for those that are not ours. Only we write our records. */
  readonly #records = new Map<string, Instance | null>();
  readonly #listeners: LifecycleListener[] = [];

  constructor(options: LibvirtDriverOptions) {
    this.#options = options;
    const { uri, socket, callTimeoutMs, log } = options;
    this.#slow = new LibvirtLink({ uri, socket, callTimeoutMs, log });
    this.#quick = new LibvirtLink({
      uri,
      socket,
      callTimeoutMs,
      log,
      onOpen: async (connection) => {
        await connection.onDomainLifecycle(({ domain, event }) => {
          for (const listener of this.#listeners) listener({ uuid: domain.uuid, event });
        });
      },
    });
    this.#host = new HostReader(this.#quick);
    this.#processes = new GuestProcesses(options.pidPath, log);
  }

  /** Connects, so that a host without libvirt is known at start and not at the first request. */
  async open(): Promise<void> {
    await this.#host.topology();
    await this.#slow.use((connection) => connection.getLibVersion());
  }

  async close(): Promise<void> {
    await Promise.all([this.#slow.close(), this.#quick.close()]);
  }

  onLifecycle(listener: LifecycleListener): void {
    this.#listeners.push(listener);
  }

  readHostMemory(): Promise<HostMemory> {
    return this.#host.memory();
  }

  async getAvailableResource(): Promise<AvailableResource> {
    const [memory, totals] = await Promise.all([this.#host.memory(), this.#host.totals()]);
    return { memory, totals };
  }

  async spawn(instance: Instance, image: Image | null): Promise<void> {
    const undo = new UndoStack();
    const files = instanceFiles(this.#options.instancesPath, instance.uuid);
    try {
      await makeFolder(files);
      undo.push('folder', () => removeFolder(files));
      const boot = await makeBootSource(files, image, instance.flavor.diskGib);
      const topology = await this.#host.topology();
      const xml = renderDomain({
        instance,
        domainName: this.#domainName(instance.uuid),
        virtType: this.#virtType(topology.virtTypes),
        arch: topology.arch,
        machine: this.#options.machine,
        basePageSizeKib: topology.basePageSizeKib,
        nodeCpus: new Map(topology.nodes.map(({ node, cpus }) => [node, cpus])),
        boot,
        consoleLogPath: files.consoleLogPath,
        balloonPeriodS: this.#options.balloonPeriodMs / 1000,
      });
      const beganMs = performance.now();
      const domain = await this.#slow.use((connection) => connection.defineDomainXML(xml, 0));
      const definedMs = performance.now();
      // Also where the start was lost sight of (time-out, broken connection): the guest may have come up since.
      undo.push('domain', () => this.#endDomain(domain));
      await this.#slow.use((connection) =>
        connection.createDomain(domain, 0, { timeoutMs: this.#options.startTimeoutMs }),
      );
      this.#records.set(instance.uuid, instance);
      undo.forget();
      const startedMs = performance.now();
      this.#options.log.debug('domain started', {
        instance: instance.uuid,
        define_ms: definedMs - beganMs,
        start_ms: startedMs - definedMs,
      });
    } catch (error) {
      for (const { step, error: cause } of await undo.unwind()) {
        this.#options.log.error('a step of a failed start could not be taken back', {
          step,
          error: String(cause),
          instance: instance.uuid,
        });
      }
      throw await this.#spawnError(instance.uuid, error);
    }
  }

  async getHoldings(uuid: string): Promise<readonly NodePages[] | undefined> {
    return this.#processes.holdings(this.#domainName(uuid), uuid);
  }

  async saveInstance(instance: Instance): Promise<void> {
    const domain = this.#domainOf(instance.uuid);
    const both = DomainModificationImpact.LIVE | DomainModificationImpact.CONFIG;
    await this.#quick.use((connection) =>
      connection.setDomainMetadata(domain, {
        type: DomainMetadataType.ELEMENT,
        metadata: recordElement(instance),
        key: RECORD_PREFIX,
        uri: RECORD_NAMESPACE,
        flags: both,
      }),
    );
    this.#records.set(instance.uuid, instance);
  }

  async destroy(uuid: string): Promise<boolean> {
    const domain = this.#domainOf(uuid);
    const record = await this.#recordOf(domain);
    if (record !== undefined) await this.#endDomain(domain);
    await removeFolder(instanceFiles(this.#options.instancesPath, uuid));
    return record !== undefined;
  }

  async getInfo(uuid: string): Promise<GuestInfo | undefined> {
    const domain = this.#domainOf(uuid);
    return this.#infoOf(domain, await this.#recordOf(domain, 'known'));
  }

  async listGuests(): Promise<readonly GuestInfo[]> {
    const domains = await this.#quick.use((connection) => connection.listAllDomains(0));
    this.#forgetAllBut(domains);
    const infos = await Promise.all(
      domains.map(async (domain) => this.#infoOf(domain, await this.#recordOf(domain, 'known'))),
    );
    return infos.filter((info) => info !== undefined);
  }

  async getStatistics(uuids?: readonly string[]): Promise<readonly GuestStatistics[]> {
    // An empty list would mean all domains.
    if (uuids?.length === 0) return [];
    const domains = uuids?.map((uuid) => this.#domainOf(uuid)) ?? [];
    const groups = DomainStatsTypes.STATE | DomainStatsTypes.BALLOON;
    const flags = GetAllDomainStatsFlags.NOWAIT | (uuids === undefined ? GetAllDomainStatsFlags.ACTIVE : 0);
    const records = await this.#quick.use((connection) => connection.getAllDomainStats(domains, groups, flags));
    const guests = await Promise.all(records.map(({ domain, params }) => this.#statisticsOf(domain, params)));
    return guests.filter((guest) => guest !== undefined);
  }

  async #statisticsOf(domain: Domain, params: Readonly<Record<string, unknown>>): Promise<GuestStatistics | undefined> {
    const instance = await this.#recordOf(domain, 'known');
    // While a build is under way the guest is not yet sold.
    if (instance === undefined || instance.launchedAt === null) return undefined;
    const balloon = balloonOf(params);
    const residentKib = await this.#processes.residentKib(domain.name, domain.uuid);
    return {
      instance,
      domainName: domain.name,
      powerState: powerStateOf(params['state.state']),
      architecture: (await this.#host.topology()).arch,
      ...(balloon === undefined ? {} : { balloon }),
      ...(residentKib === undefined ? {} : { residentKib }),
    };
  }

  async #infoOf(domain: Domain, instance: Instance | undefined): Promise<GuestInfo | undefined> {
    if (instance === undefined) return undefined;
    const state = await absentIsUndefined(this.#quick.use((connection) => connection.getDomainState(domain)));
    if (state === undefined) {
      this.#records.delete(domain.uuid);
      return undefined;
    }
    const { consoleLogPath } = instanceFiles(this.#options.instancesPath, instance.uuid);
    return {
      instance,
      powerState: powerStateOf(state.state),
      domainName: this.#domainName(instance.uuid),
      consoleLogPath,
    };
  }

  /** The record a domain carries; undefined for one that is absent or not ours. «known»: what was seen before will do. */
  async #recordOf(domain: Domain, source: 'asked' | 'known' = 'asked'): Promise<Instance | undefined> {
    // Another agent on this host has a prefix of its own; its guests are none of ours, whatever they carry.
    if (domain.name !== this.#domainName(domain.uuid)) return undefined;
    const known = source === 'known' ? this.#records.get(domain.uuid) : undefined;
    if (known !== undefined) return known ?? undefined;
    const xml = await absentIsUndefined(this.#quick.use((connection) => connection.getDomainXMLDesc(domain, 0)));
    if (xml === undefined) {
      this.#records.delete(domain.uuid);
      return undefined;
    }
    const instance = readInstance(xml);
    this.#records.set(domain.uuid, instance ?? null);
    return instance;
  }

  #forgetAllBut(domains: readonly Domain[]): void {
    const present = new Set(domains.map((domain) => domain.uuid));
    for (const uuid of this.#records.keys()) if (!present.has(uuid)) this.#records.delete(uuid);
  }

  /** Stops and undefines a domain, and waits until its process has given its memory back. */
  async #endDomain(domain: Domain): Promise<void> {
    const pid = await this.#processes.pidOf(this.#domainName(domain.uuid), domain.uuid);
    await this.#stopDomain(domain);
    const keepNothing =
      DomainUndefineFlags.MANAGED_SAVE | DomainUndefineFlags.SNAPSHOTS_METADATA | DomainUndefineFlags.NVRAM;
    await absentIsUndefined(this.#slow.use((connection) => connection.undefineDomain(domain, keepNothing)));
    this.#records.delete(domain.uuid);
    if (pid !== undefined) await this.#processes.gone(pid);
  }

  async #stopDomain(domain: Domain): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await absentIsUndefined(this.#slow.use((connection) => connection.destroyDomain(domain, 0)));
        return;
      } catch (error) {
        if (hasLibvirtCode(error, ErrorCode.OPERATION_INVALID)) return; // it does not run
        if (!hasLibvirtCode(error, ErrorCode.SYSTEM_ERROR) || attempt === DESTROY_ATTEMPTS) throw error;
        this.#options.log.warn('the guest does not end, trying again', {
          instance: domain.uuid,
          attempt,
          error: error.message,
        });
      }
    }
  }

  /** What a failed start is called. A uuid that is taken has no code of its own in libvirt: it is looked up. */
  async #spawnError(uuid: string, error: unknown): Promise<unknown> {
    if (!(error instanceof ComputeError) || error.errorClass !== 'HypervisorError') return error;
    if (hasLibvirtCode(error, ErrorCode.OPERATION_FAILED)) {
      const other = await absentIsUndefined(this.#quick.use((connection) => connection.lookupDomainByUUID(uuid)));
      if (other !== undefined) {
        const message = `the uuid ${uuid} belongs to the domain ${other.name}`;
        return new ComputeError('InstanceConflict', message, { ...error.details, domain: other.name }, error);
      }
    }
    return new ComputeError(
      'InstanceSpawnFailed',
      `the guest could not be started: ${error.message}`,
      error.details,
      error,
    );
  }

  #virtType(offered: readonly string[]): 'kvm' | 'qemu' {
    const { virtType } = this.#options;
    if (virtType !== 'auto') return virtType;
    return offered.includes('kvm') ? 'kvm' : 'qemu';
  }

  /** libvirtd finds domains by uuid and takes the name as a hint. */
  #domainOf(uuid: string): Domain {
    return { name: this.#domainName(uuid), uuid, id: -1 };
  }

  #domainName(uuid: string): string {
    return this.#options.domainPrefix + uuid;
  }
}

async function absentIsUndefined<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasLibvirtCode(error, ErrorCode.NO_DOMAIN)) return undefined;
    throw error;
  }
}
