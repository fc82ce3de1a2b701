/**
 * The machine of this lane: a libvirt host with four NUMA nodes in an emulated machine (numa-lab/). Its pools are uneven
 * on purpose, so that no sum fits by accident.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const SCRIPTS = join(import.meta.dirname, '..', 'numa-lab');
const FOLDER = process.env['HUGENODE_NUMA_LAB'] ?? '/var/cache/hugenode/numa-lab';

/** Half a minute on two quiet cores, two on busy ones; nothing where it is built. */
const BUILD_TIMEOUT_MS = 600_000;
/** Two seconds; where the saved machine does not fit this machine's QEMU it boots, which takes twenty. */
const START_TIMEOUT_MS = 120_000;
const COMMAND_TIMEOUT_MS = 60_000;

/** Long enough for a hook that builds and starts it. */
export const LAB_TIMEOUT_MS = BUILD_TIMEOUT_MS + START_TIMEOUT_MS + 60_000;

/** Pages of a pool: `<node>/<page size in KiB>` to their number. */
export type PageCounts = Readonly<Record<string, number>>;

/** What start.sh reserves, and what a lab at rest has free. */
export const POOLS: PageCounts = {
  '0/2048': 256,
  '1/2048': 320,
  '2/2048': 192,
  '3/2048': 128,
  '0/1048576': 0,
  '1/1048576': 0,
  '2/1048576': 0,
  '3/1048576': 1,
};

export class NumaLab {
  /** Where its libvirtd listens. */
  readonly uri: string;

  private constructor(uri: string) {
    this.uri = uri;
  }

  /**
   * Builds it unless it is built, ends one that a killed run left, and starts it: the same machine each time.
   * @param settings of start.sh; with others than its defaults the machine boots, which takes some ten seconds.
   */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<NumaLab> {
    await run('bash', [join(SCRIPTS, 'build.sh'), FOLDER], { timeout: BUILD_TIMEOUT_MS });
    const lab = new NumaLab('');
    await lab.stop();
    const env = { ...process.env, ...settings };
    const { stdout } = await run('bash', [join(SCRIPTS, 'start.sh'), FOLDER], { timeout: START_TIMEOUT_MS, env });
    return new NumaLab(stdout.trim());
  }

  async stop(): Promise<void> {
    await run('bash', [join(SCRIPTS, 'stop.sh'), FOLDER], { timeout: COMMAND_TIMEOUT_MS });
  }

  /** Runs a shell command as root inside; rejects where it fails. */
  async shell(command: string): Promise<string> {
    const { stdout } = await run('bash', [join(SCRIPTS, 'guest.sh'), FOLDER, command], {
      timeout: COMMAND_TIMEOUT_MS,
      maxBuffer: 16 * 1024 * 1024,
    });
    return stdout;
  }

  /** Free pages by the lab's sysfs. */
  async freePages(): Promise<PageCounts> {
    const text = await this.shell('grep . /sys/devices/system/node/node*/hugepages/hugepages-*kB/free_hugepages');
    const counts = text.matchAll(/node(\d+)\/hugepages\/hugepages-(\d+)kB\/free_hugepages:(\d+)/g);
    return Object.fromEntries([...counts].map(([, node, size, pages]) => [`${node}/${size}`, Number(pages)]));
  }

  /** What each QEMU in the lab holds in huge pages, by its numa_maps, under the name of its domain. */
  async held(): Promise<Readonly<Record<string, PageCounts>>> {
    const text = await this.shell(QEMU_MAPS);
    const qemus = text.split(/^qemu /m).slice(1);
    return Object.fromEntries(qemus.map((qemu) => [qemu.slice(0, qemu.indexOf('\n')), hugePages(qemu)]));
  }

  /** Names of the domains for which libvirt there ever ran a QEMU: it keeps a log for each. */
  async everStarted(): Promise<string[]> {
    const names = (await this.shell('ls /var/log/libvirt/qemu')).split('\n');
    return names.filter((name) => name.endsWith('.log') && !name.endsWith('-console.log'));
  }

  /** What QEMU or libvirt wrote about memory that could not be had. */
  async allocationFailures(): Promise<string[]> {
    const text = await this.shell('cat /var/log/libvirt/*.log /var/log/libvirt/qemu/*.log');
    return text.split('\n').filter((line) => ALLOCATION_FAILURE.test(line));
  }
}

/** QEMU's words where pages run out: at once, while they are touched, and where a mapping cannot be bound. */
const ALLOCATION_FAILURE =
  /unable to map backing store|preallocating memory failed|cannot bind memory|allocate memory/i;

/** Every QEMU that is a guest, whoever started it: a pid file could be missing where a process is not. */
const QEMU_MAPS = `for p in $(pidof qemu-system-x86_64); do
  name=$(tr '\\0' '\\n' </proc/$p/cmdline | sed -n 's/^guest=\\([^,]*\\).*/\\1/p')
  [ -n "$name" ] || continue
  echo "qemu $name"
  grep ' huge ' /proc/$p/numa_maps || true
done`;

/** A reading of numa_maps of the test's own: the agent's must not be what the agent is compared with. */
function hugePages(numaMaps: string): PageCounts {
  const held: Record<string, number> = {};
  for (const line of numaMaps.split('\n')) {
    const size = /kernelpagesize_kB=(\d+)/.exec(line)?.[1];
    for (const [, node, pages] of line.matchAll(/ N(\d+)=(\d+)/g)) {
      const pool = `${node}/${size}`;
      held[pool] = (held[pool] ?? 0) + Number(pages);
    }
  }
  return held;
}
