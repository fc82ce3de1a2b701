/** Hosts for the tests of admission: small, and told by what they have free. */
import type { HostMemory } from '../../src/admission/host_memory.ts';
import type { PlacementRequest } from '../../src/admission/request.ts';

export const MIB_2 = 2048;
export const GIB_1 = 1048576;

/** One node per entry, with that many free 2 MiB pages (and 4 KiB and 1 GiB pools), 4 CPUs each. */
export function hostOf(free2M: readonly number[], extra: { free1G?: number[]; promised2M?: number } = {}): HostMemory {
  return {
    cells: free2M.map((pages, node) => ({
      node,
      cpus: [0, 1, 2, 3].map((cpu) => node * 4 + cpu),
      free: [
        { pageSizeKib: 4, pages: 1_000_000 },
        { pageSizeKib: MIB_2, pages },
        { pageSizeKib: GIB_1, pages: extra.free1G?.[node] ?? 0 },
      ],
    })),
    promised: [{ pageSizeKib: MIB_2, pages: extra.promised2M ?? 0 }],
  };
}

/** Guest cells of so many 2 MiB pages each. */
export function guestOf(
  pagesPerCell: number,
  cells = 1,
  pageSize: PlacementRequest['pageSize'] = { kind: 'large' },
): PlacementRequest {
  return {
    pageSize,
    cells: Array.from({ length: cells }, (_, id) => ({ id, vcpus: [id], memoryKib: pagesPerCell * MIB_2 })),
  };
}
