/** What a start that failed means to the caller; its cause is for the log. */
import { pagesOfSize, type HostMemory } from '../admission/host_memory.ts';
import { ComputeError } from '../errors.ts';
import { pagesOf } from '../admission/placement.ts';
import type { Instance } from '../instance.ts';
import { describeKib } from '../units.ts';

/**
 * QEMU's own words where a pool has too few pages (QEMU 7.2, seen on a host of four nodes): at the mapping where the
 * whole pool is too small, at the preallocation where only the node is.
 */
const OUT_OF_PAGES = /unable to map backing store for guest RAM|preallocating memory failed/;

/**
 * The error for the caller: a refusal with numbers where the pages that were free at the claim had been taken by somebody
 * else at the start, else InstanceSpawnFailed with libvirt's text.
 * @param readHost asked only for the numbers; where it fails they are left out.
 */
export async function spawnError(
  error: unknown,
  instance: Instance,
  readHost: () => Promise<HostMemory>,
): Promise<ComputeError> {
  if (error instanceof ComputeError && error.errorClass !== 'HypervisorError') return error;
  const reason = error instanceof Error ? error.message : String(error);
  if (OUT_OF_PAGES.test(reason)) return pagesVanished(instance, await readHost().catch(() => undefined), error);
  const details = error instanceof ComputeError ? error.details : {};
  return new ComputeError('InstanceSpawnFailed', `the guest could not be started: ${reason}`, details, error);
}

function pagesVanished({ placement }: Instance, host: HostMemory | undefined, cause: unknown): ComputeError {
  const cells = pagesOf(placement).map(({ node, pageSizeKib, pages }) => {
    const cell = host?.cells.find((candidate) => candidate.node === node);
    return { node, pageSizeKib, needed: pages, free: cell === undefined ? null : pagesOfSize(cell.free, pageSizeKib) };
  });
  const sentences = cells.map(
    ({ node, pageSizeKib, needed, free }) =>
      `node ${node}: ${needed} pages of ${describeKib(pageSizeKib)} needed, ${free ?? 'an unknown number'} free now`,
  );
  const message = `Insufficient compute resources: pages that were free at the claim were gone at the start: ${sentences.join('; ')}`;
  return new ComputeError(
    'ComputeResourcesUnavailable',
    message,
    { refusal: { reason: 'pages-vanished', cells } },
    cause,
  );
}
