/** A made-up host: files in a folder of its own, and what only root could make otherwise (what may not be read, room). */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { BrokerFacts, BrokerReading } from '../../src/doctor/broker_probe.ts';
import type { Check, Context, Verdict } from '../../src/doctor/check.ts';
import { HostRoot, type FileStat, type Reading, type Room } from '../../src/doctor/host_root.ts';
import type { LibvirtFacts, LibvirtReading } from '../../src/doctor/libvirt_probe.ts';
import { loadSettings } from '../../src/settings/load.ts';

/** Path → its text, or a mode for a folder (with `/` at its end) or an empty file. */
export type Files = Readonly<Record<string, string | number>>;

export type Host = {
  readonly files?: Files;
  /** Paths that this user may not read. */
  readonly denied?: readonly string[];
  readonly room?: Partial<Room>;
  /** `section.key=value` */
  readonly settings?: readonly string[];
  readonly libvirt?: LibvirtReading;
  readonly broker?: BrokerReading;
  readonly nowMs?: number;
};

/** Who runs the tests owns the files; QEMU's user is another one, whose group is ours. */
export const QEMU_USER: Files = {
  '/etc/passwd': `root:x:0:0::/root:/bin/sh\nlibvirt-qemu:x:64055:${process.getgid?.() ?? 0}::/:/bin/false\n`,
  '/etc/group': 'root:x:0:\nkvm:x:109:\n',
};
/** The same without our group. */
export const STRANGE_QEMU_USER: Files = {
  '/etc/passwd': 'libvirt-qemu:x:64055:64055::/:/bin/false\n',
  '/etc/group': 'kvm:x:109:\n',
};

const POOL = '/sys/devices/system/node/node';

/** The files of a pool. */
export function pool(node: number, sizeKib: number, total: number, free = total): Files {
  const folder = `${POOL}${node}/hugepages/hugepages-${sizeKib}kB`;
  return { [`${folder}/nr_hugepages`]: `${total}\n`, [`${folder}/free_hugepages`]: `${free}\n` };
}

export const hugeMount = (at: string, options: string): string =>
  `hugetlbfs ${at} hugetlbfs rw,relatime,${options} 0 0\n`;

/** A process; further files of it by name. */
export function processFiles(pid: number, comm: string, files: Readonly<Record<string, string>> = {}): Files {
  const own = { comm: `${comm}\n`, status: `Name:\t${comm}\nState:\tS (sleeping)\n`, ...files };
  return Object.fromEntries(Object.entries(own).map(([name, text]) => [`/proc/${pid}/${name}`, text]));
}

export class FakeRoot extends HostRoot {
  readonly #denied: readonly string[];
  readonly #room: Room;

  constructor({ files = {}, denied = [], room = {} }: Host) {
    const folder = mkdtempSync(join(tmpdir(), 'hugenode-root-'));
    chmodSync(folder, 0o755);
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    for (const [path, content] of Object.entries(files)) {
      const at = join(folder, path);
      mkdirSync(path.endsWith('/') ? at : dirname(at), { recursive: true });
      if (typeof content === 'string') writeFileSync(at, content);
      else {
        if (!path.endsWith('/')) writeFileSync(at, '');
        chmodSync(at, content);
      }
    }
    super(folder);
    this.#denied = denied;
    this.#room = { freeBytes: 1e12, freeFiles: 1e6, files: 2e6, ...room };
  }

  override async text(path: string): Promise<Reading<string>> {
    return this.#denied.includes(path) ? { is: 'denied' } : super.text(path);
  }

  override async list(path: string): Promise<Reading<string[]>> {
    return this.#denied.includes(path) ? { is: 'denied' } : super.list(path);
  }

  override async stat(path: string): Promise<Reading<FileStat>> {
    return this.#denied.includes(path) ? { is: 'denied' } : super.stat(path);
  }

  override async room(path: string): Promise<Reading<Room>> {
    return this.#denied.includes(path) ? { is: 'denied' } : { is: 'read', value: this.#room };
  }

  override kernelLog(): Reading<string> {
    return this.#denied.includes('/dev/kmsg') ? { is: 'denied' } : super.kernelLog();
  }
}

export const NOW_MS = Date.UTC(2026, 10, 25);

export function contextOf(host: Host): Context {
  const settings = loadSettings({ overrides: ['host=cmp1', ...(host.settings ?? [])] });
  return {
    root: new FakeRoot(host),
    settings,
    settingsWords: '',
    nowMs: host.nowMs ?? NOW_MS,
    libvirt: async () => host.libvirt ?? { is: 'read', facts: LIBVIRT },
    broker: async () => host.broker ?? { is: 'read', facts: BROKER },
  };
}

export async function verdictsOf(check: Check, host: Host): Promise<readonly Verdict[]> {
  return check.run(contextOf(host));
}

/** Name, check, host, and the line that is expected of each finding. */
export type Case = [name: string, check: Check, host: Host, expected: readonly (string | RegExp)[]];

/** Has a shell read each command, without running it. */
export function commandsParse(verdicts: readonly Verdict[]): void {
  for (const command of verdicts.flatMap(({ mend }) => mend ?? [])) {
    const { status, stderr } = spawnSync('sh', ['-n', '-c', command], { encoding: 'utf8' });
    expect([command, status, stderr]).toEqual([command, 0, '']);
    expect(command).not.toContain('\n');
  }
}

/** What `linesOf` is held against. */
export function matching(expected: Case[3]): unknown[] {
  return expected.map((one) => (typeof one === 'string' ? one : expect.stringMatching(one)));
}

/** `level: what` of each, with the commands behind. */
export function linesOf(verdicts: readonly Verdict[]): string[] {
  return verdicts.map(({ level, what, mend }) => [`${level}: ${what}`, ...(mend ?? [])].join('\n'));
}

export const LIBVIRT: LibvirtFacts = {
  libvirtVersion: 9_000_000,
  qemuVersion: 7_002_022,
  virtTypes: ['qemu', 'kvm'],
  securityModels: [
    { model: 'apparmor', label: undefined },
    { model: 'dac', label: '+64055:+64055' },
  ],
  balloons: [],
};

export const BROKER: BrokerFacts = {
  where: 'amqp://127.0.0.1:5672/',
  virtualHost: '/',
  isEncrypted: false,
  isLoopback: true,
  hasDefaultLogin: true,
  isBlocked: false,
  adoptsExisting: false,
  things: [],
  refusedTrials: [],
};
