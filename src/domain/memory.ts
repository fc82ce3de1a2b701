/** The elements that decide where a guest's memory and CPUs are: the reason why hugenode exists. Pure. */
import type { Placement } from '../admission/fit.ts';
import type { DomainSpec, XmlFragment } from './spec.ts';

/**
 * Each huge guest cell names its page size. Allocation is immediate: a short pool must fail the start, never the
 * running guest (libvirt passes QEMU prealloc=on).
 */
export function memoryBacking(spec: DomainSpec): XmlFragment {
  const page = spec.instance.placement
    .filter((cell) => isHuge(spec, cell.pageSizeKib))
    .map((cell) => ({ '@size': cell.pageSizeKib, '@unit': 'KiB', '@nodeset': cell.guestCell }));
  const allocation = { '@mode': 'immediate' };
  return page.length > 0 ? { hugepages: { page }, allocation } : { allocation };
}

/** Strict: memory comes from the chosen node or the start fails. */
export function numaTune(placement: Placement): XmlFragment {
  return {
    memory: { '@mode': 'strict', '@nodeset': ranges(placement.map((cell) => cell.node)) },
    memnode: placement.map((cell) => ({ '@cellid': cell.guestCell, '@mode': 'strict', '@nodeset': cell.node })),
  };
}

/** vCPUs stay on the node of their cell's memory; QEMU's own threads on any of the guest's nodes. */
export function cpuTune(spec: DomainSpec): XmlFragment {
  const cpusOf = (node: number) => spec.nodeCpus.get(node) ?? [];
  const { placement } = spec.instance;
  return {
    vcpupin: placement.flatMap((cell) =>
      cell.vcpus.map((vcpu) => ({ '@vcpu': vcpu, '@cpuset': ranges(cpusOf(cell.node)) })),
    ),
    emulatorpin: { '@cpuset': ranges(placement.flatMap((cell) => cpusOf(cell.node))) },
  };
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
