/** A hugetlbfs mount for each size that has pages, which QEMU's user can pass through and others cannot drain. */
import { readPagePools } from '../../host/page_pools.ts';
import { describeKib } from '../../units.ts';
import { note, ok, problem, unreadable, warning, type Check, type Context, type Verdict } from '../check.ts';
import {
  hasSystemd,
  kernelSize,
  mayUse,
  octal,
  parseHugeMounts,
  readGroupId,
  readQemuUser,
  type HugeMount,
  type User,
} from '../host_facts.ts';
import type { FileStat, HostRoot, Reading } from '../host_root.ts';
import { quoted } from '../shell.ts';

export type MountState = {
  /** Sizes that have pages, with how many bytes they are together. */
  readonly sizes: readonly { readonly pageSizeKib: number; readonly totalKib: number }[];
  readonly mounts: readonly (HugeMount & { readonly stat: Reading<FileStat>; readonly isKept: boolean })[];
  readonly qemuUser: User | undefined;
  readonly kvmGroup: number | undefined;
  readonly settingsWords: string;
};

export const hugetlbfs: Check = {
  id: 'hugetlbfs',
  title: 'each page size is mounted, open to QEMU and to nobody else',
  subject: 'kernel',
  run: async (context) => decideMounts(await readMounts(context)),
};

async function readMounts({ root, settingsWords }: Context): Promise<MountState> {
  const pools = await readPagePools(root.at('/sys/devices/system/node')).catch(() => []);
  const totals = Map.groupBy(
    pools.filter(({ totalPages }) => totalPages > 0),
    ({ pageSizeKib }) => pageSizeKib,
  );
  const meminfo = (await root.word('/proc/meminfo')) ?? '';
  const defaultKib = Number(/^Hugepagesize:\s+(\d+) kB$/m.exec(meminfo)?.[1] ?? 2048);
  const mounts = parseHugeMounts((await root.word('/proc/mounts')) ?? '', defaultKib);
  return {
    sizes: [...totals].map(([pageSizeKib, ofSize]) => ({
      pageSizeKib,
      totalKib: ofSize.reduce((kib, { totalPages }) => kib + totalPages * pageSizeKib, 0),
    })),
    mounts: await Promise.all(
      mounts.map(async (mount) => ({
        ...mount,
        stat: await root.stat(mount.at),
        isKept: await isMountedAtBoot(root, mount.at),
      })),
    ),
    qemuUser: await readQemuUser(root),
    kvmGroup: await readGroupId(root, 'kvm'),
    settingsWords,
  };
}

/** A blank would end the field (fstab(5)). */
function inFstab(path: string): string {
  return path.replaceAll(' ', '\\040');
}

/** By /etc/fstab, by a unit of the host's own, or by systemd's dev-hugepages.mount. */
async function isMountedAtBoot(root: HostRoot, at: string): Promise<boolean> {
  if (at === '/dev/hugepages' && (await hasSystemd(root))) return true;
  const fstab = (await root.word('/etc/fstab')) ?? '';
  if (fstab.split('\n').some((line) => !line.startsWith('#') && line.split(/\s+/)[1] === inFstab(at))) return true;
  // Its name is its path (systemd.mount(5)); a dash of the path is written \x2d.
  const unit = at.slice(1).replaceAll('-', '\\x2d').replaceAll('/', '-');
  return root.exists(`/etc/systemd/system/${unit}.mount`);
}

/** Pure. */
export function decideMounts(state: MountState): Verdict[] {
  const { sizes, mounts } = state;
  if (sizes.length === 0) return [ok('no pages, so no mount is needed')];
  return sizes.flatMap((size) => {
    const ofSize = mounts.filter(({ pageSizeKib }) => pageSizeKib === size.pageSizeKib);
    return ofSize.length === 0
      ? [notMounted(size.pageSizeKib, state)]
      : ofSize.flatMap((mount) => ofMount(mount, size.totalKib, state));
  });
}

