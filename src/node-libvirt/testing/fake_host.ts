/**
 * A host behind a FakeLibvirtd: NUMA cells with pools of pages, and domains that take their memory out of them when they
 * start and give it back when they end. What it is asked and does not know it refuses as a driver does that lacks it.
 *
 * @example
 * const host = new FakeHost({ cells: [{ cpus: [0, 1], memoryKib: 4_194_304, pools: [{ sizeKib: 2048, total: 512 }] }] });
 * await using daemon = await FakeLibvirtd.open({ host });
 * // ...
 * expect(host.cell(0).pool(2048).free).toBe(256);
 */
import { DomainState, DomainStateReason, LifecycleEvent, LifecycleEventDetail } from '../constants/index.ts';
import { ErrorCode, ErrorDomain } from '../error_codes.ts';
import type { LifecycleEventName } from '../events/lifecycle.ts';
import type { Domain } from '../wire/objects.ts';
import { capabilitiesXml } from './capabilities_xml.ts';
import { readDomainXml, type DomainDefinition } from './domain_definition.ts';
import { installDomainAnswers } from './domain_answers.ts';
import { FakeCell, giveBack, takeMemory, type FakeCellOptions } from './fake_cells.ts';
import { FakeDomain, invalidOperation } from './fake_domain.ts';
import type { FakeDriver, FakeLibvirtd } from './fake_libvirtd.ts';
import { installHostAnswers } from './host_answers.ts';
import { FakeRefusal } from './refusal.ts';

export type FakeHostOptions = {
  readonly cells: readonly FakeCellOptions[];
  readonly hostname?: string;
  /** E.g. 9_000_000 (default) for 9.0.0. */
  readonly libVersion?: number;
  readonly arch?: string;
  /** Domain types; default kvm and qemu. */
  readonly virtTypes?: readonly string[];
};

/** How a guest ends by itself. */
export type GuestEnd = 'shutdown' | 'crash';

export class FakeHost implements FakeDriver {
  readonly hostname: string;
  readonly libVersion: number;
  readonly arch: string;
  readonly virtTypes: readonly string[];
  readonly cells: readonly FakeCell[];
  readonly #daemons: FakeLibvirtd[] = [];
  readonly #domains = new Map<string, FakeDomain>();
  #lastId = 0;

  constructor(options: FakeHostOptions) {
    this.hostname = options.hostname ?? 'fake-host';
    this.libVersion = options.libVersion ?? 9_000_000;
    this.arch = options.arch ?? 'x86_64';
    this.virtTypes = options.virtTypes ?? ['qemu', 'kvm'];
    this.cells = options.cells.map((cell, place) => new FakeCell(cell.id ?? place, cell));
  }

  /** @internal FakeLibvirtd.open({ host }) calls it */
  install(daemon: FakeLibvirtd): void {
    this.#daemons.push(daemon);
    installHostAnswers(daemon, this);
    installDomainAnswers(daemon, this);
  }

  /** @throws {RangeError} where there is no such cell. */
  cell(id: number): FakeCell {
    const cell = this.cells.find((one) => one.id === id);
    if (cell === undefined) throw new RangeError(`the host has no cell ${id}`);
    return cell;
  }

