import { describe, expect, test } from 'vitest';
import {
  LIFECYCLE_EVENTS,
  lifecycleNotificationOf,
  type LifecycleEvent,
} from '../../src/client/lifecycle_notification.ts';
import type { InstanceEvent } from '../../src/compute/events.ts';
import { lifecycleNotification } from '../../src/notifications/lifecycle.ts';
import type { NotificationMessage } from '../../src/rpc/index.ts';
import { instanceOf } from '../domain/instances.ts';

const instance = instanceOf();

function eventOf(kind: LifecycleEvent): InstanceEvent {
  const moment = {
    instance,
    createdAt: '2026-11-25T10:00:00.000Z',
    launchedAt: '2026-11-25T10:00:01.000Z',
    context: { attributes: {} },
  };
  if (kind === 'create.error') return { ...moment, kind, error: { errorClass: 'InternalError', message: 'x' } };
  return kind === 'delete.end' ? { ...moment, kind, deletedAt: '2026-11-25T11:00:00.000Z' } : { ...moment, kind };
}

function sent(kind: LifecycleEvent, over: Partial<NotificationMessage> = {}): NotificationMessage {
  const { eventType, priority, payload } = lifecycleNotification(eventOf(kind), 'cmp1', '2026-11-01T00:00:00.000Z');
  return {
    messageId: 'm-1',
    publisherId: 'compute.cmp1',
    eventType,
    priority: priority.toUpperCase(),
    payload,
    timestamp: '2026-11-22 01:17:21.391220',
    uniqueId: 'u-1',
    context: { request_id: 'req-1' },
    ...over,
  };
}

test.each(LIFECYCLE_EVENTS)('%s of our agent is read back', (event) => {
  const told = lifecycleNotificationOf(sent(event));
  expect(told).toMatchObject({
    event,
    eventType: `compute.instance.${event}`,
    uuid: instance.uuid,
    priority: event === 'create.error' ? 'error' : 'info',
    timestamp: '2026-11-22T01:17:21.391220Z',
    publisherId: 'compute.cmp1',
    messageId: 'm-1',
    requestId: 'req-1',
    payload: { host: 'cmp1', display_name: instance.name, availability_zone: '' },
  });
  expect(told?.payload.exception).toBe(event === 'create.error' ? 'InternalError: x' : undefined);
});

describe('what is no lifecycle notification', () => {
  test.each([
    ['another event of Nova', { eventType: 'compute.instance.resize.end' }],
    ['one that only begins alike', { eventType: 'compute.instance.create.endless' }],
    ['a sample', { eventType: 'telemetry.polling' }],
    ['no payload', { payload: null }],
    ['a payload without an instance', { payload: { host: 'cmp1' } }],
  ])('%s', (_what, over) => {
    expect(lifecycleNotificationOf(sent('create.end', over))).toBeUndefined();
  });
});

test('a time in another form stays as it came, and a request that nobody named is not there', () => {
  const told = lifecycleNotificationOf(sent('create.end', { timestamp: 'yesterday', context: { request_id: 7 } }));
  expect(told).toMatchObject({ timestamp: 'yesterday', requestId: undefined });
});
