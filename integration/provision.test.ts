/** The set-up script as someone without root meets it: a table, no change, exit code 1. */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { poolCount } from './page_pool.ts';

type Outcome = { code: number; stdout: string };

/** Runs a copy that anyone can read: the clone itself may lie in a folder that is closed to others. */
async function provision(user: 'root' | 'nobody', ...args: string[]): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'hugenode-provision-'));
  await cp(join(import.meta.dirname), folder, { recursive: true });
  await chmod(folder, 0o755);
  const script = ['sh', join(folder, 'provision.sh'), ...args];
  const command = user === 'root' ? script : ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...script];
  const [program = '', ...rest] = command;
  return new Promise((resolve) => {
    execFile(program, rest, { timeout: 60_000 }, (error, stdout) =>
      resolve({ code: Number(error?.code ?? 0), stdout }),
    );
  });
}

test('without root: a table with a command for what is missing, exit 1, and nothing is changed', async () => {
  const pages = await poolCount('nr_hugepages');
  const { code, stdout } = await provision('nobody', 'demo');
  expect(code).toBe(1);
  for (const row of ['packages', 'hugepages', 'hugetlbfs', 'libvirtd', 'rabbitmq', 'node']) {
    expect(stdout).toMatch(new RegExp(`^${row} +(ready|MISSING)`, 'm'));
  }
  expect(await poolCount('nr_hugepages')).toBe(pages);
});

test('a second run with everything there changes nothing and succeeds', async () => {
  const { code, stdout } = await provision('root', 'test', '--check');
  expect(stdout).not.toMatch(/MISSING|FAILED/);
  expect(code).toBe(0);
});
