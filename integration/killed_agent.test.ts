/** `kill -9` at each step of a build and of a delete; ten rounds of it are in `npm run test:faults`. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AgentStage } from './agent.ts';
import { CREATE_STEPS, DELETE_STEPS, killedBuild, killedDelete, KILL_TIMEOUT_MS } from './faults/kill_rounds.ts';

let stage: AgentStage;

beforeAll(async () => {
  stage = await AgentStage.set('killed');
});

afterAll(() => stage?.clear());

test.each(CREATE_STEPS)(
  'killed at %s: one answer, one instance, no page lost',
  { timeout: KILL_TIMEOUT_MS },
  async (step) => {
    expect(await killedBuild(stage, step)).toBe('one answer');
  },
);

test.each(DELETE_STEPS)(
  'killed at %s: one answer, no instance, no page lost',
  { timeout: KILL_TIMEOUT_MS },
  async (step) => {
    expect(await killedDelete(stage, step)).toBe('one answer');
  },
);
