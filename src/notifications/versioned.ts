/**
 * An instance's life as Nova's versioned notifications tell it (`instance.*`, Nova 26, notifications/objects/instance.py:
 * names, versions and keys are those of its objects). Pure.
 */
import type { InstanceEvent } from '../compute/events.ts';
import { instanceStates } from './states.ts';

type Data = Record<string, unknown>;

/** The payload of an event. `domainName` is libvirt's name of the instance; `auditBeginning` that of the period under way. */
export function versionedPayload(
  event: InstanceEvent,
  { host, domainName, auditBeginning }: { host: string; domainName: string; auditBeginning: string },
): Data {
  const common = commonData(event, host);
  switch (event.kind) {
    case 'create.start':
    case 'create.end':
    case 'create.error':
      return novaObject('InstanceCreatePayload', '1.12', {
        ...common,
        fault: event.kind === 'create.error' ? exception(event.error) : null,
        keypairs: [],
        tags: [],
        trusted_image_certificates: null,
        instance_name: domainName,
      });
    case 'delete.start':
    case 'delete.end':
      return novaObject('InstanceActionPayload', '1.8', { ...common, fault: null });
    case 'update': {
      const { before, after } = instanceStates(event);
      return novaObject('InstanceUpdatePayload', '2.0', {
        ...common,
        block_devices: null,
        audit_period: auditPeriod(auditBeginning, event.at),
        old_display_name: null,
        tags: [],
        state_update: novaObject('InstanceStateUpdatePayload', '1.0', {
          old_state: before.state,
          state: after.state,
          old_task_state: nullIfEmpty(before.task),
          new_task_state: nullIfEmpty(after.task),
        }),
      });
    }
    case 'exists':
      return novaObject('InstanceExistsPayload', '2.0', {
        ...common,
        block_devices: null,
        audit_period: auditPeriod(event.beginning, event.ending),
      });
  }
}

function commonData(event: InstanceEvent, host: string): Data {
  const { instance, context } = event;
  const { attributes } = context;
  const { after, powerState } = instanceStates(event);
  const deletedAt = event.kind === 'delete.end' ? toTheSecond(event.deletedAt) : null;
  return {
    uuid: instance.uuid,
    user_id: instance.userId,
    tenant_id: instance.projectId,
    reservation_id: '',
    display_name: instance.name,
    display_description: null,
    host_name: instance.name,
    host,
    node: host,
    os_type: null,
    architecture: null,
    availability_zone: '',
    flavor: flavor(instance.flavor),
    image_uuid: instance.imageId ?? '',
    key_name: null,
    kernel_id: null,
    ramdisk_id: null,
    created_at: toTheSecond(event.createdAt),
    launched_at: event.launchedAt === null ? null : toTheSecond(event.launchedAt),
    terminated_at: deletedAt,
    deleted_at: deletedAt,
    updated_at: null,
    state: after.state,
    power_state: powerState,
    task_state: nullIfEmpty(after.task),
    progress: null,
    ip_addresses: [],
    block_devices: [],
    metadata: instance.metadata,
    locked: false,
    locked_reason: null,
    auto_disk_config: 'MANUAL',
    request_id: event.context.requestId ?? textOf(attributes['request_id']),
    action_initiator_user: textOf(attributes['user_id']) ?? instance.userId,
    action_initiator_project: textOf(attributes['project_id']) ?? instance.projectId,
  };
}

function flavor(flavorOf: InstanceEvent['instance']['flavor']): Data {
  return novaObject('FlavorPayload', '1.4', {
    flavorid: flavorOf.id ?? flavorOf.name,
    memory_mb: flavorOf.memoryMib,
    vcpus: flavorOf.vcpus,
    root_gb: flavorOf.diskGib,
    ephemeral_gb: 0,
    name: flavorOf.name,
    swap: 0,
    rxtx_factor: 1,
    vcpu_weight: null,
    disabled: false,
    is_public: true,
    extra_specs: flavorOf.extraSpecs,
    projects: [],
    description: null,
  });
}

function exception({ errorClass, message }: { errorClass: string; message: string }): Data {
  return novaObject('ExceptionPayload', '1.1', {
    module_name: '',
    function_name: '',
    exception: errorClass,
    exception_message: message,
    traceback: '',
  });
}

function auditPeriod(beginning: string, ending: string): Data {
  return novaObject('AuditPeriodPayload', '1.0', {
    audit_period_beginning: toTheSecond(beginning),
    audit_period_ending: toTheSecond(ending),
  });
}

function novaObject(name: string, version: string, data: Data): Data {
  return {
    'nova_object.name': name,
    'nova_object.namespace': 'nova',
    'nova_object.version': version,
    'nova_object.data': data,
  };
}

/** `2026-11-22T01:41:18Z`. */
function toTheSecond(iso: string): string {
  return `${iso.slice(0, 19)}Z`;
}

function nullIfEmpty(text: string): string | null {
  return text === '' ? null : text;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
