/** The vectors have the whole language; here is what they do not say: all errors at once, and their words. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parsePageSizeWish } from '../../src/numa/memory_backing.ts';
import { readGuestTopology } from '../../src/numa/guest_topology.ts';

const flavor = (extraSpecs: Record<string, string>, vcpus = 4, memoryMib = 2048) => ({ vcpus, memoryMib, extraSpecs });
const errorsOf = (...input: Parameters<typeof readGuestTopology>) => {
  const result = readGuestTopology(...input);
  return result.ok ? [] : result.errors;
};
const classes = (...input: Parameters<typeof readGuestTopology>) => errorsOf(...input).map((error) => error.errorClass);

test('a mixed guest with realtime vCPUs has everything', () => {
  const extraSpecs = {
    'hw:cpu_policy': 'mixed',
    'hw:cpu_realtime': 'yes',
    'hw:cpu_realtime_mask': '^0',
    'hw:mem_page_size': '2MB',
    'hw:locked_memory': 'true',
    'hw:numa_nodes': '2',
  };
  expect(readGuestTopology(flavor(extraSpecs))).toEqual({
    ok: true,
    request: {
      topology: {
        cells: [
          { id: 0, sharedVcpus: [0], dedicatedVcpus: [1], memoryKib: 1048576, pageSize: 2048 },
          { id: 1, sharedVcpus: [], dedicatedVcpus: [2, 3], memoryKib: 1048576, pageSize: 2048 },
        ],
        cpuPolicy: 'mixed',
        threadPolicy: null,
        emulatorPolicy: null,
      },
      realtimeVcpus: [1, 2, 3],
      lockedMemory: true,
    },
  });
});

test('nothing asked for is no topology', () => {
  expect(readGuestTopology(flavor({ 'hw:numa_cpus.0': 'not read' }))).toEqual({
    ok: true,
    request: { topology: null, realtimeVcpus: [], lockedMemory: false },
  });
});

test('all that is wrong is told at once, what Nova would say first', () => {
  const extraSpecs = {
    'hw:mem_page_size': '2M',
    'hw:numa_nodes': 'two',
    'hw:emulator_threads_policy': 'x',
    'hw:cpu_policy': 'bogus',
    'hw:locked_memory': 'yes',
    'hw:numa_cpus.0': '0-9',
    'hw:numa_mem.0': '1G',
  };
  expect(classes(flavor(extraSpecs), { hw_numa_nodes: 'two', hw_locked_memory: 'no' })).toEqual([
    'ValueError',
    'InvalidCPUAllocationPolicy',
    'InvalidEmulatorThreadsPolicy',
    'InvalidNUMANodesNumber',
    'MemoryPageSizeInvalid',
    'FlavorImageLockedMemoryConflict',
    'ValueError',
  ]);
});

test('an error names the field and its value', () => {
  expect(errorsOf(flavor({ 'hw:mem_page_size': '2M' }))).toEqual([
    {
      errorClass: 'MemoryPageSizeInvalid',
      field: 'hw:mem_page_size',
      value: '2M',
      message: 'hw:mem_page_size="2M": must be small, large, any, or a size such as 2MB or 2048 (KiB)',
    },
  ]);
  expect(errorsOf(flavor({}), { hw_cpu_policy: 'x' })).toEqual([
    {
      errorClass: 'ValueError',
      field: 'hw_cpu_policy',
      value: 'x',
      message: 'hw_cpu_policy="x": is not one of dedicated, shared, mixed',
    },
  ]);
});

test('what follows from an error is not told as another one', () => {
  const bogusPolicy = { 'hw:cpu_policy': 'bogus', 'hw:cpu_thread_policy': 'isolate', 'hw:cpu_dedicated_mask': '0' };
  expect(classes(flavor(bogusPolicy))).toEqual(['InvalidCPUAllocationPolicy']);
  const badList = { 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '0-9', 'hw:numa_mem.0': '2048' };
  expect(classes(flavor(badList))).toEqual(['ImageNUMATopologyCPUOutOfRange']);
  const emulator = { 'hw:cpu_policy': 'dedicated', 'hw:cpu_realtime': '1', 'hw:emulator_threads_policy': 'x' };
  expect(classes(flavor(emulator))).toEqual(['InvalidEmulatorThreadsPolicy']);
});

test('CPUs and memory of a list are wrong independently', () => {
  const lists = {
    'hw:numa_nodes': '2',
    'hw:numa_cpus.0': '0-1',
    'hw:numa_mem.0': '1024',
    'hw:numa_cpus.1': '1-2',
    'hw:numa_mem.1': '1000',
  };
  expect(errorsOf(flavor(lists)).map(({ message }) => message)).toEqual([
    'hw:numa_cpus.1="1-2": vCPU 1 is in cell 0 already',
    'hw:numa_mem.0="1024": the cells have 2024 MiB together, the flavor 2048',
  ]);
});

test('a negative amount of memory is none, though Nova would take it', () => {
  const lists = {
    'hw:numa_nodes': '2',
    'hw:numa_cpus.0': '0-1',
    'hw:numa_mem.0': '-1024',
    'hw:numa_cpus.1': '2-3',
    'hw:numa_mem.1': '3072',
  };
  expect(classes(flavor(lists))).toEqual(['ValueError']);
});

test('an empty thread policy is one that no topology can have, and not the one of the image', () => {
  const empty = { 'hw:cpu_policy': 'dedicated', 'hw:cpu_thread_policy': '' };
  expect(classes(flavor(empty))).toEqual(['ValueError']);
  expect(classes(flavor(empty), { hw_cpu_thread_policy: 'prefer' })).toContain('ImageCPUThreadPolicyForbidden');
  expect(classes(flavor({ ...empty, 'trait:HW_CPU_HYPERTHREADING': 'required' }))).toEqual([]);
  expect(classes(flavor({ 'hw:cpu_thread_policy': '' }))).toEqual([]);
});

test('resources and the trait are known by how their names begin', () => {
  expect(classes(flavor({ 'resources:PCPU_X': '3' }))).toEqual(['InvalidRequest']);
  expect(classes(flavor({ 'trait2:HW_CPU_HYPERTHREADING_X': 'required' }))).toEqual([
    'CPUThreadPolicyConfigurationInvalid',
  ]);
});

test.each([
  ['large', 'large'],
  ['2048', 2048],
  ['2MB', 2048],
  ['2MiB', 2048],
  ['16777216b', 2048],
  ['+4KB', 4],
  ['.5MB', 512],
  ['512B', 0.5],
  ['0', 0],
  ['0KB', 0],
  ['99999999999999999999', Number.MAX_SAFE_INTEGER],
])('%j is a page size', (text, expected) => {
  expect(parsePageSizeWish(text)).toBe(expected);
});

test.each(['2M', '1G', '2048kB', '2mb', 'Large', ' 2048', '2048 ', '-1', '-1KB', '0x800', '1iB', '', '1e3KB'])(
  '%j is none',
  (text) => {
    expect(parsePageSizeWish(text)).toBeUndefined();
  },
);

test('property: whatever is asked, the answer is a topology that adds up, or errors that name a field', () => {
  const text = fc.oneof(
    fc.constantFrom('0', '1', '2', '0-1', '^0', 'large', '2MB', 'mixed', 'dedicated', 'isolate', 'yes', '1024', ''),
    fc.string({ maxLength: 6 }),
  );
  const names = [
    'cpu_policy',
    'cpu_thread_policy',
    'cpu_realtime',
    'cpu_realtime_mask',
    'cpu_dedicated_mask',
    'mem_page_size',
    'emulator_threads_policy',
    'locked_memory',
    'numa_nodes',
    'numa_cpus.0',
    'numa_cpus.1',
    'numa_mem.0',
  ];
  const fields = (prefix: string) =>
    fc.dictionary(fc.constantFrom(...names.map((name) => prefix + name)), text, { maxKeys: 6 });
  fc.assert(
    fc.property(fields('hw:'), fields('hw_'), fc.integer({ min: 1, max: 5 }), (extraSpecs, image, vcpus) => {
      const result = readGuestTopology(flavor(extraSpecs, vcpus), image);
      const errors = result.ok ? [] : result.errors;
      expect(errors.length > 0).toBe(!result.ok);
      expect(errors.filter(({ field, message }) => !message.startsWith(`${field}=`))).toEqual([]);
      if (!result.ok) return;
      const cells = result.request.topology?.cells;
      if (cells === undefined) return;
      const ids = cells.flatMap((cell) => [...cell.sharedVcpus, ...cell.dedicatedVcpus]);
      expect(ids.toSorted((a, b) => a - b)).toEqual([...Array(vcpus).keys()]);
      expect(cells.reduce((sum, cell) => sum + cell.memoryKib, 0)).toBe(2048 * 1024);
    }),
    { numRuns: 2000 },
  );
});
