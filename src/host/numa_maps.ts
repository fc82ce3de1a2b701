/**
 * What a QEMU process really holds, per node and page size, from /proc/PID/numa_maps (kernel:
 * Documentation/filesystems/proc, numa_memory_policy). This is the proof after every start: not our ledger, not
 * libvirt's configuration, but the kernel's page tables.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodePages } from '../admission/host_memory.ts';

/** One line of numa_maps that has pages of a known size. */
export type NumaMapping = {
  /** First address, in hexadecimal as the kernel writes it; the same mapping in /proc/PID/maps begins with it. */
  readonly start: string;
  /** From a hugetlb pool. */
  readonly huge: boolean;
  /** Bound to nodes by a policy (`bind:`), as libvirt's strict numatune binds guest memory. */
  readonly bound: boolean;
  readonly pageSizeKib: number;
  /** Most mappings that any one of the pages is in, over all processes. */
  readonly mostMappings: number;
  /** Pages present, per node. */
  readonly pages: readonly NodePages[];
};

/** Reads what the process holds. @throws the file system's error: ENOENT where the process is gone, EACCES without root. */
export async function readHoldings(pid: number, procRoot = '/proc'): Promise<NodePages[]> {
  return parseNumaMaps(await readFile(join(procRoot, String(pid), 'numa_maps'), 'utf8'));
}

/**
 * Sums the guest's memory in a numa_maps text: huge mappings, and mappings bound to a node (`bind:`, which libvirt's
 * strict numatune gives to guest memory). QEMU's own heap and libraries have neither mark and are left out. Pure.
 */
export function parseNumaMaps(text: string): NodePages[] {
  return sumPages(
    parseNumaMappings(text)
      .filter((mapping) => mapping.huge || mapping.bound)
      .flatMap((mapping) => mapping.pages),
  );
}

/** Every line with a page size, in the kernel's order. What is no numa_maps has none. Pure. */
export function parseNumaMappings(text: string): NumaMapping[] {
  return text.split('\n').flatMap((line) => {
    const words = line.split(' ');
    const [start = '', policy = ''] = words;
    const pageSizeKib = Number(valueOf(words, 'kernelpagesize_kB'));
    if (!Number.isSafeInteger(pageSizeKib) || pageSizeKib < 1) return [];
    const pages = words.flatMap((word) => {
      const [, node, count] = /^N(\d+)=(\d+)$/.exec(word) ?? [];
      return node === undefined ? [] : [{ node: Number(node), pageSizeKib, pages: Number(count) }];
    });
    return [
      {
        start,
        // A word of its own: in file names the kernel writes blanks as \040.
        huge: words.includes('huge'),
        // A bound mapping says `bind:0` or `bind=static:0`.
        bound: policy.startsWith('bind'),
        pageSizeKib,
        // Left out by the kernel where it is 1.
        mostMappings: Number(valueOf(words, 'mapmax') ?? 1),
        pages,
      },
    ];
  });
}

/** One entry per node and size, sorted by them. Pure. */
export function sumPages(list: readonly NodePages[]): NodePages[] {
  const sums = new Map<string, NodePages>();
  for (const { node, pageSizeKib, pages } of list) {
    const key = `${node}/${pageSizeKib}`;
    sums.set(key, { node, pageSizeKib, pages: pages + (sums.get(key)?.pages ?? 0) });
  }
  return [...sums.values()].toSorted((a, b) => a.node - b.node || a.pageSizeKib - b.pageSizeKib);
}

function valueOf(words: readonly string[], name: string): string | undefined {
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
}
