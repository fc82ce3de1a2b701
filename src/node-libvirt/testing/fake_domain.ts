/** A domain of a fake host: its definition, whether it runs and how that came about, and what it reports. */
import { DomainMetadataType, DomainState, DomainStateReason, MemoryStatTag } from '../constants/index.ts';
import { ErrorCode, ErrorDomain } from '../error_codes.ts';
import type { Domain } from '../wire/objects.ts';
import { param, type TypedParam } from '../wire/typed_params.ts';
import type { DomainDefinition } from './domain_definition.ts';
import type { Holding } from './fake_cells.ts';
import { FakeRefusal } from './refusal.ts';
import { childOf, element, parseXml, renderXml, textOf, XmlError, type XmlElement } from './xml.ts';

/** What a guest's balloon driver told last, in KiB; a guest without one tells nothing. */
export type BalloonReport = {
  readonly availableKib?: number;
  readonly unusedKib?: number;
  readonly usableKib?: number;
  /** Seconds since 1970. */
  readonly lastUpdate?: number;
};

const STATE = 1;
const CPU_TOTAL = 2;
const BALLOON = 4;
const VCPU = 8;

export class FakeDomain {
  readonly uuid: string;
  isPersistent: boolean;
  isAutostart = false;
  /** The seconds set with setMemoryStatsPeriod. */
  statsPeriodSeconds = 0;
  /** Used by all of its CPUs; set it to let time pass. */
  cpuTimeNs = 0n;
  /** What its QEMU has in memory, for `rss`; undefined is as much as the guest. */
  rssKib: number | undefined;
  /** Set it to let the guest's balloon driver report. */
  balloon: BalloonReport | undefined;
  /** @internal pages held while it runs */
  holdings: readonly Holding[] = [];
  #definition: DomainDefinition;
  #id = -1;
  #state: number = DomainState.SHUTOFF;
  #reason: number = DomainStateReason.SHUTOFF.UNKNOWN;

  /** @internal */
  constructor(definition: DomainDefinition, isPersistent: boolean) {
    this.uuid = definition.uuid;
    this.isPersistent = isPersistent;
    this.#definition = definition;
  }

  get name(): string {
    return this.#definition.name;
  }

  get definition(): DomainDefinition {
    return this.#definition;
  }

