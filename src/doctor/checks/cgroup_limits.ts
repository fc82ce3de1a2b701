/**
 * Limits of hugetlb pages on the control groups that guests run in: the kernel refuses pages beyond them although they
 * are free, which looks like a short pool.
 */
import { describeKib } from '../../units.ts';
import { ok, problem, warning, type Check, type Context, type Verdict } from '../check.ts';
import { findLibvirtDaemon } from '../host_facts.ts';
import { quoted } from '../shell.ts';
import { readPagePools } from '../../host/page_pools.ts';

export type GroupLimit = {
  readonly file: string;
  readonly pageSizeKib: number;
  readonly limitKib: number;
  /** What lifts it: `max`, or -1 in control groups of version 1. */
  readonly unlimited: string;
};

export type LimitState = {
  readonly limits: readonly GroupLimit[];
  readonly totals: ReadonlyMap<number, number>;
  readonly groups: number;
};

export const cgroupLimits: Check = {
  id: 'cgroup-limits',
  title: 'no control group keeps guests from the pages',
  subject: 'kernel',
  run: async (context) => decideLimits(await readLimits(context)),
};

/** Where systemd and libvirt put machines, below the root of a hierarchy. */
const MACHINES = ['/machine.slice', '/machine'];
const V2_ROOTS = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'];
const V1_ROOT = '/sys/fs/cgroup/hugetlb';

async function readLimits({ root }: Context): Promise<LimitState> {
  const daemon = await findLibvirtDaemon(root);
  const own = daemon === undefined ? '' : ((await root.word(`/proc/${daemon.pid}/cgroup`)) ?? '');
  const paths = own.split('\n').flatMap((line) => {
    const [, controllers = '', path = '/'] = line.split(':');
    return controllers === '' || controllers.split(',').includes('hugetlb') ? chainOf(path) : [];
  });
  const folders = new Set<string>();
  for (const hierarchy of [...V2_ROOTS, V1_ROOT]) {
    for (const path of paths) folders.add(`${hierarchy}${path}`);
    for (const machines of MACHINES) {
      folders.add(`${hierarchy}${machines}`);
      for (const name of await root.names(`${hierarchy}${machines}`)) {
        if (/^(machine-|qemu-)|\.(scope|slice)$/.test(name)) folders.add(`${hierarchy}${machines}/${name}`);
      }
    }
  }
  const limits: GroupLimit[][] = [];
  // One after the other: each guest has some, and this process has a thousand descriptors.
  for (const folder of folders) limits.push(await limitsOf(root, folder));
  const pools = await readPagePools(root.at('/sys/devices/system/node')).catch(() => []);
  const totals = new Map<number, number>();
  for (const { pageSizeKib, totalPages } of pools) {
    totals.set(pageSizeKib, (totals.get(pageSizeKib) ?? 0) + totalPages * pageSizeKib);
  }
  return { limits: limits.flat(), totals, groups: limits.filter((list) => list.length > 0).length };
}

/** `/a/b` → `/a`, `/a/b`: a limit holds for all that is below. */
function chainOf(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}

async function limitsOf(root: Context['root'], folder: string): Promise<GroupLimit[]> {
  const files = (await root.names(folder)).flatMap((name) => {
    const [, size, kind] = /^hugetlb\.(\d+[KMG]B)\.((?:rsvd\.)?(?:max|limit_in_bytes))$/.exec(name) ?? [];
    return size === undefined || kind === undefined ? [] : [{ name, size, isV1: kind.endsWith('limit_in_bytes') }];
  });
  const limits = await Promise.all(
    files.map(async ({ name, size, isV1 }) => {
      const word = await root.word(`${folder}/${name}`);
      if (word === undefined) return [];
      const limitKib = word === 'max' ? Infinity : Number(word) / 1024;
      const pageSizeKib = pageSizeOf(size);
      return [{ file: `${folder}/${name}`, pageSizeKib, limitKib, unlimited: isV1 ? '-1' : 'max' }];
    }),
  );
  return limits.flat();
}

/** The controller's own spelling: 2MB, 1GB, 64KB (Documentation/admin-guide/cgroup-v2, HugeTLB). */
function pageSizeOf(text: string): number {
  const [, digits = '0', unit = 'K'] = /^(\d+)([KMG])B$/.exec(text) ?? [];
  return Number(digits) * ({ K: 1, M: 1024, G: 1024 ** 2 }[unit] ?? 1);
}

/** Pure. */
export function decideLimits({ limits, totals, groups }: LimitState): Verdict[] {
  const tight = limits.filter(({ pageSizeKib, limitKib }) => limitKib < (totals.get(pageSizeKib) ?? 0));
  if (tight.length === 0)
    return [
      ok(
        groups === 0
          ? 'no control group of guests counts hugetlb pages'
          : `no limit below the pool in ${groups} control groups`,
      ),
    ];
  return tight.map(({ file, pageSizeKib, limitKib, unlimited }) => {
    const totalKib = totals.get(pageSizeKib) ?? 0;
    const complaint = {
      what: `${file} gives ${describeKib(limitKib)} of pages of ${describeKib(pageSizeKib)}, of a pool of ${describeKib(totalKib)}`,
      why: 'guests beyond that cannot map their memory (Cannot allocate memory), although pages are free',
      mend: [`echo ${unlimited} > ${quoted(file)}`],
      details: { file, limit_kib: limitKib, pool_kib: totalKib },
    };
    return limitKib === 0 ? problem(complaint) : warning(complaint);
  });
}
