/**
 * What requests may look like, API 1.1. Everything from the wire passes here before any room sees it: unknown fields,
 * wrong types, absurd sizes and unprintable names end at this door, with a message that names the field.
 */
import { z } from 'zod';
import { IMAGE_ID } from '../images/image_store.ts';
import type { PlanWish } from '../compute/plan_instance.ts';
import type { InstanceRequest } from '../instance.ts';
import type { UsageQuery } from '../usage/usage_report.ts';

/** Largest figures that mean anything; beyond them a request is a mistake, not a wish. */
const MOST_VCPUS = 4096;
const MOST_MEMORY_MB = 1024 ** 3;
const MOST_DISK_GB = 1024 ** 2;
/** Instances whose places are listed one by one in one answer. */
const MOST_PLANNED = 1000;

/** Printable, well-formed text that XML can hold; `<>&"'` are as good as any other character. */
const text = z
  .string()
  .min(1)
  .max(255)
  .refine((value) => value.isWellFormed(), 'must be well-formed Unicode')
  .refine((value) => !/[\p{Cc}\uFFFE\uFFFF]/u.test(value), 'must not contain control characters');

const optionalText = z.union([z.literal(''), text]);
const textMap = z.record(text, optionalText).refine((map) => Object.keys(map).length <= 256, 'at most 256 entries');

const uuid = z.uuid().toLowerCase();

const flavor = z.strictObject({
  id: text.nullable().default(null),
  name: text,
  vcpus: z.int().min(1).max(MOST_VCPUS),
  memory_mb: z.int().min(1).max(MOST_MEMORY_MB),
  disk_gb: z.int().min(0).max(MOST_DISK_GB).default(0),
  extra_specs: textMap.default({}),
});

export const createInstanceArgs = z.strictObject({
  uuid,
  name: text,
  project_id: text,
  user_id: text,
  flavor,
  image: z
    .string()
    .regex(IMAGE_ID, 'must be a plain name: letters, digits, dot, dash, underscore')
    .nullable()
    .default(null),
  image_properties: textMap.default({}),
  metadata: textMap.default({}),
});

export const instanceArgs = z.strictObject({ uuid });
export const noArgs = z.strictObject({});
/** `holders` came with 1.1. */
export const hostArgs = z.strictObject({ holders: z.boolean().default(false) });

/** Since 1.1. The flavor as create_instance takes it, so that the same one can be asked about. */
export const planInstanceArgs = z.strictObject({
  flavor: flavor.partial({ name: true }),
  image_properties: textMap.default({}),
  count: z.int().min(1).max(MOST_PLANNED).default(1),
  fill: z.boolean().default(false),
});

const moment = z.iso.datetime({ offset: true, error: 'must be a time with its zone, such as 2026-11-01T00:00:00Z' });

/** Since 1.1. Times are ISO 8601; the end is not of the span, and null is now. */
export const usageArgs = z
  .strictObject({ from: moment, to: moment.nullable().default(null), project_id: text.nullable().default(null) })
  .refine(({ from, to }) => to === null || Date.parse(from) < Date.parse(to), {
    path: ['to'],
    message: 'must be later than from',
  });

export type UsageArgs = z.output<typeof usageArgs>;
export type PlanInstanceArgs = z.output<typeof planInstanceArgs>;
export type CreateInstanceArgs = z.output<typeof createInstanceArgs>;

/** The request as the core knows it. */
export function instanceRequestOf(args: CreateInstanceArgs): InstanceRequest {
  return {
    uuid: args.uuid,
    name: args.name,
    projectId: args.project_id,
    userId: args.user_id,
    flavor: {
      id: args.flavor.id,
      name: args.flavor.name,
      vcpus: args.flavor.vcpus,
      memoryMib: args.flavor.memory_mb,
      diskGib: args.flavor.disk_gb,
      extraSpecs: args.flavor.extra_specs,
    },
    imageId: args.image,
    imageProperties: args.image_properties,
    metadata: args.metadata,
  };
}

/** The question as the core knows it. */
export function planWishOf({ flavor: asked, image_properties, count, fill }: PlanInstanceArgs): PlanWish {
  return {
    flavor: { vcpus: asked.vcpus, memoryMib: asked.memory_mb, extraSpecs: asked.extra_specs },
    imageProperties: image_properties,
    count: fill ? 'fill' : count,
  };
}

/** The question as the record knows it. @param nowMs where the span has no end. */
export function usageQueryOf({ from, to, project_id }: UsageArgs, nowMs: number): UsageQuery {
  const fromMs = Date.parse(from);
  const toMs = Math.max(fromMs, to === null ? nowMs : Date.parse(to));
  return { fromMs, toMs, ...(project_id === null ? {} : { projectId: project_id }) };
}
