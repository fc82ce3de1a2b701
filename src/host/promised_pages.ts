/**
 * Pages that the kernel has promised to mappings and that nobody has touched yet: `resv_hugepages` (kernel:
 * Documentation/mm/hugetlbfs_reserv). The free count still includes them, so they are not to be had. The kernel knows
 * them for the whole host only.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type PromisedPages = { readonly pageSizeKib: number; readonly pages: number };

/**
 * Reads them per page size. A kernel without hugepages has no such folder: nothing is promised. Synchronous on purpose:
 * sysfs answers from memory within microseconds, a detour over the thread pool costs the admission a millisecond.
 */
export function readPromisedPages(root = '/sys/kernel/mm/hugepages'): PromisedPages[] {
  if (!existsSync(root)) return [];
  return readdirSync(root).flatMap((entry) => {
    const [, size] = /^hugepages-(\d+)kB$/.exec(entry) ?? [];
    if (size === undefined) return [];
    const file = join(root, entry, 'resv_hugepages');
    const pages = Number(readFileSync(file, 'utf8').trim());
    if (!Number.isSafeInteger(pages)) throw new Error(`${file} holds no number`);
    return [{ pageSizeKib: Number(size), pages }];
  });
}
