/** What several checks read of the host: its users, its daemons, its mounts. */
import type { FileStat, HostRoot } from './host_root.ts';
import type { LibvirtDaemon } from './shell.ts';

/** Whether systemd is process 1 (sd_booted(3)). */
export function hasSystemd(root: HostRoot): Promise<boolean> {
  return root.exists('/run/systemd/system');
}

/** A user with the groups that the user is in. */
export type User = { readonly name: string; readonly uid: number; readonly gids: readonly number[] };

/** Debian runs QEMU as libvirt-qemu, others as qemu; undefined where there is neither. */
export async function readQemuUser(root: HostRoot): Promise<User | undefined> {
  const passwd = (await root.word('/etc/passwd')) ?? '';
  const groups = (await root.word('/etc/group')) ?? '';
  return parseUser(passwd, groups, 'libvirt-qemu') ?? parseUser(passwd, groups, 'qemu');
}

/** Pure part of {@link readQemuUser}. */
export function parseUser(passwd: string, groups: string, name: string): User | undefined {
  const [, , uid, gid] =
    passwd
      .split('\n')
      .map((line) => line.split(':'))
      .find(([user]) => user === name) ?? [];
  if (uid === undefined || gid === undefined) return undefined;
  const further = groups
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([, , , members = '']) => members.split(',').includes(name))
    .map(([, , id]) => Number(id));
  return { name, uid: Number(uid), gids: [...new Set([Number(gid), ...further])] };
}

/** The number of a group; undefined where there is none of that name. */
export async function readGroupId(root: HostRoot, name: string): Promise<number | undefined> {
  const groups = (await root.word('/etc/group')) ?? '';
  const [, , id] =
    groups
      .split('\n')
      .map((line) => line.split(':'))
      .find(([group]) => group === name) ?? [];
  return id === undefined ? undefined : Number(id);
}

/** Whether the mode lets the user do this much (4 read, 2 write, 1 pass or run, summed), as the kernel decides. Pure. */
export function mayUse({ mode, uid, gid }: FileStat, user: User, bits: number): boolean {
  if (user.uid === 0) return true;
  if (uid === user.uid) return ((mode >> 6) & bits) === bits;
  if (user.gids.includes(gid)) return ((mode >> 3) & bits) === bits;
  return (mode & bits) === bits;
}

/** `1770` */
export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

export type RunningProcess = { readonly pid: number; readonly command: string };

/** Processes of these names (/proc/PID/comm, 15 characters at most), zombies left out; sorted by pid. */
export async function findProcesses(root: HostRoot, commands: readonly string[]): Promise<RunningProcess[]> {
  const pids = (await root.names('/proc')).filter((name) => /^[1-9]\d*$/.test(name));
  const found: RunningProcess[] = [];
  // One after the other: a host has thousands of processes, and this one has a thousand descriptors.
  for (const pid of pids) {
    const command = await root.word(`/proc/${pid}/comm`);
    if (command === undefined || !commands.includes(command)) continue;
    const status = (await root.word(`/proc/${pid}/status`)) ?? '';
    if (!/^State:\s+Z/m.test(status)) found.push({ pid: Number(pid), command });
  }
  return found.toSorted((a, b) => a.pid - b.pid);
}

/**
 * The daemon that starts the guests: virtqemud where libvirt is split into daemons, else libvirtd. Of several, the one of
 * the system's pid file: others may run for a session or a container.
 */
export async function findLibvirtDaemon(root: HostRoot): Promise<LibvirtDaemon | undefined> {
  const found = await findProcesses(root, ['virtqemud', 'libvirtd']);
  for (const command of ['virtqemud', 'libvirtd'] as const) {
    const ofName = found.filter((process) => process.command === command);
    const noted = await root.count(`/run/${command}.pid`);
    const one = ofName.find(({ pid }) => pid === noted) ?? ofName[0];
    if (one !== undefined) return { pid: one.pid, command };
  }
  return undefined;
}

export type HugeMount = {
  readonly at: string;
  readonly pageSizeKib: number;
  /** `size=`, `min_size=`, `gid=`, … as mounted. */
  readonly options: Readonly<Record<string, string>>;
};

/** The hugetlbfs mounts in /proc/mounts, without those that a later mount at the same place covers. Pure. */
export function parseHugeMounts(mounts: string, defaultSizeKib: number): HugeMount[] {
  const last = new Map(mounts.split('\n').map((line) => [line.split(' ')[1] ?? '', line]));
  return [...last.values()].flatMap((line) => {
    const [, at = '', type, words = ''] = line.split(' ');
    if (type !== 'hugetlbfs') return [];
    const options = Object.fromEntries(
      words.split(',').map((word): [string, string] => {
        const [name = '', value = ''] = word.split('=');
        return [name, value];
      }),
    );
    const pageSizeKib = sizeKib(options['pagesize'] ?? '') ?? defaultSizeKib;
    // The kernel writes blanks as \040 (proc_pid_mounts).
    return [
      {
        at: at.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8))),
        pageSizeKib,
        options,
      },
    ];
  });
}

/** `2M`, `1024M`, `1G`, `2048K` or bytes, in KiB; undefined where it is none of these. Pure. */
export function sizeKib(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d+)([KMG]?)B?$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const factor = { K: 1, M: 1024, G: 1024 ** 2 }[unit.toUpperCase()] ?? 1 / 1024;
  return Number(digits) * factor;
}

/** A field of /proc/meminfo in KiB; undefined where the kernel has none of that name. Pure. */
export function meminfoKib(meminfo: string, name: string): number | undefined {
  const [, kib] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo) ?? [];
  return kib === undefined ? undefined : Number(kib);
}

/** `2M`, `1G`: how the kernel's command line and mount options write a page size. Pure. */
export function kernelSize(pageSizeKib: number): string {
  if (pageSizeKib % 1024 ** 2 === 0) return `${pageSizeKib / 1024 ** 2}G`;
  return pageSizeKib % 1024 === 0 ? `${pageSizeKib / 1024}M` : `${pageSizeKib}K`;
}
