/** Page sizes of the kernel, the pool of each node, what was asked for at boot, and whether it comes back at the next. */
import { hasNumaMaps } from '../../host/page_holders.ts';
import { readPagePools, type PagePool } from '../../host/page_pools.ts';
import { describeKib } from '../../units.ts';
import { note, ok, problem, warning, type Check, type Context, type Verdict } from '../check.ts';
import { kernelSize, sizeKib } from '../host_facts.ts';
import type { HostRoot } from '../host_root.ts';

export type BootRequest = { readonly pageSizeKib: number; readonly pages: number };

export type PoolState = {
  readonly pools: readonly PagePool[];
  /** Sizes with surplus pages allowed (nr_overcommit_hugepages above 0). */
  readonly overcommitKib: readonly number[];
  readonly reserved: readonly { readonly node: number; readonly size_kib: number; readonly count: number }[];
  readonly bootRequests: readonly BootRequest[];
  /** Sizes whose pool something makes anew at the next boot. */
  readonly persistentKib: ReadonlySet<number>;
  /** Nodes without memory have nothing to reserve. */
  readonly memoryless: ReadonlySet<number>;
  readonly hasNumaMaps: boolean;
};

export const pagePools: Check = {
  id: 'page-pools',
  title: 'there are hugepages, on every node, and at the next boot too',
  subject: 'kernel',
  run: async (context) => decidePools(await readPools(context)),
};

async function readPools({ root, settings }: Context): Promise<PoolState> {
  const pools = await readPagePools(root.at('/sys/devices/system/node')).catch(() => []);
  const overcommit = await Promise.all(
    sizesOf(pools).map(async (size) => {
      const pages = await root.count(`/sys/kernel/mm/hugepages/hugepages-${size}kB/nr_overcommit_hugepages`);
      return (pages ?? 0) > 0 ? [size] : [];
    }),
  );
  const meminfo = (await root.word('/proc/meminfo')) ?? '';
  const defaultKib = Number(/^Hugepagesize:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? 2048);
  const bootRequests = parseBootRequests((await root.word('/proc/cmdline')) ?? '', defaultKib);
  return {
    pools,
    overcommitKib: overcommit.flat(),
    reserved: settings.admission.reserved_huge_pages,
    bootRequests,
    persistentKib: new Set([
      ...bootRequests.map(({ pageSizeKib }) => pageSizeKib),
      ...(await sizesSetAtBoot(root, defaultKib)),
    ]),
    memoryless: await memorylessNodes(root, pools),
    hasNumaMaps: await hasNumaMaps(root.at('/proc')),
  };
}

/** Where a pool is set at boot: sysctl.d(5), tmpfiles.d(5), or a unit that writes to nr_hugepages. */
const BOOT_FOLDERS = ['/etc/sysctl.d', '/run/sysctl.d', '/usr/lib/sysctl.d', '/etc/tmpfiles.d', '/etc/systemd/system'];

async function sizesSetAtBoot(root: HostRoot, defaultKib: number): Promise<number[]> {
  const texts = [await root.word('/etc/sysctl.conf'), await root.word('/etc/rc.local')];
  for (const folder of BOOT_FOLDERS) {
    const files = (await root.names(folder)).filter((name) => /\.(conf|service)$/.test(name));
    for (const file of files) texts.push(await root.word(`${folder}/${file}`));
  }
  return texts.flatMap((text) => (text === undefined ? [] : sizesSetIn(text, defaultKib)));
}

