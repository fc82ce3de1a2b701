/**
 * What the fake host has to know of a domain: who it is, how large, and which pages of which NUMA cells its memory shall
 * be made of. The rest of the XML is kept as it came. What bears on memory and cannot be read is refused.
 */
import { randomUUID } from 'node:crypto';
import { ErrorCode, ErrorDomain } from '../error_codes.ts';
import { FakeRefusal } from './refusal.ts';
import { childOf, childrenOf, element, parseXml, textOf, XmlError, type XmlElement } from './xml.ts';

/** A part of a guest's memory: all of it, or one of its NUMA cells. */
export type MemoryPart = {
  readonly kib: number;
  readonly pages: PageWish;
  /** Host cells it may come from; undefined is all of them. */
  readonly cells: readonly number[] | undefined;
  readonly mode: 'strict' | 'preferred' | 'interleave';
};

/** `default`: huge pages of the size that is the host's own; a number: pages of this size in KiB. */
export type PageWish = 'base' | 'default' | number;

export type DomainDefinition = {
  readonly name: string;
  readonly uuid: string;
  readonly memoryKib: number;
  readonly currentMemoryKib: number;
  readonly vcpus: number;
  readonly parts: readonly MemoryPart[];
  /** Whether base pages, too, are taken when the guest starts, not when it touches them. */
  readonly isImmediate: boolean;
  /** The root element, in which changes of metadata are made. */
  readonly xml: XmlElement;
};

const UUID = /^[\da-f]{8}-?[\da-f]{4}-?[\da-f]{4}-?[\da-f]{4}-?[\da-f]{12}$/i;
const MODES: ReadonlySet<string> = new Set(['strict', 'restrictive', 'preferred', 'interleave']);

/** In bytes (virScaleInteger). */
const UNITS: ReadonlyMap<string, number> = new Map(
  ['K', 'M', 'G', 'T'].flatMap((letter, nth): [string, number][] => [
    [letter.toLowerCase(), 1024 ** (nth + 1)],
    [`${letter.toLowerCase()}ib`, 1024 ** (nth + 1)],
    [`${letter.toLowerCase()}b`, 1000 ** (nth + 1)],
  ]),
);

/** @throws {FakeRefusal} as libvirt refuses. */
export function readDomainXml(text: string): DomainDefinition {
  const xml = parsed(text);
  if (xml.name !== 'domain') throw wrongXml(`unexpected root element <${xml.name}>, expecting <domain>`);
  const name = childOf(xml, 'name');
  if (name === undefined || textOf(name) === '')
    throw new FakeRefusal({ code: ErrorCode.NO_NAME, domain: ErrorDomain.DOMAIN, message: 'missing name information' });
  const parts = memoryParts(xml);
  const memoryKib = parts.reduce((sum, { kib }) => sum + kib, 0);
  const current = childOf(xml, 'currentMemory');
  return {
    name: textOf(name),
    uuid: uuidOf(xml),
    memoryKib,
    currentMemoryKib: current === undefined ? memoryKib : Math.min(memoryKib, amountKib(current, textOf(current))),
    vcpus: wholeNumber(childOf(xml, 'vcpu'), 'vcpu', 1),
    parts,
    isImmediate:
      childOf(xml, 'memoryBacking', 'allocation')?.attributes.get('mode') === 'immediate' ||
      childOf(xml, 'memoryBacking', 'locked') !== undefined,
    xml,
  };
}

/** A set in libvirt's notation: `0-3,8,^2`. */
export function readSet(text: string): number[] {
  const members = new Set<number>();
  for (const part of text.split(',')) {
    const item = part.trim();
    const isOut = item.startsWith('^');
    const bounds = (isOut ? item.slice(1) : item).split('-').map(decimal);
    const first = bounds[0];
    const last = bounds.at(-1);
    if (bounds.length > 2 || first === undefined || last === undefined || first > last)
      throw wrongXml(`Failed to parse bitmap '${text}'`);
    for (let member = first; member <= last; member += 1) {
      if (isOut) members.delete(member);
      else members.add(member);
    }
  }
  return [...members].toSorted((a, b) => a - b);
}

export function wrongXml(why: string): FakeRefusal {
  return new FakeRefusal({ code: ErrorCode.XML_ERROR, domain: ErrorDomain.DOMAIN, message: `XML error: ${why}` });
}

export function unsupportedConfiguration(why: string): FakeRefusal {
  return new FakeRefusal({ code: ErrorCode.CONFIG_UNSUPPORTED, message: `unsupported configuration: ${why}` });
}

