/** `hugenode plan` on the real host: what it says fits, does; and it takes nothing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { fillPlanView, countPlanView } from '../src/api/plan_views.ts';
import { hostView } from '../src/api/views.ts';
import { AgentStage, flavorOf } from './agent.ts';
import { runLauncher } from './agent_process.ts';
import { poolCount } from './page_pool.ts';

const SPEC = ['--spec', 'hw:mem_page_size=2MB', '--spec', 'hw:numa_nodes=1'];

let stage: AgentStage;

beforeAll(async () => {
  // Without a floor: how much ordinary memory the machine has at the moment is no part of this.
  stage = await AgentStage.set('plan', { 'admission.host_memory_floor_mb': 0, 'admission.qemu_overhead_mb': 0 });
});

afterAll(() => stage?.clear());

/** 2 MiB pages to be had on the node that has most of them. */
async function mostFree(): Promise<number> {
  const host = hostView.parse(await stage.call('get_host'));
  // Pages that are promised to somebody are free for the kernel, and not to be had.
  const promised = host.promised.find((entry) => entry.page_size_kib === 2048)?.pages ?? 0;
  const pools = host.nodes.flatMap(({ pools: own }) => own.filter((pool) => pool.page_size_kib === 2048));
  return Math.max(...pools.map((pool) => pool.free - promised - pool.reserved - pool.claimed));
}

test('plan --fill says how many fit, and one page more than is free is refused with that page as advice', async () => {
  // It holds pages that could come free.
  const { uuid } = await stage.create({ flavor: flavorOf(40) });
  const free = await mostFree();
  const before = { pages: await poolCount('free_hugepages'), domains: await stage.domains() };

  const filled = await stage.cli('--json', 'plan', '--memory-mb', String(free * 2), ...SPEC, '--fill');
  expect(filled).toMatchObject({ code: 0, stderr: '' });
  const fill = fillPlanView.parse(JSON.parse(filled.stdout));
  expect(fill.fits).toBeGreaterThanOrEqual(1);
  expect(fill.nodes[0]).toMatchObject({ page_size_kib: 2048, guest_cells: 1, pages: free });

  const table = await stage.cli('plan', '--memory-mb', String(free * 2), ...SPEC, '--fill');
  expect(table).toMatchObject({ code: 0, stderr: '' });
  expect(table.stdout).toMatch(/^\d+ more fits?\n/);
  expect(table.stdout).toContain('shut_off_instances: keep');

  const more = await stage.cli('plan', '--memory-mb', String((free + 1) * 2), ...SPEC);
  expect(more).toMatchObject({ code: 3, stderr: 'hugenode: 0 of 1 instances fit\n' });
  expect(more.stdout).toContain('the instance does not fit');
  expect(more.stdout).toContain(`${free + 1} pages of 2 MiB needed, ${free} free`);
  expect(more.stdout).toContain('advice: free 1 page of 2 MiB on node');

  expect({ pages: await poolCount('free_hugepages'), domains: await stage.domains() }).toEqual(before);
  expect(await mostFree()).toBe(free);
  await stage.call('delete_instance', { uuid });
});

test('where the plan says an instance would be, create_instance puts it', async () => {
  const args = ['--memory-mb', '80', '--spec', 'hw:mem_page_size=2MB'];
  const planned = await stage.cli('--json', 'plan', ...args);
  expect(planned).toMatchObject({ code: 0, stderr: '' });
  const [place] = countPlanView.parse(JSON.parse(planned.stdout)).instances;
  const created = await stage.create({ flavor: flavorOf(40) });
  const where = created.placement.map(({ node, page_size_kib, pages }) => ({ node, page_size_kib, pages }));
  expect(place?.cells.map(({ node, page_size_kib, pages }) => ({ node, page_size_kib, pages }))).toEqual(where);
  await stage.call('delete_instance', { uuid: created.uuid });
});

test('a wrong request is the same as for create; a count and --fill exclude each other', async () => {
  const wrong = await stage.cli('plan', '--memory-mb', '80', '--spec', 'hw:mem_page_size=2mb');
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect(wrong.stderr).toContain('MemoryPageSizeInvalid');
  expect(await stage.cli('plan', '--memory-mb', '80', '--fill', '--count', '2')).toMatchObject({ code: 2, stdout: '' });
});

test('a plan on a saved inventory is the plan of the host, and needs no broker', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hugenode-plan-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'host.json');
  const { uuid } = await stage.create({ flavor: flavorOf(40) });
  const asked = ['--memory-mb', '80', ...SPEC, '--count', '1000'];
  const online = await stage.cli('--json', 'plan', ...asked);
  await writeFile(file, (await stage.cli('--json', 'host')).stdout);
  await stage.call('delete_instance', { uuid });

  // Without any of the settings that lead to the agent.
  const offline = await runLauncher(['--json', 'plan', ...asked, '--inventory', file]);
  expect(offline).toEqual(online);
  expect(countPlanView.parse(JSON.parse(offline.stdout)).fits).toBeGreaterThan(0);

  await writeFile(file, '{"host": "x"}');
  const wrong = await runLauncher(['plan', ...asked, '--inventory', file]);
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect(wrong.stderr).toContain('is no answer of «hugenode --json host»: api_version');
});

test('an image speaks through its properties: what the flavor does not allow is refused, in a plan and in a create', async () => {
  const asked = ['--memory-mb', '80', '--spec', 'hw:cpu_policy=shared', '--image-property', 'hw_cpu_policy=dedicated'];
  for (const verb of [['plan'], ['create', '--name', 'x']]) {
    const answer = await stage.cli(...verb, ...asked);
    expect(answer).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('ImageCPUPinningForbidden: hw_cpu_policy'),
    });
  }
});
