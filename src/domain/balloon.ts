/** The memory balloon of a domain, as libvirt has it. Pure. */
import { XMLParser } from 'fast-xml-parser';
import { z } from 'zod';

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  parseAttributeValue: false,
  // The XML is libvirt's own; a record full of quotes must not run into the parser's limit for hostile documents.
  processEntities: { enabled: true, maxTotalExpansions: Infinity, maxExpandedLength: Infinity },
});

const schema = z.object({
  domain: z.object({
    devices: z.object({
      memballoon: z
        .union([
          z.object({
            '@model': z.string(),
            stats: z.object({ '@period': z.string().regex(/^\d+$/) }).optional(),
          }),
          z.string(),
        ])
        .optional(),
    }),
  }),
});

export type Balloon = {
  /** Whether the guest has one. */
  readonly exists: boolean;
  /** How often QEMU asks it, in seconds; 0: never. */
  readonly periodS: number;
};

/** @throws {z.ZodError} where the document is no domain with devices. */
export function readBalloon(domainXml: string): Balloon {
  const { memballoon } = schema.parse(parser.parse(domainXml)).domain.devices;
  if (typeof memballoon !== 'object' || memballoon['@model'] === 'none') return { exists: false, periodS: 0 };
  return { exists: true, periodS: Number(memballoon.stats?.['@period'] ?? 0) };
}