  get domains(): readonly FakeDomain[] {
    return [...this.#domains.values()];
  }

  /** By name. @throws {RangeError} where there is no such domain. */
  domain(name: string): FakeDomain {
    const domain = this.domains.find((one) => one.name === name);
    if (domain === undefined) throw new RangeError(`the host has no domain ${name}`);
    return domain;
  }

  capabilitiesXml(): string {
    return capabilitiesXml(this);
  }

  /** The domain that a client means. libvirt goes by the uuid and takes name and id as they come. */
  find({ uuid, name }: Domain): FakeDomain {
    const domain = this.#domains.get(uuid);
    if (domain === undefined) throw noDomain(`no domain with matching uuid '${uuid}' (${name})`);
    return domain;
  }

  findWhere(isIt: (domain: FakeDomain) => boolean, what: string): FakeDomain {
    const domain = this.domains.find(isIt);
    if (domain === undefined) throw noDomain(`no domain with matching ${what}`);
    return domain;
  }

  /** A domain that was there before the test began, say. */
  define(xml: string): FakeDomain {
    const definition = readDomainXml(xml);
    const known = this.#sameUuid(definition);
    if (known === undefined) {
      const domain = this.#add(definition, true);
      this.#tell(domain, 'DEFINED', LifecycleEventDetail.DEFINED.ADDED);
      return domain;
    }
    known.redefine(definition);
    this.#tell(known, 'DEFINED', LifecycleEventDetail.DEFINED.UPDATED);
    return known;
  }

  /** Starts a domain that is gone when its guest ends. */
  createTransient(xml: string, options: { readonly isPaused?: boolean } = {}): FakeDomain {
    const definition = readDomainXml(xml);
    const known = this.#sameUuid(definition);
    if (known?.isActive === true) throw alreadyActive(known);
    const domain = known ?? this.#add(definition, false);
    try {
      this.start(domain, options);
      return domain;
    } catch (error) {
      if (!domain.isPersistent) this.#domains.delete(domain.uuid);
      throw error;
    }
  }

  start(domain: FakeDomain, { isPaused = false }: { readonly isPaused?: boolean } = {}): void {
    if (domain.isActive) throw invalidOperation('domain is already running');
    try {
      domain.holdings = takeMemory(this.cells, domain.definition.parts, domain.definition);
    } catch (error) {
      domain.become(DomainState.SHUTOFF, DomainStateReason.SHUTOFF.FAILED);
      throw error;
    }
    this.#lastId += 1;
    domain.become(DomainState.PAUSED, DomainStateReason.PAUSED.STARTING_UP, this.#lastId);
    if (!isPaused) {
      domain.become(DomainState.RUNNING, DomainStateReason.RUNNING.BOOTED);
      // In this order, seen on 9.0.0: QEMU's CPUs are let go before the start as a whole is told.
      this.#tell(domain, 'RESUMED', LifecycleEventDetail.RESUMED.UNPAUSED);
    }
    this.#tell(domain, 'STARTED', LifecycleEventDetail.STARTED.BOOTED);
    if (!isPaused) return;
    domain.become(DomainState.PAUSED, DomainStateReason.PAUSED.USER);
    this.#tell(domain, 'SUSPENDED', LifecycleEventDetail.SUSPENDED.PAUSED);
  }

  destroy(domain: FakeDomain): void {
    domain.assertActive();
    this.#stop(domain, DomainStateReason.SHUTOFF.DESTROYED, LifecycleEventDetail.STOPPED.DESTROYED);
  }

  /** The guest ends by itself. */
  end(domain: FakeDomain, how: GuestEnd = 'shutdown'): void {
    domain.assertActive();
    if (how === 'crash')
      return this.#stop(domain, DomainStateReason.SHUTOFF.CRASHED, LifecycleEventDetail.STOPPED.CRASHED);
    domain.become(DomainState.SHUTDOWN, DomainStateReason.SHUTDOWN.USER);
    this.#tell(domain, 'SHUTDOWN', LifecycleEventDetail.SHUTDOWN.GUEST);
    this.#stop(domain, DomainStateReason.SHUTOFF.SHUTDOWN, LifecycleEventDetail.STOPPED.SHUTDOWN);
  }

  suspend(domain: FakeDomain): void {
    domain.assertActive();
    if (domain.state === DomainState.PAUSED) return;
    domain.become(DomainState.PAUSED, DomainStateReason.PAUSED.USER);
    this.#tell(domain, 'SUSPENDED', LifecycleEventDetail.SUSPENDED.PAUSED);
  }

  resume(domain: FakeDomain): void {
    domain.assertActive();
    if (domain.state === DomainState.RUNNING) throw invalidOperation('domain is already running');
    domain.become(DomainState.RUNNING, DomainStateReason.RUNNING.UNPAUSED);
    this.#tell(domain, 'RESUMED', LifecycleEventDetail.RESUMED.UNPAUSED);
  }

  undefine(domain: FakeDomain): void {
    if (!domain.isPersistent) throw invalidOperation('cannot undefine transient domain');
    domain.isPersistent = false;
    if (!domain.isActive) this.#domains.delete(domain.uuid);
    this.#tell(domain, 'UNDEFINED', LifecycleEventDetail.UNDEFINED.REMOVED);
  }

  /** The domain that a definition would change. */
  #sameUuid({ name, uuid }: DomainDefinition): FakeDomain | undefined {
    const known = this.#domains.get(uuid);
    const holder = this.domains.find((one) => one.name === name);
    const isTaken = holder !== undefined && holder !== known;
    if (!isTaken && (known === undefined || known.name === name)) return known;
    const message = isTaken
      ? `operation failed: domain '${name}' already exists with uuid ${holder.uuid}`
      : `operation failed: domain '${known?.name}' is already defined with uuid ${uuid}`;
    throw new FakeRefusal({ code: ErrorCode.OPERATION_FAILED, domain: ErrorDomain.DOMAIN, message });
  }

  #add(definition: DomainDefinition, isPersistent: boolean): FakeDomain {
    const domain = new FakeDomain(definition, isPersistent);
    this.#domains.set(domain.uuid, domain);
    return domain;
  }

  #stop(domain: FakeDomain, reason: number, detail: number): void {
    giveBack(domain.holdings);
    domain.holdings = [];
    domain.become(DomainState.SHUTOFF, reason, -1);
    if (!domain.isPersistent) this.#domains.delete(domain.uuid);
    this.#tell(domain, 'STOPPED', detail);
  }

  #tell({ object }: FakeDomain, event: LifecycleEventName & keyof typeof LifecycleEvent, detailNumber: number): void {
    const eventNumber = LifecycleEvent[event];
    // The names are not on the wire.
    for (const daemon of this.#daemons)
      daemon.emitEvent('domainLifecycle', { domain: object, event, detail: '', eventNumber, detailNumber });
  }
}

function noDomain(what: string): FakeRefusal {
  return new FakeRefusal({ code: ErrorCode.NO_DOMAIN, message: `Domain not found: ${what}` });
}

function alreadyActive({ name }: FakeDomain): FakeRefusal {
  const message = `Requested operation is not valid: domain '${name}' is already active`;
  return new FakeRefusal({ code: ErrorCode.OPERATION_INVALID, domain: ErrorDomain.DOMAIN, message });
}