function notMounted(pageSizeKib: number, { mounts, kvmGroup }: MountState): Verdict {
  // /dev/hugepages may hold pages of another size already.
  const isTaken = mounts.some(({ at }) => at === '/dev/hugepages');
  const at = pageSizeKib === 2048 && !isTaken ? '/dev/hugepages' : `/dev/hugepages${kernelSize(pageSizeKib)}`;
  const options = [`pagesize=${kernelSize(pageSizeKib)}`, 'mode=1770', `gid=${kvmGroup ?? 0}`].join(',');
  return problem({
    what: `pages of ${describeKib(pageSizeKib)} are not mounted`,
    why: 'libvirt refuses guests on them (hugetlbfs filesystem is not mounted); it looks for mounts when it starts, so start it again afterwards',
    mend: [
      `mkdir -p ${at} && mount -t hugetlbfs -o ${options} hugetlbfs ${at}`,
      `grep -q ' ${at} ' /etc/fstab || echo 'hugetlbfs ${at} hugetlbfs ${options},nofail 0 0' >> /etc/fstab`,
    ],
    details: { page_size_kib: pageSizeKib },
  });
}

function ofMount(mount: MountState['mounts'][number], totalKib: number, state: MountState): Verdict[] {
  const { at, pageSizeKib, options, stat } = mount;
  const { qemuUser, settingsWords } = state;
  if (stat.is !== 'read') return [unreadable('hugetlbfs', `who may use ${at}`, [at], settingsWords)];
  const { mode, uid, gid } = stat.value;
  const text = `pages of ${describeKib(pageSizeKib)} at ${at}, mode ${octal(mode)}, uid ${uid}, gid ${gid}`;
  const details = { at, page_size_kib: pageSizeKib, mode: octal(mode), uid, gid, options };
  const found: Verdict[] = [];
  if (qemuUser !== undefined && !mayUse(stat.value, qemuUser, PASS))
    found.push(
      problem({
        what: `${qemuUser.name} cannot pass through ${at} (mode ${octal(mode)}, uid ${uid}, gid ${gid})`,
        why: 'QEMU cannot open its memory in the folder that libvirt makes below: no guest on these pages starts',
        mend: [`chgrp kvm ${quoted(at)} && chmod 1770 ${quoted(at)}`],
        details,
      }),
    );
  if ((mode & OTHERS_WRITE) !== 0)
    found.push(
      warning({
        what: `any user may take pages through ${at} (mode ${octal(mode)})`,
        why: 'a program of anybody can drain the pool, and guests are refused',
        mend: [`chgrp kvm ${quoted(at)} && chmod 1770 ${quoted(at)}`],
        details,
      }),
    );
  const limitKib = limitOf(options['size'], totalKib);
  if (limitKib !== undefined && limitKib < totalKib)
    found.push(
      warning({
        what: `${at} gives ${describeKib(limitKib)} at most, of a pool of ${describeKib(totalKib)} (size=${options['size']})`,
        why: 'guests beyond that fail at their start, although pages are free; guests that run keep their memory while it is mounted anew elsewhere',
        mend: [`findmnt -t hugetlbfs && grep -n hugetlbfs /etc/fstab`],
        details,
      }),
    );
  if (found.length > 0) return found;
  if (mount.isKept) return [ok(text, details)];
  const line = `hugetlbfs ${inFstab(at)} hugetlbfs pagesize=${kernelSize(pageSizeKib)},mode=${octal(mode)},gid=${gid},nofail 0 0`;
  return [
    ok(text, details),
    note({
      what: `nothing mounts ${at} at the next boot`,
      why: 'libvirt then starts without it, and refuses guests on these pages',
      mend: [`echo ${quoted(line)} >> /etc/fstab`],
      details,
    }),
  ];
}

const PASS = 1;
const OTHERS_WRITE = 0o002;

/** `size=` is bytes, with K, M or G, or a share of the pool (50%); the kernel shows it in K where it was set. */
function limitOf(size: string | undefined, totalKib: number): number | undefined {
  const [, digits, unit = ''] = /^(\d+)([KMG%]?)$/i.exec(size ?? '') ?? [];
  if (digits === undefined) return undefined;
  const factor = { K: 1, M: 1024, G: 1024 ** 2, '%': totalKib / 100 }[unit.toUpperCase()] ?? 1 / 1024;
  return Number(digits) * factor;
}
