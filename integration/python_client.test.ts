/** A Python control plane calls us with nothing but oslo.messaging: the example of the README, run. */
import { execFile } from 'node:child_process';
import { readFile, writeFile, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AgentStage } from './agent.ts';

let stage: AgentStage;

beforeAll(async () => {
  stage = await AgentStage.set('python');
});

afterAll(() => stage?.clear());

test('the README’s Python example', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, example] = /```python\n([\s\S]*?)```/.exec(readme) ?? [];
  if (example === undefined) throw new Error('README.md has no Python example');
  const url = stage.api.url(stage.vhost).replace('amqp://', 'rabbit://');
  const program = example.replace('rabbit://guest:guest@127.0.0.1:5672/', url).replace('compute-1', stage.host);
  const file = join(await mkdtemp(join(tmpdir(), 'hugenode-readme-')), 'example.py');
  await writeFile(file, program);
  const { stdout } = await promisify(execFile)('/usr/bin/python3', [file], { timeout: 60_000 });
  expect(stdout).toMatch(/^active on node 0: 64 pages of 2048 KiB$/m);
  expect(stdout).toMatch(/^refused: Insufficient compute resources: node 0: \d+ pages of 2 MiB needed/m);
  expect(await stage.domains()).toEqual([]);
});
