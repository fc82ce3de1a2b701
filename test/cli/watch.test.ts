import { expect, test } from 'vitest';
import { notificationLine } from '../../src/cli/watch.ts';
import type { LifecycleNotification } from '../../src/client/index.ts';

const told: LifecycleNotification = {
  event: 'create.end',
  eventType: 'compute.instance.create.end',
  uuid: '46b5e582-9784-4efc-9a0f-360244828e3f',
  payload: {
    instance_id: '46b5e582-9784-4efc-9a0f-360244828e3f',
    display_name: 'web 1',
    tenant_id: 'p',
    user_id: 'u',
    host: 'cmp1',
    state: 'active',
    state_description: '',
    memory_mb: 2,
    vcpus: 1,
    disk_gb: 0,
    created_at: '',
    launched_at: '',
    deleted_at: '',
  },
  timestamp: '2026-11-22T01:17:21.391220Z',
  priority: 'info',
  publisherId: 'compute.cmp1',
  messageId: 'm',
  requestId: undefined,
};

test('a line a notification, columns below each other', () => {
  expect(notificationLine(told)).toBe(
    '2026-11-22T01:17:21.391220Z  create.end    46b5e582-9784-4efc-9a0f-360244828e3f  cmp1  active             web 1\n',
  );
  const payload = { ...told.payload, state: 'building', state_description: 'spawning', host: null };
  expect(notificationLine({ ...told, event: 'create.start', payload })).toBe(
    '2026-11-22T01:17:21.391220Z  create.start  46b5e582-9784-4efc-9a0f-360244828e3f  -  building/spawning  web 1\n',
  );
});

test('an error says why, and no text of a guest breaks the line', () => {
  const payload = { ...told.payload, display_name: 'a\nb\u001b[2J', exception: 'HypervisorError: no' };
  expect(notificationLine({ ...told, event: 'create.error', payload })).toMatch(
    / {2}a b \[2J {2}HypervisorError: no\n$/,
  );
});
