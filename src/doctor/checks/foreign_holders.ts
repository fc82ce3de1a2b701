/** Who else holds pages: other programs, other people's guests, and what no process maps. */
import { readPageHolders, type PageHolders } from '../../host/page_holders.ts';
import { readPagePools, type PagePool } from '../../host/page_pools.ts';
import { readPromisedPages, type PromisedPages } from '../../host/promised_pages.ts';
import { describeKib } from '../../units.ts';
import { note, ok, unreadable, warning, type Check, type Context, type Verdict } from '../check.ts';
import { parseHugeMounts } from '../host_facts.ts';
import { quoted } from '../shell.ts';

export type HolderState = {
  readonly holders: PageHolders;
  readonly pools: readonly PagePool[];
  readonly promised: readonly PromisedPages[];
  /** Processes of our guests. */
  readonly own: ReadonlySet<number>;
  readonly mounts: readonly string[];
  readonly settingsWords: string;
};

export const foreignHolders: Check = {
  id: 'foreign-holders',
  title: 'pages are held by our guests',
  subject: 'kernel',
  run: async (context) => decideHolders(await readHolders(context)),
};

async function readHolders({ root, settings, settingsWords }: Context): Promise<HolderState> {
  const { pid_path: folder } = settings.libvirt;
  const files = (await root.names(folder)).filter(
    (name) => name.startsWith(settings.instances.domain_prefix) && name.endsWith('.pid'),
  );
  const pids = await Promise.all(files.map((name) => root.count(`${folder}/${name}`)));
  const own = new Set(pids.filter((pid) => pid !== undefined));
  const holders = await readPageHolders(own, root.at('/proc'));
  const mounts = parseHugeMounts((await root.word('/proc/mounts')) ?? '', 2048);
  return {
    holders,
    // After the walk: a guest that ended meanwhile leaves no page that nobody explains.
    pools: await readPagePools(root.at('/sys/devices/system/node')).catch(() => []),
    promised: readPromisedPages(root.at('/sys/kernel/mm/hugepages')),
    own,
    mounts: mounts.map(({ at }) => at),
    settingsWords,
  };
}

/** Pure. */
export function decideHolders({ holders, pools, promised, own, mounts, settingsWords }: HolderState): Verdict[] {
  const found: Verdict[] = [];
  for (const { pid, command, held } of holders.holders) {
    if (own.has(pid) || held.length === 0) continue;
    const text = held
      .map(({ node, pageSizeKib, pages }) => `${pages} of ${describeKib(pageSizeKib)} on node ${node}`)
      .join(', ');
    found.push(
      note({
        what: `${command} (pid ${pid}) holds pages: ${text}`,
        why: 'it is no guest of ours; admission counts its pages as taken, and those that it will take later can be kept for it with admission.reserved_huge_pages',
        details: { pid, command, held },
      }),
    );
  }
  if (holders.unreadable.length > 0)
    found.push(
      unreadable(
        'foreign-holders',
        `how many pages ${holders.unreadable.map(({ command, pid }) => `${command} (pid ${pid})`).join(', ')} holds`,
        holders.unreadable.map(({ pid }) => `/proc/${pid}/numa_maps`),
        settingsWords,
      ),
    );
  else found.push(...unexplained(holders, pools, mounts));
  for (const { pageSizeKib, pages } of promised.filter((entry) => entry.pages > 0)) {
    found.push(
      note({
        what: `${pages} free pages of ${describeKib(pageSizeKib)} are promised to mappings`,
        why: 'they are not to be had for guests; a guest that is starting, or a program that has mapped pages and not touched them yet',
        details: { page_size_kib: pageSizeKib, pages },
      }),
    );
  }
  return found.length > 0 ? found : [ok('no page is held by others')];
}

function unexplained({ holders }: PageHolders, pools: readonly PagePool[], mounts: readonly string[]): Verdict[] {
  return pools.flatMap(({ node, pageSizeKib, totalPages, freePages }) => {
    const known = holders
      .flatMap(({ held }) => held)
      .filter((pages) => pages.node === node && pages.pageSizeKib === pageSizeKib)
      .reduce((sum, { pages }) => sum + pages, 0);
    const pages = totalPages - freePages - known;
    if (pages <= 0) return [];
    return [
      warning({
        what: `${pages} pages of ${describeKib(pageSizeKib)} on node ${node} are taken, and no process here maps them`,
        why: 'files that were left on a hugetlbfs, a guest that is starting or ending now, or a process in another container; a file that the command lists and nobody uses may be deleted',
        mend: mounts.map((at) => `find ${quoted(at)} -xdev -type f -exec ls -l {} +`),
        details: { node, page_size_kib: pageSizeKib, pages },
      }),
    ];
  });
}
