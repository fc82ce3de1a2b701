/** One round of a few faults of the fault lane (`npm run test:faults`): on a fake libvirtd, and with real guests. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { FakeBed, RealBed } from './beds.ts';
import { faultsNamed } from './broker_faults.ts';
import { buildsUnder } from './builds_under.ts';
import { FaultStage } from './fault_stage.ts';

const TIMEOUT_MS = 120_000;

describe.each([
  {
    where: 'on a fake libvirtd',
    makeBed: () => FakeBed.make(),
    builds: 100,
    calls: 126,
    faults: ['the agent is cut off', 'the queue of the agent is deleted', 'the broker has a memory alarm'],
  },
  {
    where: 'with real guests',
    makeBed: () => RealBed.make('sample', inject('virtType')),
    builds: 12,
    calls: 16,
    faults: ['the agent is cut off'],
  },
])('$builds builds $where', ({ makeBed, builds, calls, faults }) => {
  let stage: FaultStage;

  beforeAll(async () => {
    stage = await FaultStage.set({ bed: await makeBed() });
  });

  afterAll(() => stage?.clear());

  test.each(faultsNamed(...faults))(
    'while $name: each call ends, each instance is there once, no page is lost',
    {
      timeout: TIMEOUT_MS,
    },
    async (fault) => {
      expect((await buildsUnder(stage, fault, builds)).calls).toBe(calls);
    },
  );
});
