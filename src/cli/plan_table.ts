/** A plan as tables for people; `--json` shows the same answer as it came. Pure. */
import { table } from 'table';
import type { FillResult, PlanCell, PlanPair, PlanResult } from '../plan/plan_result.ts';
import { describeKib } from '../units.ts';

/** Reasons have many numbers: a line of them is broken here. */
const REASON_WIDTH = 90;

const PLACED = ['INSTANCE', 'GUEST CELL', 'NODE', 'PAGE', 'PAGES', 'MEMORY', 'PINS (vCPU:CPU)'];
const FILLED = ['NODE', 'GUEST CELLS', 'PAGE', 'PAGES', 'MEMORY', 'CPUS GIVEN'];
const REFUSED = ['GUEST CELL', 'NODE', 'REASON'];

/** The instances that fit, and why the next one does not. */
export function planTable(plan: PlanResult): string {
  const rows = plan.instances.flatMap(({ cells }, at) => cells.map((cell) => [`${at + 1}`, ...placedRow(cell)]));
  const count = plan.wanted === 1 ? 'the instance' : `${plan.fits} of ${plan.wanted} instances`;
  const verb = plan.wanted === 1 ? (plan.fits === 1 ? 'fits' : 'does not fit') : plan.fits === 1 ? 'fits' : 'fit';
  return [`${count} ${verb}\n`, grid(PLACED, rows), refusalText(plan)].join('');
}

/** How many more fit, and what they would have of each node. */
export function fillTable(fill: FillResult): string {
  const rows = fill.nodes.map((node) => [
    `${node.node}`,
    `${node.guest_cells}`,
    pageSize(node.page_size_kib),
    `${node.pages ?? '-'}`,
    `${node.memory_mb} MiB`,
    node.cpus.join(' ') || '-',
  ]);
  const count = `${fill.at_least ? 'at least ' : ''}${fill.fits} more ${fill.fits === 1 ? 'fits' : 'fit'}`;
  return [`${count}\n`, grid(FILLED, rows), refusalText(fill)].join('');
}

function placedRow(cell: PlanCell): string[] {
  const { guest_cell: guestCell, node, page_size_kib: sizeKib, pages, memory_mb: memoryMib } = cell;
  return [
    `${guestCell}`,
    `${node}`,
    pageSize(sizeKib),
    pagesText(pages, cell.elsewhere),
    `${memoryMib} MiB`,
    pinsOf(cell),
  ];
}

/** `320`, or `320 and 80 on node 2` where other nodes give the rest. */
function pagesText(pages: number | null, elsewhere: PlanCell['elsewhere']): string {
  return [`${pages ?? '-'}`, ...elsewhere.map((other) => `${other.pages} on node ${other.node}`)].join(' and ');
}

function pinsOf({ pins, emulator_cpus: emulator }: PlanCell): string {
  const parts = pins.map(({ vcpu, cpu }) => `${vcpu}:${cpu}`);
  if (emulator.length > 0) parts.push(`emulator:${emulator.join(',')}`);
  return parts.join(' ') || '-';
}

function pageSize(sizeKib: number | null): string {
  return sizeKib === null ? '-' : describeKib(sizeKib);
}

function refusalText({ refusal, advice }: Pick<PlanResult, 'refusal' | 'advice'>): string {
  if (refusal === null) return '';
  // Where guest cells fit nowhere, the sentence is all the reasons again: the rows have them.
  const summary = refusal.code === 'no-host-cell' ? '' : `: ${refusal.text}`;
  return [
    `the next one does not fit${summary}\n`,
    grid(REFUSED, refusal.pairs.map(refusedRow)),
    ...refusal.across.map(({ text }) => `across nodes (memory mode preferred): ${text}\n`),
    ...advice.map(({ text }) => `advice: ${text}\n`),
  ].join('');
}

function refusedRow({ guest_cell: guestCell, node, reason, page_size_kib: sizeKib }: PlanPair): string[] {
  const pages = sizeKib === null ? '' : ` with pages of ${describeKib(sizeKib)}`;
  return [`${guestCell}`, `${node}`, reason?.text ?? `fits by itself${pages}`];
}

/** The last column is the long one. */
function grid(head: readonly string[], rows: readonly string[][]): string {
  if (rows.length === 0) return '';
  const last = head.length - 1;
  const widest = Math.max(...[head, ...rows].map((row) => row[last]?.length ?? 0));
  return table([[...head], ...rows], {
    drawHorizontalLine: (line, count) => line === 0 || line === 1 || line === count,
    columns: { [last]: { width: Math.min(widest, REASON_WIDTH), wrapWord: true } },
  });
}
