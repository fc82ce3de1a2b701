/**
 * How dedicated vCPUs are laid on the free threads of a host cell. Whether they can be is decided by counting cores;
 * the pins are only made for the cell that is taken.
 */
import { hasCpu, sameCpus, type CpuSet } from './cpu_set.ts';
import type { ThreadPolicy } from './cpu_policy.ts';
import type { HostCell } from './host_cell.ts';
import { entryAt } from './list.ts';

/** A dedicated vCPU and the CPU it gets. */
export type Pin = { readonly vcpu: number; readonly cpu: number };

export type Pins = {
  /** In the order of the vCPUs. */
  readonly pins: readonly Pin[];
  /** Given to the emulator's own threads. */
  readonly reservedCpus: CpuSet;
};

/** The free threads of a host cell, core by core. */
export type FreeThreads = {
  /** Cores with a free thread, in the cell's order. */
  readonly cores: readonly CpuSet[];
  readonly total: number;
  /** Threads of the cell's largest core, free or not. */
  readonly threadsPerCore: number;
  /** How many cores have at least so many free threads, by that number. */
  readonly coresWith: readonly number[];
};

export type PackingRequest = {
  /** Dedicated vCPUs of the guest cell. */
  readonly pins: number;
  /** CPUs for the emulator: 0 or 1. */
  readonly reserve: number;
  readonly threadPolicy: ThreadPolicy | null;
  /** Whether isolated vCPUs have the emulator on a core that is as free as theirs. */
  readonly emulatorOnFreeCore: boolean;
};

/** Of each core with that many free threads so many are used. */
export type Packing = {
  readonly fits: true;
  readonly threadsUsed: number;
  readonly threadsFree: number;
  /** Free threads of the core that the emulator gets a thread of. */
  readonly emulatorFree: number;
};

export type PackingObstacle =
  /** The cell has no account of its cores. */
  | 'no-cores-known'
  /** There is nothing to pin, and the caller holds to Nova's refusal of that. */
  | 'no-dedicated-vcpus'
  /** `require`, and no core has a second thread. */
  | 'no-hyperthreads'
  /** `isolate` on hyper-threads, where a CPU is in one of the two sets only: its sibling may be in the other. */
  | 'configured-sets-differ'
  | 'too-few-threads';

export type PackingResult = Packing | { readonly fits: false; readonly obstacle: PackingObstacle };

export function freeThreadsOf(cell: HostCell, freeCpus: CpuSet): FreeThreads {
  const cores: CpuSet[] = [];
  const coresWith: number[] = [0];
  let total = 0;
  let threadsPerCore = 0;
  for (const core of cell.siblings) {
    threadsPerCore = Math.max(threadsPerCore, core.length);
    const free: number[] = [];
    for (const cpu of core) if (hasCpu(freeCpus, cpu)) free.push(cpu);
    if (free.length === 0) continue;
    cores.push(free);
    total += free.length;
    for (let threads = 1; threads <= free.length; threads += 1) coresWith[threads] = (coresWith[threads] ?? 0) + 1;
  }
  return { cores, total, threadsPerCore, coresWith };
}

/** Decides how the vCPUs of a guest cell are laid on these threads. */
export function choosePacking(threads: FreeThreads, cell: HostCell, request: PackingRequest): PackingResult {
  if (cell.siblings.length === 0) return obstacle('no-cores-known');
  if (request.threadPolicy === 'isolate') return chooseIsolated(threads, cell, request);
  if (request.threadPolicy === 'require') {
    if (threads.threadsPerCore <= 1) return obstacle('no-hyperthreads');
    return chooseThreads(threads, request, 2) ?? obstacle('too-few-threads');
  }
  // Where no number of threads per core comes out, any free thread will do, core after core.
  const anyThread: Packing = { fits: true, threadsUsed: threads.threadsPerCore, threadsFree: 1, emulatorFree: 1 };
  const enough = threads.total >= request.pins + request.reserve;
  return chooseThreads(threads, request, 1) ?? (enough ? anyThread : obstacle('too-few-threads'));
}

/** Lays the vCPUs out as was decided. */
export function pinTo(
  threads: FreeThreads,
  packing: Packing,
  vcpus: CpuSet,
  { reserve, threadPolicy }: PackingRequest,
): Pins {
  const pins: Pin[] = [];
  let spare: number | undefined;
  for (const core of threads.cores) {
    const usable = core.length >= packing.threadsFree ? Math.min(core.length, packing.threadsUsed) : 0;
    const used = Math.min(usable, vcpus.length - pins.length);
    for (let thread = 0; thread < used; thread += 1) {
      pins.push({ vcpu: entryAt(vcpus, pins.length), cpu: entryAt(core, thread) });
    }
    // Beside an isolated vCPU nothing runs, not even its own emulator.
    const alone = threadPolicy !== 'isolate' || used === 0;
    if (alone && core.length >= packing.emulatorFree) spare ??= core[used];
  }
  return { pins, reservedCpus: reserve > 0 && spare !== undefined ? [spare] : [] };
}

/** As many threads of a core as can be, so that other guests share as few cores as can be. */
function chooseThreads({ coresWith, total }: FreeThreads, request: PackingRequest, least: number): Packing | undefined {
  if (total < request.pins + request.reserve) return undefined;
  for (let threads = coresWith.length - 1; threads >= least; threads -= 1) {
    if (threads * (coresWith[threads] ?? 0) >= request.pins) {
      return { fits: true, threadsUsed: threads, threadsFree: threads, emulatorFree: 1 };
    }
  }
  return undefined;
}

/** Whole free cores, of which one thread is used; the emulator gets a core that is not one of them. */
function chooseIsolated(threads: FreeThreads, cell: HostCell, request: PackingRequest): PackingResult {
  const { pins, reserve, emulatorOnFreeCore } = request;
  const threadsFree = threads.threadsPerCore;
  if (threadsFree > 1 && !sameCpus(cell.sharedCpus, cell.pinnableCpus)) return obstacle('configured-sets-differ');
  const emulatorFree = emulatorOnFreeCore ? threadsFree : 1;
  const coresWith = (free: number) => threads.coresWith[free] ?? 0;
  const enough = pins <= coresWith(threadsFree) && pins + reserve <= coresWith(emulatorFree);
  return enough ? { fits: true, threadsUsed: 1, threadsFree, emulatorFree } : obstacle('too-few-threads');
}

function obstacle(name: PackingObstacle): PackingResult {
  return { fits: false, obstacle: name };
}
