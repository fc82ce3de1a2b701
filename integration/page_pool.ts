/** The host's pool of 2 MiB pages, by the kernel's own counters. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const POOL = '/sys/kernel/mm/hugepages/hugepages-2048kB';

export async function poolCount(file: 'free_hugepages' | 'resv_hugepages' | 'nr_hugepages'): Promise<number> {
  return Number(await readFile(join(POOL, file), 'utf8'));
}

/** Makes the pool so large; pages in use are never taken away. */
export async function setPoolSize(pages: number): Promise<void> {
  await writeFile(join(POOL, 'nr_hugepages'), String(pages));
  const size = await poolCount('nr_hugepages');
  if (size !== pages) throw new Error(`the pool has ${size} pages, not ${pages}`);
}
