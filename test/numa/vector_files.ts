/** The vector files in test/vectors/nova-numa, and how their words are ours. Shapes as the files have them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expand, formatCpuSet, parseCpuRanges, type CpuSet } from '../../src/numa/cpu_set.ts';
import type { FitLimits, PairVerdict } from '../../src/numa/pair.ts';
import type { FitMatrix } from '../../src/numa/pair_table.ts';
import type { FitResult, Placement } from '../../src/numa/fit.ts';
import type { GuestRequestResult, GuestTopology } from '../../src/numa/guest_topology.ts';
import type { HostCell } from '../../src/numa/host_cell.ts';
import type { PageSizeWish } from '../../src/numa/memory_backing.ts';
import type { FlavorRequest, RequestError } from '../../src/numa/request_errors.ts';
import { kibFromMib, mibFromKib } from '../../src/units.ts';

type VectorFlavor = { vcpus: number; ram: number; es: Record<string, string> };
type VectorTopology = {
  cells: { id: number; vcpus: string; pcpus: string; mem: number; ps: number | null }[];
  policy: GuestTopology['cpuPolicy'];
  thread: GuestTopology['threadPolicy'];
  emu: GuestTopology['emulatorPolicy'];
};
export type VectorRequest = { flavor: VectorFlavor; image?: Record<string, string> };
export type ConstraintVector = VectorRequest & { i: number; err?: string; out?: VectorTopology | null };

export type VectorHostCell = {
  id: number;
  cpuset: string;
  pcpuset: string;
  pinned: string;
  sib: string;
  mem: number;
  memUsed: number;
  cpuUsed: number;
  pages: [size: number, total: number, used: number, reserved: number][];
};
export type VectorAnswer =
  | { h: number[]; ps: (number | null)[]; pin?: [number, number][][]; res?: number[][] }
  | { err: string }
  | null;
export type FitVector = VectorRequest &
  VectorTopology & {
    i: number;
    host: VectorHostCell[];
    limits: [number, number] | null;
    pack: boolean;
    ord: number[];
    m: (number | string)[][];
    nova: VectorAnswer;
    q?: string;
    pure?: VectorAnswer;
  };
export type VectorCellUsage = [memUsed: number, cpuUsed: number, pinned: string, pages: number[]];
export type UsageStep =
  | (VectorRequest & { n: number; fit: VectorAnswer; after?: VectorCellUsage[] })
  | { free: number; after: VectorCellUsage[] };
export type UsageVector = {
  i: number;
  host: VectorHostCell[];
  limits: [number, number] | null;
  pack: boolean;
  steps: UsageStep[];
};
export type BenchCase = VectorRequest &
  VectorTopology & { name: string; host: VectorHostCell[]; limits: [number, number] };

const WISHES: Readonly<Record<number, PageSizeWish>> = { [-1]: 'small', [-2]: 'large', [-3]: 'any' };

/** The vectors of a file of ours, or of another one of the same format. */
export function readVectors<T>(name: string, otherFile?: string): T[] {
  const file: { vectors: T[] } = JSON.parse(readFileSync(otherFile ?? vectorFile(name), 'utf8'));
  return file.vectors;
}

export function readBenchCases(): BenchCase[] {
  const cases: BenchCase[] = JSON.parse(readFileSync(vectorFile('bench_cases.json'), 'utf8'));
  return cases;
}

export function vectorFile(name: string): string {
  return join(import.meta.dirname, '../vectors/nova-numa', name);
}

export function cpus(text: string): CpuSet {
  return expand(parseCpuRanges(text) ?? []);
}

export function flavorOf({ vcpus, ram, es }: VectorFlavor): FlavorRequest {
  return { vcpus, memoryMib: ram, extraSpecs: es };
}

export function topologyOf(vector: VectorTopology): GuestTopology {
  return {
    cells: vector.cells.map(({ id, vcpus, pcpus, mem, ps }) => ({
      id,
      sharedVcpus: cpus(vcpus),
      dedicatedVcpus: cpus(pcpus),
      memoryKib: kibFromMib(mem),
      pageSize: ps === null ? null : (WISHES[ps] ?? ps),
    })),
    cpuPolicy: vector.policy,
    threadPolicy: vector.thread,
    emulatorPolicy: vector.emu,
  };
}

