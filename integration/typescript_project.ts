/** An empty TypeScript project in which a packed package is tried, as somebody would who installs it. */
import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..');

/** What tsc says of the files. No skipLibCheck: the package's own declarations are checked too, and those it needs. */
export async function complaintsOfTsc(project: string, files: readonly string[]): Promise<string> {
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node'];
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [tsc, ...options, ...files], { cwd: project }).catch(
    (error: { stdout: string }) => error,
  );
  return stdout;
}

/** What a TypeScript project on Node has, without asking a registry for it. */
export async function addNodeTypes(project: string): Promise<void> {
  const modules = join(project, 'node_modules');
  await mkdir(join(modules, '@types'));
  for (const name of ['@types/node', 'undici-types'])
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
}
