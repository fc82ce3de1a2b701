import { expect, test } from 'vitest';
import { readMoment, usageCsv, usageTable } from '../../src/cli/usage_verb.ts';
import type { UsageView } from '../../src/client/index.ts';

const view: UsageView = {
  host: 'cmp1',
  from: '2026-11-01T00:00:00.000Z',
  to: '2026-12-01T00:00:00.000Z',
  until: '2026-11-25T10:00:00.000Z',
  since: '2026-11-02T00:00:00.000Z',
  usage: [
    {
      project_id: 'say "hi", p',
      page_size_kib: 2048,
      node: 1,
      page_hours: 512.5,
      page_seconds: 1_845_000,
      kept_page_seconds: 3_600,
    },
  ],
};

test('days are UTC, times have their zone', () => {
  expect(readMoment('--from', '2026-11-01')).toBe('2026-11-01T00:00:00.000Z');
  expect(readMoment('--from', '2026-11-01T08:00+02:00')).toBe('2026-11-01T06:00:00.000Z');
  expect(readMoment('--from', '2026-11-01T08:00:00.5Z')).toBe('2026-11-01T08:00:00.500Z');
});

test.each(['', 'yesterday', '2026-11', '2026-11-31', '2026-11-01T08:00', '2026-13-01', '1', '2026-11-01T25:00Z'])(
  '«%s» is no moment',
  (text) => expect(() => readMoment('--to', text)).toThrow('--to must be a day such as'),
);

test('a table with GiB-hours, and what the record does not know', () => {
  const text = usageTable(view);
  expect(text).toMatch(/say "hi", p +│ 2 MiB │ 1 +│ 512.500 +│ 1.001 +│ 1.000/);
  expect(text).toContain('the record is whole from 2026-11-02T00:00:00.000Z on only');
  expect(text).toContain('the record goes up to 2026-11-25T10:00:00.000Z');
  expect(usageTable({ ...view, usage: [], since: view.from, until: view.to })).toBe(
    'cmp1: from 2026-11-01T00:00:00.000Z to 2026-12-01T00:00:00.000Z\nno pages were held\n',
  );
});

test('CSV as RFC 4180 has it', () => {
  expect(usageCsv(view)).toBe(
    'host,from,to,project_id,page_size_kib,node,page_hours,page_seconds,kept_page_seconds\r\n' +
      'cmp1,2026-11-01T00:00:00.000Z,2026-12-01T00:00:00.000Z,"say ""hi"", p",2048,1,512.5,1845000,3600\r\n',
  );
});
