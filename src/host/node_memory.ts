/**
 * Ordinary memory that is to be had: what is free and what the kernel would give up for a guest. Page cache fills what
 * nobody uses, so «free» alone would refuse guests on base pages on every host that has run for a day.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * File pages and reclaimable slabs per node, in KiB (nodeN/meminfo; the same terms as in the
 * kernel's own si_mem_available). Synchronous for the same reason as readPromisedPages.
 */
export function readReclaimable(root = '/sys/devices/system/node'): ReadonlyMap<number, number> {
  const reclaimable = new Map<number, number>();
  if (!existsSync(root)) return reclaimable;
  for (const entry of readdirSync(root)) {
    const [, node] = /^node(\d+)$/.exec(entry) ?? [];
    if (node === undefined) continue;
    reclaimable.set(Number(node), parseReclaimable(readFileSync(join(root, entry, 'meminfo'), 'utf8')));
  }
  return reclaimable;
}

/** Pure part of {@link readReclaimable}. */
export function parseReclaimable(meminfo: string): number {
  const sum = [...meminfo.matchAll(/^Node \d+ (?:Active\(file\)|Inactive\(file\)|SReclaimable):\s+(\d+) kB$/gm)];
  return sum.reduce((kib, [, value]) => kib + Number(value), 0);
}

/** MemAvailable of the host in KiB (/proc/meminfo); null where the kernel does not tell. */
export function readAvailable(file = '/proc/meminfo'): number | null {
  if (!existsSync(file)) return null;
  const [, kib] = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync(file, 'utf8')) ?? [];
  return kib === undefined ? null : Number(kib);
}
