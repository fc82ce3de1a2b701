/** An agent that dies at a step of a build or a delete, and the one after it: what the caller gets, and what is there. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { type AgentStage, createArgs, flavorOf, freePagesBack } from '../agent.ts';
import { poolCount } from '../page_pool.ts';
import { Tap, type Tapped } from '../tap.ts';

/** In the order of a build: each step of the request, and of the verb in the middle of it. */
export const CREATE_STEPS = [
  'create_instance:taken',
  'create_instance:begun',
  'create.lookup',
  'create.claim',
  'create.spawn',
  'create.verify',
  'create.keep',
  'create_instance:ran',
  'create_instance:kept',
  'create_instance:answered',
] as const;

export const DELETE_STEPS = [
  'delete_instance:taken',
  'delete_instance:begun',
  'delete.destroy',
  'delete_instance:ran',
  'delete_instance:kept',
  'delete_instance:answered',
] as const;

const PAGES = 40;
/** Both agents, the build, and a minute for a reply that waits for its queue. */
export const KILL_TIMEOUT_MS = 90_000;

/**
 * The caller gets its one answer, and the instance is there once; that it was built and that it was deleted is told once
 * each. Leaves the agent running.
 */
export async function killedBuild(stage: AgentStage, step: string): Promise<'one answer'> {
  await using told = await tapOn(stage);
  const free = await poolCount('free_hugepages');
  await startDyingAt(stage, step);
  const args = createArgs({ flavor: flavorOf(PAGES) });
  const answer = stage.call('create_instance', args, KILL_TIMEOUT_MS);
  await stage.ended();
  await stage.start();
  expect(await answer).toMatchObject({ uuid: args['uuid'], vm_state: 'active' });
  expect(await stage.domains()).toEqual([`${stage.domainPrefix}${String(args['uuid'])}`]);
  expect(await stage.call('list_instances')).toMatchObject([{ uuid: args['uuid'] }]);
  expect(await poolCount('free_hugepages')).toBe(free - PAGES);
  await stage.call('delete_instance', { uuid: args['uuid'] });
  await expectNothingLeft(stage, free);
  await expectToldOnce(told.tap, String(args['uuid']));
  return 'one answer';
}

/** The caller hears that the instance is deleted, which it is; never that there is none. And all others hear it once. */
export async function killedDelete(stage: AgentStage, step: string): Promise<'one answer'> {
  await using told = await tapOn(stage);
  const free = await poolCount('free_hugepages');
  await startDyingAt(stage, step);
  const { uuid } = await stage.create({ flavor: flavorOf(PAGES) });
  const answer = stage.call('delete_instance', { uuid }, KILL_TIMEOUT_MS);
  await stage.ended();
  await stage.start();
  expect(await answer).toBeNull();
  await expectNothingLeft(stage, free);
  await expectToldOnce(told.tap, uuid);
  return 'one answer';
}

async function tapOn(stage: AgentStage): Promise<AsyncDisposable & { readonly tap: Tap }> {
  const tap = await Tap.on(stage.api.url(stage.vhost), 'nova', ['notifications.info', 'notifications.error']);
  return { tap, [Symbol.asyncDispose]: () => tap.close() };
}

/** A message that was confirmed while the agent died is sent again as the same one: consumers know it by its id. */
async function expectToldOnce(tap: Tap, uuid: string): Promise<void> {
  const of = (kind: string) => (one: Tapped) =>
    one.eventType === `compute.instance.${kind}` && one.payload['instance_id'] === uuid;
  await tap.first(of('delete.end'), 20_000);
  for (const kind of ['create.end', 'delete.end']) {
    const ids = tap.seen.filter(of(kind)).flatMap(({ messageId, uniqueId }) => [`${messageId} ${uniqueId}`]);
    expect(new Set(ids).size, `${kind} in ${tap.seen.map(({ eventType }) => eventType).join(', ')}`).toBe(1);
  }
}

async function startDyingAt(stage: AgentStage, step: string): Promise<void> {
  await stage.end();
  const module = pathToFileURL(join(import.meta.dirname, 'die_at.ts'));
  await stage.start(undefined, { NODE_OPTIONS: `--import=${module.href}`, DIE_AT_STEP: step });
}

async function expectNothingLeft(stage: AgentStage, free: number): Promise<void> {
  expect(await stage.domains()).toEqual([]);
  expect(await stage.call('get_host')).toMatchObject({ instances: 0, readiness: { ready: true, reasons: [] } });
  expect(await freePagesBack(free)).toBe(free);
}
