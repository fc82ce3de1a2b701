/** An agent that is told to stop under load, one that is told twice, and one that hears nothing any more. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createArgs, flavorOf } from '../../agent.ts';
import { until } from '../../oslo/stage.ts';
import { FakeBed } from '../beds.ts';
import { FaultStage } from '../fault_stage.ts';
import { rounds } from '../rounds.ts';

const BUILDS = 4;
const ASKED = 12;
const STOP_TIMEOUT_MS = 20_000;

let bed: FakeBed;
let stage: FaultStage;

beforeAll(async () => {
  bed = await FakeBed.make();
  stage = await FaultStage.set({
    bed,
    overrides: {
      'rpc.builds': BUILDS,
      'rpc.prefetch': 8,
      'rpc.stop_timeout_ms': STOP_TIMEOUT_MS,
      'rpc.hearing_interval_ms': 500,
    },
  });
});

afterAll(() => stage?.clear());

function askForBuilds(count: number) {
  return Array.from({ length: count }, (_, nth) => {
    const uuid = randomUUID();
    return { uuid, end: stage.caller(nth).call('create_instance', createArgs({ uuid, flavor: flavorOf(40) }), 35) };
  });
}

async function expectAllBuiltAndDelete(builds: readonly { uuid: string; end: Promise<unknown> }[]): Promise<void> {
  for (const { uuid, end } of builds) expect(await end).toMatchObject({ is: 'answered', result: { uuid } });
  expect((await bed.uuids()).toSorted()).toEqual(builds.map(({ uuid }) => uuid).toSorted());
  expect(await bed.pages()).toEqual(bed.pagesOf(builds.length));
  for (const { uuid } of builds)
    expect((await stage.caller(0).call('delete_instance', { uuid }, 30)).is).toBe('answered');
  expect(await bed.pages()).toEqual(bed.pagesOf(0));
}

describe.each(rounds(10))('round %i', () => {
  test('SIGTERM under load: what runs is answered, what waits is for the next agent, no queue is orphaned', async () => {
    bed.holdStarts();
    const builds = askForBuilds(ASKED);
    await until(() => builds.filter(({ uuid }) => bed.starts.includes(uuid)).length === BUILDS);
    const { mark } = stage;
    const begun = performance.now();
    const ended = stage.agent.end('SIGTERM');
    await until(() => stage.loggedSince(mark, 'request handed back').length > 0);
    bed.releaseStarts();
    expect(await ended).toBe(0);
    expect(performance.now() - begun).toBeLessThan(STOP_TIMEOUT_MS);
    expect(await bed.uuids()).toHaveLength(BUILDS);
    expect(await stage.queues('hugenode_fanout_')).toEqual([]);
    // The broker has all that was not begun, none is lost.
    await until(
      async () => (await stage.broker.messageCount(stage.vhost, `hugenode.${stage.host}`)) === ASKED - BUILDS,
    );

    await stage.startAgent();
    await expectAllBuiltAndDelete(builds);
    for (const { uuid } of builds) expect(bed.starts.filter((one) => one === uuid)).toHaveLength(1);
  });

  test('a second signal ends it there, and the next agent has everything', async () => {
    bed.holdStarts();
    const builds = askForBuilds(ASKED);
    await until(() => builds.filter(({ uuid }) => bed.starts.includes(uuid)).length === BUILDS);
    const { mark } = stage;
    const first = stage.agent.end('SIGTERM');
    await until(() => stage.loggedSince(mark, 'request handed back').length > 0);
    // Sent until it counts as another one than the first.
    const begun = performance.now();
    await until(() => {
      if (stage.agent.isRunning) process.kill(stage.agent.pid, 'SIGTERM');
      return !stage.agent.isRunning;
    });
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(await first).toBe(1);
    expect(stage.loggedSince(mark, 'told twice to stop, the agent ends')).toHaveLength(1);
    bed.releaseStarts();

    await stage.startAgent();
    await expectAllBuiltAndDelete(builds);
  });

  test('a consumer to which nothing comes any more is noticed and set up anew', async () => {
    // The hop has to know on which channel deliveries come.
    expect((await stage.caller(0).call('list_instances', {}, 30)).is).toBe('answered');
    const { mark } = stage;
    stage.tricks.deafen();
    const builds = askForBuilds(ASKED);
    await until(() => stage.tricks.dropped > 0);
    await stage.untilUnready(mark);
    const reasons = stage.loggedSince(mark, 'readiness').flatMap((line) => line['reasons']);
    expect(reasons).toContainEqual(`nothing is heard from queue hugenode.${stage.host}`);
    await until(() => !stage.tricks.isDeaf);
    await stage.untilReady();
    await expectAllBuiltAndDelete(builds);
    for (const { uuid } of builds) expect(bed.starts.filter((one) => one === uuid)).toHaveLength(1);
  });
});