export function hostOf(cells: readonly VectorHostCell[]): HostCell[] {
  return cells.map((cell) => ({
    id: cell.id,
    sharedCpus: cpus(cell.cpuset),
    pinnableCpus: cpus(cell.pcpuset),
    pinnedCpus: cpus(cell.pinned),
    siblings: cell.sib === '' ? [] : cell.sib.split(';').map(cpus),
    memoryKib: kibFromMib(cell.mem),
    memoryUsedKib: kibFromMib(cell.memUsed),
    cpusUsed: cell.cpuUsed,
    pools: cell.pages.map(([sizeKib, total, used, reserved]) => ({ sizeKib, total, used, reserved })),
  }));
}

export function limitsOf(limits: [number, number] | null): FitLimits | null {
  return limits === null ? null : { cpuRatio: limits[0], ramRatio: limits[1] };
}

export function targetOf(vector: FitVector): VectorAnswer {
  return vector.q === undefined ? vector.nova : (vector.pure ?? null);
}

/** A request's answer in the files' words. */
export function constraintAnswer(result: GuestRequestResult): Pick<ConstraintVector, 'err' | 'out'> {
  if (!result.ok) return { err: errorName(result.errors[0]) };
  const { topology } = result.request;
  if (topology === null) return { out: null };
  const cells = topology.cells.map(({ id, sharedVcpus, dedicatedVcpus, memoryKib, pageSize }) => ({
    id,
    vcpus: formatCpuSet(sharedVcpus),
    pcpus: formatCpuSet(dedicatedVcpus),
    mem: mibFromKib(memoryKib),
    ps: typeof pageSize === 'string' ? -(['small', 'large', 'any'].indexOf(pageSize) + 1) : pageSize,
  }));
  return { out: { cells, policy: topology.cpuPolicy, thread: topology.threadPolicy, emu: topology.emulatorPolicy } };
}

/** A fit's answer in the files' words, which leave out what is empty. */
export function fitAnswer(result: FitResult): VectorAnswer {
  return result.fits ? placementAnswer(result.placement) : null;
}

export function matrixAnswer(matrix: FitMatrix): (number | string)[][] {
  return matrix.map(({ verdicts }) => verdicts.map(verdictAnswer));
}

export function usageAnswer(host: readonly HostCell[]): VectorCellUsage[] {
  return host.map((cell) => [
    mibFromKib(cell.memoryUsedKib),
    cell.cpusUsed,
    formatCpuSet(cell.pinnedCpus),
    cell.pools.map((pool) => pool.used),
  ]);
}

/** Freezes a value and all that is in it: whoever changes it throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

/** The files say `image:` of what fails before any rule is looked at. A realtime mask of an image is read by a rule. */
function errorName(error: RequestError | undefined): string {
  const decoding =
    (error?.errorClass === 'ValueError' || error?.errorClass === 'Invalid') &&
    error.field.startsWith('hw_') &&
    error.field !== 'hw_cpu_realtime_mask';
  return `${decoding ? 'image:' : ''}${error?.errorClass}`;
}

function placementAnswer(placement: Placement): VectorAnswer {
  const pinned = placement.some(({ pins }) => pins.length > 0);
  const reserved = placement.some(({ reservedCpus }) => reservedCpus.length > 0);
  return {
    h: placement.map(({ hostCell }) => hostCell),
    ps: placement.map(({ pageSizeKib }) => pageSizeKib),
    ...(pinned ? { pin: placement.map(({ pins }) => pins.map(({ vcpu, cpu }): [number, number] => [vcpu, cpu])) } : {}),
    ...(reserved ? { res: placement.map(({ reservedCpus }) => [...reservedCpus]) } : {}),
  };
}

/** What Nova crashes on is a refusal here. */
function verdictAnswer(verdict: PairVerdict): number | string {
  if (verdict.accepted) return verdict.pageSizeKib ?? 0;
  const { reason } = verdict;
  return reason.code === 'pack' && reason.obstacle === 'no-cores-known' ? '!ValueError' : reason.code;
}
