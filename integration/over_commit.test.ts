/** Never more guests than fit, whatever the order: with real QEMUs, whose pages go away late and gradually. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostView } from '../src/api/views.ts';
import { RemoteError } from '../src/rpc/index.ts';
import { AgentStage, createArgs, flavorOf, freePagesBack } from './agent.ts';
import { rounds } from './faults/rounds.ts';
import { poolCount } from './page_pool.ts';

const PAGES = 16;
const FITTING = 7;
const ASKING = 24;
/** Five seconds each; `HUGENODE_FAULT_ROUNDS` for more. */
const ROUNDS = rounds(8).length;

let stage: AgentStage;
let before: number;

beforeAll(async () => {
  before = await poolCount('free_hugepages');
  stage = await AgentStage.set('race');
});

afterAll(() => stage?.clear());

/** A pool that fits so many guests is made with the reserve: the pool itself belongs to the machine. */
async function leaveRoomFor(pages: number): Promise<void> {
  await stage.end();
  const count = (await poolCount('free_hugepages')) - pages;
  await stage.start({
    'admission.reserved_huge_pages': `[{ node: 0, size_kib: 2048, count: ${count} }]`,
    'log.level': 'debug',
  });
}

const outcomeOf = (answer: Promise<unknown>) =>
  answer.then(
    () => 'runs',
    (error: unknown) => {
      if (!(error instanceof RemoteError)) throw error;
      if (error.className !== 'ComputeResourcesUnavailable') throw error;
      expect(error.message).toMatch(/node 0: 16 pages of 2 MiB needed, \d+ free, of these \d+ claimed, \d+ reserved/);
      return 'refused';
    },
  );

async function pool() {
  const host = hostView.parse(await stage.call('get_host'));
  const found = host.nodes[0]?.pools.find((one) => one.page_size_kib === 2048);
  if (found === undefined) throw new Error('no 2 MiB pool');
  return found;
}

test(`${ASKING} concurrent creates into a pool that fits ${FITTING}, ${ROUNDS} rounds`, {
  timeout: 600_000,
}, async () => {
  await leaveRoomFor(FITTING * PAGES + PAGES - 1);
  const startedBefore = await startedDomains();
  for (let round = 1; round <= ROUNDS; round += 1) {
    const requests = Array.from({ length: ASKING }, () => createArgs({ uuid: randomUUID(), flavor: flavorOf(PAGES) }));
    const outcomes = await Promise.all(requests.map((args) => outcomeOf(stage.call('create_instance', args))));
    expect(outcomes.filter((outcome) => outcome === 'runs')).toHaveLength(FITTING);
    expect(outcomes.filter((outcome) => outcome === 'refused')).toHaveLength(ASKING - FITTING);

    // Kernel, libvirt and ledger agree.
    expect(await stage.domains()).toHaveLength(FITTING);
    expect(before - (await poolCount('free_hugepages'))).toBe(FITTING * PAGES);
    expect(await pool()).toMatchObject({
      claimed: 0,
      held_by_instances: FITTING * PAGES,
      free: before - FITTING * PAGES,
    });

    await Promise.all(
      requests
        .filter((_args, nth) => outcomes[nth] === 'runs')
        .map((args) => stage.call('delete_instance', { uuid: args['uuid'] })),
    );
    // The answer says that the pages are back: they are, without waiting.
    expect(await poolCount('free_hugepages')).toBe(before);
  }
  // No QEMU was spawned for a refused request: libvirt keeps one log per domain that was ever started.
  expect((await startedDomains()) - startedBefore).toBe(FITTING * ROUNDS);
});

test('a second guest that exactly fits is admitted while the first one is half allocated', {
  timeout: 180_000,
}, async () => {
  const [first, second] = [600, 200];
  await leaveRoomFor(first + second);
  let caught = 0;
  let order: string[] = [];
  const expected: string[] = [];
  for (let round = 0; round < 10 && caught < 2; round += 1) {
    const requests = [createArgs({ flavor: flavorOf(first) }), createArgs({ flavor: flavorOf(second) })];
    const starting = stage.call('create_instance', requests[0]);
    const seen = await freePagesBetween(before - first, before);
    const { length: logged } = stage.logged;
    await Promise.all([starting, stage.call('create_instance', requests[1])]);
    if (seen) {
      caught += 1;
      order.push(...stage.logged.slice(logged).map((line) => `${String(line['message'])} ${String(line['instance'])}`));
      order = order.filter((line) => line.startsWith('domain started') || line.startsWith('claimed'));
      expected.push(...waited(requests));
    }
    expect(await pool()).toMatchObject({ claimed: 0, held_by_instances: first + second });
    await Promise.all(requests.map((args) => stage.call('delete_instance', { uuid: args['uuid'] })));
    expect(await freePagesBack(before)).toBe(before);
  }
  expect(caught).toBe(2);
  expect(order).toEqual(expected);
});

test('the same uuid asked twice at the same time is one instance and the same answer', async () => {
  const args = createArgs({ flavor: flavorOf(PAGES) });
  const [one, two] = await Promise.all([stage.call('create_instance', args), stage.call('create_instance', args)]);
  expect(two).toEqual(one);
  expect(await stage.call('create_instance', args)).toEqual(one);
  expect(await stage.domains()).toHaveLength(1);
  await expect(stage.call('create_instance', { ...args, name: 'other' })).rejects.toMatchObject({
    className: 'InstanceConflict',
  });
  await stage.call('delete_instance', { uuid: args['uuid'] });
});

/**
 * What the agent tells, from the moment when the first is half allocated: the second is decided only when the first has
 * settled, because until then its pages count as claimed and, in part, as taken.
 */
function waited([first, second]: Record<string, unknown>[]): string[] {
  return [
    `domain started ${String(first?.['uuid'])}`,
    `claimed ${String(second?.['uuid'])}`,
    `domain started ${String(second?.['uuid'])}`,
  ];
}

/** Waits until the pool lies strictly between the two; false where it went past unseen. */
async function freePagesBetween(low: number, high: number): Promise<boolean> {
  for (;;) {
    const free = await poolCount('free_hugepages');
    if (free < high) return free > low;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Domains of this stage for which libvirt ever ran a QEMU. */
async function startedDomains(): Promise<number> {
  const { stdout } = await promisify(execFile)('ls', ['/var/log/libvirt/qemu']);
  return stdout.split('\n').filter((name) => name.startsWith(stage.domainPrefix) && name.endsWith('.log')).length;
}
