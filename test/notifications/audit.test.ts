import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GuestInfo } from '../../src/compute_driver.ts';
import type { InstanceEvent } from '../../src/compute/events.ts';
import { Audit } from '../../src/notifications/audit.ts';
import { periodAt, periodsSince } from '../../src/notifications/audit_periods.ts';
import { instanceOf } from '../domain/instances.ts';
import { quietLog } from '../quiet_log.ts';

const at = (iso: string) => Date.parse(iso);

test.each([
  ['hour', '2026-11-22T01:00:00.000Z', '2026-11-22T02:00:00.000Z'],
  ['day', '2026-11-22T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
  ['month', '2026-11-01T00:00:00.000Z', '2026-12-01T00:00:00.000Z'],
] as const)('the %s that a moment is in', (unit, beginning, ending) => {
  expect(periodAt(at('2026-11-22T01:41:00Z'), unit)).toEqual({ beginning, ending });
});

test('months end with the year, and are as long as they are', () => {
  expect(periodAt(at('2026-12-31T23:59:59.999Z'), 'month').ending).toBe('2027-01-01T00:00:00.000Z');
  expect(periodsSince('2027-02-01T00:00:00.000Z', at('2027-03-01T00:00:00.000Z'), 'month', 9)).toEqual([
    { beginning: '2027-02-01T00:00:00.000Z', ending: '2027-03-01T00:00:00.000Z' },
  ]);
});

test('periods follow each other without gap or overlap, whatever the unit and the moment', () => {
  const moment = fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });
  fc.assert(
    fc.property(fc.constantFrom('hour', 'day', 'month'), moment, moment, (unit, one, other) => {
      const [told, now] = [Math.min(+one, +other), Math.max(+one, +other)];
      const periods = periodsSince(new Date(told).toISOString(), now, unit, 5);
      const ends = periods.map(({ ending }) => ending);
      expect(periods.slice(1).map(({ beginning }) => beginning)).toEqual(ends.slice(0, -1));
      for (const { ending } of periods) {
        expect(at(ending)).toBeGreaterThan(told);
        expect(at(ending)).toBeLessThanOrEqual(now);
      }
      expect(periods.length === 0 || ends.at(-1) === periodAt(now, unit).beginning).toBe(true);
    }),
  );
});

const guest = (launchedAt: string | null): GuestInfo => ({
  instance: instanceOf({ launchedAt }),
  powerState: 'running',
  domainName: 'd',
  consoleLogPath: '/dev/null',
});

function auditAt(now: string, told: string | undefined, guests: readonly GuestInfo[] | Error) {
  const calls: { events: readonly InstanceEvent[]; until: string }[] = [];
  const kept = { told };
  const audit = new Audit({
    unit: 'hour',
    now: () => at(now),
    listGuests: async () => {
      if (guests instanceof Error) throw guests;
      return guests;
    },
    told: () => kept.told,
    tell: (events, until) => {
      kept.told = until;
      calls.push({ events, until });
    },
    log: quietLog(),
  });
  return { audit, calls };
}

async function run({ audit }: ReturnType<typeof auditAt>) {
  audit.start();
  await audit.stop();
}

test('the first start notes where it begins and tells nothing', async () => {
  const first = auditAt('2026-11-22T01:41:00Z', undefined, [guest('2026-11-20T00:00:00.000Z')]);
  await run(first);
  expect(first.calls).toEqual([{ events: [], until: '2026-11-22T01:00:00.000Z' }]);
});

test('periods that ended meanwhile are told once, of instances that were there', async () => {
  const guests = [guest('2026-11-21T23:30:00.000Z'), guest('2026-11-22T00:30:00.000Z'), guest(null)];
  const late = auditAt('2026-11-22T01:41:00Z', '2026-11-21T23:00:00.000Z', guests);
  await run(late);
  await run(late);
  expect(late.calls).toHaveLength(1);
  expect(late.calls[0]?.until).toBe('2026-11-22T01:00:00.000Z');
  expect(late.calls[0]?.events).toMatchObject([
    { kind: 'exists', ending: '2026-11-22T00:00:00.000Z' },
    { kind: 'exists', ending: '2026-11-22T01:00:00.000Z' },
    { kind: 'exists', ending: '2026-11-22T01:00:00.000Z' },
  ]);
});

test('a period is not noted as told where the guests are not known', async () => {
  const away = auditAt('2026-11-22T01:41:00Z', '2026-11-22T00:00:00.000Z', new Error('libvirt is gone'));
  await run(away);
  expect(away.calls).toEqual([]);
});

test('a clock that was set back tells nothing twice', async () => {
  const back = auditAt('2026-11-21T12:00:00Z', '2026-11-22T00:00:00.000Z', [guest('2026-11-20T00:00:00.000Z')]);
  await run(back);
  expect(back.calls).toEqual([]);
});
