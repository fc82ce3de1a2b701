/** Good and bad texts for every extra spec and image property of Nova's NUMA language. */

const PAGE_SIZES = ['small', 'large', 'any', '4', '64', '2048', '2MB', '2MiB', '1GB', '1048576', '2048KB'];
const ODD_PAGE_SIZES = ['16777216b', '16777216bit', '+4KB', '0.5GB', '.5MB', '0', '0KB', '512B', '00', '1B', '2049B'];
const BAD_PAGE_SIZES = [
  '2M',
  '1G',
  '2mb',
  '2048kB',
  'Large',
  ' 2048',
  '-1',
  '-2MB',
  '-2KB',
  '1.5.2MB',
  '2 MB',
  'B',
  'x',
  '',
];

const CPU_LISTS = ['0', '1', '0-1', '2-3', '0,2', '^0', '^1', '^0-1', '0-3,^2', ' 0 - 1 ,, 3', '', ',', '+1', '1_0'];
const BAD_CPU_LISTS = ['x', '3-1', '0-', '-1', '^', '^x', '1.0', '0--1', '0;1', '--1', '^-', '1-2-3', '-3--1'];
const FAR_CPU_LISTS = ['0-63', '8', '99', '^99', '63,^0-62'];

const AMOUNTS = ['-2', '1', '2', '4', '512', '1024', '+2', ' 2 ', '0', '2_0', '02'];
const BAD_AMOUNTS = ['', 'x', '2.0', '1e3', '2MB', '0x2', '_2', '2__0'];

const POLICIES = ['dedicated', 'shared', 'mixed'];
const THREAD_POLICIES = ['prefer', 'isolate', 'require'];
const BAD_WORDS = ['', 'Dedicated', 'ISOLATE', ' prefer', 'none', 'x'];
const SWITCHES = ['1', 't', 'True', 'on', 'Y', ' yes ', '0', 'false', 'off', 'no', 'x', ''];
const NODES = ['1', '2', '3', '4', '', '0', '-1', '1.5', '2 ', ' 2', 'x', '+2', '02', '129', '1_0'];
const RESOURCES = ['0', '1', '2', '3', '4', '5', '8', '-2', ' 2 ', 'x', ''];

/** Texts of each extra spec. */
export const FLAVOR_TEXTS: Readonly<Record<string, readonly string[]>> = {
  'hw:cpu_policy': [...POLICIES, ...BAD_WORDS],
  'hw:cpu_thread_policy': [...THREAD_POLICIES, ...BAD_WORDS],
  'hw:cpu_dedicated_mask': [...CPU_LISTS, ...FAR_CPU_LISTS, ...BAD_CPU_LISTS],
  'hw:cpu_realtime': SWITCHES,
  'hw:cpu_realtime_mask': [...CPU_LISTS, ...FAR_CPU_LISTS, ...BAD_CPU_LISTS],
  'hw:emulator_threads_policy': ['share', 'isolate', ...BAD_WORDS],
  'hw:mem_page_size': [...PAGE_SIZES, ...ODD_PAGE_SIZES, ...BAD_PAGE_SIZES],
  'hw:locked_memory': SWITCHES,
  'hw:numa_nodes': NODES,
  'hw:numa_cpus.0': [...CPU_LISTS, ...FAR_CPU_LISTS, ...BAD_CPU_LISTS],
  'hw:numa_cpus.1': [...CPU_LISTS, ...BAD_CPU_LISTS],
  'hw:numa_cpus.2': [...CPU_LISTS, ...BAD_CPU_LISTS],
  'hw:numa_mem.0': [...AMOUNTS, ...BAD_AMOUNTS],
  'hw:numa_mem.1': [...AMOUNTS, ...BAD_AMOUNTS],
  'hw:numa_mem.2': [...AMOUNTS, ...BAD_AMOUNTS],
  'resources:VCPU': RESOURCES,
  'resources:PCPU': RESOURCES,
  'resources1:PCPU': RESOURCES,
  'resources12:VCPU': RESOURCES,
  'resources0:PCPU': RESOURCES,
  'resources:PCPU_OTHER': RESOURCES,
  'resources:MEMORY_MB': RESOURCES,
  'trait:HW_CPU_HYPERTHREADING': ['required', 'forbidden', 'preferred', ''],
  'trait1:HW_CPU_HYPERTHREADING': ['required', 'forbidden', 'x'],
  'trait:HW_CPU_HYPERTHREADING_OTHER': ['required', 'forbidden'],
  'hw:unknown': ['x'],
};

/** Texts of each image property. */
export const IMAGE_TEXTS: Readonly<Record<string, readonly string[]>> = {
  hw_cpu_policy: [...POLICIES, ...BAD_WORDS],
  hw_cpu_thread_policy: [...THREAD_POLICIES, ...BAD_WORDS],
  hw_cpu_realtime_mask: [...CPU_LISTS, ...FAR_CPU_LISTS, ...BAD_CPU_LISTS],
  hw_emulator_threads_policy: ['share', 'isolate', 'x'],
  hw_mem_page_size: [...PAGE_SIZES, ...ODD_PAGE_SIZES, ...BAD_PAGE_SIZES],
  hw_locked_memory: SWITCHES,
  hw_numa_nodes: NODES,
  'hw_numa_cpus.0': [...CPU_LISTS, ...FAR_CPU_LISTS, ...BAD_CPU_LISTS],
  'hw_numa_cpus.1': [...CPU_LISTS, ...BAD_CPU_LISTS],
  'hw_numa_mem.0': [...AMOUNTS, ...BAD_AMOUNTS],
  'hw_numa_mem.1': [...AMOUNTS, ...BAD_AMOUNTS],
  'trait:HW_CPU_HYPERTHREADING': ['required', 'forbidden', 'x'],
};

/** Page sizes that are none of the words. */
export const GOOD_PAGE_SIZES = PAGE_SIZES.filter((text) => !['small', 'large', 'any'].includes(text));
