/** Figures of a run, their bounds, and how they are shown. Pure. */
import { table } from 'table';

export type Figure = {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The value must not be above this; with neither bound it is only told. */
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly how: string;
};

/** The value that so much of the samples is below: 0.5 for the median. */
export function quantile(samples: readonly number[], part: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

export function isWithin({ value, atMost = Infinity, atLeast = -Infinity }: Figure): boolean {
  return value <= atMost && value >= atLeast;
}

export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    `${figure.value.toFixed(2)} ${figure.unit}`,
    boundOf(figure),
    isWithin(figure) ? 'ok' : 'MISSED',
    figure.how,
  ]);
  return table([['figure', 'measured', 'bound', '', 'how'], ...rows], {
    columns: { 4: { width: 60, wrapWord: true } },
  });
}

function boundOf({ atMost, atLeast, unit }: Figure): string {
  if (atMost !== undefined) return `≤ ${atMost} ${unit}`;
  return atLeast === undefined ? '-' : `≥ ${atLeast} ${unit}`;
}
