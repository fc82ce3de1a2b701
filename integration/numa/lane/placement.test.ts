/** Guests with one and with several cells, on pages of 2 MiB and 1 GiB: after each start and stop four accounts agree. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LAB_TIMEOUT_MS } from '../lab.ts';
import { expectAgreement, LabHost, nodesOf, pagesOf, type Shape } from '../lab_host.ts';

const STEPS = 40;
const SEED = 20_261_125;

let host: LabHost;

beforeAll(async () => {
  host = await LabHost.set('numa-placement');
}, LAB_TIMEOUT_MS);

afterAll(() => host?.clear());

test('an agent whose libvirt is on another host says what it cannot know there', async () => {
  await expectAgreement(host);
  expect(host.stage.logged).toContainEqual(
    expect.objectContaining({ level: 'warn', uri: host.lab.uri, unknown: expect.stringContaining('a guest holds') }),
  );
  expect(await host.stage.call('get_host', { holders: true })).toMatchObject({ holders: { available: false } });
});

// Largest pool first: while a larger one is free, a guest would have a choice.
test('guests as large as a whole pool go to the one node that has it, until no page is left', async () => {
  for (const [pages, node] of [
    [320, 1],
    [256, 0],
    [192, 2],
    [128, 3],
  ] as const) {
    const instance = await host.create({ pages });
    expect(nodesOf(instance)).toEqual([node]);
    await expectAgreement(host);
  }
  await expect(host.create({ pages: 1 })).rejects.toMatchObject({
    className: 'ComputeResourcesUnavailable',
    message: expect.stringMatching(/node 0: 1 pages of 2 MiB needed, 0 free.*node 3: 1 pages of 2 MiB needed, 0 free/),
  });
  await expectAgreement(host);
  await emptied();
});

test('two cells go to two nodes, as many pages on each', async () => {
  // Only nodes 0 and 1 have so many, so there is no other pair.
  const wide = await host.create({ cells: 2, pages: 193 });
  expect(nodesOf(wide)).toEqual([0, 1]);
  await expectAgreement(host);
  // What is left there is less than nodes 2 and 3 have: 63 and 127, 192 and 128.
  const narrow = await host.create({ cells: 2, pages: 128 });
  expect(nodesOf(narrow)).toEqual([2, 3]);
  await expectAgreement(host);
  await host.delete(wide);
  await expectAgreement(host);
  await host.delete(narrow);
  await expectAgreement(host);
});

test('four cells take every node, and one page too many for the smallest refuses them all', async () => {
  await expect(host.create({ cells: 4, pages: 129 })).rejects.toMatchObject({
    className: 'ComputeResourcesUnavailable',
    message: expect.stringContaining('node 3: 129 pages of 2 MiB needed, 128 free'),
  });
  await expectAgreement(host);
  const instance = await host.create({ cells: 4, pages: 16 });
  expect(pagesOf(instance.placement)).toEqual({ '0/2048': 16, '1/2048': 16, '2/2048': 16, '3/2048': 16 });
  await expectAgreement(host);
  await host.delete(instance);
  await expectAgreement(host);
});

test('two cells where one node alone has room are refused, although the sum would fit twice', async () => {
  await expect(host.create({ cells: 2, pages: 257 })).rejects.toMatchObject({
    className: 'ComputeResourcesUnavailable',
    message: expect.stringContaining('node 0: 257 pages of 2 MiB needed, 256 free'),
  });
  await expectAgreement(host);
});

test('a 1 GiB page is had where it is, and by one guest only', async () => {
  const gigantic: Shape = { pages: 1, pageSizeMib: 1024 };
  const instance = await host.create(gigantic);
  expect(pagesOf(instance.placement)).toEqual({ '3/1048576': 1 });
  await expectAgreement(host);
  await expect(host.create(gigantic)).rejects.toMatchObject({
    className: 'ComputeResourcesUnavailable',
    message: expect.stringContaining('node 3: 1 pages of 1 GiB needed, 0 free'),
  });
  await expectAgreement(host);
  await host.delete(instance);
  await expectAgreement(host);
});

test(`${STEPS} starts and stops in any order (seed ${SEED})`, { timeout: 1_200_000 }, async () => {
  const random = numbersFrom(SEED);
  let refused = 0;
  for (let step = 0; step < STEPS; step += 1) {
    const oldest = host.running[0];
    if (oldest !== undefined && random(3) === 0) {
      const chosen = host.running[random(host.running.length)] ?? oldest;
      await host.delete(chosen);
    } else {
      refused += await refusedOrRuns({ cells: 1 + random(2), pages: 1 + random(120) });
    }
    await expectAgreement(host);
  }
  // The walk has to reach the edge, where a page too many is refused.
  expect(refused).toBeGreaterThan(0);
  await emptied();
});

test('nothing was started that then failed, and each guest that ran was asked for', async () => {
  expect(await host.lab.allocationFailures()).toEqual([]);
  const ran = host.stage.logged.filter((line) => line['message'] === 'instance runs').length;
  expect(await host.lab.everStarted()).toHaveLength(ran);
});

/** Runs where enough nodes have room, by the placements so far, and is refused where not; 1 for a refusal. */
async function refusedOrRuns(shape: Required<Pick<Shape, 'cells' | 'pages'>>): Promise<number> {
  const room = [0, 1, 2, 3].filter((node) => (host.expectedFree[`${node}/2048`] ?? 0) >= shape.pages);
  const fits = room.length >= shape.cells;
  const [outcome] = await host.createAtOnce([shape]);
  expect(outcome?.is).toBe(fits ? 'running' : 'refused');
  const nodes = outcome?.is === 'running' ? nodesOf(outcome.instance) : [];
  expect(room).toEqual(expect.arrayContaining(nodes));
  expect(new Set(nodes).size).toBe(fits ? shape.cells : 0);
  return fits ? 0 : 1;
}

async function emptied(): Promise<void> {
  for (const instance of host.running) {
    await host.delete(instance);
    await expectAgreement(host);
  }
}

/** Whole numbers below a bound, the same for the same seed (Lehmer's generator). */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed % 2_147_483_647;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}
