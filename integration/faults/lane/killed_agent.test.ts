/** `kill -9` at each step of a build and of a delete, with requests at work beside it and queued behind it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentStage } from '../../agent.ts';
import { AT_WORK, killedBuilds, killedDeletes } from '../kill_load.ts';
import { CREATE_STEPS, DELETE_STEPS, KILL_TIMEOUT_MS } from '../kill_rounds.ts';
import { rounds } from '../rounds.ts';

let stage: AgentStage;

beforeAll(async () => {
  stage = await AgentStage.set('killed-load', { 'rpc.builds': AT_WORK });
});

afterAll(() => stage?.clear());

describe.each(rounds(10))('round %i', () => {
  test.each(CREATE_STEPS)(
    'killed at %s: all builds answered, each instance once',
    { timeout: KILL_TIMEOUT_MS },
    async (step) => {
      expect(await killedBuilds(stage, step)).toBe('all answered');
    },
  );

  test.each(DELETE_STEPS)(
    'killed at %s: all deletes answered, no instance',
    { timeout: KILL_TIMEOUT_MS },
    async (step) => {
      expect(await killedDeletes(stage, step)).toBe('all answered');
    },
  );
});
