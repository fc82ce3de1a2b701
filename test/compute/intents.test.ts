/** Effects and what is told of them, where an agent dies between the two. */
import { expect, test } from 'vitest';
import { ComputeError } from '../../src/errors.ts';
import { CONTEXT, coreOf, intentsOf, requestOf } from './core.ts';

const kinds = (events: readonly { kind: string }[]) => events.map(({ kind }) => kind);

/** The next agent on the same guests, with what the first one kept. */
function nextAgent(first: ReturnType<typeof coreOf>) {
  const next = coreOf([64], '/does/not/exist', first.intents);
  for (const [uuid, guest] of first.driver.guests) next.driver.guests.set(uuid, guest);
  return next;
}

test('nothing is intended any more when all was told', async () => {
  const { compute, intents, events } = coreOf([64]);
  const request = requestOf(8);
  await compute.createInstance(request, CONTEXT);
  await compute.deleteInstance(request.uuid, CONTEXT);
  expect(intents.all()).toEqual([]);
  expect(kinds(events)).toEqual(['create.start', 'create.end', 'delete.start', 'delete.end']);
});

test('died between the destroy and telling: the next agent tells, and the request that comes again tells nothing', async () => {
  const first = coreOf([64]);
  const request = requestOf(8);
  await first.compute.createInstance(request, CONTEXT);
  const intents = intentsOf();
  // As it is at the death: the guest is gone and the intent is there.
  const intend = first.intents.intend.bind(first.intents);
  first.intents.intend = (event) => {
    intend(event);
    intents.intend(event);
  };
  await first.compute.deleteInstance(request.uuid, CONTEXT);
  const next = coreOf([64], '/does/not/exist', intents);
  await next.compute.recover();
  await next.compute.deleteInstance(request.uuid, CONTEXT, { mayBeDone: true });
  expect(kinds(next.events)).toEqual(['delete.end']);
  expect(next.events[0]).toMatchObject({ instance: { uuid: request.uuid }, context: CONTEXT });
});

test('died between intending and the destroy: the request that comes again ends it, without a second start', async () => {
  const first = coreOf([64]);
  const request = requestOf(8);
  await first.compute.createInstance(request, CONTEXT);
  first.driver.faults.add('destroy');
  await expect(first.compute.deleteInstance(request.uuid, CONTEXT)).rejects.toThrow(ComputeError);
  const next = nextAgent(first);
  await next.compute.recover();
  expect(next.events).toEqual([]);
  await next.compute.deleteInstance(request.uuid, CONTEXT, { mayBeDone: true });
  expect(kinds(next.events)).toEqual(['delete.end']);
});

test('a delete that failed and is asked for anew starts anew', async () => {
  const { compute, driver, events } = coreOf([64]);
  const request = requestOf(8);
  await compute.createInstance(request, CONTEXT);
  driver.faults.add('destroy');
  await expect(compute.deleteInstance(request.uuid, CONTEXT)).rejects.toThrow(ComputeError);
  driver.faults.clear();
  await compute.deleteInstance(request.uuid, CONTEXT);
  expect(kinds(events).slice(2)).toEqual(['delete.start', 'delete.start', 'delete.end']);
});

test('a delete that libvirt did without answering is told when the next one finds nothing', async () => {
  const { compute, driver, events } = coreOf([64]);
  const request = requestOf(8);
  await compute.createInstance(request, CONTEXT);
  driver.faults.add('destroy');
  await expect(compute.deleteInstance(request.uuid, CONTEXT)).rejects.toThrow(ComputeError);
  driver.faults.clear();
  driver.guests.clear();
  await expect(compute.deleteInstance(request.uuid, CONTEXT)).rejects.toThrow('no instance');
  expect(kinds(events).at(-1)).toBe('delete.end');
});

test('died between keeping a built guest and telling: the next agent tells', async () => {
  const first = coreOf([64]);
  const request = requestOf(8);
  const intents = intentsOf();
  const intend = first.intents.intend.bind(first.intents);
  first.intents.intend = (event) => {
    intend(event);
    intents.intend(event);
  };
  const built = await first.compute.createInstance(request, CONTEXT);
  const next = coreOf([64], '/does/not/exist', intents);
  for (const [uuid, guest] of first.driver.guests) next.driver.guests.set(uuid, guest);
  await next.compute.recover();
  await next.compute.createInstance(request, CONTEXT);
  expect(kinds(next.events)).toEqual(['create.end']);
  expect(next.events[0]).toMatchObject({ launchedAt: built.instance.launchedAt });
});

test('died before the built guest was kept: it is taken back, and its end is not told', async () => {
  const first = coreOf([64]);
  const request = requestOf(8);
  first.driver.faults.add('save');
  first.driver.faults.add('destroy');
  first.intents.drop = () => {};
  await expect(first.compute.createInstance(request, CONTEXT)).rejects.toThrow('libvirt is gone');
  first.compute.stop();
  expect(first.intents.all()).toHaveLength(1);
  const intents = intentsOf();
  for (const event of first.intents.all()) intents.intend(event);
  const next = coreOf([64], '/does/not/exist', intents);
  for (const [uuid, guest] of first.driver.guests) next.driver.guests.set(uuid, guest);
  await next.compute.recover();
  expect(next.events).toEqual([]);
  expect(intents.all()).toEqual([]);
  expect(next.driver.guests.size).toBe(0);
});

test('a guest that changes its state by itself is told of once, and one that is being deleted is not', async () => {
  const { compute, driver, events } = coreOf([64]);
  const request = requestOf(8);
  await compute.createInstance(request, CONTEXT);
  events.length = 0;
  await compute.noticeLifecycle(request.uuid);
  expect(events).toEqual([]);
  const getInfo = driver.getInfo.bind(driver);
  driver.getInfo = async (uuid) => {
    const info = await getInfo(uuid);
    return info && { ...info, powerState: 'shutdown' };
  };
  await Promise.all([1, 2, 3].map(() => compute.noticeLifecycle(request.uuid)));
  expect(events).toMatchObject([{ kind: 'update', oldPowerState: 'running', powerState: 'shutdown' }]);
  events.length = 0;
  await Promise.all([compute.deleteInstance(request.uuid, CONTEXT), compute.noticeLifecycle(request.uuid)]);
  await compute.noticeLifecycle('not-ours');
  expect(kinds(events)).toEqual(['delete.start', 'delete.end']);
});
