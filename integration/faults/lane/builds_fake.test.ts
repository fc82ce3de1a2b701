/** 100 builds and 26 deletes on a fake libvirtd under each fault of the bus. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FakeBed } from '../beds.ts';
import { BROKER_FAULTS } from '../broker_faults.ts';
import { buildsUnder } from '../builds_under.ts';
import { FaultStage } from '../fault_stage.ts';
import { rounds } from '../rounds.ts';

const DELETES = 26;
const BUILDS = 100;

let stage: FaultStage;

beforeAll(async () => {
  stage = await FaultStage.set({ bed: await FakeBed.make() });
});

afterAll(() => stage?.clear());

describe.each(rounds(10))('round %i', (round) => {
  test.each(BROKER_FAULTS)('$name', async (fault) => {
    const tally = await buildsUnder(stage, fault, BUILDS);
    expect(tally.calls).toBe(BUILDS + DELETES);
    process.stderr.write(`round ${round}, ${fault.name}: ${JSON.stringify(tally)}\n`);
  });
});
