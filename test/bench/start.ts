/** What a starting agent costs: its own processor time until it takes requests, and its memory with work behind it. */
import { readFile } from 'node:fs/promises';
import type { VirtType } from '../../integration/virt_type.ts';
import { runAgent } from './agent_run.ts';
import { quantile, type Figure } from './figures.ts';

/** USER_HZ: the unit of /proc/PID/stat on every Linux there is. */
const TICKS_PER_SECOND = 100;

export async function benchStart(virtType: VirtType, rounds: number): Promise<Figure[]> {
  const cpu: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const agent = await runAgent(virtType);
    cpu.push(await cpuSeconds(agent.pid));
    await agent.close();
  }
  return [
    {
      name: 'ready from cold, own CPU',
      value: quantile(cpu, 0.5),
      unit: 's',
      atMost: 0.5,
      how: `utime + stime when it takes requests, median of ${rounds} starts`,
    },
  ];
}

export async function memoryFigure(pid: number): Promise<Figure> {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return {
    name: 'agent RSS after the run',
    value: Number(kib) / 1024,
    unit: 'MiB',
    atMost: 120,
    how: 'VmRSS with the creates above behind it',
  };
}

async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // Fields after the command name, which may hold anything: state is 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
