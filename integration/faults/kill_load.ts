/** An agent that dies at a step of one request while others are at work and others wait behind them. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { type AgentStage, createArgs, flavorOf, freePagesBack } from '../agent.ts';
import { poolCount } from '../page_pool.ts';
import { KILL_TIMEOUT_MS } from './kill_rounds.ts';

/** Builds at work at once, for the agent; the others wait in its lane. */
export const AT_WORK = 2;
const ASKED = 6;
const PAGES = 16;

/** All builds are answered once and stand once; then all are deleted. Leaves the agent running. */
export async function killedBuilds(stage: AgentStage, step: string): Promise<'all answered'> {
  const free = await poolCount('free_hugepages');
  await startDyingAt(stage, step);
  const uuids = Array.from({ length: ASKED }, () => randomUUID());
  const answers = Promise.all(
    uuids.map((uuid) => stage.call('create_instance', createArgs({ uuid, flavor: flavorOf(PAGES) }), KILL_TIMEOUT_MS)),
  );
  answers.catch(() => {});
  await stage.ended();
  await stage.start();
  expect(await answers).toMatchObject(uuids.map((uuid) => ({ uuid, vm_state: 'active' })));
  await expectGuests(stage, uuids, free);
  await Promise.all(uuids.map((uuid) => stage.call('delete_instance', { uuid })));
  await expectGuests(stage, [], free);
  return 'all answered';
}

/** Each delete is answered as done, whichever agent did it. */
export async function killedDeletes(stage: AgentStage, step: string): Promise<'all answered'> {
  const free = await poolCount('free_hugepages');
  await startDyingAt(stage, step);
  const built = await Promise.all(
    Array.from({ length: ASKED }, () => stage.create({ uuid: randomUUID(), flavor: flavorOf(PAGES) })),
  );
  const answers = Promise.all(built.map(({ uuid }) => stage.call('delete_instance', { uuid }, KILL_TIMEOUT_MS)));
  answers.catch(() => {});
  await stage.ended();
  await stage.start();
  expect(await answers).toEqual(built.map(() => null));
  await expectGuests(stage, [], free);
  return 'all answered';
}

async function startDyingAt(stage: AgentStage, step: string): Promise<void> {
  await stage.end();
  const module = pathToFileURL(join(import.meta.dirname, 'die_at.ts'));
  await stage.start(undefined, { NODE_OPTIONS: `--import=${module.href}`, DIE_AT_STEP: step });
}

async function expectGuests(stage: AgentStage, uuids: readonly string[], free: number): Promise<void> {
  const names = uuids.map((uuid) => `${stage.domainPrefix}${uuid}`);
  expect((await stage.domains()).toSorted()).toEqual(names.toSorted());
  const left = free - uuids.length * PAGES;
  expect(await freePagesBack(left)).toBe(left);
  for (const uuid of uuids) expect(await stage.hugePagesOf(uuid)).toEqual({ 0: PAGES });
  expect(await stage.call('get_host')).toMatchObject({
    instances: uuids.length,
    readiness: { ready: true, reasons: [] },
  });
}
