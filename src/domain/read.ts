/** Takes back from a domain's XML what we wrote there, and from libvirt's capabilities what the host is. Pure. */
import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';
import type { Instance } from '../instance.ts';
import { expand, parseCpuRanges } from '../numa/cpu_set.ts';
import { decodeRecord, RECORD_ELEMENT, RECORD_PREFIX } from './record.ts';

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  // Everything stays text until a schema says what it is.
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  // The XML is libvirt's own; a record full of quotes must not run into the parser's limit for hostile documents.
  processEntities: { enabled: true, maxTotalExpansions: Infinity, maxExpandedLength: Infinity },
  isArray: (_name, path) => LISTS.has(String(path)),
});

const LISTS = new Set([
  'capabilities.host.topology.cells.cell',
  'capabilities.host.topology.cells.cell.pages',
  'capabilities.host.topology.cells.cell.cpus.cpu',
  'capabilities.guest',
  'capabilities.guest.arch',
  'capabilities.guest.arch.domain',
]);

const recordKey = `${RECORD_PREFIX}:${RECORD_ELEMENT}`;
const domainSchema = z.object({
  domain: z.object({
    name: z.string(),
    metadata: z
      .object({ [recordKey]: z.union([z.string(), z.object({ '#text': z.string() })]).optional() })
      .or(z.string())
      .optional(),
  }),
});

export type DomainContent = {
  readonly name: string;
  /** The instance that a domain of ours carries; undefined where there is none or it cannot be read. */
  readonly instance: Instance | undefined;
};

/** Reads a domain's name and our record in it. @throws {z.ZodError} where the document is no domain. */
export function readDomain(domainXml: string): DomainContent {
  const { name, metadata } = domainSchema.parse(parser.parse(domainXml)).domain;
  const element = typeof metadata === 'object' ? metadata[recordKey] : undefined;
  if (element === undefined) return { name, instance: undefined };
  return { name, instance: decodeRecord(typeof element === 'string' ? element : element['#text']) };
}

const wholeNumber = z.string().regex(/^\d+$/).transform(Number);

const capabilitiesSchema = z.object({
  capabilities: z.object({
    host: z.object({
      cpu: z.object({ arch: z.string() }),
      topology: z.object({
        cells: z.object({
          cell: z.array(
            z.object({
              '@id': wholeNumber,
              memory: z.object({ '@unit': z.literal('KiB'), '#text': wholeNumber }),
              pages: z
                .array(z.object({ '@unit': z.literal('KiB'), '@size': wholeNumber, '#text': wholeNumber }))
                .default([]),
              cpus: z.union([
                z.object({
                  cpu: z.array(z.object({ '@id': wholeNumber, '@siblings': z.string().optional() })).default([]),
                }),
                // A node without CPUs has an empty element.
                z.string().transform(() => ({ cpu: [] })),
              ]),
            }),
          ),
        }),
      }),
    }),
    guest: z
      .array(
        z.object({
          arch: z.array(
            z.object({ '@name': z.string(), domain: z.array(z.object({ '@type': z.string() })).default([]) }),
          ),
        }),
      )
      .default([]),
  }),
});

export type HostTopology = {
  readonly arch: string;
  /** Domain types offered for the host's own architecture, such as kvm and qemu. */
  readonly virtTypes: readonly string[];
  readonly nodes: readonly {
    readonly node: number;
    readonly cpus: readonly number[];
    /** The threads of each core, each once. */
    readonly siblings: readonly (readonly number[])[];
    readonly memoryKib: number;
    /** Page sizes of the node, smallest first, with the pages there are. */
    readonly pools: readonly { readonly pageSizeKib: number; readonly totalPages: number }[];
  }[];
};

/**
 * Reads virConnectGetCapabilities.
 * @throws {z.ZodError} where the document lacks a NUMA topology.
 */
export function readTopology(capabilitiesXml: string): HostTopology {
  const { host, guest } = capabilitiesSchema.parse(parser.parse(capabilitiesXml)).capabilities;
  return {
    arch: host.cpu.arch,
    virtTypes: guest
      .flatMap((entry) => entry.arch)
      .filter((arch) => arch['@name'] === host.cpu.arch)
      .flatMap((arch) => arch.domain.map((domain) => domain['@type'])),
    nodes: host.topology.cells.cell.map((cell) => ({
      node: cell['@id'],
      cpus: cell.cpus.cpu.map((entry) => entry['@id']),
      siblings: coresOf(cell.cpus.cpu),
      memoryKib: cell.memory['#text'],
      pools: cell.pages
        .map((pool) => ({ pageSizeKib: pool['@size'], totalPages: pool['#text'] }))
        .toSorted((a, b) => a.pageSizeKib - b.pageSizeKib),
    })),
  };
}

/** Each CPU names all threads of its core, itself among them (`siblings="0,4"`); one that names none stands alone. */
function coresOf(cpus: readonly { readonly '@id': number; readonly '@siblings'?: string | undefined }[]): number[][] {
  const cores = new Map<number, number[]>();
  for (const { '@id': id, '@siblings': siblings } of cpus) {
    const threads = [...expand(parseCpuRanges(siblings ?? '') ?? []), id];
    const core = [...new Set(threads)].toSorted((a, b) => a - b);
    cores.set(core[0] ?? id, core);
  }
  return [...cores.values()];
}
