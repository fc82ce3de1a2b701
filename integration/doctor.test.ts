/** `hugenode doctor` on a machine that is set up, with an agent and without, and on one thing broken at a time. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { CHECKS } from '../src/doctor/checks/index.ts';
import { AgentStage } from './agent.ts';
import { LAUNCHER, runLauncher } from './agent_process.ts';
import { Broker, Link } from './broker.ts';

const run = promisify(execFile);

const reportSchema = z.strictObject({
  host: z.string(),
  counts: z.strictObject({ ok: z.number(), note: z.number(), warning: z.number(), problem: z.number() }),
  left_out: z.array(z.string()),
  findings: z.array(
    z.strictObject({
      check: z.string(),
      level: z.enum(['ok', 'note', 'warning', 'problem']),
      what: z.string().min(1),
      why: z.string(),
      mend: z.array(z.string().min(1)).nullable(),
      details: z.record(z.string(), z.unknown()),
    }),
  ),
});
type Report = z.infer<typeof reportSchema>;

let stage: AgentStage;

beforeAll(async () => {
  stage = await AgentStage.set('doctor');
});

afterAll(() => stage?.clear());

/** `hugenode --json … doctor …` with the stage's settings, and others that win over them. */
async function doctor(checks: readonly string[] = [], ...settings: string[]) {
  const only = checks.length === 0 ? [] : ['--check', ...checks];
  const set = settings.flatMap((setting) => ['--set', setting]);
  const { code, stdout, stderr } = await runLauncher([...stage.settings, ...set, '--json', 'doctor', ...only]);
  return { code, report: reportSchema.parse(JSON.parse(stdout)), said: stdout + stderr };
}

const ofLevel = (report: Report, level: string) => report.findings.filter((finding) => finding.level === level);
const problemsOf = (report: Report) => ofLevel(report, 'problem').map(({ check, what }) => `${check}: ${what}`);

/** Everything on the virtual host but what the agent makes anew each time it hears itself. */
async function things(): Promise<string[]> {
  const { api, vhost } = stage;
  const [queues, exchanges] = await Promise.all([api.queues(vhost), api.exchanges(vhost)]);
  return [...queues, ...exchanges].map(({ name, durable }) => `${name} ${durable}`).toSorted();
}

test('a machine that is set up, with an agent that runs and a guest: no problem, and nothing is changed', async () => {
  const instance = await stage.create();
  const before = await things();
  const { code, report } = await doctor();
  expect(problemsOf(report)).toEqual([]);
  expect(code).toBe(report.counts.warning > 0 ? 7 : 0);
  expect(ofLevel(report, 'warning').filter(({ what }) => what.startsWith('could not be checked'))).toEqual([]);
  expect(new Set(report.findings.map(({ check }) => check))).toEqual(new Set(CHECKS.map(({ id }) => id)));
  expect(report).toMatchObject({ host: stage.host, left_out: [] });
  const ok = ofLevel(report, 'ok').map(({ check, what }) => `${check}: ${what}`);
  expect(ok).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^mount-order: libvirt has found .*/),
      expect.stringMatching(/^libvirt: libvirt [\d.]+ with QEMU [\d.]+ answers at qemu:\/\/\/system$/),
      expect.stringMatching(/^broker: amqp:\/\/127\.0\.0\.1:\d+\/doctor answers$/),
      `queues: an agent takes requests from hugenode.${stage.host}`,
      'bus-permissions: may declare, consume and publish in virtual host doctor',
    ]),
  );
  // Our guest is nobody else.
  const qemu = `(pid ${await stage.pidOf(instance.uuid)})`;
  expect(report.findings.filter(({ check, what }) => check === 'foreign-holders' && what.includes(qemu))).toEqual([]);
  expect(await things()).toEqual(before);
  // The agent has taken nothing of it for a request.
  expect(stage.logged.filter(({ level }) => level === 'error')).toEqual([]);
  expect(await stage.call('list_instances')).toHaveLength(1);
  await stage.call('delete_instance', { uuid: instance.uuid });
});

