/** 20 builds and 6 deletes of real guests under each fault of the bus. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { RealBed } from '../beds.ts';
import { BROKER_FAULTS } from '../broker_faults.ts';
import { buildsUnder } from '../builds_under.ts';
import { FaultStage } from '../fault_stage.ts';
import { rounds } from '../rounds.ts';

const DELETES = 6;
const BUILDS = 20;

let stage: FaultStage;

beforeAll(async () => {
  stage = await FaultStage.set({ bed: await RealBed.make('builds', inject('virtType')) });
});

afterAll(() => stage?.clear());

describe.each(rounds(2))('round %i', (round) => {
  test.each(BROKER_FAULTS)('$name', async (fault) => {
    const tally = await buildsUnder(stage, fault, BUILDS);
    expect(tally.calls).toBe(BUILDS + DELETES);
    process.stderr.write(`round ${round}, ${fault.name}: ${JSON.stringify(tally)}\n`);
  });
});
