/**
 * The hugetlb pools per node, from sysfs (kernel: Documentation/admin-guide/mm/hugetlbpage): read together, so that the
 * counts of one moment stand beside the walk over the processes of the same moment.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export type PagePool = {
  readonly node: number;
  readonly pageSizeKib: number;
  /** Pages there are, surplus pages among them. */
  readonly totalPages: number;
  /** Pages nobody has taken; those promised to a mapping are among them. */
  readonly freePages: number;
};

/** Reads them, sorted by node and size. @throws the file system's error where there are no nodes. */
export async function readPagePools(root = '/sys/devices/system/node'): Promise<PagePool[]> {
  const nodes = (await readdir(root)).flatMap((entry) => /^node(\d+)$/.exec(entry)?.[1] ?? []);
  const pools = await Promise.all(nodes.map((node) => poolsOf(Number(node), join(root, `node${node}`, 'hugepages'))));
  return pools.flat().toSorted((a, b) => a.node - b.node || a.pageSizeKib - b.pageSizeKib);
}

async function poolsOf(node: number, folder: string): Promise<PagePool[]> {
  // A kernel without hugetlb pages has no such folder.
  const entries = await readdir(folder).catch(() => []);
  const sizes = entries.flatMap((entry) => /^hugepages-(\d+)kB$/.exec(entry)?.[1] ?? []);
  return Promise.all(
    sizes.map(async (size) => ({
      node,
      pageSizeKib: Number(size),
      totalPages: await countIn(join(folder, `hugepages-${size}kB`, 'nr_hugepages')),
      freePages: await countIn(join(folder, `hugepages-${size}kB`, 'free_hugepages')),
    })),
  );
}

async function countIn(file: string): Promise<number> {
  const count = Number((await readFile(file, 'utf8')).trim());
  if (!Number.isSafeInteger(count)) throw new Error(`${file} holds no number`);
  return count;
}
