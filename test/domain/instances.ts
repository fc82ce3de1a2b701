/** Instances for tests: one whole record, varied where a test needs it. */
import type { PlacedCell } from '../../src/admission/placement.ts';
import type { DomainSpec } from '../../src/domain/spec.ts';
import { NO_TUNING, type Instance } from '../../src/instance.ts';

export const UUID = '46b5e582-9784-4efc-9a0f-360244828e3f';

/** CPUs of the two nodes that guests are placed on here. */
const NODE_CPUS = [
  [0, 1, 2, 3],
  [4, 5, 6, 7, 12],
];

export function placedCell(over: Partial<PlacedCell> = {}): PlacedCell {
  const cell = { guestCell: 0, node: 0, pageSizeKib: 2048, pages: 64, memoryKib: 131072, vcpus: [0] };
  const sharedCpus = NODE_CPUS[over.node ?? 0] ?? [];
  return { ...cell, elsewhere: [], pins: [], sharedCpus, emulatorCpus: [], takenCpus: [], ...over };
}

export function instanceOf(over: Partial<Instance> = {}): Instance {
  return {
    uuid: UUID,
    name: 'web-1',
    projectId: 'b7d6f2b0c3ff4a5f8f6a8f0d0c7b1a11',
    userId: '7c1f3a90a1d84c2c9d0b6f1f2e3d4c55',
    flavor: {
      id: '42',
      name: 'hp.small',
      vcpus: 1,
      memoryMib: 128,
      diskGib: 1,
      extraSpecs: { 'hw:mem_page_size': '2MB' },
    },
    imageId: 'tiny',
    imageProperties: {},
    metadata: { 'metering.stack': 'blue' },
    placement: [placedCell()],
    tuning: NO_TUNING,
    createdAt: '2026-11-22T01:41:09.000Z',
    launchedAt: '2026-11-22T01:41:18.899Z',
    ...over,
  };
}

export function specOf(instance: Instance, over: Partial<DomainSpec> = {}): DomainSpec {
  return {
    instance,
    domainName: `hugenode-${instance.uuid}`,
    virtType: 'kvm',
    arch: 'x86_64',
    machine: 'q35',
    basePageSizeKib: 4,
    cpuSharedSet: null,
    boot: {
      kind: 'kernel',
      kernelPath: '/images/tiny/kernel',
      initrdPath: '/images/tiny/initrd',
      commandLine: 'console=ttyS0',
    },
    consoleLogPath: `/instances/${instance.uuid}/console.log`,
    balloonPeriodS: 10,
    ...over,
  };
}
