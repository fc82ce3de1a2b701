/**
 * An instance's life as Nova tells it: the unversioned `compute.instance.*` notifications that Ceilometer reads (Nova
 * 26, notifications/base.py; all 34 common keys, because its event definitions take them by name). Pure.
 */
import type { InstanceEvent } from '../compute/events.ts';
import { withoutZone } from '../units.ts';

export type LifecycleNotification = {
  readonly eventType: string;
  readonly priority: 'info' | 'error';
  readonly payload: Record<string, unknown>;
};

type Kind = InstanceEvent['kind'];

/** vm_state and task_state at the moment that each notification tells of. */
const STATES: Readonly<Record<Kind, { state: string; task: string }>> = {
  'create.start': { state: 'building', task: 'spawning' },
  'create.end': { state: 'active', task: '' },
  'create.error': { state: 'building', task: '' },
  'delete.start': { state: 'active', task: 'deleting' },
  'delete.end': { state: 'deleted', task: '' },
};

export function lifecycleNotification(event: InstanceEvent, host: string): LifecycleNotification {
  return {
    eventType: `compute.instance.${event.kind}`,
    priority: event.kind === 'create.error' ? 'error' : 'info',
    payload: { ...commonKeys(event, host), ...extraKeys(event) },
  };
}

function commonKeys(event: InstanceEvent, host: string): Record<string, unknown> {
  const { instance } = event;
  const { flavor } = instance;
  const { state, task } = STATES[event.kind];
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
    created_at: `${event.createdAt.slice(0, 19).replace('T', ' ')}+00:00`,
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

function extraKeys(event: InstanceEvent): Record<string, unknown> {
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
  }
}