function parsed(text: string): XmlElement {
  try {
    return parseXml(text);
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    const message = `(domain_definition):${error.line}: ${error.message}`;
    throw new FakeRefusal({ code: ErrorCode.XML_DETAIL, domain: ErrorDomain.XML, message });
  }
}

function uuidOf(xml: XmlElement): string {
  const given = childOf(xml, 'uuid');
  if (given === undefined) {
    const uuid = randomUUID();
    xml.children.push(element('uuid', {}, [uuid]));
    return uuid;
  }
  const text = textOf(given);
  if (!UUID.test(text)) throw wrongXml(`malformed uuid element '${text}'`);
  const hex = text.replaceAll('-', '').toLowerCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function memoryParts(xml: XmlElement): MemoryPart[] {
  const tune = childOf(xml, 'numatune');
  const hugepages = childOf(xml, 'memoryBacking', 'hugepages');
  const cells = childrenOf(childOf(xml, 'cpu', 'numa'), 'cell');
  const whole = placement(childOf(tune, 'memory'));
  if (cells.length === 0) {
    const memory = childOf(xml, 'memory');
    if (memory === undefined) throw wrongXml('missing memory element');
    return [{ kib: amountKib(memory, textOf(memory)), pages: pagesOf(hugepages, 0), ...whole }];
  }
  const nodes = childrenOf(tune, 'memnode');
  return cells.map((cell, index) => {
    const id = Number(cell.attributes.get('id') ?? index);
    const memory = cell.attributes.get('memory');
    if (memory === undefined) throw wrongXml(`memory of NUMA cell ${id} missing`);
    const own = nodes.find((node) => Number(node.attributes.get('cellid')) === id);
    return {
      kib: amountKib(cell, memory),
      pages: pagesOf(hugepages, id),
      ...(own === undefined ? whole : placement(own)),
    };
  });
}

function placement(tune: XmlElement | undefined): Pick<MemoryPart, 'cells' | 'mode'> {
  const nodeset = tune?.attributes.get('nodeset');
  if (tune?.attributes.get('placement') === 'auto')
    throw unsupportedConfiguration('the fake host has no numad and cannot place memory automatically');
  if (tune === undefined || nodeset === undefined) return { cells: undefined, mode: 'preferred' };
  const mode = tune.attributes.get('mode') ?? 'strict';
  if (!MODES.has(mode)) throw wrongXml(`Unsupported NUMA memory tuning mode '${mode}'`);
  const cells = readSet(nodeset);
  return { cells, mode: mode === 'preferred' || mode === 'interleave' ? mode : 'strict' };
}

/** The size that <hugepages> gives this guest cell: a <page> that names it, else one that names none. */
function pagesOf(hugepages: XmlElement | undefined, guestCell: number): PageWish {
  if (hugepages === undefined) return 'base';
  const pages = childrenOf(hugepages, 'page');
  if (pages.length === 0) return 'default';
  const names = (page: XmlElement) => {
    const nodeset = page.attributes.get('nodeset');
    return nodeset === undefined ? undefined : readSet(nodeset).includes(guestCell);
  };
  const page = pages.find((one) => names(one) === true) ?? pages.find((one) => names(one) === undefined);
  if (page === undefined) return 'base';
  const size = page.attributes.get('size');
  if (size === undefined) throw wrongXml("Missing required attribute 'size' in element 'page'");
  return amountKib(page, size);
}

/** An amount with the unit that its element says; KiB where it says none. */
function amountKib(holder: XmlElement, text: string): number {
  const amount = decimal(text);
  const unit = holder.attributes.get('unit') ?? 'KiB';
  const bytes = unit === 'b' || unit === 'bytes' ? 1 : UNITS.get(unit.toLowerCase());
  if (amount === undefined) throw wrongXml(`Invalid value '${text}' for element or attribute '${holder.name}'`);
  if (bytes === undefined)
    throw new FakeRefusal({
      code: ErrorCode.INVALID_ARG,
      domain: ErrorDomain.NONE,
      message: `invalid argument: unknown suffix '${unit}'`,
    });
  return Math.ceil((amount * bytes) / 1024);
}

function wholeNumber(holder: XmlElement | undefined, name: string, fallback: number): number {
  if (holder === undefined) return fallback;
  const number = decimal(textOf(holder));
  if (number === undefined) throw wrongXml(`Invalid value '${textOf(holder)}' for element '${name}'`);
  return number;
}

function decimal(text: string): number | undefined {
  return /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;
}
