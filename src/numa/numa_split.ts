/**
 * How a guest is split into cells: `hw:numa_nodes` of equal parts, or cell by cell in `hw:numa_cpus.N` and
 * `hw:numa_mem.N`. A value is null where nothing is asked for, and undefined where it cannot be known because of an
 * error that was noted.
 */
import { firstCpus, formatCpuSet, type CpuRange, type CpuSet } from './cpu_set.ts';
import { readCpuLists, readMemoryList, type DecodedImage } from './image_properties.ts';
import type { RequestReading } from './request_errors.ts';

const NODES = 'hw:numa_nodes';
const CPUS = 'hw:numa_cpus';
const MEMORY = 'hw:numa_mem';

/** One guest cell before anybody asks which of its vCPUs are dedicated. */
export type CellShare = { readonly vcpus: CpuSet; readonly memoryMib: number };

export function readNumaNodes(reading: RequestReading, image: DecodedImage): number | null | undefined {
  const flavor = reading.setText(NODES);
  if (flavor === undefined) {
    if (typeof image.numaNodes !== 'number' || image.numaNodes >= 1) return image.numaNodes;
    return reading.refuse('InvalidNUMANodesNumber', 'hw_numa_nodes', 'must be a whole number from 1');
  }
  if (typeof image.numaNodes === 'number' && image.numaNodes !== 0) {
    return reading.refuse('ImageNUMATopologyForbidden', 'hw_numa_nodes', `the flavor has ${NODES} already`);
  }
  // Stricter than other numbers: no blanks, no sign, no leading zero.
  if (/^[1-9]\d{0,8}$/.test(flavor)) return Number(flavor);
  return reading.refuse('InvalidNUMANodesNumber', NODES, 'must be a whole number from 1');
}

/**
 * Splits the guest.
 * @param nodes as readNumaNodes has it; where it is not known, what does not depend on it is checked all the same.
 * @returns undefined where the split is wrong.
 */
export function readShares(
  reading: RequestReading,
  image: DecodedImage,
  nodes: number | null | undefined,
): readonly CellShare[] | undefined {
  const cpus = oneOf(reading, CPUS, readCpuLists(reading, CPUS), image.numaCpus);
  const memory = oneOf(reading, MEMORY, readMemoryList(reading, MEMORY), image.numaMemoryMib);
  if (cpus === undefined || memory === undefined) return undefined;
  if (cpus === null && memory === null) return nodes === undefined ? undefined : splitEvenly(reading, nodes ?? 1);
  const incomplete = incompleteRule(cpus?.length ?? 0, memory?.length ?? 0, nodes);
  if (incomplete !== undefined) {
    const field = `${cpus === null ? MEMORY : CPUS}.0`;
    return reading.refuse('ImageNUMATopologyIncomplete', inSource(reading, field), incomplete);
  }
  return splitAsListed(reading, cpus ?? [], memory ?? []);
}

/** The list of the flavor or of the image; both of them having one is an error. */
function oneOf<T>(
  reading: RequestReading,
  field: string,
  flavor: readonly T[] | null | undefined,
  image: readonly T[] | null | undefined,
): readonly T[] | null | undefined {
  if (flavor === undefined || image === undefined) return undefined;
  if (flavor === null || image === null) return flavor ?? image;
  return reading.refuse('ImageNUMATopologyForbidden', imageName(`${field}.0`), `the flavor has ${field}.0 already`);
}

function incompleteRule(cpus: number, memory: number, nodes: number | null | undefined): string | undefined {
  if (nodes === undefined) return cpus > 0 && memory > 0 ? undefined : `${CPUS}.N and ${MEMORY}.N come together`;
  const expected = nodes ?? 1;
  if (cpus === expected && memory === expected) return undefined;
  return `${expected} cells need ${CPUS}.N and ${MEMORY}.N for each of them without a gap, there are ${cpus} and ${memory}`;
}

function splitEvenly(reading: RequestReading, nodes: number): readonly CellShare[] | undefined {
  const { vcpus, memoryMib } = reading;
  if (vcpus % nodes !== 0 || memoryMib % nodes !== 0) {
    const rule = `${vcpus} vCPUs and ${memoryMib} MiB cannot be split evenly over ${nodes} cells`;
    return reading.refuse('ImageNUMATopologyAsymmetric', inSource(reading, NODES), rule);
  }
  const each = vcpus / nodes;
  return Array.from({ length: nodes }, (_, cell) => ({
    vcpus: firstCpus(each).map((nth) => cell * each + nth),
    memoryMib: memoryMib / nodes,
  }));
}

function splitAsListed(
  reading: RequestReading,
  cpus: readonly (readonly CpuRange[])[],
  memory: readonly number[],
): readonly CellShare[] | undefined {
  const errorsBefore = reading.errors.length;
  const cellOf = new Map<number, number>();
  const shares = cpus.map((ranges, cell) => ({
    vcpus: idsOfCell(reading, ranges, cell, cellOf),
    memoryMib: memory[cell] ?? 0,
  }));
  const left = firstCpus(reading.vcpus).filter((id) => !cellOf.has(id));
  // Ids that were left out because of an error above are not told a second time.
  if (left.length > 0 && reading.errors.length === errorsBefore) {
    const rule = `vCPUs ${formatCpuSet(left)} are in no cell`;
    reading.refuse('ImageNUMATopologyCPUsUnassigned', inSource(reading, `${CPUS}.0`), rule);
  }
  const sum = memory.reduce((total, part) => total + part, 0);
  if (sum !== reading.memoryMib) {
    const rule = `the cells have ${sum} MiB together, the flavor ${reading.memoryMib}`;
    reading.refuse('ImageNUMATopologyMemoryOutOfRange', inSource(reading, `${MEMORY}.0`), rule);
  }
  return reading.errors.length === errorsBefore ? shares : undefined;
}

/** Walks the ids of one cell upwards, and no further than the flavor has vCPUs. */
function idsOfCell(
  reading: RequestReading,
  ranges: readonly CpuRange[],
  cell: number,
  cellOf: Map<number, number>,
): CpuSet {
  const field = inSource(reading, `${CPUS}.${cell}`);
  const ids: number[] = [];
  for (const { first, last } of ranges) {
    for (let id = first; id <= last; id += 1) {
      if (id >= reading.vcpus) {
        const rule = `names vCPU ${id}, the flavor has 0 to ${reading.vcpus - 1}`;
        reading.refuse('ImageNUMATopologyCPUOutOfRange', field, rule);
        return ids;
      }
      const other = cellOf.get(id);
      if (other === undefined) {
        cellOf.set(id, cell);
        ids.push(id);
      } else {
        reading.refuse('ImageNUMATopologyCPUDuplicates', field, `vCPU ${id} is in cell ${other} already`);
      }
    }
  }
  return ids;
}

/** The name of the same thing in the flavor or, where only the image has it, in the image. */
function inSource(reading: RequestReading, field: string): string {
  const inImage = reading.text(field) === undefined && reading.text(imageName(field)) !== undefined;
  return inImage ? imageName(field) : field;
}

function imageName(field: string): string {
  return field.replace('hw:', 'hw_');
}
