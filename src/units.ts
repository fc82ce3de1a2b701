/**
 * Memory is KiB inside hugenode and MiB at its API, as Nova has it; pages are always a count beside a page size in
 * KiB. These are the only conversions, so that no room multiplies by 1024 on its own.
 */

const KIB_PER_MIB = 1024;

/** MiB (the API's unit) to KiB (ours). */
export function kibFromMib(memoryMib: number): number {
  return memoryMib * KIB_PER_MIB;
}

/** KiB to MiB; fractions are kept, because a sample's volume has them. */
export function mibFromKib(memoryKib: number): number {
  return memoryKib / KIB_PER_MIB;
}

/** KiB to bytes, where others count in bytes (Prometheus). */
export function bytesFromKib(memoryKib: number): number {
  return memoryKib * 1024;
}

/** How many pages of that size hold this much memory, or undefined where it is no whole number of pages. */
export function wholePages(memoryKib: number, pageSizeKib: number): number | undefined {
  return memoryKib % pageSizeKib === 0 ? memoryKib / pageSizeKib : undefined;
}

const BINARY_STEPS = [
  { kib: 1024 * 1024, name: 'GiB' },
  { kib: 1024, name: 'MiB' },
] as const;

/** A page size or an amount for people: `2 MiB`, `1 GiB`, `4 KiB`, `1.5 GiB`. */
export function describeKib(kib: number): string {
  const step = BINARY_STEPS.find((candidate) => kib >= candidate.kib) ?? { kib: 1, name: 'KiB' };
  return `${Number((kib / step.kib).toFixed(2))} ${step.name}`;
}

/** An ISO time in UTC as Python's isoformat writes a naive one: without zone, six digits of a second. */
export function withoutZone(iso: string): string {
  return iso.replace('Z', '000');
}
