/** Audit periods: whole hours, days or months of UTC, after each of which `exists` is told. Pure. */

export const AUDIT_UNITS = ['off', 'hour', 'day', 'month'] as const;
export type AuditUnit = Exclude<(typeof AUDIT_UNITS)[number], 'off'>;

/** ISO 8601, UTC. */
export type AuditPeriod = { readonly beginning: string; readonly ending: string };

/** The period that a moment is in. */
export function periodAt(nowMs: number, unit: AuditUnit): AuditPeriod {
  const now = new Date(nowMs);
  const [year, month, day, hour] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), now.getUTCHours()];
  const bounds = {
    hour: [Date.UTC(year, month, day, hour), Date.UTC(year, month, day, hour + 1)],
    day: [Date.UTC(year, month, day), Date.UTC(year, month, day + 1)],
    month: [Date.UTC(year, month), Date.UTC(year, month + 1)],
  }[unit];
  const [beginning = 0, ending = 0] = bounds;
  return { beginning: new Date(beginning).toISOString(), ending: new Date(ending).toISOString() };
}

/**
 * Periods that have ended since the one that was told last, oldest first: the newest `most` of them.
 * @param told when the period that was told last ended (ISO 8601).
 */
export function periodsSince(told: string, nowMs: number, unit: AuditUnit, most: number): AuditPeriod[] {
  const periods: AuditPeriod[] = [];
  let { beginning } = periodAt(nowMs, unit);
  while (periods.length < most && Date.parse(beginning) > Date.parse(told)) {
    const period = periodAt(Date.parse(beginning) - 1, unit);
    periods.unshift(period);
    beginning = period.beginning;
  }
  return periods;
}
