import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { InstanceEvent } from '../../src/compute/events.ts';
import { lifecycleNotification } from '../../src/notifications/lifecycle.ts';
import { instanceOf } from '../domain/instances.ts';

const moment = {
  instance: instanceOf(),
  createdAt: '2026-11-22T01:41:09.000Z',
  launchedAt: '2026-11-22T01:41:18.899Z',
  context: { attributes: {} },
};
const events = [
  { kind: 'create.start', ...moment, launchedAt: null },
  { kind: 'create.end', ...moment },
  {
    kind: 'create.error',
    ...moment,
    launchedAt: null,
    error: { errorClass: 'ComputeResourcesUnavailable', message: 'node 0' },
  },
  { kind: 'delete.start', ...moment },
  { kind: 'delete.end', ...moment, deletedAt: '2026-11-22T01:41:18.910Z' },
] as const satisfies readonly InstanceEvent[];

test.each(events.map((event) => [event.kind, event] as const))(
  '%s has the keys and states of Nova’s own',
  (kind, event) => {
    const golden = JSON.parse(readFileSync(new URL(`${kind}.json`, import.meta.url), 'utf8')).inner_message;
    const ours = lifecycleNotification(event, 'cmp1');
    expect(ours.eventType).toBe(golden.event_type);
    expect(ours.priority.toUpperCase()).toBe(golden.priority);
    expect(Object.keys(ours.payload).toSorted()).toEqual(Object.keys(golden.payload).toSorted());
    const { state, state_description, created_at, display_name, memory_mb, vcpus, host, instance_flavor_id } =
      golden.payload;
    expect(ours.payload).toMatchObject({
      state,
      state_description,
      created_at,
      memory_mb,
      vcpus,
      host,
      instance_flavor_id,
    });
    expect(display_name).toBe('vm-gold');
  },
);

test('times without zone have six digits, times that are not yet are empty', () => {
  expect(lifecycleNotification(events[1], 'h').payload).toMatchObject({
    launched_at: '2026-11-22T01:41:18.899000',
    deleted_at: '',
  });
  expect(lifecycleNotification(events[4], 'h').payload).toMatchObject({
    terminated_at: '2026-11-22T01:41:18.910000',
    state: 'deleted',
  });
});
