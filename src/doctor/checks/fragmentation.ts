/** How whole free memory is: pools grow by whole pages, and a page of 1 GiB is rarely whole once a host has run. */
import { readPagePools, type PagePool } from '../../host/page_pools.ts';
import { describeKib } from '../../units.ts';
import { note, ok, unreadable, warning, type Check, type Context, type Verdict } from '../check.ts';

export type NodeBlocks = {
  readonly node: number;
  /** Free blocks by order: a block of order n is 2^n base pages. */
  readonly blocks: readonly number[];
};

export type FragmentationState = {
  readonly nodes: readonly NodeBlocks[];
  readonly basePageKib: number;
  readonly pools: readonly PagePool[];
  /** Whether the settings speak of pages of 1 GiB. */
  readonly wantsGiant: boolean;
  readonly settingsWords: string;
};

const MIB_2 = 2048;
const GIB = 1024 ** 2;
/** Below this share of free memory in whole blocks of 2 MiB a pool does not grow far without compaction. */
const WHOLE = 0.25;

export const fragmentation: Check = {
  id: 'fragmentation',
  title: 'free memory is in blocks that pools can grow from',
  subject: 'kernel',
  run: async (context) => decideFragmentation(await readFragmentation(context)),
};

async function readFragmentation({ root, settings, settingsWords }: Context): Promise<FragmentationState> {
  const { default_mem_page_size, reserved_huge_pages, project_pages } = settings.admission;
  const smaps = (await root.word('/proc/self/smaps')) ?? '';
  return {
    nodes: parseBuddyInfo((await root.word('/proc/buddyinfo')) ?? ''),
    basePageKib: Number(/^KernelPageSize:\s+(\d+) kB$/m.exec(smaps)?.[1] ?? 4),
    pools: await readPagePools(root.at('/sys/devices/system/node')).catch(() => []),
    wantsGiant:
      /^(1GB|1048576)$/i.test(default_mem_page_size) ||
      [...reserved_huge_pages, ...project_pages].some(({ size_kib }) => size_kib === GIB),
    settingsWords,
  };
}

/** The zones of each node summed up. Pure. */
export function parseBuddyInfo(text: string): NodeBlocks[] {
  const nodes = new Map<number, number[]>();
  for (const line of text.split('\n')) {
    const [, node, counts = ''] = /^Node (\d+), zone\s+\S+\s+([\d\s]+)$/.exec(line) ?? [];
    if (node === undefined) continue;
    const blocks = nodes.get(Number(node)) ?? [];
    for (const [order, count] of counts.trim().split(/\s+/).entries())
      blocks[order] = (blocks[order] ?? 0) + Number(count);
    nodes.set(Number(node), blocks);
  }
  return [...nodes].map(([node, blocks]) => ({ node, blocks }));
}

/** Pure. */
export function decideFragmentation(state: FragmentationState): Verdict[] {
  const { nodes, basePageKib, settingsWords } = state;
  if (nodes.length === 0)
    return [unreadable('fragmentation', 'how whole free memory is', ['/proc/buddyinfo'], settingsWords)];
  const shares = nodes.map(({ node, blocks }) => {
    const kib = blocks.map((count, order) => count * basePageKib * 2 ** order);
    const freeKib = sum(kib);
    const wholeKib = sum(kib.filter((_, order) => basePageKib * 2 ** order >= MIB_2));
    return { node, freeKib, wholeKib };
  });
  const broken = shares.filter(({ freeKib, wholeKib }) => wholeKib < freeKib * WHOLE);
  const text = (list: typeof shares) =>
    list
      .map(({ node, freeKib, wholeKib }) => `node ${node}: ${describeKib(wholeKib)} of ${describeKib(freeKib)} free`)
      .join(', ');
  const ofNodes =
    broken.length === 0
      ? ok(`in whole blocks of 2 MiB, ${text(shares)}`, { nodes: shares })
      : warning({
          what: `little is in whole blocks of 2 MiB, ${text(broken)}`,
          why: 'a pool that is to grow gets fewer pages than asked for; compacting moves memory about and takes a moment of processor time',
          mend: ['echo 1 > /proc/sys/vm/compact_memory'],
          details: { nodes: shares },
        });
  return [ofNodes, ...giantPages(state, shares)];
}

function giantPages({ pools, wantsGiant }: FragmentationState, shares: readonly { wholeKib: number }[]): Verdict[] {
  const giant = pools.filter(({ pageSizeKib }) => pageSizeKib === GIB);
  if (giant.length === 0 || giant.some(({ totalPages }) => totalPages > 0)) return [];
  const most = sum(shares.map(({ wholeKib }) => Math.floor(wholeKib / GIB)));
  const complaint = {
    what: `no pages of 1 GiB are reserved; now there is free memory for ${most} at most, and fewer will be whole`,
    why: 'a page of 1 GiB needs 1 GiB in one piece, which is sure to be had only at boot; change 8 to what the guests shall have, then restart the host',
    mend: [
      `mkdir -p /etc/default/grub.d && echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX hugepagesz=1G hugepages=8"' > /etc/default/grub.d/hugenode-1G.cfg && update-grub`,
    ],
    details: { at_most: most },
  };
  return [wantsGiant ? warning(complaint) : note(complaint)];
}

function sum(list: readonly number[]): number {
  return list.reduce((total, one) => total + one, 0);
}
