/**
 * The compute driver on libvirt. libvirtd works on a handful of calls per connection at a time, so each kind of call has
 * a connection of its own: starts, which take as long as QEMU needs to get its pages; changes (define, destroy,
 * undefine), which must not wait behind them; questions (free pages, lookups, events), which an admission waits for; and
 * statistics, which one guest that does not answer may hold up.
 */
import { join } from 'node:path';
import {
  DomainMetadataType,
  DomainModificationImpact,
  DomainUndefineFlags,
  ErrorCode,
  type Connection,
  type Domain,
} from 'node-libvirt';
import type { HostMemory, NodePages } from '../admission/host_memory.ts';
import type {
  AvailableResource,
  ComputeDriver,
  GuestInfo,
  GuestStatistics,
  LifecycleListener,
  PageHolders,
  StatisticsOptions,
} from '../compute_driver.ts';
import { ComputeError } from '../errors.ts';
import { recordElement } from '../domain/metadata.ts';
import { RECORD_NAMESPACE, RECORD_PREFIX } from '../domain/record.ts';
import { renderDomain } from '../domain/render.ts';
import type { BootSource } from '../domain/spec.ts';
import type { Image } from '../images/image_store.ts';
import type { Instance } from '../instance.ts';
import type { Logger } from '../log.ts';
import { UndoStack } from '../undo.ts';
import { GuestProcesses } from './guest_processes.ts';
import { GuestReadings } from './guest_readings.ts';
import { GuestRecords } from './guest_records.ts';
import { GuestRuns } from './guest_runs.ts';
import { HostReader } from './host_reader.ts';
import { instanceFiles, listFolders, makeBootSource, makeFolder, removeFolder } from './instance_files.ts';
import { absentIsUndefined, hasLibvirtCode, isLocal, LibvirtLink } from './libvirt_link.ts';
import { pageHoldersOf } from './page_holders.ts';
import { Slots } from './slots.ts';
import { spawnError } from './spawn_error.ts';
import { powerStateOf } from './statistics.ts';

export type LibvirtDriverOptions = {
  readonly uri: string;
  readonly socket: string;
  readonly callTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly virtType: 'auto' | 'kvm' | 'qemu';
  readonly machine: string;
  /** Nova's cpu_shared_set; null: not set. */
  readonly cpuSharedSet: readonly number[] | null;
  readonly pidPath: string;
  readonly instancesPath: string;
  readonly domainPrefix: string;
  readonly balloonPeriodMs: number;
  readonly log: Logger;
};

/** libvirtd reads no further call of a connection on which five are under way, not even a keepalive. */
const STARTS_AT_ONCE = 4;

/** Where every libvirtd keeps its logs. */
const LIBVIRT_LOG_PATH = '/var/log/libvirt/qemu';

/** libvirt gives up on a QEMU that does not die at once; Nova asks again three times too (error 38, errno EBUSY). */
const DESTROY_ATTEMPTS = 3;

export class LibvirtDriver implements ComputeDriver {
  readonly #options: LibvirtDriverOptions;
  readonly #starts: LibvirtLink;
  readonly #changes: LibvirtLink;
  readonly #questions: LibvirtLink;
  readonly #statistics: LibvirtLink;
  readonly #readings: GuestReadings;
  readonly #startSlots = new Slots(STARTS_AT_ONCE);
  readonly #host: HostReader;
  readonly #processes: GuestProcesses;
  /** Whether the guests run on this machine. */
  readonly #isLocal: boolean;
  readonly #records: GuestRecords;
  readonly #listeners: LifecycleListener[] = [];
  #hasListened = false;

