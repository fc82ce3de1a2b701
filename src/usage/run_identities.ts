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
  readonly #known = new Map<string, string>();

  constructor(options: RunIdentitiesOptions) {
    this.#options = options;
  }

  /** Null where there is no process on this host. */
  async of(uuid: string): Promise<string | null> {
    const known = this.#known.get(uuid);
    if (known !== undefined) return known;
    const { pidPath, domainPrefix, bootId } = this.#options;
    if (pidPath === undefined) return null;
    const pid = await readPidFile(join(pidPath, `${domainPrefix}${uuid}.pid`)).catch(() => undefined);
    if (pid === undefined || !(await isProcessOf(pid, uuid))) return null;
    const ticks = await readStartTicks(pid);
    if (ticks === undefined) return null;
    const identity = `${bootId}/${pid}/${ticks}`;
    this.#known.set(uuid, identity);
    return identity;
  }

  /** It may have another process by now. */
  forget(uuid: string): void {
    this.#known.delete(uuid);
  }
}
