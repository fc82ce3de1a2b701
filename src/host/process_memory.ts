/** Memory of one process as the kernel counts it, and whether a pid is still the process we mean. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseStartTicks } from './process_start.ts';

export type ProcessMemory = {
  /** Resident ordinary pages. */
  readonly vmRssKib: number;
  /** Pages from hugetlb pools, which VmRSS and libvirt's rss leave out. */
  readonly hugetlbKib: number;
};

/**
 * Reads /proc/PID/status; world-readable, 20 µs.
 * @returns undefined where the process is gone or is a zombie without memory.
 */
export async function readProcessMemory(pid: number, procRoot = '/proc'): Promise<ProcessMemory | undefined> {
  const status = await readOrUndefined(join(procRoot, String(pid), 'status'));
  return status === undefined ? undefined : parseStatus(status);
}

/** One run of a process: the pid alone may belong to another one by now. */
export type ProcessRun = { readonly pid: number; readonly startTicks: number };

/**
 * Memory of that run of a process, and of no other: undefined where it has ended, also where its pid is in use again.
 * In the caller's turn, because it is done for every guest in every cycle, and the kernel answers without waiting.
 */
export function readMemoryOfRun({ pid, startTicks }: ProcessRun, procRoot = '/proc'): ProcessMemory | undefined {
  const folder = join(procRoot, String(pid));
  try {
    const memory = parseStatus(readFileSync(join(folder, 'status'), 'latin1'));
    // Afterwards: a process that is still that run was it before, too.
    return parseStartTicks(readFileSync(join(folder, 'stat'), 'latin1')) === startTicks ? memory : undefined;
  } catch {
    return undefined;
  }
}

/** Pure part of {@link readProcessMemory}. */
export function parseStatus(status: string): ProcessMemory | undefined {
  const kib = (name: string) => {
    const [, value] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status) ?? [];
    return value === undefined ? undefined : Number(value);
  };
  const vmRssKib = kib('VmRSS');
  if (vmRssKib === undefined) return undefined;
  return { vmRssKib, hugetlbKib: kib('HugetlbPages') ?? 0 };
}

/**
 * Whether the process has given everything back: it is gone, or a zombie. A process that has merely lost its address
 * space (no VmRSS) may still hold the files behind its hugepages; it becomes a zombie after closing them.
 */
export async function hasEnded(pid: number, procRoot = '/proc'): Promise<boolean> {
  const status = await readOrUndefined(join(procRoot, String(pid), 'status'));
  return status === undefined || /^State:\s+[ZX]/m.test(status);
}

/** Whether that process was started for that guest: pids are reused, command lines tell. */
export async function isProcessOf(pid: number, guestUuid: string, procRoot = '/proc'): Promise<boolean> {
  const commandLine = await readOrUndefined(join(procRoot, String(pid), 'cmdline'));
  return commandLine?.includes(guestUuid) ?? false;
}

/** The pid in a pid file, or undefined where there is none. */
export async function readPidFile(path: string): Promise<number | undefined> {
  const text = (await readOrUndefined(path))?.trim() ?? '';
  return /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

async function readOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    // ESRCH: the process ended between open and read.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
}