  constructor(options: LibvirtDriverOptions) {
    this.#options = options;
    const { uri, socket, callTimeoutMs, log } = options;
    this.#starts = new LibvirtLink({ uri, socket, callTimeoutMs, log });
    this.#changes = new LibvirtLink({ uri, socket, callTimeoutMs, log });
    this.#statistics = new LibvirtLink({ uri, socket, callTimeoutMs, log });
    this.#questions = new LibvirtLink({
      uri,
      socket,
      callTimeoutMs,
      log,
      onOpen: async (connection) => {
        await connection.subscribe('domainLifecycle', ({ domain, event }) => this.#tell(domain, event));
        if (this.#hasListened) void this.#tellOfAll(connection);
        this.#hasListened = true;
      },
    });
    this.#isLocal = isLocal(uri);
    this.#records = new GuestRecords(this.#questions, (uuid) => this.#domainName(uuid));
    this.#host = new HostReader(this.#questions, this.#isLocal);
    this.#processes = new GuestProcesses(this.#isLocal ? options.pidPath : undefined, log);
    this.#readings = new GuestReadings({
      link: this.#statistics,
      records: this.#records,
      runs: new GuestRuns({
        link: this.#statistics,
        processes: this.#processes,
        balloonPeriodS: options.balloonPeriodMs / 1000,
        log,
      }),
      architecture: async () => (await this.#host.topology()).arch,
      log,
    });
  }

  /** Connects, so that a host without libvirt is known at start and not at the first request. */
  async open(): Promise<void> {
    await this.#host.topology();
    if (this.#isLocal) return;
    this.#options.log.warn('libvirt runs on another host, whose kernel cannot be asked', {
      uri: this.#options.uri,
      unknown: 'pages that a guest holds, pages promised to mappings, resident memory',
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.#starts, this.#changes, this.#questions, this.#statistics].map((link) => link.close()));
  }

  onLifecycle(listener: LifecycleListener): void {
    this.#listeners.push(listener);
  }

  async readHostMemory(): Promise<HostMemory> {
    const memory = await this.#host.memory();
    // After the free pages: a guest that ends in between has then its pages in neither, and is seen as shut off, so they
    // are kept and not given away. The other way round they would be free and wanted by nobody.
    return { ...memory, guests: await this.#records.placedGuests() };
  }

  async getAvailableResource(): Promise<AvailableResource> {
    const [memory, totals] = await Promise.all([this.readHostMemory(), this.#host.totals()]);
    return { memory, totals };
  }

  async spawn(instance: Instance, image: Image | null): Promise<void> {
    const undo = new UndoStack();
    const files = instanceFiles(this.#options.instancesPath, instance.uuid);
    try {
      await this.#assertUuidIsFree(instance.uuid);
      await makeFolder(files);
      undo.push('folder', () => removeFolder(files));
      const boot = await makeBootSource(files, image, instance.flavor.diskGib);
      const xml = await this.#render(instance, boot);
      const beganMs = performance.now();
      const domain = await this.#changes.use((connection) => connection.domain.defineXMLFlags(xml));
      // Also where the start was lost sight of (time-out, broken connection): the guest may have come up since.
      undo.push('domain', () => this.#endDomain(domain));
      const definedMs = performance.now();
      await this.#startDomain(domain);
      const startedMs = performance.now();
      undo.forget();
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
      throw await spawnError(error, instance, () => this.readHostMemory());
    }
  }

  async getHoldings(uuid: string): Promise<readonly NodePages[] | undefined> {
    return this.#processes.holdings(this.#domainName(uuid), uuid);
  }

  async getPageHolders(): Promise<PageHolders | undefined> {
    return this.#isLocal ? pageHoldersOf(await this.listGuests(), this.#processes) : undefined;
  }

  async saveInstance(instance: Instance): Promise<void> {
    const domain = this.#domainOf(instance.uuid);
    const both = DomainModificationImpact.LIVE | DomainModificationImpact.CONFIG;
    await this.#changes.use((connection) =>
      connection.domain.setMetadata(
        domain,
        DomainMetadataType.ELEMENT,
        recordElement(instance),
        RECORD_PREFIX,
        RECORD_NAMESPACE,
        both,
      ),
    );
    this.#records.remember(instance);
  }

  async destroy(uuid: string): Promise<boolean> {
    const domain = this.#domainOf(uuid);
    const found = await this.#records.lookUp(domain);
    // A domain that is not ours, or whose record cannot be read, is left alone with all that it uses.
    if (found.is === 'foreign') return false;
    if (found.is === 'ours') await this.#endDomain(domain);
    await removeFolder(instanceFiles(this.#options.instancesPath, uuid));
    return found.is === 'ours';
  }

  async removeStrays(): Promise<void> {
    const { instancesPath, log } = this.#options;
    for (const uuid of await listFolders(instancesPath)) {
      if ((await this.#records.lookUp(this.#domainOf(uuid))).is !== 'absent') continue;
      log.warn('removing the files of a guest that is not there any more', { instance: uuid });
      await removeFolder(instanceFiles(instancesPath, uuid));
    }
  }

  async getInfo(uuid: string): Promise<GuestInfo | undefined> {
    const domain = this.#domainOf(uuid);
    return this.#infoOf(domain, await this.#records.of(domain));
  }

  async listGuests(): Promise<readonly GuestInfo[]> {
    const domains = await this.#questions.use((connection) => connection.listAllDomains(0));
    this.#records.forgetAllBut(domains);
    const infos = await Promise.all(
      domains.map(async (domain) => this.#infoOf(domain, await this.#records.of(domain))),
    );
    return infos.filter((info) => info !== undefined);
  }

  async getStatistics(uuids?: readonly string[], options: StatisticsOptions = {}): Promise<readonly GuestStatistics[]> {
    // An empty list would mean all domains.
    if (uuids?.length === 0) return [];
    // Statistics have a connection of their own: the one that hears events would stay away after a loss until it is used.
    void this.#questions.use(async () => {}).catch(() => undefined);
    return this.#readings.read(
      uuids?.map((uuid) => this.#domainOf(uuid)),
      options,
    );
  }

  /** What happened while nobody listened is not told again: each guest is to be looked at. Never rejects. */
  async #tellOfAll(connection: Connection): Promise<void> {
    try {
      for (const domain of await connection.listAllDomains(0)) this.#tell(domain, 'unknown');
    } catch (error) {
      this.#options.log.warn('what happened to guests meanwhile is not known', { error: String(error) });
    }
  }

  #tell({ uuid }: Domain, event: string): void {
    for (const listener of this.#listeners) listener({ uuid, event });
  }

  async #infoOf(domain: Domain, instance: Instance | undefined): Promise<GuestInfo | undefined> {
    if (instance === undefined) return undefined;
    const state = await absentIsUndefined(this.#questions.use((connection) => connection.domain.getState(domain)));
    if (state === undefined) {
      this.#records.forget(domain.uuid);
      return undefined;
    }
    return {
      instance,
      powerState: powerStateOf(state.state),
      domainName: this.#domainName(instance.uuid),
      consoleLogPath: this.#consoleLogPath(instance.uuid),
    };
  }

  /** Stops and undefines a domain, and waits until its process has given its memory back. */
  async #endDomain(domain: Domain): Promise<void> {
    const pid = await this.#processes.pidOf(this.#domainName(domain.uuid), domain.uuid);
    await this.#stopDomain(domain);
    const keepNothing =
      DomainUndefineFlags.MANAGED_SAVE | DomainUndefineFlags.SNAPSHOTS_METADATA | DomainUndefineFlags.NVRAM;
    await absentIsUndefined(this.#changes.use((connection) => connection.domain.undefineFlags(domain, keepNothing)));
    this.#records.forget(domain.uuid);
    if (pid !== undefined) await this.#processes.gone(pid);
  }

  async #stopDomain(domain: Domain): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await absentIsUndefined(this.#changes.use((connection) => connection.domain.destroyFlags(domain)));
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

  /**
   * Where the guest's console is logged, on the guest's host. On another host we can make no folder, and take none away:
   * there it is libvirt's own folder for logs, which is there and is rotated.
   */
  #consoleLogPath(uuid: string): string {
    if (this.#isLocal) return instanceFiles(this.#options.instancesPath, uuid).consoleLogPath;
    return join(LIBVIRT_LOG_PATH, `${this.#domainName(uuid)}-console.log`);
  }

  async #render(instance: Instance, boot: BootSource): Promise<string> {
    const topology = await this.#host.topology();
    return renderDomain({
      instance,
      domainName: this.#domainName(instance.uuid),
      virtType: this.#virtType(topology.virtTypes),
      arch: topology.arch,
      machine: this.#options.machine,
      basePageSizeKib: topology.basePageSizeKib,
      cpuSharedSet: this.#options.cpuSharedSet,
      boot,
      consoleLogPath: this.#consoleLogPath(instance.uuid),
      balloonPeriodS: this.#options.balloonPeriodMs / 1000,
    });
  }

  /** The time a start may take runs from when it is sent, not from when it begins to wait for its turn. */
  async #startDomain(domain: Domain): Promise<void> {
    const timeoutMs = this.#options.startTimeoutMs;
    await this.#startSlots.run(() =>
      this.#starts.use((connection) => connection.domain.createWithFlags(domain, 0, { timeoutMs })),
    );
  }

  /** To libvirt, defining over a domain with the same name and uuid is changing it; to us it is a conflict. */
  async #assertUuidIsFree(uuid: string): Promise<void> {
    const found = await this.#records.lookUp(this.#domainOf(uuid));
    if (found.is === 'absent') return;
    const name = found.is === 'foreign' ? found.name : this.#domainName(uuid);
    throw new ComputeError('InstanceConflict', `the uuid ${uuid} belongs to the domain ${name}`, { domain: name });
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
