/** The answer to get_usage. Also read by our own client, so it is a schema. */
import { z } from 'zod';
import type { UsageReport } from '../usage/usage_report.ts';

/** Since 1.1. Times are ISO 8601 in UTC. */
export const usageView = z.object({
  host: z.string(),
  from: z.string(),
  to: z.string(),
  /** What was written when it was asked; what is later than this is not in it. */
  until: z.string(),
  /** From when on the history is whole. */
  since: z.string(),
  usage: z.array(
    z.object({
      project_id: z.string(),
      page_size_kib: z.number(),
      node: z.number(),
      /** Pages times hours, of guests that ran and of those that were shut off and kept theirs. */
      page_hours: z.number(),
      /** The same in seconds, to the millisecond. */
      page_seconds: z.number(),
      /** Of these of guests that were shut off. */
      kept_page_seconds: z.number(),
    }),
  ),
});

export type UsageView = z.output<typeof usageView>;

export function viewUsage({ fromMs, toMs, untilMs, sinceMs, rows }: UsageReport, host: string): UsageView {
  return {
    host,
    from: iso(fromMs),
    to: iso(toMs),
    until: iso(untilMs),
    since: iso(sinceMs),
    usage: rows.map(({ projectId, pageSizeKib, node, runningPageMs, keptPageMs }) => {
      const seconds = secondsOf(runningPageMs + keptPageMs);
      return {
        project_id: projectId,
        page_size_kib: pageSizeKib,
        node,
        page_hours: Math.round((seconds / 3600) * 1e6) / 1e6,
        page_seconds: seconds,
        kept_page_seconds: secondsOf(keptPageMs),
      };
    }),
  };
}

/** Exact up to 9e12 page-seconds: half a million pages for 198 days. */
function secondsOf(pageMs: bigint): number {
  return Number(pageMs) / 1000;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
