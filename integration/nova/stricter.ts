/**
 * What Nova takes for a request and we refuse, on purpose: amounts below nothing. A negative `hw:numa_mem.N` lowers what
 * the host has in use, and a negative page size is a size that no host has, but for `-1KB`, `-2KB` and `-3KB`, which are
 * by chance Nova's own numbers for small, large and any.
 */
import type { VectorRequest } from '../../test/numa/vector_files.ts';
import type { ConstraintAnswer } from './nova_oracle.ts';

/** Whether our answer is the refusal of an amount below nothing. */
export function refusesNegative({ flavor, image = {} }: VectorRequest, ours: ConstraintAnswer): boolean {
  const texts = [...Object.entries(flavor.es), ...Object.entries(image)];
  const negative = (name: RegExp) => texts.some(([key, text]) => name.test(key) && /^\s*-\d/.test(text));
  if (ours.err === 'MemoryPageSizeInvalid') return negative(/^hw[:_]mem_page_size$/);
  return (ours.err === 'ValueError' || ours.err === 'image:ValueError') && negative(/^hw[:_]numa_mem\.\d+$/);
}
