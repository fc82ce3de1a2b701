/**
 * Renders a domain: the list below, read top to bottom, is the guest. Pure. The XML library does the escaping, so no
 * text of a request becomes markup. Element and attribute names are libvirt's (formatdomain).
 */
import { XMLBuilder } from 'fast-xml-parser';
import { bootElements, devices } from './devices.ts';
import { cpu, cpuTune, memoryBacking, numaTune } from './memory.ts';
import { metadata } from './metadata.ts';
import type { DomainSpec } from './spec.ts';

const builder = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  format: true,
  suppressEmptyNode: true,
  suppressBooleanAttributes: false,
});

/** The domain's XML, ready for virDomainDefineXML. */
export function renderDomain(spec: DomainSpec): string {
  const { instance } = spec;
  return builder.build({
    domain: {
      '@type': spec.virtType,
      name: spec.domainName,
      uuid: instance.uuid,
      metadata: metadata(instance),
      memory: { '@unit': 'MiB', '#text': instance.flavor.memoryMib },
      memoryBacking: memoryBacking(spec),
      vcpu: instance.flavor.vcpus,
      numatune: numaTune(instance.placement),
      cputune: cpuTune(spec),
      os: { type: { '@arch': spec.arch, '@machine': spec.machine, '#text': 'hvm' }, ...bootElements(spec.boot) },
      features: { acpi: '', apic: '' },
      cpu: cpu(spec),
      clock: { '@offset': 'utc' },
      // A guest that ends gives its pages back; one that crashes is kept off, for whoever looks into it.
      on_poweroff: 'destroy',
      on_reboot: 'restart',
      on_crash: 'destroy',
      devices: devices(spec),
    },
  });
}
