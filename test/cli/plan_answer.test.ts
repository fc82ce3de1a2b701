import { expect, test } from 'vitest';
import type { PlanView } from '../../src/api/plan_views.ts';
import { planAnswer } from '../../src/cli/plan_answer.ts';

const pair = (node: number, free: number) => ({
  guest_cell: 0,
  node,
  page_size_kib: null,
  reason: { code: 'pages' as const, text: `4 pages of 2 MiB needed, ${free} free`, counts: [] },
});
const refusal = {
  code: 'no-host-cell' as const,
  text: 'the reasons again',
  across: [],
  pairs: [pair(0, 3), pair(1, 1)],
};
const advice = [
  {
    kind: 'free-pages' as const,
    text: 'free 1 page of 2 MiB on node 0',
    free: [{ node: 0, page_size_kib: 2048, pages: 1 }],
    pages: 1,
    memory_mb: 2,
  },
];
const cell = {
  guest_cell: 0,
  node: 0,
  page_size_kib: 2048,
  pages: 4,
  memory_mb: 8,
  pins: [],
  emulator_cpus: [],
  elsewhere: [],
};
const plan: PlanView = {
  shut_off_instances: 'keep',
  wanted: 2,
  fits: 1,
  instances: [{ cells: [cell] }],
  refusal,
  advice,
};

test('fewer than wanted: a row for each that fits, the reason of every node, the advice, and a refusal', () => {
  const { text, refused, json } = planAnswer(plan);
  expect(refused).toBe('1 of 2 instances fit');
  expect(json).toBe(plan);
  expect(text).toMatch(/1 +│ 0 +│ 0 +│ 2 MiB │ 4 +│ 8 MiB/);
  expect(text).toMatch(/0 +│ 0 +│ 4 pages of 2 MiB needed, 3 free/);
  expect(text).toMatch(/0 +│ 1 +│ 4 pages of 2 MiB needed, 1 free/);
  expect(text).toContain('advice: free 1 page of 2 MiB on node 0\n');
  expect(text).toContain('shut_off_instances: keep');
});

test('as many as wanted: no refusal', () => {
  const { text, refused } = planAnswer({
    ...plan,
    wanted: 1,
    refusal: null,
    advice: [],
    shut_off_instances: 'release',
  });
  expect(refused).toBeUndefined();
  expect(text).toContain('the instance fits');
  expect(text).toContain('shut_off_instances: release');
});

test('fill: also none is an answer', () => {
  const { text, refused } = planAnswer({
    shut_off_instances: 'keep',
    fits: 0,
    at_least: false,
    nodes: [],
    refusal,
    advice,
  });
  expect(refused).toBeUndefined();
  expect(text).toContain('0 more fit');
  expect(text).toContain('shut_off_instances: keep');
});
