/**
 * Creates at once that want, together, exactly one page more than there is. The other nodes are full, so nothing but that
 * page decides: all but one run, one is refused with its numbers, and no QEMU finds its pages gone.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LAB_TIMEOUT_MS, POOLS } from '../lab.ts';
import { expectAgreement, LabHost, nodesOf, type Outcome, type Shape } from '../lab_host.ts';

/** A round takes some seconds on a quiet machine: three starts or four, side by side. */
const ROUND_TIMEOUT_MS = 60_000;

type Race = {
  readonly title: string;
  /** The nodes that are left free. */
  readonly nodes: readonly number[];
  readonly rounds: number;
  /** Each fits alone, and all of them but any one. */
  readonly shapes: readonly Shape[];
};

const races: readonly Race[] = [
  { title: 'equal guests on the smallest node', nodes: [3], rounds: 10, shapes: shapes([25, 26, 26, 26, 26]) },
  { title: 'unequal guests on node 2', nodes: [2], rounds: 10, shapes: shapes([32, 48, 50, 63]) },
  // Node 3 is the smaller of the two: 129 of its 128 pages are wanted.
  { title: 'guests with a cell on each of two nodes', nodes: [2, 3], rounds: 4, shapes: shapes([32, 48, 49], 2) },
];

let host: LabHost;

beforeAll(async () => {
  host = await LabHost.set('numa-race');
}, LAB_TIMEOUT_MS);

afterAll(() => host?.clear());

test.each(races)(
  '$title: one page too many, $rounds rounds',
  {
    timeout: 20 * ROUND_TIMEOUT_MS,
  },
  async ({ nodes, rounds, shapes: wanted }) => {
    const lacking = Math.min(...nodes.map((node) => POOLS[`${node}/2048`] ?? 0));
    expect(wanted.reduce((sum, shape) => sum + shape.pages, 0)).toBe(lacking + 1);
    await fillAllBut(nodes);
    const startedBefore = (await host.lab.everStarted()).length;
    for (let round = 1; round <= rounds; round += 1) {
      const outcomes = await host.createAtOnce(wanted);
      const ran = outcomes.flatMap((outcome) => (outcome.is === 'running' ? [outcome.instance] : []));
      expect(ran.map(nodesOf)).toEqual(wanted.slice(1).map(() => nodes));
      outcomes.forEach((outcome, nth) => expectNumbers(outcome, wanted[nth]?.pages));
      await expectAgreement(host);
      await Promise.all(ran.map((instance) => host.delete(instance)));
      await expectAgreement(host);
    }
    // The refused ones never came to a QEMU, and each of the others needed one.
    expect((await host.lab.everStarted()).length - startedBefore).toBe(rounds * (wanted.length - 1));
    expect(await host.lab.allocationFailures()).toEqual([]);
    for (const filler of host.running) await host.delete(filler);
    await expectAgreement(host);
  },
);

test('three at once for the one page of 1 GiB', { timeout: 3 * ROUND_TIMEOUT_MS }, async () => {
  const outcomes = await host.createAtOnce(Array.from({ length: 3 }, () => ({ pages: 1, pageSizeMib: 1024 })));
  const ran = outcomes.flatMap((outcome) => (outcome.is === 'running' ? [outcome.instance] : []));
  expect(ran.map(nodesOf)).toEqual([[3]]);
  for (const outcome of outcomes) expectNumbers(outcome, 1);
  await expectAgreement(host);
  for (const instance of ran) await host.delete(instance);
  await expectAgreement(host);
  expect(await host.lab.allocationFailures()).toEqual([]);
});

test('started past the agent, a guest that is too large fails in its QEMU, where these tests look for it', async () => {
  const domain = await host.libvirt.domain.defineXMLFlags(tooLarge);
  await expect(host.libvirt.domain.createWithFlags(domain)).rejects.toThrow('allocate memory');
  await host.libvirt.domain.undefineFlags(domain);
  expect(await host.lab.allocationFailures()).not.toEqual([]);
  await expectAgreement(host);
});

/** One page more than node 3 has. */
const tooLarge = `<domain type='qemu'>
  <name>too-large</name>
  <memory unit='MiB'>258</memory>
  <memoryBacking><hugepages><page size='2048' unit='KiB'/></hugepages></memoryBacking>
  <vcpu>1</vcpu>
  <numatune><memory mode='strict' nodeset='3'/></numatune>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
</domain>`;

function shapes(pages: readonly number[], cells = 1): readonly Shape[] {
  return pages.map((each) => ({ pages: each, cells }));
}

/** Largest first, so that only one node can take each, whatever order the agent tries them in. */
async function fillAllBut(nodes: readonly number[]): Promise<void> {
  for (const node of [1, 0, 2, 3]) {
    const filler = await host.create({ pages: POOLS[`${node}/2048`] ?? 0 });
    expect(nodesOf(filler)).toEqual([node]);
  }
  for (const filler of host.running) {
    if (nodes.some((node) => nodesOf(filler).includes(node))) await host.delete(filler);
  }
  await expectAgreement(host);
}

/** A refusal names, for each node that does not take the guest, what it wants and what there is: less than that. */
function expectNumbers(outcome: Outcome, pages: number | undefined): void {
  if (outcome.is === 'running') return;
  expect(outcome.message).toMatch(
    /node \d: \d+ pages of \d [MG]iB needed, \d+ free, of these \d+ claimed, \d+ reserved/,
  );
  expect(outcome.refusal).toMatchObject({
    shortfalls: expect.arrayContaining([expect.objectContaining({ cause: 'pages', node: 3, needed: pages })]),
  });
}
