/** Hosts for the tests of admission: small, and told by what they have free. */
import { ClaimLedger } from '../../src/admission/claims.ts';
import { HostAccount } from '../../src/admission/host_cells.ts';
import type { HostMemory, NodePages } from '../../src/admission/host_memory.ts';
import type { PlacementRequest } from '../../src/admission/request.ts';
import { DEFAULT_RULES, type AdmissionRules } from '../../src/admission/rules.ts';
import type { PageSizeWish } from '../../src/numa/memory_backing.ts';
import { placedCell } from '../domain/instances.ts';

export const MIB_2 = 2048;
export const GIB_1 = 1048576;

/** One node per entry, with that many free 2 MiB pages (and 4 KiB and 1 GiB pools), two cores of two threads each. */
export function hostOf(free2M: readonly number[], extra: { free1G?: number[]; promised2M?: number } = {}): HostMemory {
  return {
    cells: free2M.map((pages, node) => ({
      node,
      cpus: [0, 1, 2, 3].map((cpu) => node * 4 + cpu),
      siblings: [
        [0, 1],
        [2, 3],
      ].map((core) => core.map((cpu) => node * 4 + cpu)),
      memoryKib: 4_000_000 + 4096 * MIB_2 + 4 * GIB_1,
      free: [
        { pageSizeKib: 4, pages: 1_000_000, total: 1_000_000 },
        { pageSizeKib: MIB_2, pages, total: 4096 },
        { pageSizeKib: GIB_1, pages: extra.free1G?.[node] ?? 0, total: 4 },
      ],
    })),
    promised: [{ pageSizeKib: MIB_2, pages: extra.promised2M ?? 0 }],
    availableKib: 8 * GIB_1,
    guests: [],
  };
}

/** The host with these pages claimed, under these rules. */
export function accountOf(
  host: HostMemory,
  claimed: readonly NodePages[] = [],
  rules: Partial<AdmissionRules> = {},
): HostAccount {
  const ledger = new ClaimLedger();
  for (const pages of claimed) ledger.add({ instanceUuid: `claim ${pages.node}`, projectId: 'p' }, [placedCell(pages)]);
  return new HostAccount(host, { ...DEFAULT_RULES, ...rules }, ledger.unsettled(), true);
}

/** Guest cells of so many 2 MiB pages each. */
export function guestOf(pagesPerCell: number, cells = 1, pageSize: PageSizeWish = 'large'): PlacementRequest {
  return {
    memoryMode: null,
    topology: {
      cells: Array.from({ length: cells }, (_, id) => ({
        id,
        sharedVcpus: [id],
        dedicatedVcpus: [],
        memoryKib: pagesPerCell * MIB_2,
        pageSize,
      })),
      cpuPolicy: null,
      threadPolicy: null,
      emulatorPolicy: null,
    },
    realtimeVcpus: [],
    lockedMemory: false,
  };
}

/** What is claimed the kernel still has, what is held it has not: in this the two differ by their nature. */
export function withoutSetAside(account: HostAccount) {
  return account.cells().map((cell) => ({ ...cell, pools: cell.pools.map((pool) => ({ ...pool, setAside: null })) }));
}
