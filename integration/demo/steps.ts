/** The steps of the story; each returns what it has to say. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostView, instanceView } from '../../src/api/views.ts';
import { hostTable } from '../../src/cli/tables.ts';
import { parseNumaMaps } from '../../src/host/numa_maps.ts';
import { RemoteError } from '../../src/rpc/index.ts';
import { describeKib } from '../../src/units.ts';
import { poolCount } from '../page_pool.ts';
import { samplesOf, type TappedSample } from '../tap.ts';
import { TINY_IMAGE_ID, waitForReady } from '../tiny_guest.ts';
import type { DemoWorld } from './world.ts';

const PAGE_KIB = 2048;
const PAGES = 64;
const isUsage = (sample: TappedSample) => sample.counter_name === 'memory.usage';

export async function pagesBefore(world: DemoWorld): Promise<string> {
  world.freePagesBefore = await poolCount('free_hugepages');
  return hostTable(hostView.parse(await world.call('get_host', {})));
}

export async function refused(world: DemoWorld): Promise<string> {
  const pages = world.freePagesBefore + 1;
  try {
    await world.call('create_instance', request(world, pages));
  } catch (error) {
    if (error instanceof RemoteError && error.className === 'ComputeResourcesUnavailable')
      return `asked for ${pages} pages of 2 MiB\n${error.className}: ${error.message}`;
    throw error;
  }
  throw new Error(`a request for ${pages} pages was admitted although ${world.freePagesBefore} are free`);
}

export async function create(world: DemoWorld): Promise<string> {
  const began = performance.now();
  const answer = await world.call('create_instance', request(world, PAGES));
  const tookMs = Math.round(performance.now() - began);
  const instance = instanceView.parse(answer);
  world.instance = instance;
  const cells = instance.placement.map(
    (cell) =>
      `guest cell ${cell.guest_cell}: ${cell.pages} pages of ${describeKib(cell.page_size_kib)} claimed on node ${cell.node}`,
  );
  return [
    `instance ${instance.uuid}`,
    ...cells,
    `domain ${instance.domain_name} is ${instance.power_state}, verified and answered after ${tookMs} ms`,
  ].join('\n');
}

/** Not our ledger, not libvirt: the page tables of this guest's own process, and the counters of the pool. */
export async function pagesAfter(world: DemoWorld): Promise<string> {
  const pid = await readFile(`${world.settings.libvirt.pid_path}/${world.running.domain_name}.pid`, 'utf8');
  const text = await readFile(`/proc/${pid.trim()}/numa_maps`, 'utf8');
  const held = parseNumaMaps(text).filter((entry) => entry.pageSizeKib === PAGE_KIB);
  const total = held.reduce((sum, entry) => sum + entry.pages, 0);
  if (total !== PAGES) throw new Error(`the guest holds ${total} pages, not ${PAGES}`);
  const line = text.split('\n').find((one) => one.includes(' huge ')) ?? '';
  const after = await poolCount('free_hugepages');
  return [
    ...held.map((entry) => `QEMU (pid ${pid.trim()}) holds ${entry.pages} pages of 2 MiB on node ${entry.node}`),
    `numa_maps: ${line.slice(line.indexOf(' ') + 1)}`,
    `free pages of the host: ${world.freePagesBefore} before, ${after} now: ${world.freePagesBefore - after} fewer`,
  ].join('\n');
}

export async function console(world: DemoWorld): Promise<string> {
  return waitForReady(world.running.console_log, 90_000, world.signal);
}

export async function samples(world: DemoWorld): Promise<string> {
  const message = await world.tap.first((one) => samplesOf(one, world.uuid).some(isUsage), 60_000);
  return samplesOf(message, world.uuid)
    .map(
      (one) =>
        `${one.counter_name} = ${one.counter_volume.toFixed(2)} ${one.counter_unit} at ${one.timestamp} UTC, signed ${one.message_signature.slice(0, 16)}…`,
    )
    .join('\n');
}

export async function remove(world: DemoWorld): Promise<string> {
  await world.call('delete_instance', { uuid: world.uuid });
  const left = await world.call('list_instances', {});
  if (!Array.isArray(left) || left.some((one) => JSON.stringify(one).includes(world.uuid)))
    throw new Error('the instance is still listed');
  return 'domain, console log and folder are gone';
}

export async function pagesBack(world: DemoWorld): Promise<string> {
  const deadline = performance.now() + 5000;
  for (;;) {
    const free = await poolCount('free_hugepages');
    if (free === world.freePagesBefore) return `${free} pages free, as before`;
    if (performance.now() > deadline)
      throw new Error(`${world.freePagesBefore} pages were free before, ${free} are now`);
    await sleep(50);
  }
}

function request(world: DemoWorld, pages: number): Record<string, unknown> {
  return {
    uuid: world.uuid,
    name: 'demo',
    project_id: 'demo-project',
    user_id: 'demo-user',
    flavor: { name: 'demo', vcpus: 1, memory_mb: pages * 2, extra_specs: { 'hw:mem_page_size': '2MB' } },
    image: TINY_IMAGE_ID,
  };
}
