/** Builds and deletes while a fault happens, and the account afterwards: of calls, of guests, of pages. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { z } from 'zod';
import { hostView } from '../../src/api/views.ts';
import { createArgs, flavorOf } from '../agent.ts';
import { until } from '../oslo/stage.ts';
import { FakeBed } from './beds.ts';
import type { BrokerFault } from './broker_faults.ts';
import type { CallEnd, Caller } from './callers.ts';
import type { FaultStage } from './fault_stage.ts';

const RETRIES = 4;
const CALM_PATIENCE_S = 30;

/** What became of the calls of a round. */
export type Tally = {
  /** Builds and the deletes among them. */
  calls: number;
  /** Builds that were asked for and not answered when the fault began. */
  underWay: number;
  /** Ended in an answer at once. */
  answered: number;
  /** Ended in a documented error: the caller does not know, and asks again. */
  notKnown: number;
  /** Further copies of an answer on the wire. */
  repeated: number;
};

type Build = {
  readonly uuid: string;
  readonly caller: Caller;
  readonly args: Record<string, unknown>;
  readonly isDeleted: boolean;
};

/**
 * Asks for so many builds at once, from both callers, deletes each fourth as soon as it stands, lets the fault happen
 * when the first guests are there, and holds everything to account.
 */
export async function buildsUnder(stage: FaultStage, fault: BrokerFault, count: number): Promise<Tally> {
  await sweep(stage);
  const tally: Tally = { calls: 0, underWay: 0, answered: 0, notKnown: 0, repeated: 0 };
  const builds = Array.from({ length: count }, (_, nth): Build => {
    const uuid = randomUUID();
    const args = createArgs({ uuid, flavor: flavorOf(stage.bed.guestPages) });
    return { uuid, caller: stage.caller(nth), args, isDeleted: nth % 8 < 2 };
  });
  const { mark } = stage;
  const patienceS = Math.min(CALM_PATIENCE_S, fault.patienceS * stage.bed.slowness);
  const healed = Promise.withResolvers<void>();
  // All to their ends, also where one of them fails: the next fault must not meet them.
  const lives = Promise.allSettled(builds.map((build) => lifeOf(build, patienceS, healed.promise, tally)));

  try {
    await until(async () => (await stage.bed.uuids()).length >= Math.min(5, count / 4), 30_000);
    tally.underWay = count - builds.filter(({ uuid, caller }) => isAnswered(caller, uuid)).length;
    expect(tally.underWay).toBeGreaterThan(0);
    await fault.happen(stage, mark);
    if (fault.isUnready) await stage.untilUnready(mark);
    await stage.untilReady();
  } finally {
    healed.resolve();
    await lives;
  }
  expect((await lives).filter(({ status }) => status === 'rejected')).toEqual([]);
  if (!fault.mayLose) expect(tally.notKnown).toBe(0);

  const standing = builds.filter(({ isDeleted }) => !isDeleted);
  await expectGuests(stage, standing);
  expectOneStartEach(stage, builds);
  await Promise.all(standing.map((build) => deleted(build)));
  await expectGuests(stage, []);
  tally.repeated = expectOneAnswerEach(builds, fault);
  return tally;
}

/** What a round that failed has left would be held against this one. */
async function sweep({ bed, callers: [caller] }: FaultStage): Promise<void> {
  for (const uuid of await bed.uuids()) await caller?.call('delete_instance', { uuid }, CALM_PATIENCE_S);
}

async function lifeOf(build: Build, patienceS: number, healed: Promise<void>, tally: Tally): Promise<void> {
  const first = await build.caller.call('create_instance', build.args, patienceS);
  tally.calls += 1;
  tally[first.is === 'answered' ? 'answered' : 'notKnown'] += 1;
  if (first.is === 'not-known') await healed;
  const end = first.is === 'not-known' ? await askedAgain(build.caller, 'create_instance', build.args) : first;
  expect(end).toMatchObject({ is: 'answered', result: { uuid: build.uuid, vm_state: 'active' } });
  if (!build.isDeleted) return;
  const gone = await build.caller.call('delete_instance', { uuid: build.uuid }, patienceS);
  tally.calls += 1;
  tally[gone.is === 'answered' ? 'answered' : 'notKnown'] += 1;
  if (gone.is === 'answered') return;
  // Only one whose caller does not know may have to be told that there is none.
  expect(gone.is).toBe('not-known');
  await healed;
  await deleted(build);
}

