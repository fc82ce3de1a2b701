/**
 * Pages that the kernel has promised to mappings and that nobody has touched yet: `resv_hugepages` (kernel:
 * Documentation/mm/hugetlbfs_reserv). The free count still includes them, so they are not to be had. The kernel knows
 * them for the whole host only.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export type PromisedPages = { readonly pageSizeKib: number; readonly pages: number };

/** Reads them per page size. A kernel without hugepages has no such folder: nothing is promised. */
export async function readPromisedPages(root = '/sys/kernel/mm/hugepages'): Promise<PromisedPages[]> {
  const entries = await readdir(root).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const found: PromisedPages[] = [];
  for (const entry of entries) {
    const [, size] = /^hugepages-(\d+)kB$/.exec(entry) ?? [];
    if (size === undefined) continue;
    const pages = Number((await readFile(join(root, entry, 'resv_hugepages'), 'utf8')).trim());
    if (!Number.isSafeInteger(pages)) throw new Error(`${join(root, entry, 'resv_hugepages')} holds no number`);
    found.push({ pageSizeKib: Number(size), pages });
  }
  return found;
}
