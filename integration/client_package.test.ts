/** The client as others get it: packed, installed into an empty project, used from JavaScript and from TypeScript. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AgentStage } from './agent.ts';
import { addNodeTypes, complaintsOfTsc } from './typescript_project.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
/** What the client needs, taken from here instead of a registry. */
const NEEDED = ['amqplib', 'zod'];
let stage: AgentStage;
let scratch: string;
let project: string;

beforeAll(async () => {
  stage = await AgentStage.set('client-package');
  scratch = await mkdtemp(join(tmpdir(), 'hugenode-package-'));
  project = join(scratch, 'project');
  await packACopy();
  for (const name of NEEDED) await pack(join(root, 'node_modules', name), '--ignore-scripts');
  const tarballs = (await readdir(scratch)).filter((name) => name.endsWith('.tgz'));
  await mkdir(project);
  await writeFile(join(project, 'package.json'), '{"name":"empty","private":true,"type":"module"}');
  const options = ['--offline', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...options, ...tarballs.map((name) => join(scratch, name))], { cwd: project });
});

afterAll(async () => {
  await stage?.clear();
  if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
});

test('the tarball is the built client, and needs little else', async () => {
  const folder = join(project, 'node_modules', 'hugenode');
  expect(await visible(join(project, 'node_modules'))).toEqual(['amqplib', 'hugenode', 'zod']);
  expect(await visible(folder)).toEqual(['LICENSE', 'README.md', 'dist', 'package.json']);
  const files = await readdir(join(folder, 'dist'), { recursive: true });
  expect(files.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))).toEqual([]);
  // Code of the agent is none of a client's business.
  const rooms = new Set(files.filter((name) => name.endsWith('.js')).map((name) => name.split('/')[0]));
  expect(rooms).toEqual(new Set(['api', 'client', 'rpc', 'sqlite_file.js', 'units.js']));
});

test('from JavaScript', async () => {
  await writeFile(
    join(project, 'main.js'),
    `import { ApiError, HugenodeClient, NoSuchHostError } from 'hugenode';
const client = await HugenodeClient.connect({ transportUrl: ${JSON.stringify(stage.api.url(stage.vhost))} });
const host = client.host(${JSON.stringify(stage.host)});
const { instances } = await host.getHost();
const unknown = await host.getInstance('46b5e582-9784-4efc-9a0f-360244828e3f').catch((error) => error);
const nobody = await client.host('nowhere').listInstances().catch((error) => error);
await client.close();
console.log(JSON.stringify({
  instances,
  isUnknown: unknown instanceof ApiError && unknown.is('InstanceNotFound'),
  isNobody: nobody instanceof NoSuchHostError,
}));
`,
  );
  const { stdout, stderr } = await run(process.execPath, ['main.js'], { cwd: project });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({ instances: 0, isUnknown: true, isNobody: true });
});

test('from TypeScript: the declarations are whole, and wrong uses do not compile', async () => {
  await addNodeTypes(project);
  await writeFile(
    join(project, 'main.ts'),
    `import { ApiError, HugenodeClient, type HostView, type InstanceView, type LifecycleEvent } from 'hugenode';
const client = await HugenodeClient.connect({ transportUrl: 'rabbit://localhost', flags: { durable: true } });
const host = client.host('compute-1');
const flavor = { vcpus: 1, memory_mb: 128 };
const [first]: InstanceView[] = await host.listInstances({ timeoutMs: 1000, signal: AbortSignal.timeout(500) });
const pages: number | undefined = first?.placement[0]?.pages;
const { nodes }: HostView = await host.getHost({ holders: true });
const wanted: number = (await host.planInstance({ flavor, count: 3 })).wanted;
const isBound: boolean = (await host.planInstance({ flavor, fill: true })).at_least;
for await (const { event, uuid, payload } of await client.notifications({ events: ['create.end'], pool: 'mine' })) {
  const kind: LifecycleEvent = event;
  const memory: number = payload.memory_mb;
  console.log(kind, uuid, memory, pages, nodes, wanted, isBound);
}
// @ts-expect-error no such event
await client.notifications({ events: ['create.middle'] });
// @ts-expect-error a flavor has memory
await host.planInstance({ flavor: { vcpus: 1 } });
// @ts-expect-error an instance has a uuid
await host.createInstance({ name: 'x', project_id: 'p', user_id: 'u', flavor: { name: 'f', ...flavor } });
try {
  await host.deleteInstance('46b5e582-9784-4efc-9a0f-360244828e3f');
} catch (error) {
  // @ts-expect-error no such class
  if (error instanceof ApiError) error.is('InstanceLost');
}
await client.close();
`,
  );
  expect(await complaintsOfTsc(project, ['main.ts'])).toBe('');
});

test('the README’s TypeScript example', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const [, example] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  if (example === undefined) throw new Error('README.md has no TypeScript example');
  const url = stage.api.url(stage.vhost).replace('amqp://', 'rabbit://');
  const program = example.replace('rabbit://guest:guest@127.0.0.1:5672/', url).replace('compute-1', stage.host);
  await writeFile(join(project, 'example.ts'), program);
  expect(await complaintsOfTsc(project, ['example.ts'])).toBe('');
  const { stdout } = await run(process.execPath, ['example.ts'], { cwd: project, timeout: 60_000 });
  expect(stdout).toMatch(/^active on node 0: 64 pages of 2048 KiB$/m);
  expect(stdout).toMatch(/^\S+Z create\.end [\da-f-]{36}\n\S+Z delete\.end [\da-f-]{36}$/m);
  expect(stdout).toMatch(/^refused: Insufficient compute resources: node 0: \d+ pages of 2 MiB needed/m);
  expect(await stage.domains()).toEqual([]);
});

/** Packs a copy: packing changes the manifest for a moment, and this one is in use. */
async function packACopy(): Promise<void> {
  const copy = join(scratch, 'copy');
  for (const part of ['src', 'config', 'tsconfig.json', 'LICENSE', 'README.md', 'package.json'])
    await cp(join(root, part), join(copy, part), { recursive: true, filter: (path) => !path.includes('node_modules') });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  await pack(copy);
  // As it was.
  expect(await readFile(join(copy, 'package.json'), 'utf8')).toBe(await readFile(join(root, 'package.json'), 'utf8'));
  expect(await readdir(copy)).not.toContain('dist');
}

async function pack(folder: string, ...options: readonly string[]): Promise<void> {
  // `prepare` fills the compile cache, which is the real project's here.
  const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' };
  await run('npm', ['pack', ...options, '--pack-destination', scratch], { cwd: folder, env });
}

async function visible(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => !name.startsWith('.')).toSorted();
}
