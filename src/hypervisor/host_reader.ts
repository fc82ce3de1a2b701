/** Reads the host: its nodes once, its free pages whenever asked. */
import type { FreePool, HostMemory, NodePages } from '../admission/host_memory.ts';
import { readTopology, type HostTopology } from '../domain/read.ts';
import { readAvailable, readReclaimable } from '../host/node_memory.ts';
import { readPromisedPages } from '../host/promised_pages.ts';
import type { LibvirtLink } from './libvirt_link.ts';

export type Topology = HostTopology & { readonly basePageSizeKib: number };

export class HostReader {
  readonly #link: LibvirtLink;
  readonly #isLocal: boolean;
  #topology: Promise<Topology> | undefined;

  /** `isLocal`: the host is this machine, so its kernel can be asked for what libvirt does not tell. */
  constructor(link: LibvirtLink, isLocal: boolean) {
    this.#link = link;
    this.#isLocal = isLocal;
  }

  /** Nodes, CPUs, page sizes and domain types, as they were when first asked. */
  async topology(): Promise<Topology> {
    this.#topology ??= this.#readTopology().catch((error: unknown) => {
      this.#topology = undefined;
      throw error;
    });
    return this.#topology;
  }

  /** Free pages per node (virNodeGetFreePages) and, where this is the host, promised pages, as of now. */
  async memory(): Promise<Omit<HostMemory, 'guests'>> {
    const { nodes, basePageSizeKib } = await this.topology();
    // Before the free pages: a promised page that is touched in between is then missed in both, and counted as free in
    // neither. The other way round it would be free and no longer promised: a page too many.
    const promised = this.#isLocal ? readPromisedPages() : [];
    // Page cache that is dropped between these readings counts twice; the floor of available memory bounds that.
    const availableKib = this.#isLocal ? readAvailable() : null;
    const reclaimable = this.#isLocal ? readReclaimable() : new Map<number, number>();
    const free = await Promise.all(freePagesCalls(nodes).map((call) => this.#freePages(call)));
    const freeOf = new Map(free.flat());
    const cells = nodes.map(({ node, cpus, siblings, memoryKib, pools }) => {
      const totalOf = (sizeKib: number) => pools.find((pool) => pool.pageSizeKib === sizeKib)?.totalPages ?? 0;
      const cachePages = Math.floor((reclaimable.get(node) ?? 0) / basePageSizeKib);
      const pagesFree = (freeOf.get(node) ?? []).map(({ pageSizeKib, pages }): FreePool => {
        const total = totalOf(pageSizeKib);
        // Base pages: what the kernel would give up for a guest counts as free.
        return {
          pageSizeKib,
          pages: pageSizeKib === basePageSizeKib ? Math.min(total, pages + cachePages) : pages,
          total,
        };
      });
      return { node, cpus, siblings, memoryKib, free: pagesFree };
    });
    return { cells, promised, availableKib };
  }

  /** Pages there are: pools can grow and shrink, so this is asked anew. */
  async totals(): Promise<NodePages[]> {
    const { nodes } = await this.#readTopology();
    return nodes.flatMap(({ node, pools }) =>
      pools.map(({ pageSizeKib, totalPages }) => ({ node, pageSizeKib, pages: totalPages })),
    );
  }

  async #readTopology(): Promise<Topology> {
    const topology = readTopology(await this.#link.use((connection) => connection.getCapabilities()));
    const sizes = topology.nodes.flatMap((node) => node.pools.map((pool) => pool.pageSizeKib));
    return { ...topology, basePageSizeKib: Math.min(...sizes) };
  }

  async #freePages(call: FreePagesCall): Promise<[node: number, free: { pageSizeKib: number; pages: number }[]][]> {
    const rows = await this.#link.use((connection) =>
      connection.node.getFreePages(call.sizesKib, call.firstNode, call.nodeCount),
    );
    return rows.map((counts, row) => [
      call.firstNode + row,
      call.sizesKib.map((pageSizeKib, column) => ({ pageSizeKib, pages: counts[column] ?? 0 })),
    ]);
  }
}

export type FreePagesCall = {
  readonly firstNode: number;
  readonly nodeCount: number;
  readonly sizesKib: readonly number[];
};

/** One call asks for a run of nodes and the same sizes on each: node numbers may have gaps. Pure. */
export function freePagesCalls(nodes: HostTopology['nodes']): FreePagesCall[] {
  const calls: { firstNode: number; nodeCount: number; sizesKib: number[] }[] = [];
  for (const { node, pools } of nodes.toSorted((a, b) => a.node - b.node)) {
    const sizesKib = pools.map((pool) => pool.pageSizeKib);
    const last = calls.at(-1);
    const continues =
      last !== undefined && last.firstNode + last.nodeCount === node && String(last.sizesKib) === String(sizesKib);
    if (continues) last.nodeCount += 1;
    else calls.push({ firstNode: node, nodeCount: 1, sizesKib });
  }
  return calls;
}
