/** An agent that dies at a step of a build or a delete, and the one after it: what the caller gets, and what is there. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { type AgentStage, createArgs, flavorOf, freePagesBack } from '../agent.ts';
import { poolCount } from '../page_pool.ts';

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

/** The caller gets its one answer, and the instance is there once. Leaves the agent running. */
export async function killedBuild(stage: AgentStage, step: string): Promise<'one answer'> {
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
  return 'one answer';
}

/** The caller hears that the instance is deleted, which it is; never that there is none. */
export async function killedDelete(stage: AgentStage, step: string): Promise<'one answer'> {
  const free = await poolCount('free_hugepages');
  await startDyingAt(stage, step);
  const { uuid } = await stage.create({ flavor: flavorOf(PAGES) });
  const answer = stage.call('delete_instance', { uuid }, KILL_TIMEOUT_MS);
  await stage.ended();
  await stage.start();
  expect(await answer).toBeNull();
  await expectNothingLeft(stage, free);
  return 'one answer';
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
