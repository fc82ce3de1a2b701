import { expect, test } from 'vitest';
import { readPlacementRequest } from '../../src/admission/request.ts';

const flavor = (extraSpecs: Record<string, string>, vcpus = 4, memoryMib = 1024) => ({ vcpus, memoryMib, extraSpecs });

test('a flavor without extra specs is one guest cell of the default page size', () => {
  expect(readPlacementRequest(flavor({}), 'large')).toEqual({
    ok: true,
    request: { cells: [{ id: 0, vcpus: [0, 1, 2, 3], memoryKib: 1048576 }], pageSize: { kind: 'large' } },
  });
});

test('hw:numa_nodes splits vCPUs and memory evenly', () => {
  const specs = { 'hw:numa_nodes': '2', 'hw:mem_page_size': '2MB' };
  expect(readPlacementRequest(flavor(specs), 'large')).toEqual({
    ok: true,
    request: {
      cells: [
        { id: 0, vcpus: [0, 1], memoryKib: 524288 },
        { id: 1, vcpus: [2, 3], memoryKib: 524288 },
      ],
      pageSize: { kind: 'explicit', pageSizeKib: 2048 },
    },
  });
});

test.each([
  [{ 'hw:cpu_policy': 'dedicated' }, 'UnsupportedExtraSpec', 'hw:cpu_policy'],
  [{ 'hw:numa_mem.0': '512' }, 'UnsupportedExtraSpec', 'hw:numa_mem.0'],
  [{ 'quota:cpu_shares': '1' }, 'UnsupportedExtraSpec', 'quota:cpu_shares'],
  [{ 'hw_rng:allowed': 'true' }, 'UnsupportedExtraSpec', 'hw_rng:allowed'],
  [{ 'resources:VCPU': '4' }, 'UnsupportedExtraSpec', 'resources:VCPU'],
  [{ 'trait:HW_CPU_X86_AVX': 'required' }, 'UnsupportedExtraSpec', 'trait:HW_CPU_X86_AVX'],
  [{ 'hw:numa_nodes': '0' }, 'InvalidNUMANodesNumber', 'hw:numa_nodes'],
  [{ 'hw:numa_nodes': '1.5' }, 'InvalidNUMANodesNumber', 'hw:numa_nodes'],
  [{ 'hw:numa_nodes': '2 ' }, 'InvalidNUMANodesNumber', 'hw:numa_nodes'],
  [{ 'hw:numa_nodes': '-1' }, 'InvalidNUMANodesNumber', 'hw:numa_nodes'],
  [{ 'hw:mem_page_size': '2mb' }, 'MemoryPageSizeInvalid', 'hw:mem_page_size'],
  [{ 'hw:mem_page_size': '0' }, 'MemoryPageSizeInvalid', 'hw:mem_page_size'],
  [{ 'hw:numa_nodes': '3' }, 'ImageNUMATopologyAsymmetric', 'hw:numa_nodes'],
] as const)('%o is refused as %s', (specs, errorClass, field) => {
  const result = readPlacementRequest(flavor(specs), 'large');
  expect(result).toMatchObject({ ok: false, error: { errorClass, field } });
  expect(!result.ok && result.error.message).toContain(field);
});

test('extra specs that speak to a scheduler are none of a host’s business', () => {
  const specs = { 'aggregate_instance_extra_specs:ssd': 'true', 'capabilities:hypervisor_type': 'QEMU', plain: 'x' };
  expect(readPlacementRequest(flavor(specs), '2MB').ok).toBe(true);
});

test('an empty hw:numa_nodes means not set', () => {
  expect(readPlacementRequest(flavor({ 'hw:numa_nodes': '' }), 'any')).toMatchObject({
    ok: true,
    request: { cells: [{ id: 0 }] },
  });
});
