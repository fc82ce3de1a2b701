/** node-libvirt as others get it: packed, installed into an empty project, used from JavaScript and from TypeScript. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addNodeTypes, complaintsOfTsc } from './typescript_project.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
let scratch: string;
let project: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'nlv-package-'));
  project = join(scratch, 'project');
  const tarball = await packACopy();
  await mkdir(project);
  await writeFile(join(project, 'package.json'), '{"name":"empty","private":true,"type":"module"}');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: project });
});

afterAll(async () => {
  if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
});

test('the tarball brings nothing else along', async () => {
  expect(await visible(join(project, 'node_modules'))).toEqual(['node-libvirt']);
  expect(await visible(join(project, 'node_modules', 'node-libvirt'))).toEqual([
    'LICENSE',
    'README.md',
    'dist',
    'package.json',
  ]);
});

test('from JavaScript, on the real daemon and on the fake one', async () => {
  await writeFile(
    join(project, 'main.js'),
    `import { connect, ErrorCode, LibvirtError } from 'node-libvirt';
import { FakeLibvirtd } from 'node-libvirt/testing';
const real = await connect('qemu:///system');
const version = await real.getLibVersion();
const refusal = await real.domain.lookupByName('nobody-has-this-name').catch((error) => error);
await real.close();
const daemon = await FakeLibvirtd.open();
const fake = await connect({ socketPath: daemon.socketPath });
await fake.close();
await daemon[Symbol.asyncDispose]();
console.log(JSON.stringify({ version, isLibvirtError: refusal instanceof LibvirtError, isNoDomain: refusal.is(ErrorCode.NO_DOMAIN) }));
`,
  );
  const { stdout } = await run(process.execPath, ['main.js'], { cwd: project });
  expect(JSON.parse(stdout)).toEqual({ version: expect.any(Number), isLibvirtError: true, isNoDomain: true });
});

test('from TypeScript: the declarations are whole, and wrong uses do not compile', async () => {
  await addNodeTypes(project);
  await writeFile(
    join(project, 'main.ts'),
    `import { connect, DomainState, type Domain, type EventOf } from 'node-libvirt';
import type { FakeLibvirtd } from 'node-libvirt/testing';
const connection = await connect('qemu:///system', { callTimeoutMs: 5000 });
const domains: readonly Domain[] = await connection.listAllDomains();
for (const domain of domains) {
  const { state, reason }: { state: number; reason: number } = await connection.domain.getState(domain);
  console.log(domain.name, state === DomainState.RUNNING, reason);
}
const rows: number[][] = await connection.node.getFreePages([2048], 0, 1);
const onEvent = ({ domain, event }: EventOf<'domainLifecycle'>) => console.log(domain.uuid, event, rows);
await connection.subscribe('domainLifecycle', onEvent);
// @ts-expect-error no such event
await connection.subscribe('domainLifecycles', onEvent);
// @ts-expect-error a domain, not its name
await connection.domain.getState('guest');
export type Daemon = FakeLibvirtd;
await connection.close();
`,
  );
  expect(await complaintsOfTsc(project, ['main.ts'])).toBe('');
});

test('every example of the README compiles, and those that need nothing but a daemon run', async () => {
  const readme = await readFile(join(root, 'src/node-libvirt/README.md'), 'utf8');
  const examples = [...readme.matchAll(/^```ts( runs)?\n([\s\S]*?)^```$/gm)].map(([, runs, code = ''], index) => ({
    file: `example-${index}.ts`,
    runs: runs !== undefined,
    code,
  }));
  expect(examples.filter(({ runs }) => runs).length).toBeGreaterThan(4);
  for (const { file, code } of examples) await writeFile(join(project, file), code);
  expect(
    await complaintsOfTsc(
      project,
      examples.map(({ file }) => file),
    ),
  ).toBe('');
  for (const { file, runs } of examples) if (runs) await run(process.execPath, [file], { cwd: project });
});

test('the reference is written from the docstrings without a warning', async () => {
  // A warning is an error there (config/node-libvirt/typedoc.json): a type that is used and not exported, a dead link.
  const config = join(root, 'config/node-libvirt');
  const args = ['typedoc', '--options', join(config, 'typedoc.json'), '--out', join(scratch, 'reference')];
  await run('npx', args, { cwd: config });
  expect(await readdir(join(scratch, 'reference'))).toContain('index.html');
});

/** Packs a copy: packing changes the manifest for a moment, and this one is in use. */
async function packACopy(): Promise<string> {
  const copy = join(scratch, 'copy');
  for (const part of ['src/node-libvirt', 'config/node-libvirt', 'tsconfig.json', 'LICENSE', 'package.json'])
    await cp(join(root, part), join(copy, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  await run('npm', ['pack', '--pack-destination', scratch], { cwd: join(copy, 'src/node-libvirt') });
  const [tarball = ''] = (await readdir(scratch)).filter((name) => name.endsWith('.tgz'));
  return join(scratch, tarball);
}

async function visible(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => !name.startsWith('.')).toSorted();
}