test('before the first agent: queues are yet to be made, and are not made by looking', async () => {
  const url = await stage.api.vhost('doctor-bare');
  onTestFinished(() => stage.api.deleteVhost('doctor-bare'));
  const exchanges = await stage.api.exchanges('doctor-bare');
  const { report } = await doctor(['broker', 'queues', 'bus-permissions'], `rpc.transport_url=${url}`);
  expect(report.findings.map(({ level, what }) => `${level}: ${what}`)).toEqual([
    expect.stringMatching(/^ok: .* answers$/),
    expect.stringMatching(/^ok: 0 of \d+ exchanges and queues exist/),
    `note: no agent takes requests from hugenode.${stage.host}`,
    'ok: may declare, consume and publish in virtual host doctor-bare',
  ]);
  expect(await stage.api.queues('doctor-bare')).toEqual([]);
  expect(await stage.api.exchanges('doctor-bare')).toEqual(exchanges);
});

test('for people, without colour in a pipe; some checks only', async () => {
  const { code, stdout } = await runLauncher([...stage.settings, 'doctor', '--check', 'libvirt', 'broker']);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /LEVEL[^]*CHECK[^]*FINDING[^]*ok[^]*libvirt[^]*ok[^]*broker[^]*\n0 problems, 0 warnings, 0 notes, 2 ok\n$/,
  );
  expect(stdout).not.toContain('\u001b');
});

describe('the broker', () => {
  test.each([
    ['nobody listens', 'rabbit://anna:geheim@127.0.0.1:1/', /ECONNREFUSED/],
    ['no such host', 'rabbit://anna:geheim@nowhere.invalid/', /host name/],
    ['no such virtual host', 'VHOST/nowhere', /refuses virtual host nowhere/],
    ['a wrong login', 'rabbit://anna:geheim@BROKER/doctor', /403 ACCESS_REFUSED/],
    ['no transport URL', 'anna:geheim@host', /transport URL: expected/],
  ])('%s', async (_name, url, reason) => {
    const { amqpPort } = stage.api;
    const transportUrl = url
      .replace('VHOST', `rabbit://guest:guest@127.0.0.1:${amqpPort}`)
      .replace('BROKER', `127.0.0.1:${amqpPort}`);
    const { code, report, said } = await doctor(
      ['broker', 'queues', 'bus-permissions'],
      `rpc.transport_url=${transportUrl}`,
    );
    expect(code).toBe(8);
    expect(problemsOf(report)).toEqual([expect.stringMatching(reason)]);
    expect(ofLevel(report, 'note').map(({ check }) => check)).toEqual(['queues', 'bus-permissions']);
    expect(said).not.toMatch(/anna|geheim|guest:guest/);
  });

  test('a broker that does not answer is given up', async () => {
    const link = await Link.to(() => stage.api.amqpPort);
    onTestFinished(() => link.close());
    link.silence();
    const { code, report } = await doctor(['broker'], `rpc.transport_url=${stage.api.url('doctor', link.port)}`);
    expect(code).toBe(8);
    expect(problemsOf(report)).toEqual([
      expect.stringMatching(/does not answer in time|no answer|closed during the handshake/),
    ]);
  });

  test('an alarm is told as what it is', async () => {
    const broker = await Broker.start();
    onTestFinished(() => broker.stop());
    await broker.ctl('set_disk_free_limit', String(10 ** 15));
    await expect
      .poll(
        async () => (await doctor(['broker', 'bus-permissions'], `rpc.transport_url=${broker.url()}`)).report.findings,
        {
          timeout: 40_000,
        },
      )
      .toMatchObject([
        { check: 'broker', level: 'problem', what: expect.stringMatching(/has an alarm of its own/) },
        { check: 'bus-permissions', level: 'ok' },
      ]);
  });
});

