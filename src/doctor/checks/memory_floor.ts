/** Ordinary memory outside of the pools: a pool that leaves the host nothing shows as a slow host, and as nothing else. */
import { readPagePools, type PagePool } from '../../host/page_pools.ts';
import { describeKib, kibFromMib } from '../../units.ts';
import { ok, problem, unreadable, warning, type Check, type Context, type Verdict } from '../check.ts';
import { meminfoKib } from '../host_facts.ts';

export type FloorState = {
  readonly availableKib: number | undefined;
  readonly totalKib: number | undefined;
  readonly pools: readonly PagePool[];
  /** admission.host_memory_floor_mb: below it the agent refuses every guest. */
  readonly agentFloorKib: number;
  readonly settingsWords: string;
};

/** What a host with guests should have to itself; hosts with less were found to fail in odd ways. */
const FLOOR_KIB = 2 * 1024 ** 2;

export const memoryFloor: Check = {
  id: 'memory-floor',
  title: 'the host has memory of its own, outside of the pools',
  subject: 'kernel',
  run: async (context) => decideFloor(await readFloor(context)),
};

async function readFloor({ root, settings, settingsWords }: Context): Promise<FloorState> {
  const meminfo = (await root.word('/proc/meminfo')) ?? '';
  return {
    availableKib: meminfoKib(meminfo, 'MemAvailable'),
    totalKib: meminfoKib(meminfo, 'MemTotal'),
    pools: await readPagePools(root.at('/sys/devices/system/node')).catch(() => []),
    agentFloorKib: kibFromMib(settings.admission.host_memory_floor_mb),
    settingsWords,
  };
}

/** Pure. */
export function decideFloor({ availableKib, totalKib, pools, agentFloorKib, settingsWords }: FloorState): Verdict[] {
  if (availableKib === undefined || totalKib === undefined)
    return [unreadable('memory-floor', 'how much memory is available', ['/proc/meminfo'], settingsWords)];
  const poolKib = pools.reduce((kib, { pageSizeKib, totalPages }) => kib + pageSizeKib * totalPages, 0);
  const details = { available_kib: availableKib, total_kib: totalKib, pools_kib: poolKib, floor_kib: FLOOR_KIB };
  const text = `${describeKib(availableKib)} are available outside of the pools, which hold ${describeKib(poolKib)} of ${describeKib(totalKib)}`;
  const floorKib = Math.max(FLOOR_KIB, agentFloorKib);
  if (availableKib >= floorKib) return [ok(text, details)];
  const mend = giveBack(pools, floorKib - availableKib);
  const back =
    mend === null ? 'no page is free to be given back' : 'the command gives free pages back, which the pool then lacks';
  if (availableKib < agentFloorKib)
    return [
      problem({
        what: `${text}; admission.host_memory_floor_mb wants ${describeKib(agentFloorKib)}`,
        why: `the agent refuses every guest; ${back}`,
        mend,
        details,
      }),
    ];
  return [
    warning({
      what: `${text}; ${describeKib(FLOOR_KIB)} are the least`,
      why: `QEMU itself, libvirt and page cache live there: short of it the host crawls, or the kernel kills a guest; ${back}`,
      mend,
      details,
    }),
  ];
}

/** The pool with most free memory gives what is lacking, as far as its free pages go; null where none has any. */
function giveBack(pools: readonly PagePool[], lackingKib: number): string[] | null {
  const [pool] = pools.toSorted((a, b) => b.freePages * b.pageSizeKib - a.freePages * a.pageSizeKib);
  if (pool === undefined || pool.freePages === 0) return null;
  const pages = Math.min(pool.freePages, Math.ceil(lackingKib / pool.pageSizeKib));
  const { node, pageSizeKib, totalPages } = pool;
  return [
    `echo ${totalPages - pages} > /sys/devices/system/node/node${node}/hugepages/hugepages-${pageSizeKib}kB/nr_hugepages`,
  ];
}
