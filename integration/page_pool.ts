/** The host's pool of 2 MiB pages, by the kernel's own counters. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const POOL = '/sys/kernel/mm/hugepages/hugepages-2048kB';

export async function poolCount(file: 'free_hugepages' | 'resv_hugepages' | 'nr_hugepages'): Promise<number> {
  return Number(await readFile(join(POOL, file), 'utf8'));
}
