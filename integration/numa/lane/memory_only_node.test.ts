/** A host of five nodes, the last without a CPU, and guests on base pages. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostView } from '../../../src/api/views.ts';
import { LAB_TIMEOUT_MS } from '../lab.ts';
import { LabHost, pagesOf } from '../lab_host.ts';

const LAB = { LAB_NODES: '2048 1024 1024 1024 1024', LAB_2M: '96 64 64 64 256', LAB_1G: '0 0 0 0 0' };
const AT_REST = { '0/2048': 96, '1/2048': 64, '2/2048': 64, '3/2048': 64, '4/2048': 256 };

let host: LabHost;

beforeAll(async () => {
  host = await LabHost.set('numa-memory-only', {}, LAB);
}, LAB_TIMEOUT_MS);

afterAll(() => host?.clear());

async function freeHugePages() {
  return Object.fromEntries(Object.entries(await host.lab.freePages()).filter(([pool]) => pool.endsWith('/2048')));
}

test('a node without a CPU is a node: it has pages and no CPU', async () => {
  const { nodes } = hostView.parse(await host.stage.call('get_host'));
  expect(nodes.map(({ node, cpus }) => [node, cpus])).toEqual([
    [0, [0]],
    [1, [1]],
    [2, [2]],
    [3, [3]],
    [4, []],
  ]);
  expect(nodes[4]?.pools).toContainEqual(expect.objectContaining({ page_size_kib: 2048, total: 256, free: 256 }));
  expect(await freeHugePages()).toEqual(AT_REST);
});

test('its pages alone are no place for a guest, and the refusal says why', async () => {
  await expect(host.create({ pages: 128 })).rejects.toMatchObject({
    className: 'ComputeResourcesUnavailable',
    message: expect.stringMatching(
      /node 3: 128 pages of 2 MiB needed, 64 free.*node 4: 1 vCPUs needed, the node has 0/,
    ),
  });
});

test('memory mode preferred has them, for CPUs on another node', async () => {
  const instance = await host.create({ pages: 320, memoryMode: 'preferred' });
  expect(instance.placement).toHaveLength(1);
  // Its CPU is on the node with most pages of those that have one.
  expect(instance.placement[0]).toMatchObject({ node: 0, vcpus: [0], pages: 96 });
  const free = await freeHugePages();
  expect(Object.values(free).reduce((sum, pages) => sum + pages, 0)).toBe(544 - 320);
  const held = (await host.lab.held())[instance.domain_name] ?? {};
  expect(held['0/2048']).toBe(96);
  await host.delete(instance);
  expect(await freeHugePages()).toEqual(AT_REST);
});

test('a guest on base pages is bound to a node, takes no huge page, and is refused where it would take what is left alone', async () => {
  const instance = await host.stage.create({ uuid: randomUUID(), flavor: smallFlavor(256) });
  const [cell] = instance.placement;
  expect(pagesOf(instance.placement)).toEqual({ [`${cell?.node}/4`]: 65536 });
  expect((await host.lab.held())[instance.domain_name]).toEqual({});
  expect(await freeHugePages()).toEqual(AT_REST);
  // By the kernel's own account, where the guest's memory is.
  const maps = await host.lab.shell(
    `grep -h 'bind:${cell?.node} .*anon=' /proc/$(pidof qemu-system-x86_64)/numa_maps | grep -o 'N[0-9]*=[0-9]*'`,
  );
  const pages = [...maps.matchAll(/N(\d+)=(\d+)/g)].map(([, node, count]) => ({
    node: Number(node),
    count: Number(count),
  }));
  expect(new Set(pages.map(({ node }) => node))).toEqual(new Set([cell?.node]));
  expect(pages.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(65536);
  await host.delete(instance);
  await expect(host.stage.create({ uuid: randomUUID(), flavor: smallFlavor(4096) })).rejects.toMatchObject({
    className: 'ComputeResourcesUnavailable',
    message: expect.stringMatching(/node 0: 1048576 pages of 4 KiB needed, \d+ free/),
  });
});

/** On base pages. */
function smallFlavor(memoryMib: number) {
  const extra_specs = { 'hw:mem_page_size': 'small' };
  return { id: null, name: 'small', vcpus: 1, memory_mb: memoryMib, disk_gb: 0, extra_specs };
}