  /** As it travels. */
  get object(): Domain {
    return { name: this.name, uuid: this.uuid, id: this.#id };
  }

  get isActive(): boolean {
    return this.#id !== -1;
  }

  get state(): number {
    return this.#state;
  }

  get reason(): number {
    return this.#reason;
  }

  /** The XML as libvirt gives it out. */
  get xml(): string {
    const { xml } = this.#definition;
    if (!this.isActive) return renderXml(xml);
    return renderXml({ ...xml, attributes: new Map([...xml.attributes, ['id', String(this.#id)]]) });
  }

  /** @internal a definition in place of the one before */
  redefine(definition: DomainDefinition): void {
    this.#definition = definition;
    this.isPersistent = true;
  }

  /** @internal */
  become(state: number, reason: number, id = this.#id): void {
    this.#state = state;
    this.#reason = reason;
    this.#id = id;
  }

  /** @throws {FakeRefusal} as libvirt refuses what needs a guest that runs. */
  assertActive(): void {
    if (!this.isActive) throw invalidOperation('domain is not running');
  }

  /** The groups of virConnectGetAllDomainStats that the fake host knows; 0 is all of them. */
  stats(groups: number): TypedParam[] {
    const wants = (group: number) => groups === 0 || (groups & group) !== 0;
    return [
      ...(wants(STATE) ? [param.int('state.state', this.#state), param.int('state.reason', this.#reason)] : []),
      ...(wants(CPU_TOTAL) && this.isActive ? this.#cpuStats() : []),
      ...(wants(BALLOON) ? this.#balloonStats() : []),
      ...(wants(VCPU) ? this.#vcpuStats() : []),
    ];
  }

  memoryStats(): { readonly tag: number; readonly value: number }[] {
    this.assertActive();
    const { availableKib, unusedKib, usableKib, lastUpdate } = this.balloon ?? {};
    const stats: readonly (readonly [number, number | undefined])[] = [
      [MemoryStatTag.UNUSED, unusedKib],
      [MemoryStatTag.AVAILABLE, availableKib],
      [MemoryStatTag.ACTUAL_BALLOON, this.#definition.currentMemoryKib],
      [MemoryStatTag.USABLE, usableKib],
      // libvirt has it always; 0 says that the guest never told anything.
      [MemoryStatTag.LAST_UPDATE, lastUpdate ?? 0],
      [MemoryStatTag.RSS, this.rssKib ?? this.#definition.memoryKib],
    ];
    return stats.flatMap(([tag, value]) => (value === undefined ? [] : [{ tag, value }]));
  }

  setMetadata(type: number, metadata: string | null, key: string | null, uri: string | null): void {
    const { xml } = this.#definition;
    if (type === DomainMetadataType.TITLE) return replaceChild(xml, 'title', metadata);
    if (type === DomainMetadataType.DESCRIPTION) return replaceChild(xml, 'description', metadata);
    if (type !== DomainMetadataType.ELEMENT || uri === null) throw invalidArgument('unknown metadata type');
    let holder = childOf(xml, 'metadata');
    if (holder === undefined) {
      holder = element('metadata');
      xml.children.push(holder);
    }
    const old = holder.children.findIndex((child) => typeof child !== 'string' && namespaceOf(child) === uri);
    if (old !== -1) holder.children.splice(old, 1);
    if (metadata === null) return;
    if (key === null) throw invalidArgument('key in virDomainSetMetadata must not be NULL');
    holder.children.push(prefixed(parsedMetadata(metadata), key, uri));
  }

  metadata(type: number, uri: string | null): string {
    const { xml } = this.#definition;
    const found =
      type === DomainMetadataType.ELEMENT
        ? childOf(xml, 'metadata')?.children.find((child) => typeof child !== 'string' && namespaceOf(child) === uri)
        : childOf(xml, type === DomainMetadataType.TITLE ? 'title' : 'description');
    if (found === undefined || typeof found === 'string') {
      const message = 'metadata not found: Requested metadata element is not present';
      throw new FakeRefusal({ code: ErrorCode.NO_DOMAIN_METADATA, domain: ErrorDomain.DOMAIN, message });
    }
    return type === DomainMetadataType.ELEMENT ? renderXml(unprefixed(found)) : textOf(found);
  }

  #cpuStats(): TypedParam[] {
    return [
      param.ullong('cpu.time', this.cpuTimeNs),
      param.ullong('cpu.user', this.cpuTimeNs),
      param.ullong('cpu.system', 0n),
    ];
  }

  #balloonStats(): TypedParam[] {
    const { memoryKib, currentMemoryKib } = this.#definition;
    const size = [param.ullong('balloon.current', currentMemoryKib), param.ullong('balloon.maximum', memoryKib)];
    if (!this.isActive) return size;
    const { availableKib, unusedKib, usableKib, lastUpdate } = this.balloon ?? {};
    const told: readonly (readonly [string, number | undefined])[] = [
      ['balloon.last-update', lastUpdate ?? 0],
      ['balloon.unused', unusedKib],
      ['balloon.available', availableKib],
      ['balloon.usable', usableKib],
      ['balloon.rss', this.rssKib ?? memoryKib],
    ];
    return [...size, ...told.flatMap(([field, value]) => (value === undefined ? [] : [param.ullong(field, value)]))];
  }

  #vcpuStats(): TypedParam[] {
    const { vcpus } = this.#definition;
    const counts = [param.uint('vcpu.current', vcpus), param.uint('vcpu.maximum', vcpus)];
    if (!this.isActive) return counts;
    const share = this.cpuTimeNs / BigInt(vcpus);
    const each = Array.from({ length: vcpus }, (_, vcpu) => [
      param.int(`vcpu.${vcpu}.state`, 1),
      param.ullong(`vcpu.${vcpu}.time`, share),
    ]);
    return [...counts, ...each.flat()];
  }
}

export function invalidOperation(why: string): FakeRefusal {
  const message = `Requested operation is not valid: ${why}`;
  return new FakeRefusal({ code: ErrorCode.OPERATION_INVALID, message });
}

function invalidArgument(why: string): FakeRefusal {
  return new FakeRefusal({
    code: ErrorCode.INVALID_ARG,
    domain: ErrorDomain.DOMAIN,
    message: `invalid argument: ${why}`,
  });
}

function replaceChild(parent: XmlElement, name: string, text: string | null): void {
  const old = parent.children.findIndex((child) => typeof child !== 'string' && child.name === name);
  if (old !== -1) parent.children.splice(old, 1);
  if (text !== null && text !== '') parent.children.push(element(name, {}, [text]));
}

function parsedMetadata(metadata: string): XmlElement {
  try {
    return parseXml(metadata);
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    const message = `(metadata_xml):${error.line}: ${error.message}`;
    throw new FakeRefusal({ code: ErrorCode.XML_DETAIL, domain: ErrorDomain.XML, message });
  }
}

/** The namespace that an element declares for itself. */
function namespaceOf(one: XmlElement): string | undefined {
  const prefix = prefixOf(one.name);
  return one.attributes.get(prefix === '' ? 'xmlns' : `xmlns:${prefix}`);
}

function prefixOf(name: string): string {
  const colon = name.indexOf(':');
  return colon === -1 ? '' : name.slice(0, colon);
}

/** libvirt puts the namespace on the element; one that declares its prefix already is an error there, too. */
function prefixed(root: XmlElement, key: string, uri: string): XmlElement {
  if (prefixOf(root.name) !== '' || root.attributes.has(`xmlns:${key}`))
    throw new FakeRefusal({ domain: ErrorDomain.XML, message: 'internal error: unable to create namespace' });
  return { ...root, name: `${key}:${root.name}`, attributes: new Map([[`xmlns:${key}`, uri], ...root.attributes]) };
}

function unprefixed(root: XmlElement): XmlElement {
  const prefix = prefixOf(root.name);
  const attributes = new Map(root.attributes);
  attributes.delete(prefix === '' ? 'xmlns' : `xmlns:${prefix}`);
  return { ...root, name: root.name.slice(prefix === '' ? 0 : prefix.length + 1), attributes };
}
