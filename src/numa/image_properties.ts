/**
 * The image properties that shape a guest, decoded. Nova decodes an image before it looks at any rule, so these errors
 * come first. A property is undefined where its text could not be read, and null where it is not set.
 */
import { CPU_POLICIES, THREAD_POLICIES, type CpuPolicy, type ThreadPolicy } from './cpu_policy.ts';
import { parseCpuRanges, type CpuRange } from './cpu_set.ts';
import type { RequestReading } from './request_errors.ts';
import { isSwitchedOn, readWholeNumber } from './spelling.ts';

export type DecodedImage = {
  readonly cpuPolicy: CpuPolicy | null | undefined;
  readonly threadPolicy: ThreadPolicy | null | undefined;
  readonly lockedMemory: boolean | null;
  readonly numaNodes: number | null | undefined;
  readonly numaCpus: readonly (readonly CpuRange[])[] | null | undefined;
  readonly numaMemoryMib: readonly number[] | null | undefined;
};

export function decodeImage(reading: RequestReading): DecodedImage {
  const locked = reading.text('hw_locked_memory');
  return {
    cpuPolicy: readWord(reading, 'hw_cpu_policy', CPU_POLICIES),
    threadPolicy: readWord(reading, 'hw_cpu_thread_policy', THREAD_POLICIES),
    lockedMemory: locked === undefined ? null : isSwitchedOn(locked),
    numaNodes: readNumaNodes(reading),
    numaCpus: readCpuLists(reading, 'hw_numa_cpus'),
    numaMemoryMib: readMemoryList(reading, 'hw_numa_mem'),
  };
}

/**
 * Reads `<field>.0`, `<field>.1`, ... up to the first gap as CPU lists, from an image or a flavor.
 * @returns null where there is no such field, undefined where one cannot be read.
 */
export function readCpuLists(reading: RequestReading, field: string): (readonly CpuRange[])[] | null | undefined {
  return readList(reading, field, (name, text) => {
    return parseCpuRanges(text) ?? reading.refuse('Invalid', name, 'is no list of CPUs such as 0-3,8,^2');
  });
}

/**
 * Reads `<field>.0`, `<field>.1`, ... up to the first gap as MiB. Nova would take a negative amount, and then subtract
 * it from what the host has in use; here it is no amount of memory.
 */
export function readMemoryList(reading: RequestReading, field: string): number[] | null | undefined {
  return readList(reading, field, (name, text) => {
    const memoryMib = readWholeNumber(text);
    if (memoryMib !== undefined && memoryMib >= 0) return memoryMib;
    return reading.refuse('ValueError', name, 'is no whole number of MiB');
  });
}

function readList<T>(
  reading: RequestReading,
  field: string,
  read: (name: string, text: string) => T | undefined,
): T[] | null | undefined {
  const values: T[] = [];
  let allRead = true;
  for (let cell = 0; ; cell += 1) {
    const name = `${field}.${cell}`;
    const text = reading.text(name);
    if (text === undefined) break;
    const value = read(name, text);
    if (value === undefined) allRead = false;
    else values.push(value);
  }
  if (!allRead) return undefined;
  return values.length > 0 ? values : null;
}

function readWord<T extends string>(reading: RequestReading, field: string, words: readonly T[]): T | null | undefined {
  const text = reading.text(field);
  if (text === undefined) return null;
  const word = words.find((candidate) => candidate === text);
  return word ?? reading.refuse('ValueError', field, `is not one of ${words.join(', ')}`);
}

function readNumaNodes(reading: RequestReading): number | null | undefined {
  const text = reading.text('hw_numa_nodes');
  if (text === undefined) return null;
  return readWholeNumber(text) ?? reading.refuse('ValueError', 'hw_numa_nodes', 'is no whole number');
}
