/**
 * Which processes hold pages of the hugetlb pools. One walk over /proc: the world-readable status tells who has any,
 * numa_maps tells how many and on which node, maps tells which file is behind them. Files on a hugetlbfs that no process
 * maps, and processes that cannot be seen (another PID namespace, hidepid), are not found here and stay unexplained.
 */
import { access, readdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { parseNumaMappings } from './numa_maps.ts';
import { parseStatus } from './process_memory.ts';
import { countPages, SHARED_TABLES_FROM, type CountedPages, type HugeMapping } from './shared_pages.ts';

export type PageHolder = CountedPages & {
  readonly pid: number;
  /** Name of the process, made printable: at most 15 characters. */
  readonly command: string;
};

/** A process that has hugetlb pages, and whose numa_maps may not be read. */
export type UnreadableHolder = {
  readonly pid: number;
  readonly command: string;
  /** Of all sizes and nodes, as its status says; pages that others map too are among them. */
  readonly hugetlbKib: number;
};

export type PageHolders = {
  readonly holders: readonly PageHolder[];
  readonly unreadable: readonly UnreadableHolder[];
};

/** TASK_COMM_LEN less its end. */
const LONGEST_COMMAND = 15;

/** f_type of a hugetlbfs, also of the kernel's own (linux/magic.h). */
const HUGETLBFS_MAGIC = 0x95_84_58_f6;

/** Whether this kernel tells where pages are (CONFIG_NUMA). */
export async function hasNumaMaps(procRoot = '/proc'): Promise<boolean> {
  return access(join(procRoot, 'self', 'numa_maps')).then(
    () => true,
    () => false,
  );
}

/**
 * Reads them, sorted by pid. A page that several processes map is counted with one of `owners`, where one of them does.
 * @param isHuge whether the file behind a path has huge pages.
 * @throws the file system's error where procRoot is no /proc.
 */
export async function readPageHolders(
  owners: ReadonlySet<number>,
  procRoot = '/proc',
  isHuge: (path: string) => Promise<boolean> = isOnHugetlbfs,
): Promise<PageHolders> {
  const commands = new Map<number, string>();
  const mappings: HugeMapping[] = [];
  const unreadable: UnreadableHolder[] = [];
  // One after the other: a host has thousands of processes, and only a few of them have such pages.
  for (const entry of await readdir(procRoot)) {
    if (!/^[1-9]\d*$/.test(entry)) continue;
    const folder = join(procRoot, entry);
    const hugetlbKib = parseStatus(textOf(await readEntry(folder, 'status')))?.hugetlbKib ?? 0;
    if (hugetlbKib === 0 && !(await borrowsPages(folder, isHuge))) continue;
    const pid = Number(entry);
    const command = printableCommand(textOf(await readEntry(folder, 'comm')));
    const numaMaps = await readEntry(folder, 'numa_maps');
    const maps = await readEntry(folder, 'maps');
    if (numaMaps.is === 'gone' || maps.is === 'gone') continue;
    if (numaMaps.is === 'unreadable' || maps.is === 'unreadable') {
      unreadable.push({ pid, command, hugetlbKib });
      continue;
    }
    commands.set(pid, command);
    mappings.push(...hugeMappings(pid, numaMaps.text, maps.text));
  }
  const holders = [...countPages(mappings, (pid) => owners.has(pid))].map(([pid, pages]) => ({
    pid,
    command: commands.get(pid) ?? '',
    ...pages,
  }));
  return { holders: holders.toSorted(byPid), unreadable: unreadable.toSorted(byPid) };
}

/**
 * A process chooses its name itself, any bytes: what a terminal might obey becomes a question mark. Pure.
 * @param comm the text of /proc/PID/comm, with its line end.
 */
export function printableCommand(comm: string): string {
  return comm
    .replace(/\n$/, '')
    .replaceAll(/[^ -~]/gu, '?')
    .slice(0, LONGEST_COMMAND);
}

/** Joins the two files of a process by where each mapping begins. Pure. */
export function hugeMappings(pid: number, numaMaps: string, maps: string): HugeMapping[] {
  const files = new Map(filesOf(maps).map(({ range, ...file }) => [range.slice(0, range.indexOf('-')), file]));
  return parseNumaMappings(numaMaps)
    .filter((mapping) => mapping.huge && mapping.pages.length > 0)
    .map(({ start, mostMappings, pages }) => {
      // Mapped between the two readings: known to nobody else as far as we can tell.
      const file = files.get(start) ?? { file: `${pid}/${start}`, offset: 0, length: 0, shared: false };
      return { pid, mostMappings, pages, ...file };
    });
}

type MappedFile = Pick<HugeMapping, 'file' | 'offset' | 'length' | 'shared'> & { readonly range: string };

/** The lines of maps: `7f00-7f40 rw-s 00000000 00:11 58990 /anon_hugepage (deleted)`, lengths and offsets in bytes. */
function filesOf(maps: string): MappedFile[] {
  return maps.split('\n').flatMap((line) => {
    const [, range = '', shared, offset = '', file] =
      /^([\da-f]+-[\da-f]+) ...([ps]) ([\da-f]+) ([\da-f]+:[\da-f]+ \d+)/.exec(line) ?? [];
    if (file === undefined) return [];
    const [start = 0, end = 0] = range.split('-').map((address) => Number.parseInt(address, 16));
    return [{ range, file, offset: Number.parseInt(offset, 16), length: end - start, shared: shared === 's' }];
  });
}

/**
 * Whether a process without HugetlbPages has some all the same, in page tables that another process has filled: a switch
 * that still maps the memory of a guest that is gone.
 */
async function borrowsPages(folder: string, isHuge: (path: string) => Promise<boolean>): Promise<boolean> {
  const files = filesOf(textOf(await readEntry(folder, 'maps')));
  for (const { range, shared, length } of files) {
    if (shared && length >= SHARED_TABLES_FROM && (await isHuge(join(folder, 'map_files', range)))) return true;
  }
  return false;
}

async function isOnHugetlbfs(path: string): Promise<boolean> {
  return statfs(path).then(
    ({ type }) => type === HUGETLBFS_MAGIC,
    () => false,
  );
}

type Reading = { readonly is: 'text'; readonly text: string } | { readonly is: 'gone' } | { readonly is: 'unreadable' };

async function readEntry(folder: string, name: string): Promise<Reading> {
  try {
    return { is: 'text', text: await readFile(join(folder, name), 'utf8') };
  } catch (error) {
    // ESRCH: the process ended between open and read.
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return { is: code === 'ENOENT' || code === 'ESRCH' ? 'gone' : 'unreadable' };
  }
}

function textOf(reading: Reading): string {
  return reading.is === 'text' ? reading.text : '';
}

function byPid(a: { readonly pid: number }, b: { readonly pid: number }): number {
  return a.pid - b.pid;
}
