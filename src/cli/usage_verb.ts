/** `hugenode usage`: the span that is asked for, and the answer as a table, JSON or CSV. Pure. */
import { InvalidArgumentError } from 'commander';
import { table } from 'table';
import type { UsageView } from '../client/index.ts';
import { describeKib } from '../units.ts';

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})$/;

/** A day (its first moment in UTC) or a time with a zone, as ISO 8601 in UTC. @throws {InvalidArgumentError} */
export function readMoment(option: string, text: string): string {
  const ms = DAY.test(text) || TIME.test(text) ? Date.parse(text) : Number.NaN;
  // Date takes the 31st of a month of 30 days for the 1st of the next one.
  if (Number.isNaN(ms) || (DAY.test(text) && new Date(ms).toISOString().slice(0, 10) !== text)) {
    throw new InvalidArgumentError(
      `${option} must be a day such as 2026-11-01 (UTC), or a time with its zone such as 2026-11-01T08:00:00Z`,
    );
  }
  return new Date(ms).toISOString();
}

const KIB_PER_GIB = 1024 ** 2;

export function usageTable({ host, from, to, until, since, usage }: UsageView): string {
  const rows = usage.map((row) => [
    row.project_id,
    describeKib(row.page_size_kib),
    String(row.node),
    row.page_hours.toFixed(3),
    ((row.page_hours * row.page_size_kib) / KIB_PER_GIB).toFixed(3),
    (row.kept_page_seconds / 3600).toFixed(3),
  ]);
  const notes = [
    ...(since > from ? [`the record is whole from ${since} on only\n`] : []),
    ...(until < to ? [`the record goes up to ${until}\n`] : []),
  ];
  const heading = ['PROJECT', 'PAGE', 'NODE', 'PAGE HOURS', 'GIB HOURS', 'OF PAGE HOURS SHUT OFF'];
  const lines = table([heading, ...rows], {
    drawHorizontalLine: (line, count) => line === 0 || line === 1 || line === count,
    columnDefault: { wrapWord: false },
  });
  return [`${host}: from ${from} to ${to}\n`, rows.length === 0 ? 'no pages were held\n' : lines, ...notes].join('');
}

const COLUMNS = ['project_id', 'page_size_kib', 'node', 'page_hours', 'page_seconds', 'kept_page_seconds'] as const;

/** RFC 4180, with the host and the span in each line, so that files of several hosts can be put together. */
export function usageCsv({ host, from, to, usage }: UsageView): string {
  const lines = usage.map((row) => [host, from, to, ...COLUMNS.map((column) => row[column])]);
  return [['host', 'from', 'to', ...COLUMNS], ...lines].map((line) => `${line.map(field).join(',')}\r\n`).join('');
}

function field(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
