import { expect, test } from 'vitest';
import { readDefaultPageSize, readPlacementRequest } from '../../src/admission/request.ts';

const flavor = (extraSpecs: Record<string, string>, vcpus = 4, memoryMib = 1024) => ({ vcpus, memoryMib, extraSpecs });

test('a flavor without extra specs is one guest cell of the default page size', () => {
  expect(readPlacementRequest(flavor({}), {}, 'large')).toEqual({
    ok: true,
    request: {
      topology: {
        cells: [{ id: 0, sharedVcpus: [0, 1, 2, 3], dedicatedVcpus: [], memoryKib: 1048576, pageSize: 'large' }],
        cpuPolicy: null,
        threadPolicy: null,
        emulatorPolicy: null,
      },
      realtimeVcpus: [],
      lockedMemory: false,
      memoryMode: null,
    },
  });
});

test('hw:numa_nodes splits vCPUs and memory evenly', () => {
  const specs = { 'hw:numa_nodes': '2', 'hw:mem_page_size': '2MB' };
  expect(readPlacementRequest(flavor(specs), {}, 'large')).toMatchObject({
    ok: true,
    request: {
      topology: {
        cells: [
          { id: 0, sharedVcpus: [0, 1], memoryKib: 524288, pageSize: 2048 },
          { id: 1, sharedVcpus: [2, 3], memoryKib: 524288, pageSize: 2048 },
        ],
      },
    },
  });
});

test.each([
  [{ 'hw:watchdog_action': 'reset' }, 'UnsupportedExtraSpec', 'hw:watchdog_action'],
  [{ 'hw:numa_nodes': '1', 'hw:numa_mem.0': '512' }, 'ImageNUMATopologyIncomplete', 'hw:numa_mem.0'],
  [{ 'hw:cpu_policy': 'pinned' }, 'InvalidCPUAllocationPolicy', 'hw:cpu_policy'],
  [{ 'quota:cpu_shares': '1' }, 'UnsupportedExtraSpec', 'quota:cpu_shares'],
  [{ 'hw_rng:allowed': 'true' }, 'UnsupportedExtraSpec', 'hw_rng:allowed'],
  [{ 'resources:MEMORY_MB': '4' }, 'UnsupportedExtraSpec', 'resources:MEMORY_MB'],
  [{ 'trait:HW_CPU_X86_AVX': 'required' }, 'UnsupportedExtraSpec', 'trait:HW_CPU_X86_AVX'],
  [{ 'hw:numa_nodes': '0' }, 'InvalidNUMANodesNumber', 'hw:numa_nodes'],
  [{ 'hw:numa_nodes': '1.5' }, 'InvalidNUMANodesNumber', 'hw:numa_nodes'],
  [{ 'hw:numa_nodes': '2 ' }, 'InvalidNUMANodesNumber', 'hw:numa_nodes'],
  [{ 'hw:numa_nodes': '-1' }, 'InvalidNUMANodesNumber', 'hw:numa_nodes'],
  [{ 'hw:mem_page_size': '2mb' }, 'MemoryPageSizeInvalid', 'hw:mem_page_size'],
  [{ 'hw:numa_nodes': '3' }, 'ImageNUMATopologyAsymmetric', 'hw:numa_nodes'],
] as const)('%o is refused as %s', (specs, errorClass, field) => {
  const result = readPlacementRequest(flavor(specs), {}, 'large');
  expect(result).toMatchObject({ ok: false, errors: [{ errorClass, field }] });
  expect(!result.ok && result.errors[0]?.message).toContain(field);
});

test('extra specs that speak to a scheduler are none of a host’s business', () => {
  const specs = { 'aggregate_instance_extra_specs:ssd': 'true', 'capabilities:hypervisor_type': 'QEMU', plain: 'x' };
  expect(readPlacementRequest(flavor(specs), {}, '2MB').ok).toBe(true);
});

test('an empty hw:numa_nodes means not set', () => {
  expect(readPlacementRequest(flavor({ 'hw:numa_nodes': '' }), {}, 'any')).toMatchObject({
    ok: true,
    request: { topology: { cells: [{ id: 0, pageSize: 'any' }] } },
  });
});

test('asking for no page size, in whatever words, is getting the default', () => {
  for (const specs of [{ 'hw:mem_page_size': '0' }, { 'hw:mem_page_size': '0', 'hw:numa_nodes': '1' }]) {
    const cells = [{ pageSize: 2048 }];
    expect(readPlacementRequest(flavor(specs), {}, '2MB')).toMatchObject({
      ok: true,
      request: { topology: { cells } },
    });
  }
  expect(['2MB', 'any', '4'].map(readDefaultPageSize)).toEqual([2048, 'any', 4]);
  expect(['0', '512B', '2mb', ''].map(readDefaultPageSize)).toEqual([undefined, undefined, undefined, undefined]);
});

test('everything that is wrong is told at once, what the image asks for too', () => {
  const specs = { 'hw:mem_page_size': '2mb', 'hw:numa_nodes': '0', 'quota:cpu_shares': '1' };
  const result = readPlacementRequest(flavor(specs), { hw_disk_bus: 'scsi', hw_cpu_policy: 'x' }, 'large');
  expect(!result.ok && result.errors.map(({ errorClass, field }) => `${errorClass} ${field}`)).toEqual([
    'UnsupportedExtraSpec quota:cpu_shares',
    'UnsupportedExtraSpec hw_disk_bus',
    'ValueError hw_cpu_policy',
    'InvalidNUMANodesNumber hw:numa_nodes',
    'MemoryPageSizeInvalid hw:mem_page_size',
  ]);
});