describe('queues and permissions', () => {
  test('queues of another kind than the settings want: each named, with what mends it, and the agent is left alone', async () => {
    const before = await things();
    const { code, report } = await doctor(['queues'], 'rpc.queues=durable');
    expect(code).toBe(8);
    const own = `hugenode.${stage.host}`;
    expect(ofLevel(report, 'problem')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          what: expect.stringMatching(
            `queue ${own} in virtual host doctor exists with durable false, and durable true is wanted`,
          ),
          mend: [`rabbitmqctl delete_queue -p 'doctor' '${own}' --if-empty --if-unused`],
        }),
        expect.objectContaining({ what: expect.stringMatching(/exchange hugenode .*exists with durable false/) }),
      ]),
    );
    expect(await things()).toEqual(before);
    const adopting = await doctor(['queues'], 'rpc.queues=durable', 'rpc.adopt_existing_queues=true');
    expect(adopting.code).toBe(0);
    expect(ofLevel(adopting.report, 'note').length).toBe(ofLevel(report, 'problem').length);
    expect(await stage.call('list_instances')).toEqual([]);
  });

  test.each([
    ['declares nothing', { configure: '^$', write: '.*', read: '.*' }, /may not use queue hugenode: /],
    [
      'publishes to no exchange',
      { configure: '.*', write: '^hugenode', read: '.*' },
      /may not publish to queues \(exchange amq\.default\)/,
    ],
    ['consumes nothing', { configure: '.*', write: '.*', read: '^$' }, /may not consume from a queue/],
  ])('a user that %s', async (_name, permissions, words) => {
    await manage('PUT', 'users/doctor-anna', { password: 'geheim', tags: '' });
    onTestFinished(() => manage('DELETE', 'users/doctor-anna'));
    await manage('PUT', 'permissions/doctor/doctor-anna', permissions);
    const url = `rabbit://doctor-anna:geheim@127.0.0.1:${stage.api.amqpPort}/doctor`;
    const { code, report, said } = await doctor(['broker', 'queues', 'bus-permissions'], `rpc.transport_url=${url}`);
    expect(code).toBe(8);
    expect(problemsOf(report).join('\n')).toMatch(words);
    expect(ofLevel(report, 'problem').every(({ check, mend }) => check === 'bus-permissions' && mend !== null)).toBe(
      true,
    );
    expect(said).not.toMatch(/doctor-anna|geheim/);
  });
});

test('who listens to everything hears nothing of it', async () => {
  await manage('PUT', 'queues/doctor/tap', { durable: false });
  onTestFinished(() => stage.api.deleteQueue('doctor', 'tap'));
  const exchanges = (await stage.api.exchanges('doctor')).filter(({ name }) => /^(hugenode|nova)$/.test(name));
  expect(exchanges.length).toBeGreaterThan(0);
  for (const { name } of exchanges) await manage('POST', `bindings/doctor/e/${name}/q/tap`, { routing_key: '#' });
  const { code } = await doctor(['bus-permissions']);
  expect(code).toBe(0);
  expect(await stage.api.messageCount('doctor', 'tap')).toBe(0);
  // The tap does hear.
  await stage.call('list_instances');
  await expect.poll(() => stage.api.messageCount('doctor', 'tap')).toBe(1);
});

describe('libvirt', () => {
  test('a socket that is not there', async () => {
    const { code, report } = await doctor(['libvirt', 'security-driver', 'balloon'], 'libvirt.socket=/nowhere/sock');
    expect(code).toBe(8);
    expect(problemsOf(report)).toEqual([expect.stringMatching(/^libvirt: libvirt does not answer .*\/nowhere\/sock/)]);
  });

  test('a socket behind which nobody answers is given up', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hugenode-doctor-'));
    const server = createServer().listen(join(folder, 'sock'));
    onTestFinished(async () => {
      server.close();
      await rm(folder, { recursive: true });
    });
    await once(server, 'listening');
    const { code, report } = await doctor(['libvirt'], `libvirt.socket=${join(folder, 'sock')}`);
    expect(code).toBe(8);
    expect(problemsOf(report)).toEqual([expect.stringMatching(/^libvirt: libvirt does not answer/)]);
  });

  test('guests elsewhere: the kernel here is left out', async () => {
    const { report } = await doctor(['kvm', 'page-pools', 'libvirt'], 'libvirt.uri=qemu+tcp://127.0.0.1:1/system');
    expect(report.left_out).toEqual(['kvm', 'page-pools']);
    expect(report.findings.map(({ check, level }) => [check, level])).toEqual([
      ['host', 'note'],
      ['libvirt', 'problem'],
    ]);
  });
});

