/** The answer to plan_instance. Also read by our own client, so it is a schema; the words are those of plan/. */
import { z } from 'zod';
import type { PlanReport } from '../compute/plan_instance.ts';

const cells = z
  .array(
    z.object({
      guest_cell: z.number(),
      node: z.number(),
      page_size_kib: z.number().nullable(),
      pages: z.number().nullable(),
      memory_mb: z.number(),
      pins: z.array(z.object({ vcpu: z.number(), cpu: z.number() })).readonly(),
      emulator_cpus: z.array(z.number()).readonly(),
      elsewhere: z.array(z.object({ node: z.number(), pages: z.number() })).readonly(),
    }),
  )
  .readonly();

/** One bound of a node; a number that the reason does not have is not there. */
const counts = z.object({
  of: z.enum(['pages', 'memory', 'cpus']),
  page_size_kib: z.number().exactOptional(),
  needed: z.number().nullable().exactOptional(),
  free: z.number().exactOptional(),
  total: z.number().exactOptional(),
  used: z.number().exactOptional(),
  reserved: z.number().exactOptional(),
  ratio: z.number().exactOptional(),
});

const reason = z.object({
  code: z.enum([
    'size_absent',
    'pages',
    'small_total',
    'mem_total',
    'mem_free',
    'vcpu_total',
    'pcpu_total',
    'pcpu_free',
    'pack',
    'cpu_limit',
    'ram_limit',
  ]),
  text: z.string(),
  counts: z.array(counts).readonly(),
});

const refusal = z
  .object({
    code: z.enum(['too-few-host-cells', 'no-host-cell', 'not-together', 'not-claimable', 'host-memory']),
    text: z.string(),
    /** Memory mode preferred: why not even several nodes together, for each page size. */
    across: z
      .array(
        z.object({
          code: z.enum(['not-whole-pages', 'too-few-pages', 'set-aside', 'cpus']),
          page_size_kib: z.number(),
          text: z.string(),
        }),
      )
      .readonly(),
    /** Every guest cell on every node. */
    pairs: z
      .array(
        z.object({
          guest_cell: z.number(),
          node: z.number(),
          page_size_kib: z.number().nullable(),
          reason: reason.nullable(),
        }),
      )
      .readonly(),
  })
  .nullable();

const advice = z
  .array(
    z.union([
      z.object({
        kind: z.literal('free-pages'),
        text: z.string(),
        free: z.array(z.object({ node: z.number(), page_size_kib: z.number(), pages: z.number() })).readonly(),
        pages: z.number(),
        memory_mb: z.number(),
      }),
      z.object({
        kind: z.enum(['other-page-size', 'other-split']),
        text: z.string(),
        field: z.string(),
        value: z.string(),
        cells,
      }),
    ]),
  )
  .readonly();

const shutOffInstances = z.enum(['keep', 'release']);

/** With a count. */
export const countPlanView = z.object({
  shut_off_instances: shutOffInstances,
  wanted: z.number(),
  fits: z.number(),
  instances: z.array(z.object({ cells })).readonly(),
  refusal,
  advice,
});

/** With `fill`. */
export const fillPlanView = z.object({
  shut_off_instances: shutOffInstances,
  fits: z.number(),
  at_least: z.boolean(),
  nodes: z
    .array(
      z.object({
        node: z.number(),
        page_size_kib: z.number().nullable(),
        guest_cells: z.number(),
        pages: z.number().nullable(),
        memory_mb: z.number(),
        cpus: z.array(z.number()).readonly(),
      }),
    )
    .readonly(),
  refusal,
  advice,
});

export const planView = z.union([countPlanView, fillPlanView]);

export type PlanView = z.output<typeof planView>;

export function viewPlan({ result, shutOffInstances: shutOff }: PlanReport): PlanView {
  return { shut_off_instances: shutOff, ...result };
}
