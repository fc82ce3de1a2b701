/** One event of each kind, of one instance. */
import type { InstanceEvent } from '../../src/compute/events.ts';
import { instanceOf } from '../domain/instances.ts';

const moment = {
  instance: instanceOf(),
  createdAt: '2026-11-22T01:41:09.000Z',
  launchedAt: '2026-11-22T01:41:18.899Z',
  context: { attributes: {}, requestId: 'req-1' },
};

export const EVENTS = {
  'create.start': { kind: 'create.start', ...moment, launchedAt: null },
  'create.end': { kind: 'create.end', ...moment },
  'create.error': {
    kind: 'create.error',
    ...moment,
    launchedAt: null,
    error: { errorClass: 'ComputeResourcesUnavailable', message: 'node 0' },
  },
  'delete.start': { kind: 'delete.start', ...moment },
  'delete.end': { kind: 'delete.end', ...moment, deletedAt: '2026-11-22T01:41:18.910Z' },
  update: {
    kind: 'update',
    ...moment,
    oldPowerState: 'running',
    powerState: 'paused',
    at: '2026-11-22T01:50:00.123Z',
  },
  exists: {
    kind: 'exists',
    ...moment,
    powerState: 'running',
    beginning: '2026-10-01T00:00:00.000Z',
    ending: '2026-11-01T00:00:00.000Z',
  },
} as const satisfies Readonly<Record<string, InstanceEvent>>;

export const AUDIT_BEGINNING = '2026-11-01T00:00:00.000Z';

/** Keys, down to the leaves, with types; a null may stand where the other has a value. */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return 'list';
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));
}
