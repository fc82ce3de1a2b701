/** One request at the agent: sent twice, sent too late, one of too many. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createArgs, flavorOf } from '../../agent.ts';
import { until } from '../../oslo/stage.ts';
import { FakeBed } from '../beds.ts';
import { FaultStage } from '../fault_stage.ts';
import { RawCaller, type RawRequest } from '../raw_caller.ts';
import { rounds } from '../rounds.ts';

const BUILDS = 2;
const PREFETCH = 8;
const DISTANCE = 100;

let bed: FakeBed;
let stage: FaultStage;
let caller: RawCaller;

beforeAll(async () => {
  bed = await FakeBed.make();
  stage = await FaultStage.set({ bed, overrides: { 'rpc.builds': BUILDS, 'rpc.prefetch': PREFETCH } });
  caller = await RawCaller.open(stage.broker.url(stage.vhost), stage.host);
});

afterAll(async () => {
  await caller?.close();
  await stage?.clear();
});

beforeEach(async () => {
  for (const uuid of await bed.uuids()) await stage.caller(0).call('delete_instance', { uuid }, 30);
});

function buildOf(over: Partial<RawRequest> = {}): RawRequest & { readonly uuid: string } {
  const uuid = randomUUID();
  return { id: uuid, uuid, method: 'create_instance', args: createArgs({ uuid, flavor: flavorOf(40) }), ...over };
}

const startsOf = (uuid: string) => bed.starts.filter((one) => one === uuid).length;

test.each(rounds(10))(
  `round %i: the same build again, ${DISTANCE} requests later, is answered and not built`,
  async () => {
    const build = buildOf();
    caller.send(build);
    await caller.answered(build.id);
    for (let nth = 0; nth < DISTANCE; nth += 1) {
      // Deletes, because of questions nothing is kept.
      caller.send({ id: `${build.id}-${nth}`, method: 'delete_instance', args: { uuid: randomUUID() } });
    }
    caller.send(build);
    await caller.answered(build.id, 2);
    await caller.answered(`${build.id}-${DISTANCE - 1}`);
    const [first, second] = caller.answersOf(build.id);
    expect(first).toMatchObject({ result: { uuid: build.uuid, vm_state: 'active' } });
    expect(second).toEqual(first);
    expect(startsOf(build.uuid)).toBe(1);
  },
);

test.each(rounds(10))('round %i: the same build and delete again after a restart are answered as before', async () => {
  const build = buildOf();
  const gone: RawRequest = { id: `${build.id}-gone`, method: 'delete_instance', args: { uuid: build.uuid } };
  caller.send(build);
  await caller.answered(build.id);
  caller.send(gone);
  await caller.answered(gone.id);
  expect(await stage.agent.end('SIGTERM')).toBe(0);
  await stage.startAgent();
  caller.send(build);
  caller.send(gone);
  await caller.answered(build.id, 2);
  await caller.answered(gone.id, 2);
  for (const { id } of [build, gone]) {
    const [first, second] = caller.answersOf(id);
    expect(second).toEqual(first);
  }
  expect(caller.answersOf(gone.id)[0]).toEqual({ result: null, failure: null });
  // Built once: what was deleted is not there again.
  expect(startsOf(build.uuid)).toBe(1);
  expect(await bed.uuids()).toEqual([]);
});

test('while it is at work the same build joins it', async () => {
  bed.holdStarts();
  const build = buildOf();
  caller.send(build);
  await until(() => startsOf(build.uuid) === 1);
  const { mark } = stage;
  caller.send(build);
  await until(() => stage.loggedSince(mark, 'duplicate request').length === 1);
  bed.releaseStarts();
  await caller.answered(build.id);
  // Its successor is answered after it, if it is at all.
  caller.send({ id: `${build.id}-after`, method: 'get_instance', args: { uuid: build.uuid } });
  await caller.answered(`${build.id}-after`);
  expect(caller.answersOf(build.id)).toHaveLength(1);
  expect(startsOf(build.uuid)).toBe(1);
});

test('a build whose caller has given up behind a full lane is not started', async () => {
  bed.holdStarts();
  const working = Array.from({ length: BUILDS }, () => buildOf());
  for (const build of working) caller.send(build);
  await until(() => working.every(({ uuid }) => startsOf(uuid) === 1));
  const late = buildOf({ expirationMs: 1_000 });
  const { mark } = stage;
  caller.send(late);
  await until(() => stage.loggedSince(mark, 'request not started: its caller waits no longer').length === 1);
  bed.releaseStarts();
  for (const { id } of working) await caller.answered(id);
  expect(startsOf(late.uuid)).toBe(0);
  expect(caller.answersOf(late.id)).toEqual([]);
  expect(await bed.uuids()).toHaveLength(BUILDS);
});

test('the clients of both kinds hear MessagingTimeout then, and find no guest later', async () => {
  bed.holdStarts();
  const working = Array.from({ length: BUILDS }, () => buildOf());
  for (const build of working) caller.send(build);
  await until(() => working.every(({ uuid }) => startsOf(uuid) === 1));
  const late = stage.callers.map((client) => ({ client, build: buildOf() }));
  const ends = await Promise.all(late.map(({ client, build }) => client.call('create_instance', build.args, 2)));
  expect(ends).toEqual(late.map(() => ({ is: 'not-known', error: 'MessagingTimeout' })));
  bed.releaseStarts();
  for (const { id } of working) await caller.answered(id);
  for (const { client, build } of late) {
    expect(await client.call('get_instance', { uuid: build.uuid }, 30)).toMatchObject({
      is: 'refused',
      className: 'InstanceNotFound',
    });
    expect(startsOf(build.uuid)).toBe(0);
  }
});

test('slow builds fill the window: questions and deletes pass until it is full, the broker keeps the rest', async () => {
  const standing = buildOf();
  caller.send(standing);
  await caller.answered(standing.id);
  bed.holdStarts();
  const queue = `hugenode.${stage.host}`;
  const builds = Array.from({ length: PREFETCH - 1 }, () => buildOf());
  for (const build of builds) caller.send(build);
  await until(() => builds.filter(({ uuid }) => startsOf(uuid) === 1).length === BUILDS);

  // One place of the window is left.
  for (const client of stage.callers) {
    expect((await client.call('get_instance', { uuid: standing.uuid }, 10)).is).toBe('answered');
    expect((await client.call('list_instances', {}, 10)).is).toBe('answered');
  }
  expect((await stage.caller(0).call('delete_instance', { uuid: standing.uuid }, 10)).is).toBe('answered');

  const more = Array.from({ length: 5 }, () => buildOf());
  for (const build of more) caller.send(build);
  await until(async () => {
    const found = (await stage.broker.queues(stage.vhost)).find(({ name }) => name === queue);
    return found?.messages_unacknowledged === PREFETCH && found.messages_ready === more.length - 1;
  });
  // A window that is full is not deaf.
  expect(stage.isReady()).toBe(true);

  bed.releaseStarts();
  for (const { id } of [...builds, ...more]) await caller.answered(id);
  for (const { uuid } of [...builds, ...more]) expect(startsOf(uuid)).toBe(1);
  expect((await bed.uuids()).toSorted()).toEqual([...builds, ...more].map(({ uuid }) => uuid).toSorted());
});
