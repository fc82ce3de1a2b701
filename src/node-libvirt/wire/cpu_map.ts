/**
 * Sets of CPUs (cpumaps): a bit per CPU, the lowest CPU in the lowest bit of the first byte. People think of CPUs as
 * numbers, so here a set is the list of its CPUs, in order.
 */
import { ProtocolError } from '../errors.ts';
import { defaulting, int, opaque, type Type } from './xdr.ts';

/** REMOTE_CPUMAP_MAX, in bytes. */
const CPUMAP_MAX = 2048;
/** REMOTE_CPUMAPS_MAX, in bytes: the maps of several CPUs in a row. */
const CPUMAPS_MAX = 8_388_608;
/** Above any host of today; a map of them is 256 bytes. */
const HOST_CPUS = 2048;

const bytes = opaque(CPUMAP_MAX);

/** One set. libvirt takes the CPUs beyond a map's end as not set, so the shortest map does. */
export const cpuMap: Type<readonly number[]> = {
  minSize: 4,
  ts: 'readonly number[]',
  encode: (writer, cpus) => {
    const last = CPUMAP_MAX * 8 - 1;
    for (const cpu of cpus)
      if (!Number.isInteger(cpu) || cpu < 0 || cpu > last) writer.refuse(`numbers of CPUs from 0 to ${last}`, cpu);
    const map = Buffer.alloc(cpuMapLength(Math.max(-1, ...cpus) + 1));
    for (const cpu of cpus) map[cpu >> 3] = (map[cpu >> 3] ?? 0) | (1 << (cpu & 7));
    bytes.encode(writer, map);
  },
  decode: (reader) => cpusOf(bytes.decode(reader)),
};

/** Several sets, each as long as was asked; see {@link cpuMapRows}. */
export const cpuMaps: Type<Buffer> = opaque(CPUMAPS_MAX);

/** How long a map to answer with: travels in bytes and is asked for in CPUs. */
export const hostCpus: Type<number> = defaulting(
  {
    ...int,
    encode: (writer, count) => int.encode(writer, cpuMapLength(count)),
    decode: (reader) => int.decode(reader) * 8,
  },
  HOST_CPUS,
);

/** The CPUs of a map. */
export function cpusOf(map: Uint8Array): number[] {
  return Array.from({ length: map.length * 8 }, (_, cpu) => cpu).filter(
    (cpu) => ((map[cpu >> 3] ?? 0) & (1 << (cpu & 7))) !== 0,
  );
}

/** The first `count` sets of maps that were asked for `hostCpuCount` CPUs each. */
export function cpuMapRows(maps: Buffer, count: number, hostCpuCount: number): number[][] {
  const length = cpuMapLength(hostCpuCount);
  if (length === 0) return [];
  // The count is a claim of the peer's: rows that did not come are not made up, 2^31 of them least of all.
  if (count < 0 || count * length > maps.length)
    throw new ProtocolError(`${maps.length} bytes for ${count} CPU maps of ${length} bytes`);
  return Array.from({ length: count }, (_, row) => cpusOf(maps.subarray(row * length, (row + 1) * length)));
}

/** In bytes. */
function cpuMapLength(cpuCount: number): number {
  return Math.ceil(cpuCount / 8);
}
