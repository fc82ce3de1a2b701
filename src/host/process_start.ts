/** Which run of a process this is: pids are used again, and so are they after a boot of the host. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** When the process was started, in clock ticks since the boot; undefined where it is gone. */
export async function readStartTicks(pid: number, procRoot = '/proc'): Promise<number | undefined> {
  const stat = await readFile(join(procRoot, String(pid), 'stat'), 'utf8').catch(() => '');
  return parseStartTicks(stat);
}

/** Pure part of {@link readStartTicks}: field 22, counted behind the command, which may hold anything. */
export function parseStartTicks(stat: string): number | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[19]);
  return stat !== '' && Number.isSafeInteger(ticks) ? ticks : undefined;
}

/** Random at each boot; undefined on a kernel that tells none. */
export async function readBootId(procRoot = '/proc'): Promise<string | undefined> {
  const id = await readFile(join(procRoot, 'sys/kernel/random/boot_id'), 'utf8').catch(() => '');
  return id.trim() === '' ? undefined : id.trim();
}
