/** The command line as an operator uses it: tables, JSON, help and exit codes. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { hostView, instanceView } from '../src/api/views.ts';
import { AgentStage } from './agent.ts';
import { runLauncher } from './agent_process.ts';
import { TINY_IMAGE_ID } from './tiny_guest.ts';

let stage: AgentStage;

beforeAll(async () => {
  stage = await AgentStage.set('cli');
});

afterAll(() => stage?.clear());

test('create, show, list, host, delete', async () => {
  const created = await stage.cli(
    '--json',
    'create',
    '--name',
    'web <1>',
    '--memory-mb',
    '80',
    '--spec',
    'hw:mem_page_size=2MB',
    '--metadata',
    'a=b=c',
  );
  expect(created).toMatchObject({ code: 0, stderr: '' });
  const instance = instanceView.parse(JSON.parse(created.stdout));
  expect(instance).toMatchObject({ name: 'web <1>', vm_state: 'active', metadata: { a: 'b=c' } });

  const shown = await stage.cli('show', instance.uuid);
  expect(shown.stdout).toContain('node 0: 40 pages of 2 MiB, vCPU 0');
  expect((await stage.cli('list')).stdout).toMatch(
    new RegExp(`${instance.uuid}.*web <1>.*active.*40 x 2 MiB on node 0`),
  );
  expect((await stage.cli('host')).stdout).toMatch(/0\s+│ 2 MiB\s+│ \d+\s+│ \d+\s+│ 0\s+│ 0\s+│ 40/);
  expect(hostView.parse(JSON.parse((await stage.cli('--json', 'host')).stdout))).toMatchObject({ instances: 1 });

  expect(await stage.cli('delete', instance.uuid)).toMatchObject({ code: 0, stdout: `deleted ${instance.uuid}\n` });
});

test.each([
  [
    'a refusal',
    ['create', '--name', 'x', '--memory-mb', '1000000000'],
    3,
    'ComputeResourcesUnavailable: Insufficient compute resources: node 0',
  ],
  ['no such instance', ['show', '46b5e582-9784-4efc-9a0f-360244828e3f'], 4, 'InstanceNotFound'],
  ['a wrong request', ['show', 'no-uuid'], 2, 'InvalidRequest: get_instance: uuid'],
  ['a wrong argument', ['create', '--name', 'x', '--memory-mb', 'much'], 2, 'must be a whole number'],
  ['a spec that is none', ['plan', '--memory-mb', '2', '--spec', 'foo'], 2, '«foo» must be key=value'],
  ['a missing argument', ['create', '--name', 'x'], 2, '--memory-mb'],
  ['an unknown command', ['frobnicate'], 2, 'unknown command'],
  ['an unknown setting', ['--set', 'rpc.prefetc=1', 'host'], 2, 'unknown setting rpc.prefetc'],
  ['a host that is not there', ['--host', 'nowhere', 'host'], 6, 'hugenode.nowhere'],
  [
    'a broker that is not there',
    ['--set', 'rpc.transport_url=rabbit://guest:hidden@127.0.0.1:1/', 'host'],
    6,
    '127.0.0.1',
  ],
])('%s: exit code and message', async (_what, args, code, part) => {
  const result = await stage.cli(...args);
  expect(result).toMatchObject({ code, stdout: '' });
  expect(result.stderr).toContain(part);
  expect(result.stderr).not.toContain('hidden');
});

test('durable queues, as amqp_durable_queues of oslo.messaging has them', async () => {
  const durable = await AgentStage.set('cli-durable', { 'rpc.durable_queues': true });
  onTestFinished(() => durable.clear());
  expect(await durable.cli('host')).toMatchObject({ code: 0, stderr: '' });
  const exchanges = await durable.api.exchanges(durable.vhost);
  expect(exchanges.find((one) => one.name === 'hugenode')).toMatchObject({ durable: true });
});

test('--help has examples and the exit codes', async () => {
  const help = await runLauncher(['--help']);
  expect(help).toMatchObject({ code: 0 });
  for (const word of ['serve', 'create', 'plan', 'delete', 'show', 'list', 'host', '--set', 'Exit codes'])
    expect(help.stdout).toContain(word);
  expect((await runLauncher(['create', '--help'])).stdout).toContain('$ hugenode create --name web-1');
});

test('the commands of the README', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const commands = [...readme.matchAll(/^hugenode (.*?) *(?:#.*)?$/gm)].map(([, words]) => words?.split(' ') ?? []);
  expect(commands.map((words) => words.find((word) => !word.startsWith('-')))).toEqual([
    'host',
    'host',
    'plan',
    'plan',
    'create',
    'list',
    'show',
    'delete',
    'usage',
    'dead-letters',
  ]);
  let uuid = '';
  for (const words of commands) {
    const args = words.map((word) => (/^[0-9a-f-]{36}$/.test(word) ? uuid : word.replace('debian', TINY_IMAGE_ID)));
    const { code, stdout, stderr } = await stage.cli(...args);
    expect([args[0], code, stderr]).toEqual([args[0], 0, '']);
    if (args[0] === 'create') uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(stdout)?.[0] ?? '';
  }
  expect(await stage.domains()).toEqual([]);
});
