/**
 * An instance's life as Nova tells it: the unversioned `compute.instance.*` notifications that Ceilometer reads (Nova
 * 26, notifications/base.py; all 34 common keys, because its event definitions take them by name). Pure.
 */
import type { InstanceEvent } from '../compute/events.ts';
import { withoutZone } from '../units.ts';
import { instanceStates } from './states.ts';

export type LifecycleNotification = {
  readonly eventType: string;
  readonly priority: 'info' | 'error';
  readonly payload: Record<string, unknown>;
};

/** @param auditBeginning of the audit period under way (ISO 8601), for updates. */
export function lifecycleNotification(
  event: InstanceEvent,
  host: string,
  auditBeginning: string,
): LifecycleNotification {
  return {
    eventType: `compute.instance.${event.kind}`,
    priority: event.kind === 'create.error' ? 'error' : 'info',
    payload: { ...commonKeys(event, host), ...extraKeys(event, auditBeginning) },
  };
}

function commonKeys(event: InstanceEvent, host: string): Record<string, unknown> {
  const { instance } = event;
  const { flavor } = instance;
  const { state, task } = instanceStates(event).after;
  const deletedAt = event.kind === 'delete.end' ? withoutZone(event.deletedAt) : '';
  return {
    tenant_id: instance.projectId,
    user_id: instance.userId,
    instance_id: instance.uuid,
    display_name: instance.name,
    reservation_id: '',
    hostname: instance.name,
    instance_type: flavor.name,
    // Nova's database id of the flavor; there is no such database here.
    instance_type_id: 0,
    instance_flavor_id: flavor.id ?? flavor.name,
    architecture: null,
    memory_mb: flavor.memoryMib,
    disk_gb: flavor.diskGib,
    vcpus: flavor.vcpus,
    root_gb: flavor.diskGib,
    ephemeral_gb: 0,
    host,
    node: host,
    availability_zone: '',
    cell_name: '',
    created_at: `${toTheSecond(event.createdAt)}+00:00`,
    terminated_at: deletedAt,
    deleted_at: deletedAt,
    launched_at: event.launchedAt === null ? '' : withoutZone(event.launchedAt),
    image_ref_url: instance.imageId ?? '',
    os_type: null,
    kernel_id: null,
    ramdisk_id: null,
    state,
    state_description: task,
    progress: '',
    access_ip_v4: null,
    access_ip_v6: null,
    image_meta: instance.imageId === null ? {} : { base_image_ref: instance.imageId },
    metadata: instance.metadata,
  };
}

function extraKeys(event: InstanceEvent, auditBeginning: string): Record<string, unknown> {
  switch (event.kind) {
    case 'create.start':
      return { image_name: event.instance.imageId ?? '' };
    case 'create.end':
      return { message: 'Success', fixed_ips: [] };
    case 'create.error': {
      const { errorClass, message } = event.error;
      return { message, code: 500, exception: `${errorClass}: ${message}` };
    }
    case 'delete.start':
    case 'delete.end':
      return {};
    case 'update': {
      const { before, after } = instanceStates(event);
      return {
        old_state: before.state,
        old_task_state: before.task === '' ? null : before.task,
        new_task_state: after.task === '' ? null : after.task,
        audit_period_beginning: withoutZone(auditBeginning),
        audit_period_ending: withoutZone(event.at),
      };
    }
    case 'exists':
      return {
        audit_period_beginning: toTheSecond(event.beginning),
        audit_period_ending: toTheSecond(event.ending),
      };
  }
}

/** `2026-10-01 00:00:00`. */
function toTheSecond(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}
