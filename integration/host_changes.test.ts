/** What admission answers while the host changes under it: pools, guests that are shut off, CPUs that are given away. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { cpus } from 'node:os';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { hostView, instanceView, type InstanceView } from '../src/api/views.ts';
import { AgentStage, createArgs, flavorOf, freePagesBack } from './agent.ts';
import { poolCount, setPoolSize } from './page_pool.ts';

const run = promisify(execFile);
const PAGES = 16;

let stage: AgentStage;
let free: number;
let poolSize: number;

beforeAll(async () => {
  stage = await AgentStage.set('changes');
  free = await poolCount('free_hugepages');
  poolSize = await poolCount('nr_hugepages');
});

afterEach(async () => {
  for (const { uuid } of await list()) await stage.call('delete_instance', { uuid });
});

afterAll(async () => {
  await setPoolSize(poolSize);
  await stage?.clear();
});

async function list(): Promise<InstanceView[]> {
  return instanceView.array().parse(await stage.call('list_instances'));
}

async function create(pages: number, extraSpecs: Record<string, string> = {}): Promise<InstanceView> {
  const flavor = flavorOf(pages);
  const args = createArgs({ flavor: { ...flavor, extra_specs: { ...flavor.extra_specs, ...extraSpecs } } });
  return instanceView.parse(await stage.call('create_instance', args));
}

async function pool() {
  const host = hostView.parse(await stage.call('get_host'));
  return host.nodes[0]?.pools.find((one) => one.page_size_kib === 2048);
}

test('a pool that grows and shrinks needs no restart', async () => {
  await expect(create(free + PAGES)).rejects.toMatchObject({ className: 'ComputeResourcesUnavailable' });
  await setPoolSize(poolSize + PAGES);
  expect(await pool()).toMatchObject({ total: poolSize + PAGES, free: free + PAGES });
  const { uuid } = await create(free + PAGES);
  await stage.call('delete_instance', { uuid });
  await setPoolSize(poolSize);
  await expect(create(free + 1)).rejects.toMatchObject({
    kwargs: { refusal: { shortfalls: [{ needed: free + 1, free }] } },
  });
});

test('an instance that is shut off keeps its pages, and says so', async () => {
  const { domain_name: domain } = await create(PAGES);
  await run('virsh', ['-q', 'destroy', domain]);
  expect(await freePagesBack(free)).toBe(free);
  expect(await pool()).toMatchObject({ free, kept_for_shut_off: PAGES, held_by_instances: 0 });
  await expect(create(free - PAGES + 1)).rejects.toMatchObject({
    message: expect.stringContaining(`and ${PAGES} kept for instances that are shut off`),
  });
  await create(free - PAGES);
});

test('an instance that is shut off gives its pages back where the operator wants that', async () => {
  await stage.end();
  await stage.start({ 'admission.shut_off_instances': 'release' });
  const { domain_name: domain } = await create(PAGES);
  await run('virsh', ['-q', 'destroy', domain]);
  expect(await freePagesBack(free)).toBe(free);
  expect(await stage.call('get_host')).toMatchObject({ shut_off_instances: 'release' });
  await create(free);
});

test('CPUs of their own: each is given once, also by an agent that was started anew, and then none is left', async () => {
  const dedicated = { 'hw:cpu_policy': 'dedicated' };
  const set = cpus().length > 1 ? [0, 1] : [0];
  const settings = { 'admission.cpu_dedicated_set': set.join(',') };
  for (const expected of set) {
    await stage.end();
    await stage.start(settings);
    const instance = await create(PAGES, dedicated);
    const [pin] = instance.placement[0]?.pins ?? [];
    const { stdout } = await run('virsh', ['-q', 'vcpupin', instance.domain_name]);
    expect(stdout.trim().split(/\s+/)).toEqual(['0', String(pin?.cpu)]);
    expect(pin?.cpu).toBe(expected);
  }
  await expect(create(PAGES, dedicated)).rejects.toMatchObject({
    className: 'ComputeResourcesUnavailable',
    message: expect.stringContaining(`1 dedicated CPUs needed, 0 free of ${set.length}`),
  });
  // Nova's rule: with a dedicated set alone there are no CPUs for guests that share.
  await expect(create(PAGES)).rejects.toMatchObject({ message: expect.stringContaining('the node has 0 CPUs') });
});
