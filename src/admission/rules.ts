/** What the operator of a host decides about admission; the same for every request. */
import { commonCpus, cpuSetOf, formatCpuSet, withoutCpus } from '../numa/cpu_set.ts';
import type { MemoryMode, PageSizePreference } from '../numa/pages.ts';
import type { HostCell, NodePages } from './host_memory.ts';

export type ProjectQuota = {
  readonly instances: number | null;
  /** Sizes that are not named are not bounded. */
  readonly pages: readonly { readonly pageSizeKib: number; readonly pages: number }[];
};

export type AdmissionRules = {
  /** Pages that no instance gets. */
  readonly reserved: readonly NodePages[];
  /** CPUs for guests without CPUs of their own (Nova's cpu_shared_set); null: not set. */
  readonly cpuSharedSet: readonly number[] | null;
  /** CPUs that may be given to one vCPU alone (Nova's cpu_dedicated_set); null: not set. */
  readonly cpuDedicatedSet: readonly number[] | null;
  /** `spread` tries the node with most to give first, `pack` the one with least. */
  readonly strategy: 'spread' | 'pack';
  /** Nova's `largest`, or `best-fit`, which leaves large pages to those who need them. */
  readonly pageSizePreference: PageSizePreference;
  /** Of a guest that does not say it itself (`hugenode:memory_mode`). */
  readonly memoryMode: MemoryMode;
  /** Ordinary memory of a QEMU beside its guest's pages, in KiB. */
  readonly overheadKib: number;
  /** MemAvailable of the host that admission leaves alone, in KiB. */
  readonly floorKib: number;
  /** What one project may have on this host; null: as much as there is. */
  readonly projectQuota: ProjectQuota;
  /** Whether a guest that is shut off keeps its pages for its next start, or gives them back. */
  readonly shutOffInstances: 'keep' | 'release';
};

/** What holds where the operator says nothing. */
export const DEFAULT_RULES: AdmissionRules = {
  reserved: [],
  cpuSharedSet: null,
  cpuDedicatedSet: null,
  strategy: 'spread',
  pageSizePreference: 'largest',
  memoryMode: 'strict',
  overheadKib: 0,
  floorKib: 0,
  projectQuota: { instances: null, pages: [] },
  shutOffInstances: 'keep',
};

/** The first rule that does not go with the host, by the name of its setting; undefined where all do. */
export function ruleProblem(rules: AdmissionRules, cells: readonly HostCell[]): string | undefined {
  for (const [index, entry] of rules.reserved.entries()) {
    const problem = reserveProblem(rules, entry, cells, index);
    if (problem !== undefined) return `reserved_huge_pages.${index}: ${problem}`;
  }
  const online = cpuSetOf(cells.flatMap((cell) => cell.cpus));
  const shared = cpuSetOf(rules.cpuSharedSet ?? []);
  const dedicated = cpuSetOf(rules.cpuDedicatedSet ?? []);
  for (const [setting, cpus] of [['cpu_shared_set', shared] as const, ['cpu_dedicated_set', dedicated] as const]) {
    const absent = withoutCpus(cpus, online);
    if (absent.length > 0)
      return `${setting}: CPUs ${formatCpuSet(absent)} are not there; this host has ${formatCpuSet(online)}`;
  }
  const both = commonCpus(shared, dedicated);
  return both.length > 0 ? `cpu_dedicated_set: CPUs ${formatCpuSet(both)} are in cpu_shared_set too` : undefined;
}

function reserveProblem(
  rules: AdmissionRules,
  { node, pageSizeKib, pages }: NodePages,
  cells: readonly HostCell[],
  index: number,
): string | undefined {
  const named = `node ${node}, ${pageSizeKib} KiB`;
  const cell = cells.find((candidate) => candidate.node === node);
  if (cell === undefined) return `${named}: this host has nodes ${cells.map((one) => one.node).join(', ')}`;
  const pool = cell.free.find((candidate) => candidate.pageSizeKib === pageSizeKib);
  if (pool === undefined) {
    return `${named}: this host has pages of ${cell.free.map((one) => one.pageSizeKib).join(', ')} KiB there`;
  }
  const first = rules.reserved.findIndex((entry) => entry.node === node && entry.pageSizeKib === pageSizeKib);
  if (first !== index) return `${named}: is in entry ${first} already`;
  // Pools can grow while the agent runs, so this is no upper bound for ever; at the start it is a slip of the pen.
  return pages > pool.total ? `${named}: ${pages} pages, this host has ${pool.total} there` : undefined;
}
