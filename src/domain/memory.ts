/** The elements that decide where a guest's memory and CPUs are: the reason why hugenode exists. Pure. */
import { isSplit, type PlacedCell, type Placement } from '../admission/placement.ts';
import type { MemoryMode } from '../numa/pages.ts';
import type { DomainSpec, XmlFragment } from './spec.ts';

/**
 * Each huge guest cell names its page size. Allocation is immediate: a short pool must fail the start, never the
 * running guest (libvirt passes QEMU prealloc=on).
 */
export function memoryBacking(spec: DomainSpec): XmlFragment {
  const page = spec.instance.placement
    .filter((cell) => isHuge(spec, cell.pageSizeKib))
    .map((cell) => ({ '@size': cell.pageSizeKib, '@unit': 'KiB', '@nodeset': cell.guestCell }));
  const { realtimeVcpus, lockedMemory } = spec.instance.tuning;
  const isRealtime = realtimeVcpus.length > 0;
  return {
    ...(page.length > 0 ? { hugepages: { page } } : {}),
    // A realtime vCPU must not wait for a page to come back, nor for one to be copied.
    ...(isRealtime ? { nosharepages: '' } : {}),
    ...(isRealtime || lockedMemory ? { locked: '' } : {}),
    allocation: { '@mode': 'immediate' },
  };
}

/**
 * Strict: memory comes from the chosen node or the start fails. A guest that is split starts at its nodes, and QEMU's own
 * memory is then bound to none: `<memory>` would confine the whole process to a set of nodes.
 */
export function numaTune(placement: Placement): XmlFragment {
  if (isSplit(placement)) return { memnode: memnodes(placement, 'preferred') };
  return {
    memory: { '@mode': 'strict', '@nodeset': ranges(placement.map((cell) => cell.node)) },
    memnode: memnodes(placement, 'strict'),
  };
}

function memnodes(placement: Placement, mode: MemoryMode): readonly XmlFragment[] {
  return placement.map((cell) => ({ '@cellid': cell.guestCell, '@mode': mode, '@nodeset': cell.node }));
}

/**
 * Each vCPU on the CPU that is its own, or on the shared CPUs of the node where its memory is. QEMU's own threads where
 * Nova has them: on a CPU of their own, on the shared set, or beside the vCPUs that are not realtime.
 */
export function cpuTune(spec: DomainSpec): XmlFragment {
  const { placement, tuning } = spec.instance;
  const vcpus = placement
    .flatMap((cell) => cell.vcpus.map((vcpu) => ({ vcpu, cpus: cpusOf(cell, vcpu) })))
    .toSorted((a, b) => a.vcpu - b.vcpu);
  const { realtimeVcpus } = tuning;
  return {
    vcpupin: vcpus.map(({ vcpu, cpus }) => ({ '@vcpu': vcpu, '@cpuset': ranges(cpus) })),
    emulatorpin: { '@cpuset': ranges(emulatorCpus(spec, vcpus)) },
    ...(realtimeVcpus.length === 0
      ? {}
      : { vcpusched: { '@vcpus': ranges(realtimeVcpus), '@scheduler': 'fifo', '@priority': 1 } }),
  };
}

type VcpuCpus = { readonly vcpu: number; readonly cpus: readonly number[] };

function cpusOf(cell: PlacedCell, vcpu: number): readonly number[] {
  const pin = cell.pins.find((candidate) => candidate.vcpu === vcpu);
  return pin === undefined ? cell.sharedCpus : [pin.cpu];
}

function emulatorCpus({ instance, cpuSharedSet }: DomainSpec, vcpus: readonly VcpuCpus[]): readonly number[] {
  const { placement, tuning } = instance;
  const reserved = placement.flatMap((cell) => cell.emulatorCpus);
  if (reserved.length > 0) return reserved;
  if (tuning.emulatorPolicy === 'share' && cpuSharedSet !== null) return cpuSharedSet;
  const ordinary = vcpus.filter(({ vcpu }) => !tuning.realtimeVcpus.includes(vcpu));
  return (ordinary.length > 0 ? ordinary : vcpus).flatMap(({ cpus }) => cpus);
}

/** Guest NUMA cells. Huge cells are shared mappings, as Nova has them, so that vhost-user devices can map them. */
export function cpu(spec: DomainSpec): XmlFragment {
  const { placement, flavor } = spec.instance;
  const anyHuge = placement.some((cell) => isHuge(spec, cell.pageSizeKib));
  const cell = placement.map((placed) => ({
    '@id': placed.guestCell,
    '@cpus': ranges(placed.vcpus),
    '@memory': placed.memoryKib,
    '@unit': 'KiB',
    ...(anyHuge ? { '@memAccess': 'shared' } : {}),
  }));
  return {
    // An emulated CPU has no host model to follow.
    ...(spec.virtType === 'kvm' ? { '@mode': 'host-model' } : {}),
    topology: { '@sockets': flavor.vcpus, '@cores': 1, '@threads': 1 },
    numa: { cell },
  };
}

function isHuge(spec: DomainSpec, pageSizeKib: number): boolean {
  return pageSizeKib > spec.basePageSizeKib;
}

/** Numbers in libvirt's set notation: `0-3,8`. */
export function ranges(numbers: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const number of [...new Set(numbers)].toSorted((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === number - 1) run[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}
