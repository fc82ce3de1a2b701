/**
 * What a QEMU process really holds, per node and page size, from /proc/PID/numa_maps (kernel:
 * Documentation/filesystems/proc, numa_memory_policy). This is the proof after every start: not our ledger, not
 * libvirt's configuration, but the kernel's page tables.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodePages } from '../admission/host_memory.ts';

/** Reads what the process holds. @throws the file system's error: ENOENT where the process is gone, EACCES without root. */
export async function readHoldings(pid: number, procRoot = '/proc'): Promise<NodePages[]> {
  return parseNumaMaps(await readFile(join(procRoot, String(pid), 'numa_maps'), 'utf8'));
}

/**
 * Sums the guest's memory in a numa_maps text: huge mappings, and mappings bound to a node (`bind:`, which libvirt's
 * strict numatune gives to guest memory). QEMU's own heap and libraries have neither mark and are left out. Pure.
 */
export function parseNumaMaps(text: string): NodePages[] {
  const held = new Map<string, NodePages>();
  for (const line of text.split('\n')) {
    const words = line.split(' ');
    const pageSizeKib = Number(valueOf(words, 'kernelpagesize_kB'));
    if (!Number.isSafeInteger(pageSizeKib) || pageSizeKib < 1 || !isGuestMemory(words)) continue;
    for (const word of words) {
      const [, node, count] = /^N(\d+)=(\d+)$/.exec(word) ?? [];
      if (node === undefined || count === undefined) continue;
      const key = `${node}/${pageSizeKib}`;
      const before = held.get(key)?.pages ?? 0;
      held.set(key, { node: Number(node), pageSizeKib, pages: before + Number(count) });
    }
  }
  return [...held.values()].toSorted((a, b) => a.node - b.node || a.pageSizeKib - b.pageSizeKib);
}

/** Second word of a line: the policy. A bound mapping says `bind:0` or `bind=static:0`. */
function isGuestMemory(words: readonly string[]): boolean {
  return words.includes('huge') || (words[1] ?? '').startsWith('bind');
}

function valueOf(words: readonly string[], name: string): string | undefined {
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
}
