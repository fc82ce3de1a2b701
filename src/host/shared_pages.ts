/**
 * Counting a page once where several processes map it: a guest's memory that a vhost-user switch maps too, a fork's
 * copy of its parent. Pure.
 *
 * numa_maps says per mapping how many pages are present, and not which ones. So a mapping whose pages are mapped nowhere
 * else counts in full; the others are put together by file and by the part of it that they show, and of those that show
 * the same part the largest counts. That is the least there can be: two processes of which each has touched another half
 * of the same part are counted as one half.
 */
import { pagesOn, type NodePages } from '../admission/host_memory.ts';
import { sumPages } from './numa_maps.ts';

/** A mapping of hugetlb pages, from numa_maps and maps together. */
export type HugeMapping = {
  readonly pid: number;
  /** Device and inode of the file behind it; anonymous mappings have a nameless one each, which a fork keeps. */
  readonly file: string;
  /** Which bytes of the file: from `offset`, `length` many. */
  readonly offset: number;
  readonly length: number;
  readonly shared: boolean;
  readonly mostMappings: number;
  readonly pages: readonly NodePages[];
};

export type CountedPages = {
  /** Counted here, and with no other process. */
  readonly held: NodePages[];
  /** Mapped here too, and counted with another process. */
  readonly alsoMapped: NodePages[];
};

/**
 * A shared mapping from this size on may share page tables as well (mm/hugetlb.c, huge_pmd_share: a whole PUD_SIZE). The
 * kernel then counts two mappings as one: no mapmax, and HugetlbPages only for the process that came first.
 */
export const SHARED_TABLES_FROM = 1024 ** 3;

/**
 * What each process holds. A page that several processes map is counted with the one for which `isOwner` says so, else
 * with the one that maps most.
 */
export function countPages(
  mappings: readonly HugeMapping[],
  isOwner: (pid: number) => boolean,
): Map<number, CountedPages> {
  const counted = new Map<number, CountedPages>();
  const of = (pid: number) => {
    const known = counted.get(pid) ?? { held: [], alsoMapped: [] };
    counted.set(pid, known);
    return known;
  };
  for (const mapping of mappings.filter(isAlone)) of(mapping.pid).held.push(...mapping.pages);
  for (const part of partsOf(mappings.filter((mapping) => !isAlone(mapping)))) {
    for (const { pid, held, alsoMapped } of countPart(part, isOwner)) {
      of(pid).held.push(...held);
      of(pid).alsoMapped.push(...alsoMapped);
    }
  }
  return new Map(
    [...counted].map(([pid, { held, alsoMapped }]) => [
      pid,
      { held: sumPages(held), alsoMapped: sumPages(alsoMapped) },
    ]),
  );
}

/** Whether its pages are surely in no other mapping. */
function isAlone(mapping: HugeMapping): boolean {
  return mapping.mostMappings <= 1 && !(mapping.shared && mapping.length >= SHARED_TABLES_FROM);
}

/** Mappings of one part of one file. The first in order of right gets all of its pages, the next what is beyond them. */
function countPart(part: readonly HugeMapping[], isOwner: (pid: number) => boolean) {
  const members = [...Map.groupBy(part, (mapping) => mapping.pid)].map(([pid, own]) => ({ pid, pages: leastOf(own) }));
  const inOrder = members.toSorted(
    (a, b) => Number(isOwner(b.pid)) - Number(isOwner(a.pid)) || total(b.pages) - total(a.pages) || a.pid - b.pid,
  );
  let before: NodePages[] = [];
  return inOrder.map(({ pid, pages }) => {
    const held = pages.map((entry) => withPages(entry, Math.max(0, entry.pages - on(before, entry))));
    const alsoMapped = pages.map((entry) => withPages(entry, Math.min(entry.pages, on(before, entry))));
    before = sumPages([...before, ...held]);
    return { pid, held: held.filter(isSome), alsoMapped: alsoMapped.filter(isSome) };
  });
}

/** Of one process: parts that do not overlap add up, mappings of the same part are counted once. */
function leastOf(own: readonly HugeMapping[]): NodePages[] {
  return sumPages(partsOf(own).flatMap((part) => largest(part.map((mapping) => mapping.pages))));
}

/** Per node and size the largest of the counts. */
function largest(lists: readonly (readonly NodePages[])[]): NodePages[] {
  return sumPages(lists.flat()).map((entry) => withPages(entry, Math.max(...lists.map((list) => on(list, entry)))));
}

/** Mappings of the same file whose bytes overlap, directly or through others. */
function partsOf(mappings: readonly HugeMapping[]): HugeMapping[][] {
  return [...Map.groupBy(mappings, (mapping) => mapping.file).values()].flatMap((ofFile) => {
    const parts: HugeMapping[][] = [];
    let end = -1;
    for (const mapping of ofFile.toSorted((a, b) => a.offset - b.offset)) {
      if (mapping.offset < end) parts.at(-1)?.push(mapping);
      else parts.push([mapping]);
      end = Math.max(end, mapping.offset + mapping.length);
    }
    return parts;
  });
}

function on(list: readonly NodePages[], { node, pageSizeKib }: NodePages): number {
  return pagesOn(list, node, pageSizeKib);
}

function withPages(entry: NodePages, pages: number): NodePages {
  return { ...entry, pages };
}

function isSome(entry: NodePages): boolean {
  return entry.pages > 0;
}

function total(list: readonly NodePages[]): number {
  return list.reduce((sum, { pageSizeKib, pages }) => sum + pageSizeKib * pages, 0);
}