/** Sizes that such a file sets: sysctl's is the default one, a path of sysfs names its own. Pure. */
export function sizesSetIn(text: string, defaultKib: number): number[] {
  const lines = text.split('\n').filter((line) => !/^\s*[#;]/.test(line));
  return lines.flatMap((line) => [
    ...[...line.matchAll(/hugepages-(\d+)kB\/nr_hugepages/g)].map(([, size]) => Number(size)),
    ...(/\bvm[./]nr_hugepages\b/.test(line) ? [defaultKib] : []),
  ]);
}

async function memorylessNodes(root: HostRoot, pools: readonly PagePool[]): Promise<Set<number>> {
  const found = new Set<number>();
  for (const node of new Set(pools.map((pool) => pool.node))) {
    const meminfo = (await root.word(`/sys/devices/system/node/node${node}/meminfo`)) ?? '';
    if (/^Node \d+ MemTotal:\s+0 kB$/m.test(meminfo)) found.add(node);
  }
  return found;
}

/** `hugepagesz=1G hugepages=8`, `hugepages=0:4,1:4`: kernel-parameters, Documentation/admin-guide. Pure. */
export function parseBootRequests(cmdline: string, defaultKib: number): BootRequest[] {
  const sums = new Map<number, number>();
  let size = defaultKib;
  for (const word of cmdline.split(/\s+/)) {
    const [, name, value = ''] = /^(default_hugepagesz|hugepagesz|hugepages)=(.+)$/.exec(word) ?? [];
    if (name === 'hugepagesz') size = sizeKib(value) ?? size;
    if (name !== 'hugepages') continue;
    const pages = value.split(',').map((part) => Number(part.split(':').at(-1)));
    sums.set(size, sum(pages.filter((count) => Number.isSafeInteger(count))));
  }
  return [...sums].map(([pageSizeKib, pages]) => ({ pageSizeKib, pages }));
}

/** Pure. */
export function decidePools(state: PoolState): Verdict[] {
  const { pools } = state;
  if (pools.length === 0)
    return [
      problem({
        what: 'this kernel has no hugepages',
        why: 'no guest on hugepages can be started; the kernel needs CONFIG_HUGETLBFS and CONFIG_NUMA, as that of Debian has',
      }),
    ];
  return [
    ...(pools.every(({ totalPages }) => totalPages === 0) ? [emptyPools(pools)] : [...filledPools(state)]),
    ...reservations(state),
    ...boot(state),
    ...state.overcommitKib.map((size) =>
      note({
        what: `surplus pages of ${describeKib(size)} are allowed`,
        why: 'pages beyond the pool come from ordinary memory and go again: free counts change without a guest',
        mend: [`echo 0 > /sys/kernel/mm/hugepages/hugepages-${size}kB/nr_overcommit_hugepages`],
      }),
    ),
    ...(state.hasNumaMaps
      ? []
      : [
          problem({
            what: 'this kernel has no numa_maps',
            why: 'no start of a guest can be verified, so each is taken back; the kernel needs CONFIG_NUMA',
          }),
        ]),
  ];
}

function emptyPools(pools: readonly PagePool[]): Verdict {
  const smallest = Math.min(...pools.map(({ pageSizeKib }) => pageSizeKib));
  const nodes = [...new Set(pools.map(({ node }) => node))];
  return problem({
    what: `every pool is empty; sizes: ${sizesOf(pools).map(describeKib).join(', ')}`,
    why: 'guests on hugepages are refused; change 1024 to what the guests shall have and the host can spare',
    mend: nodes.map((node) => `echo 1024 > ${poolFile(node, smallest)}`),
    details: { pools },
  });
}

function* filledPools({ pools, memoryless }: PoolState): Generator<Verdict> {
  for (const size of sizesOf(pools)) {
    const ofSize = pools.filter(({ pageSizeKib }) => pageSizeKib === size);
    const total = sum(ofSize.map(({ totalPages }) => totalPages));
    if (total === 0) continue;
    const text = ofSize
      .map(({ node, freePages, totalPages }) => `node ${node}: ${freePages} of ${totalPages} free`)
      .join(', ');
    const details = { page_size_kib: size, pools: ofSize };
    const free = sum(ofSize.map(({ freePages }) => freePages));
    if (free === 0)
      yield warning({
        what: `no page of ${describeKib(size)} is free: ${text}`,
        why: 'the next guest on pages of this size is refused; «hugenode host --holders» says who has them',
        mend: ['hugenode host --holders'],
        details,
      });
    else yield ok(`pages of ${describeKib(size)}: ${text}`, details);
    const without = ofSize.flatMap(({ node, totalPages }) => (totalPages === 0 && !memoryless.has(node) ? [node] : []));
    if (without.length > 0)
      yield note({
        what: `no pages of ${describeKib(size)} on node ${without.join(', ')}`,
        why: 'guests that want pages of this size get none of the CPUs and memory there',
        mend: without.map((node) => `echo ${Math.max(1, Math.floor(total / ofSize.length))} > ${poolFile(node, size)}`),
        details,
      });
  }
}

function reservations({ pools, reserved }: PoolState): Verdict[] {
  return reserved.flatMap(({ node, size_kib: size, count }) => {
    const pool = pools.find((one) => one.node === node && one.pageSizeKib === size);
    if (pool === undefined)
      return [
        problem({
          what: `admission.reserved_huge_pages: node ${node} has no pool of ${describeKib(size)}`,
          why: 'the agent does not start with a rule that matches nothing',
        }),
      ];
    if (count <= pool.totalPages) return [];
    return [
      problem({
        what: `admission.reserved_huge_pages: ${count} pages of ${describeKib(size)} on node ${node}, which has ${pool.totalPages}`,
        why: 'no guest ever gets a page of this pool',
        mend: [`echo ${count} > ${poolFile(node, size)}`],
      }),
    ];
  });
}

function boot({ pools, bootRequests, persistentKib }: PoolState): Verdict[] {
  const short = bootRequests.flatMap(({ pageSizeKib, pages }) => {
    const got = sum(pools.filter((pool) => pool.pageSizeKib === pageSizeKib).map(({ totalPages }) => totalPages));
    if (got >= pages) return [];
    return [
      warning({
        what: `the kernel was booted for ${pages} pages of ${describeKib(pageSizeKib)} and has ${got}`,
        why: 'memory did not suffice at boot, or somebody has made the pool smaller since',
        details: { page_size_kib: pageSizeKib, asked: pages, got },
      }),
    ];
  });
  const filled = sizesOf(pools).filter((size) =>
    pools.some((pool) => pool.pageSizeKib === size && pool.totalPages > 0),
  );
  const lost = filled.filter((size) => !persistentKib.has(size));
  if (lost.length === 0) return short;
  return [
    ...short,
    note({
      what: `nothing reserves the pages of ${lost.map(describeKib).join(', ')} at the next boot`,
      why: 'after a restart of the host the pool is empty, and guests are refused',
      mend: lost.map((size) => persistCommand(pools, size)),
    }),
  ];
}

/** sysctl knows the default size only, and spreads evenly; anything else is the kernel's command line. */
function persistCommand(pools: readonly PagePool[], size: number): string {
  const total = sum(pools.filter(({ pageSizeKib }) => pageSizeKib === size).map(({ totalPages }) => totalPages));
  if (size === 2048) return `echo 'vm.nr_hugepages = ${total}' > /etc/sysctl.d/60-hugenode-hugepages.conf`;
  const words = `hugepagesz=${kernelSize(size)} hugepages=${total}`;
  return `mkdir -p /etc/default/grub.d && echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${words}"' > /etc/default/grub.d/hugenode-${kernelSize(size)}.cfg && update-grub`;
}

function poolFile(node: number, size: number): string {
  return `/sys/devices/system/node/node${node}/hugepages/hugepages-${size}kB/nr_hugepages`;
}

function sizesOf(pools: readonly PagePool[]): number[] {
  return [...new Set(pools.map(({ pageSizeKib }) => pageSizeKib))].toSorted((a, b) => a - b);
}

function sum(list: readonly number[]): number {
  return list.reduce((total, one) => total + one, 0);
}