describe('the commands mend', () => {
  test.each<[name: string, breaking: string, check: string, what: RegExp]>([
    ['a mount that is not there', 'umount -l /dev/hugepages', 'hugetlbfs', /^pages of 2 MiB are not mounted/],
    [
      'a mount that QEMU cannot pass',
      'mount -t hugetlbfs -o pagesize=2M,mode=0700 hugetlbfs /dev/hugepages',
      'hugetlbfs',
      /^libvirt-qemu cannot pass through \/dev\/hugepages/,
    ],
    [
      'a mount for everybody',
      'mount -t hugetlbfs -o pagesize=2M,mode=1777 hugetlbfs /dev/hugepages',
      'hugetlbfs',
      /^any user may take pages through \/dev\/hugepages/,
    ],
    [
      'a folder that QEMU cannot pass',
      'mkdir -p -m 0700 "$FOLDER/closed"',
      'disk-space',
      /cannot pass through .*closed/,
    ],
    // A device can only be put over one that is there.
    ...(existsSync('/dev/kvm')
      ? [
          [
            'KVM of root alone',
            'rm -f "$FOLDER/kvm" && mknod -m 0600 "$FOLDER/kvm" c 10 232 && mount --bind "$FOLDER/kvm" /dev/kvm',
            'kvm',
            /^\/dev\/kvm is not open to libvirt-qemu/,
          ] satisfies [string, string, string, RegExp],
        ]
      : []),
  ])('%s', async (_name, breaking, check, what) => {
    const folder = await mkdtemp('/var/tmp/hugenode-doctor-');
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await chmod(folder, 0o755);
    const broken = await unwellWhere([breaking], check, folder);
    const found = broken.filter((finding) => what.test(finding.what));
    expect(found).toHaveLength(1);
    const mended = await unwellWhere([breaking, ...found.flatMap(({ mend }) => mend ?? [])], check, folder);
    expect(mended.filter((finding) => what.test(finding.what))).toEqual([]);
    expect(mended.length).toBeLessThan(broken.length);
  });
});

/** Warnings and problems after these commands, in a mount namespace of their own: nobody else sees what they do. */
async function unwellWhere(commands: readonly string[], check: string, folder: string): Promise<Report['findings']> {
  const script = ['set -e', 'cp /etc/fstab "$FOLDER/fstab"', 'mount --bind "$FOLDER/fstab" /etc/fstab', ...commands];
  await writeFile(join(folder, 'script'), `${script.join('\n')}\nexec "$@"\n`);
  const settings = [`instances.path=${folder}/closed/instances`, 'libvirt.virt_type=auto'];
  const own = settings.flatMap((setting) => ['--set', setting]);
  const args = [LAUNCHER, ...stage.settings, ...own, '--json', 'doctor', '--check', check];
  const options = { env: { ...process.env, FOLDER: folder } };
  const ended = await run('unshare', ['-m', 'sh', join(folder, 'script'), ...args], options).catch((error: unknown) =>
    failureSchema.parse(error),
  );
  const { findings } = reportSchema.parse(JSON.parse(ended.stdout));
  return findings.filter(({ level }) => level === 'warning' || level === 'problem');
}

test('without root: what cannot be read is told, and nothing fails', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hugenode-nobody-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const nobody = ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', 'env', 'NODE_DISABLE_COMPILE_CACHE=1'];
  const args = [...nobody, LAUNCHER, ...stage.settings, '--json', 'doctor'];
  // It ends with a code of its own: libvirt refuses this user.
  const ended = await run('setpriv', args, { cwd: folder }).catch((error: unknown) => failureSchema.parse(error));
  const { stdout, code } = { code: 0, ...ended };
  expect(code).toBe(8);
  const report = reportSchema.parse(JSON.parse(stdout));
  expect(report.findings.filter(({ what }) => what.startsWith('could not be checked'))).toEqual([]);
  expect(problemsOf(report)).toEqual([expect.stringMatching(/^libvirt: /)]);
  expect(new Set(report.findings.map(({ check }) => check))).toEqual(new Set(CHECKS.map(({ id }) => id)));
});

const failureSchema = z.object({ stdout: z.string(), code: z.number() });

async function manage(method: 'PUT' | 'POST' | 'DELETE', path: string, body?: Record<string, unknown>): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${inject('managementPort')}/api/${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}`,
      'content-type': 'application/json',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}`);
}
