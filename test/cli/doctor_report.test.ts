import { afterEach, expect, test, vi } from 'vitest';
import { countsText, painter, reportText, reportView } from '../../src/cli/doctor_report.ts';
import { EXIT, exitCodeOf, UnwellError } from '../../src/cli/exit_codes.ts';
import { runCommandLine } from '../../src/cli/program.ts';
import type { Report } from '../../src/doctor/runner.ts';

const report: Report = {
  findings: [
    { check: 'kvm', level: 'ok', what: 'there', why: '', mend: null, details: {} },
    {
      check: 'thp',
      level: 'note',
      what: 'always',
      why: 'pauses',
      mend: ['echo 1', 'echo 2'],
      details: { mode: 'always' },
    },
    { check: 'hugetlbfs', level: 'problem', what: 'not \u001b[31mmounted', why: 'no guests', mend: null, details: {} },
  ],
  counts: { ok: 1, note: 1, warning: 0, problem: 1 },
  leftOut: [],
};

test('for people: a table in the order of the checks, below it the worst first, each command on a line of its own', () => {
  const text = reportText(report, { columns: 80, paint: painter(false) });
  expect(text).toMatch(
    /kvm[^]*thp[^]*hugetlbfs[^]*problem hugetlbfs: [^]*note thp: always\n {2}pauses\n {4}echo 1\n {4}echo 2\n/,
  );
  expect(text).not.toContain('ok kvm:');
  expect(text).toMatch(/\n1 problem, 0 warnings, 1 note, 1 ok\n$/);
  expect(text).not.toContain('\u001b');
  for (const line of text.split('\n').slice(0, 6)) expect(line.length).toBeLessThanOrEqual(80);
  expect(reportText({ ...report, findings: [] }, { columns: 80, paint: painter(false) })).toBe('nothing was checked\n');
});

test('a long command is not broken', () => {
  const mend = [`echo ${'x'.repeat(300)}`];
  const [finding] = report.findings;
  const one = { ...report, findings: finding === undefined ? [] : [{ ...finding, level: 'problem' as const, mend }] };
  expect(reportText(one, { columns: 60, paint: painter(false) })).toContain(`\n    ${mend[0]}\n`);
});

test('for programs', () => {
  expect(reportView(report, 'cmp1')).toEqual({
    host: 'cmp1',
    counts: report.counts,
    left_out: [],
    findings: report.findings,
  });
  expect(countsText(report)).toBe('1 problem, 0 warnings, 1 note, 1 ok');
});

test('warnings and problems have codes of their own', () => {
  expect(exitCodeOf(new UnwellError('warning', 'x'))).toBe(EXIT.warnings);
  expect(exitCodeOf(new UnwellError('problem', 'x'))).toBe(EXIT.problems);
  expect(new Set(Object.values(EXIT)).size).toBe(Object.values(EXIT).length);
});

afterEach(() => {
  vi.restoreAllMocks();
});

async function run(...args: string[]) {
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      written[stream] += String(chunk);
      return true;
    });
  }
  const code = await runCommandLine(args);
  return { code, ...written };
}

test('notes alone are well: guests elsewhere, and only the kernel is asked about', async () => {
  const { code, stdout, stderr } = await run(
    '--json',
    '--set',
    'host=h',
    '--set',
    'libvirt.uri=qemu+tcp://h/system',
    'doctor',
    '--check',
    'kvm',
    'thp',
  );
  expect([code, stderr]).toEqual([EXIT.ok, '']);
  expect(JSON.parse(stdout)).toMatchObject({
    host: 'h',
    left_out: ['kvm', 'thp'],
    counts: { ok: 0, note: 1, warning: 0, problem: 0 },
  });
});

test('a problem: its exit code, its commands, and no login in anything that is said', async () => {
  const url = 'rabbit://anna:geheim@127.0.0.1:1/';
  const { code, stdout, stderr } = await run(
    '--set',
    `rpc.transport_url=${url}`,
    '--set',
    'libvirt.socket=/nope/sock',
    'doctor',
    '--check',
    'broker',
    'libvirt',
  );
  expect(code).toBe(EXIT.problems);
  expect(stderr).toBe('hugenode: 2 problems, 0 warnings, 0 notes, 0 ok\n');
  expect(stdout).toMatch(
    /problem libvirt: [^]*problem broker: no connection to amqp:\/\/127.0.0.1:1\/[^]*ECONNREFUSED/,
  );
  expect(stdout + stderr).not.toMatch(/anna|geheim/);
});

test('a check that is none, and settings that are wrong', async () => {
  const unknown = await run('doctor', '--check', 'kvm', 'nope');
  expect(unknown).toMatchObject({ code: EXIT.usage, stdout: '' });
  expect(unknown.stderr).toContain('no check nope; there are: kvm, page-pools,');
  vi.restoreAllMocks();
  expect((await run('--set', 'rpc.nope=1', 'doctor', '--check', 'thp')).code).toBe(EXIT.usage);
});
