/**
 * The two metadata elements of a domain: ours, from which a restarted agent knows its instances, and Nova's, by which
 * Ceilometer's libvirt discovery sees them (it reads name, flavor, owner and root; ceilometer 19). Pure.
 */
import { XMLBuilder } from 'fast-xml-parser';
import type { Instance } from '../instance.ts';
import { encodeRecord, RECORD_ELEMENT, RECORD_NAMESPACE, RECORD_PREFIX } from './record.ts';
import type { XmlFragment } from './spec.ts';

const NOVA_NAMESPACE = 'http://openstack.org/xmlns/libvirt/nova/1.1';

export function metadata(instance: Instance): XmlFragment {
  return {
    [`${RECORD_PREFIX}:${RECORD_ELEMENT}`]: {
      [`@xmlns:${RECORD_PREFIX}`]: RECORD_NAMESPACE,
      '#text': encodeRecord(instance),
    },
    'nova:instance': novaInstance(instance),
  };
}

/**
 * Our element as virDomainSetMetadata wants it: without prefix and namespace, which libvirt adds (it refuses an element
 * that declares them itself).
 */
export function recordElement(instance: Instance): string {
  return new XMLBuilder().build({ [RECORD_ELEMENT]: encodeRecord(instance) });
}

function novaInstance(instance: Instance): XmlFragment {
  const { flavor } = instance;
  return {
    '@xmlns:nova': NOVA_NAMESPACE,
    'nova:name': instance.name,
    'nova:creationTime': instance.createdAt.slice(0, 19).replace('T', ' '),
    'nova:flavor': {
      '@name': flavor.name,
      'nova:memory': flavor.memoryMib,
      'nova:disk': flavor.diskGib,
      'nova:swap': 0,
      'nova:ephemeral': 0,
      'nova:vcpus': flavor.vcpus,
    },
    'nova:owner': {
      'nova:user': { '@uuid': instance.userId, '#text': 'N/A' },
      'nova:project': { '@uuid': instance.projectId, '#text': 'N/A' },
    },
    ...(instance.imageId === null ? {} : { 'nova:root': { '@type': 'image', '@uuid': instance.imageId } }),
  };
}
