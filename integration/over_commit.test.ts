/** Never more guests than fit, whatever the order: with real QEMUs, whose pages go away late and gradually. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostView } from '../src/api/views.ts';
import { RemoteError } from '../src/rpc/index.ts';
import { AgentStage, createArgs, flavorOf, freePagesBack, poolCount } from './agent.ts';

const PAGES = 16;
const FITTING = 7;
const ASKING = 24;
const ROUNDS = 20;

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
    'log.level': 'info',
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
    expect(await freePagesBack(before)).toBe(before);
  }
  // No QEMU was spawned for a refused request: libvirt keeps one log per domain that was ever started.
  expect((await startedDomains()) - startedBefore).toBe(FITTING * ROUNDS);
});

test('a second guest that exactly fits is admitted while the first one starts', { timeout: 120_000 }, async () => {
  await leaveRoomFor(2 * 100);
  for (let round = 0; round < 3; round += 1) {
    const requests = [createArgs({ flavor: flavorOf(100) }), createArgs({ flavor: flavorOf(100) })];
    await Promise.all(requests.map((args) => stage.call('create_instance', args)));
    expect(await pool()).toMatchObject({ claimed: 0, held_by_instances: 200 });
    await Promise.all(requests.map((args) => stage.call('delete_instance', { uuid: args['uuid'] })));
    expect(await freePagesBack(before)).toBe(before);
  }
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

/** Domains of this stage for which libvirt ever ran a QEMU. */
async function startedDomains(): Promise<number> {
  const { stdout } = await promisify(execFile)('ls', ['/var/log/libvirt/qemu']);
  return stdout.split('\n').filter((name) => name.startsWith(stage.domainPrefix) && name.endsWith('.log')).length;
}
