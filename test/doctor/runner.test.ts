import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { note, ok, problem, warning, type Check, type Verdict } from '../../src/doctor/check.ts';
import { CHECKS } from '../../src/doctor/checks/index.ts';
import { runChecks, worstOf } from '../../src/doctor/runner.ts';
import { contextOf } from './fake_root.ts';

const check = (id: string, run: Check['run'], subject: Check['subject'] = 'kernel'): Check => ({
  id,
  title: `about ${id}`,
  subject,
  run,
});
const says = (id: string, ...verdicts: Verdict[]): Check => check(id, async () => verdicts);
const complaint = { what: 'x', why: 'y' };
const LOCAL = { isLocal: true, deadlineMs: 1000 };

test('checks run side by side and are told in their order, whoever is first', async () => {
  let isRunning = 0;
  let most = 0;
  const slow = (id: string, ms: number) =>
    check(id, async () => {
      isRunning += 1;
      most = Math.max(most, isRunning);
      await delay(ms);
      isRunning -= 1;
      return [ok(id)];
    });
  const report = await runChecks([slow('a', 60), slow('b', 30), slow('c', 1)], contextOf({}), LOCAL);
  expect(report.findings.map(({ check: id }) => id)).toEqual(['a', 'b', 'c']);
  expect(most).toBe(3);
});

test('a check that throws, at once or later, or rejects with no error, is told as not checked; the others are not concerned', async () => {
  const checks = [
    check('at-once', () => {
      throw new Error('boom');
    }),
    check('later', async () => {
      await delay(1);
      throw new Error('bang');
    }),
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors
    check('odd', () => Promise.reject('odd')),
    says('well', ok('fine')),
  ];
  const { findings } = await runChecks(checks, contextOf({}), LOCAL);
  expect(findings.map(({ level, what, why }) => `${level}: ${what} (${why})`)).toEqual([
    'warning: could not be checked: boom (nothing is known of this: about at-once)',
    'warning: could not be checked: bang (nothing is known of this: about later)',
    'warning: could not be checked: odd (nothing is known of this: about odd)',
    'ok: fine ()',
  ]);
});

test('a check that hangs, or fails after its time, is told as not checked', async () => {
  const checks = [
    check('hangs', () => new Promise(() => {})),
    check('late', async () => {
      await delay(60);
      throw new Error('too late for anybody');
    }),
  ];
  const { findings } = await runChecks(checks, contextOf({}), { isLocal: true, deadlineMs: 20 });
  expect(findings.map(({ what }) => what)).toEqual([
    'could not be checked: no answer within 20 ms',
    'could not be checked: no answer within 20 ms',
  ]);
  // A rejection that nobody hears would end the process: vitest would tell.
  await delay(80);
});

test('with guests elsewhere, what is the kernel’s is left out, and said so', async () => {
  const checks = [says('a', ok('a')), check('b', async () => [ok('b')], 'libvirt'), says('c', problem(complaint))];
  const report = await runChecks(checks, contextOf({}), { isLocal: false, deadlineMs: 1000 });
  expect(report.findings.map(({ check: id, level, what }) => [id, level, what])).toEqual([
    ['host', 'note', 'left out: a, c'],
    ['b', 'ok', 'b'],
  ]);
  expect(report.leftOut).toEqual(['a', 'c']);
  expect(worstOf(report)).toBe('note');
});

test('counts and the worst level', async () => {
  const report = await runChecks(
    [says('a', ok('x'), note(complaint), note(complaint)), says('b', warning(complaint))],
    contextOf({}),
    LOCAL,
  );
  expect(report.counts).toEqual({ ok: 1, note: 2, warning: 1, problem: 0 });
  expect(worstOf(report)).toBe('warning');
  expect(worstOf(await runChecks([], contextOf({}), LOCAL))).toBe('ok');
});

test('on a host without anything every check says something, and none of it is that it failed', async () => {
  const { findings } = await runChecks(CHECKS, contextOf({ files: { '/proc/': 0o755 } }), LOCAL);
  expect(findings.filter(({ what }) => what.startsWith('could not be checked'))).toEqual([]);
  expect(new Set(findings.map(({ check: id }) => id))).toEqual(new Set(CHECKS.map(({ id }) => id)));
  expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
  for (const { id } of CHECKS) expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
});
