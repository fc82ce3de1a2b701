import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { lifecycleNotification } from '../../src/notifications/lifecycle.ts';
import { versionedPayload } from '../../src/notifications/versioned.ts';
import { AUDIT_BEGINNING, EVENTS, shapeOf } from './events.ts';

const golden = (name: string) =>
  JSON.parse(readFileSync(new URL(`../vectors/metering/nova.${name}.json`, import.meta.url), 'utf8')).inner_message;

test.each(Object.values(EVENTS).map((event) => [event.kind, event] as const))(
  'unversioned %s has the keys, types and states of Nova’s own',
  (kind, event) => {
    const theirs = golden(`unversioned.compute.instance.${kind}`);
    const ours = lifecycleNotification(event, 'cmp1', AUDIT_BEGINNING);
    expect(ours.eventType).toBe(theirs.event_type);
    expect(ours.priority.toUpperCase()).toBe(theirs.priority);
    const { metadata: _ours, image_meta: _ourMeta, ...payload } = ours.payload;
    const { metadata: _theirs, image_meta: _theirMeta, ...wanted } = theirs.payload;
    // Nova's task state before is not known to a guest that acts by itself.
    const { old_task_state: _task, ...shape } = Object(shapeOf(payload));
    const { old_task_state: _theirTask, ...theirShape } = Object(shapeOf(wanted));
    expect(shape).toEqual(theirShape);
    const { created_at, memory_mb, vcpus, host, instance_flavor_id } = wanted;
    expect(ours.payload).toMatchObject({ created_at, memory_mb, vcpus, host, instance_flavor_id });
    const { state, state_description } = wanted;
    const states = { state: kind === 'update' ? 'paused' : state, state_description };
    expect(ours.payload).toMatchObject(states);
  },
);

test('an update says what was and what is', () => {
  expect(lifecycleNotification(EVENTS.update, 'h', AUDIT_BEGINNING).payload).toMatchObject({
    old_state: 'active',
    state: 'paused',
    audit_period_beginning: '2026-11-01T00:00:00.000000',
    audit_period_ending: '2026-11-22T01:50:00.123000',
  });
});

test('times without zone have six digits, times that are not yet are empty', () => {
  expect(lifecycleNotification(EVENTS['create.end'], 'h', AUDIT_BEGINNING).payload).toMatchObject({
    launched_at: '2026-11-22T01:41:18.899000',
    deleted_at: '',
  });
  expect(lifecycleNotification(EVENTS['delete.end'], 'h', AUDIT_BEGINNING).payload).toMatchObject({
    terminated_at: '2026-11-22T01:41:18.910000',
    state: 'deleted',
  });
  expect(lifecycleNotification(EVENTS.exists, 'h', AUDIT_BEGINNING).payload).toMatchObject({
    audit_period_beginning: '2026-10-01 00:00:00',
    audit_period_ending: '2026-11-01 00:00:00',
  });
});

test.each(['create.start', 'create.end', 'delete.end', 'exists', 'update'] as const)(
  'versioned %s has the objects, keys and types of Nova’s own',
  (kind) => {
    const theirs = golden(`versioned.instance.${kind}`).payload;
    const ours = versionedPayload(EVENTS[kind], { host: 'cmp1', domainName: 'd', auditBeginning: AUDIT_BEGINNING });
    const versions = ['nova_object.name', 'nova_object.namespace', 'nova_object.version'];
    for (const key of versions) expect(ours[key]).toBe(theirs[key]);
    const { state_update: our, ...shape } = Object(shapeOf(ours['nova_object.data']));
    const { state_update: their, ...wanted } = Object(shapeOf(theirs['nova_object.data']));
    expect(shape).toEqual(wanted);
    expect(Object.keys(Object(our?.['nova_object.data']))).toEqual(
      expect.arrayContaining(Object.keys(Object(their?.['nova_object.data']))),
    );
    const { created_at, launched_at, deleted_at, power_state, state } = theirs['nova_object.data'];
    const common = { created_at, launched_at, deleted_at };
    const states = kind === 'update' ? { state: 'paused', power_state: 'paused' } : { state, power_state };
    expect(ours['nova_object.data']).toMatchObject({ ...common, ...states });
  },
);

test('a versioned error carries the fault', () => {
  const payload = versionedPayload(EVENTS['create.error'], {
    host: 'cmp1',
    domainName: 'd',
    auditBeginning: AUDIT_BEGINNING,
  });
  expect(payload['nova_object.data']).toMatchObject({
    fault: { 'nova_object.data': { exception: 'ComputeResourcesUnavailable', exception_message: 'node 0' } },
  });
});
