/** What the doctor found, as a table with its commands below for people, and as JSON. Pure. */
import { styleText } from 'node:util';
import { table } from 'table';
import { LEVELS, type Finding, type Level } from '../doctor/check.ts';
import type { Report } from '../doctor/runner.ts';

export type Paint = (level: Level, text: string) => string;

export type TextOptions = {
  /** Width of the terminal in characters. */
  readonly columns: number;
  readonly paint: Paint;
};

const COLOURS = { ok: 'green', note: 'cyan', warning: 'yellow', problem: 'red' } as const;

/** Colours for a terminal, none elsewhere; NO_COLOR is heeded. */
export function painter(isTerminal: boolean): Paint {
  return isTerminal ? (level, text) => styleText(COLOURS[level], text) : (_, text) => text;
}

/** The answer of `--json`. */
export function reportView({ findings, counts, leftOut }: Report, host: string) {
  return { host, counts, left_out: leftOut, findings };
}

/** `1 problem, 2 warnings, 3 notes, 4 ok` */
export function countsText({ counts }: Pick<Report, 'counts'>): string {
  return LEVELS.toReversed()
    .map((level) => `${counts[level]} ${level}${level === 'ok' || counts[level] === 1 ? '' : 's'}`)
    .join(', ');
}

export function reportText(report: Report, { columns, paint }: TextOptions): string {
  const { findings } = report;
  if (findings.length === 0) return 'nothing was checked\n';
  const rows = findings.map(({ level, check, what }) => [paint(level, level), check, printable(what)]);
  const checkWidth = Math.max(...findings.map(({ check }) => check.length));
  const width = Math.max(LEAST_WIDTH, columns - checkWidth - BORDERS);
  const overview = table([['LEVEL', 'CHECK', 'FINDING'], ...rows], {
    drawHorizontalLine: (line, count) => line === 0 || line === 1 || line === count,
    columns: [{}, {}, { width, wrapWord: true }],
  });
  const unwell = LEVELS.toReversed()
    .filter((level) => level !== 'ok')
    .flatMap((level) => findings.filter((finding) => finding.level === level));
  return [overview, ...unwell.map((finding) => explained(finding, paint)), `\n${countsText(report)}\n`].join('');
}

const LEAST_WIDTH = 40;
/** Of the table, with the column of levels. */
const BORDERS = 17;

/** Commands stand on lines of their own, unbroken, to be pasted. */
function explained({ level, check, what, why, mend }: Finding, paint: Paint): string {
  const lines = [
    `\n${paint(level, level)} ${check}: ${printable(what)}`,
    ...(why === '' ? [] : [`  ${printable(why)}`]),
    ...(mend ?? []).map((command) => `    ${printable(command)}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Some of it comes from others (names of processes and queues, the broker's words): nothing that steers a terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\u{fffd}');
}
