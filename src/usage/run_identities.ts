/** By which process a guest runs: what proves, after a gap, that it ran through it. */
import { join } from 'node:path';
import { isProcessOf, readPidFile } from '../host/process_memory.ts';
import { readStartTicks } from '../host/process_start.ts';

export type RunIdentitiesOptions = {
  /** Where libvirt keeps the pid files of its QEMU processes; undefined where they run on another host. */
  readonly pidPath: string | undefined;
  readonly domainPrefix: string;
  readonly bootId: string;
};

export class RunIdentities {
  readonly #options: RunIdentitiesOptions;

  constructor(options: RunIdentitiesOptions) {
    this.#options = options;
  }

  /** Null where there is no process on this host. Looked up each time: an event that was missed must not hide a new run. */
  async of(uuid: string): Promise<string | null> {
    const { pidPath, domainPrefix, bootId } = this.#options;
    if (pidPath === undefined) return null;
    const pid = await readPidFile(join(pidPath, `${domainPrefix}${uuid}.pid`)).catch(() => undefined);
    if (pid === undefined || !(await isProcessOf(pid, uuid))) return null;
    const ticks = await readStartTicks(pid);
    if (ticks === undefined) return null;
    return `${bootId}/${pid}/${ticks}`;
  }
}