/** Nobody knows whether the first one came through: either it deletes now, or there is none any more. */
async function deleted({ caller, uuid }: Build): Promise<void> {
  const end = await askedAgain(caller, 'delete_instance', { uuid });
  if (end.is === 'refused') expect(end.className).toBe('InstanceNotFound');
  else expect(end).toEqual({ is: 'answered', result: null });
}

async function askedAgain(caller: Caller, method: string, args: Record<string, unknown>): Promise<CallEnd> {
  for (let retry = 1; ; retry += 1) {
    const end = await caller.call(method, args, CALM_PATIENCE_S);
    if (end.is !== 'not-known') return end;
    if (retry === RETRIES) throw new Error(`${caller.name}: ${method} ended ${retry} times with ${end.error}`);
    // A caller that is itself still cut off learns so at once.
    await sleep(1_000);
  }
}

const instanceList = z.array(z.object({ uuid: z.string() }));

/** Exactly these, by the agent's word and by libvirt's, with their pages and no others. */
async function expectGuests(stage: FaultStage, builds: readonly Build[]): Promise<void> {
  const uuids = builds.map(({ uuid }) => uuid).toSorted();
  expect((await stage.bed.uuids()).toSorted()).toEqual(uuids);
  expect(await stage.bed.pages(builds.length)).toEqual(stage.bed.pagesOf(builds.length));
  for (const caller of stage.callers) {
    const list = await askedAgain(caller, 'list_instances', {});
    if (list.is !== 'answered') throw new Error(`${caller.name}: ${JSON.stringify(list)}`);
    expect(
      instanceList
        .parse(list.result)
        .map(({ uuid }) => uuid)
        .toSorted(),
    ).toEqual(uuids);
  }
  const host = await askedAgain(stage.caller(0), 'get_host', {});
  if (host.is !== 'answered') throw new Error(JSON.stringify(host));
  expect(hostView.parse(host.result)).toMatchObject({
    instances: builds.length,
    readiness: { ready: true, reasons: [] },
  });
}

/** A fake libvirtd counts what it was asked for: nothing was built twice, not even to be found out and taken back. */
function expectOneStartEach({ bed }: FaultStage, builds: readonly Build[]): void {
  if (!(bed instanceof FakeBed)) return;
  const uuids = new Set(builds.map(({ uuid }) => uuid));
  expect(bed.starts.filter((uuid) => uuids.has(uuid)).toSorted()).toEqual([...uuids].toSorted());
}

function isAnswered({ wire }: Caller, uuid: string): boolean {
  return wire.callsOf('create_instance', uuid).some(({ finals }) => finals.length > 0);
}

/** Each call that left found one answer in its queue; returns how many copies came beside. */
function expectOneAnswerEach(builds: readonly Build[], fault: BrokerFault): number {
  let repeated = 0;
  for (const { uuid, caller } of builds) {
    for (const method of ['create_instance', 'delete_instance']) {
      const calls = caller.wire.callsOf(method, uuid);
      expect(calls).not.toEqual([]);
      // One at least of what was asked again: the caller has got it.
      expect(calls.some(({ finals }) => finals.length > 0)).toBe(true);
      for (const { finals } of calls) {
        // Never two answers that differ.
        expect(new Set(finals.map(({ text }) => text)).size).toBeLessThanOrEqual(1);
        repeated += Math.max(0, finals.length - 1);
      }
    }
    expect(caller.wire.strays).toBe(0);
  }
  if (!fault.mayRepeat) expect(repeated).toBe(0);
  return repeated;
}
