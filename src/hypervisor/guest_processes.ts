/** The QEMU processes behind our guests, where the kernel's own account of their memory is to be had. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NodePages } from '../admission/host_memory.ts';
import { readHoldings } from '../host/numa_maps.ts';
import { hasEnded, isProcessOf, readPidFile, type ProcessRun } from '../host/process_memory.ts';
import { readStartTicks } from '../host/process_start.ts';
import type { Logger } from '../log.ts';

const GONE_TIMEOUT_MS = 60_000;
const GONE_POLL_MS = 10;

export class GuestProcesses {
  readonly #pidPath: string | undefined;
  readonly #log: Logger;

  /** `pidPath`: where libvirt writes its pid files; undefined where the guests run on another host. */
  constructor(pidPath: string | undefined, log: Logger) {
    this.#pidPath = pidPath;
    this.#log = log;
  }

  /** The guest's process, or undefined where there is none on this host (libvirt writes <domain>.pid). */
  async pidOf(domainName: string, uuid: string): Promise<number | undefined> {
    if (this.#pidPath === undefined) return undefined;
    const pid = await readPidFile(join(this.#pidPath, `${domainName}.pid`));
    return pid !== undefined && (await isProcessOf(pid, uuid)) ? pid : undefined;
  }

  /** Pages per node and size; undefined without a process or without the right to look (numa_maps wants root). */
  async holdings(domainName: string, uuid: string): Promise<NodePages[] | undefined> {
    const pid = await this.pidOf(domainName, uuid);
    if (pid === undefined) return undefined;
    try {
      return await readHoldings(pid);
    } catch (error) {
      this.#log.warn('cannot read what the guest holds', { instance: uuid, error: String(error) });
      return undefined;
    }
  }

  /** The guest's process as one that is known again; undefined where there is none on this host. */
  async runOf(domainName: string, uuid: string): Promise<ProcessRun | undefined> {
    const pid = await this.pidOf(domainName, uuid);
    if (pid === undefined) return undefined;
    const startTicks = await readStartTicks(pid);
    // Looked at again: between the two the pid may have gone over to another process.
    return startTicks !== undefined && (await isProcessOf(pid, uuid)) ? { pid, startTicks } : undefined;
  }

  /** Resolves when the process has given everything back; warns and goes on after a minute. */
  async gone(pid: number): Promise<void> {
    const deadline = performance.now() + GONE_TIMEOUT_MS;
    while (!(await hasEnded(pid))) {
      if (performance.now() > deadline) {
        this.#log.warn('the process of an ended guest still holds memory', { pid });
        return;
      }
      await sleep(GONE_POLL_MS);
    }
  }
}
