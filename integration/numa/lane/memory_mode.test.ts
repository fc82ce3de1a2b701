/** Memory mode preferred on the host of four nodes: the split that is answered is the one that the kernel has made. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LAB_TIMEOUT_MS } from '../lab.ts';
import { expectAgreement, LabHost, pagesOf, type Shape } from '../lab_host.ts';

/** More than the 320 of the largest pool. */
const WIDE: Shape = { pages: 400, memoryMode: 'preferred' };

let host: LabHost;

beforeAll(async () => {
  host = await LabHost.set('numa-memory-mode');
}, LAB_TIMEOUT_MS);

afterAll(() => host?.clear());

test('strict is refused where no node has all pages; preferred has them from two', async () => {
  await expect(host.create({ ...WIDE, memoryMode: 'strict' })).rejects.toMatchObject({
    className: 'ComputeResourcesUnavailable',
    message: expect.stringContaining('node 1: 400 pages of 2 MiB needed, 320 free'),
  });
  const instance = await host.create(WIDE);
  expect(instance.placement).toMatchObject([{ node: 1, pages: 320, elsewhere: [{ node: 2, pages: 80 }] }]);
  await expectAgreement(host);
  await host.delete(instance);
  await expectAgreement(host);
});

test('one that fits on a node is bound to it', async () => {
  const instance = await host.create({ pages: 300, memoryMode: 'preferred' });
  expect(pagesOf(instance.placement)).toEqual({ '1/2048': 300 });
  expect(await host.libvirt.domain.getXMLDesc(await host.libvirt.domain.lookupByName(instance.domain_name))).toMatch(
    /<memnode cellid='0' mode='strict' nodeset='1'\/>/,
  );
  await expectAgreement(host);
  await host.delete(instance);
});

test('starts beside a split one wait for it: all pages go, and none is missed', async () => {
  // 896 pages in all; the split guest could take any of them, so the others are admitted when it has chosen.
  const outcomes = await host.createAtOnce([WIDE, { pages: 200 }, { pages: 120 }]);
  expect(outcomes.map(({ is }) => is)).toEqual(['running', 'running', 'running']);
  await expectAgreement(host);
  await expect(host.create({ pages: 200, memoryMode: 'preferred' })).rejects.toMatchObject({
    message: expect.stringContaining(
      'across nodes (memory mode preferred): 200 pages of 2 MiB needed, 176 free on all of them',
    ),
  });
  const last = await host.create({ pages: 176, memoryMode: 'preferred' });
  expect(last.placement[0]?.elsewhere).not.toEqual([]);
  expect(Object.entries(await host.lab.freePages()).filter(([pool]) => pool.endsWith('/2048'))).toEqual(
    [0, 1, 2, 3].map((node) => [`${node}/2048`, 0]),
  );
  expect(await host.lab.allocationFailures()).toEqual([]);
  for (const instance of host.running) await host.delete(instance);
  await expectAgreement(host);
});
