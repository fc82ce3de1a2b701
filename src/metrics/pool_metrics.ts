/**
 * What is told of the host: each pool of hugetlb pages by who has them, and ordinary memory beside the pools. The two are
 * never summed: a pool that is set aside and empty is no memory in use.
 */
import type { Registry } from 'prom-client';
import type { HostAccount } from '../admission/host_cells.ts';
import { basePageSizeKib, pagesOn, type NodePages } from '../admission/host_memory.ts';
import { bytesFromKib } from '../units.ts';
import { GaugeGroup } from './gauges.ts';

export type PoolReading = {
  readonly account: HostAccount;
  /** Pages there are, surplus pages among them. */
  readonly totals: readonly NodePages[];
  /** Held by guests of ours; null where the kernel of their host cannot be asked. */
  readonly held: readonly NodePages[] | null;
};

export class PoolMetrics {
  readonly #pools;
  readonly #promised;
  readonly #nodes;
  readonly #plain;
  readonly #instances;

  constructor(registry: Registry) {
    this.#pools = new GaugeGroup(registry, ['node', 'page_kib'], {
      hugenode_pool_pages: 'Pages of the pool.',
      hugenode_pool_free_pages: 'Pages of the pool that the kernel has free; the next four kinds are among them.',
      hugenode_pool_promised_pages:
        'Free pages that the kernel has promised to mappings; known for all nodes together.',
      hugenode_pool_reserved_pages: 'Free pages kept back by admission.reserved_huge_pages.',
      hugenode_pool_claimed_pages: 'Pages admitted for instances that are being started.',
      hugenode_pool_kept_pages: 'Free pages kept for instances that are shut off.',
      hugenode_pool_available_pages: 'Free pages that an instance could be given now.',
      hugenode_pool_held_pages: 'Pages that running instances hold.',
      hugenode_pool_foreign_pages: 'Pages that were taken and that no instance of ours holds.',
    });
    this.#promised = new GaugeGroup(registry, ['page_kib'], {
      hugenode_host_promised_pages: 'Pages that the kernel has promised to mappings, of the whole host.',
    });
    this.#nodes = new GaugeGroup(registry, ['node'], {
      hugenode_node_plain_memory_bytes: 'Memory of the node that is in no hugetlb pool.',
    });
    this.#plain = new GaugeGroup(registry, [], {
      hugenode_plain_memory_bytes: 'Memory of the host that is in no hugetlb pool.',
      hugenode_plain_memory_available_bytes: 'Of that what the kernel would give (MemAvailable).',
      hugenode_plain_memory_floor_bytes: 'Of that what no start may touch (admission.host_memory_floor_mb).',
    });
    this.#instances = new GaugeGroup(registry, ['state'], {
      hugenode_instances: 'Instances by state: running or shut_off.',
    });
  }

  clear(): void {
    for (const group of [this.#pools, this.#promised, this.#nodes, this.#plain, this.#instances]) group.clear();
  }

  show({ account, totals, held }: PoolReading): void {
    this.clear();
    const { host, rules } = account;
    const baseKib = basePageSizeKib(host);
    let plainKib = 0;
    for (const cell of host.cells) {
      const { node } = cell;
      let nodeKib = cell.memoryKib;
      for (const pool of cell.free) {
        const { pageSizeKib } = pool;
        if (pageSizeKib === baseKib) continue;
        const total = pagesOn(totals, node, pageSizeKib);
        nodeKib -= total * pageSizeKib;
        const heldPages = held === null ? undefined : pagesOn(held, node, pageSizeKib);
        const { free, promised, reserved, claimed, kept } = account.countsOf(cell, pool);
        this.#pools.set(
          { node, page_kib: pageSizeKib },
          {
            hugenode_pool_pages: total,
            hugenode_pool_free_pages: free,
            hugenode_pool_promised_pages: promised,
            hugenode_pool_reserved_pages: reserved,
            hugenode_pool_claimed_pages: claimed,
            hugenode_pool_kept_pages: kept,
            hugenode_pool_available_pages: Math.max(0, free - promised - reserved - claimed - kept),
            hugenode_pool_held_pages: heldPages,
            hugenode_pool_foreign_pages:
              heldPages === undefined ? undefined : foreignPages({ total, free, held: heldPages, claimed }),
          },
        );
      }
      this.#nodes.set({ node }, { hugenode_node_plain_memory_bytes: bytesFromKib(Math.max(0, nodeKib)) });
      plainKib += Math.max(0, nodeKib);
    }
    for (const { pageSizeKib, pages } of host.promised) {
      this.#promised.set({ page_kib: pageSizeKib }, { hugenode_host_promised_pages: pages });
    }
    this.#plain.set(
      {},
      {
        hugenode_plain_memory_bytes: bytesFromKib(plainKib),
        hugenode_plain_memory_available_bytes: host.availableKib === null ? undefined : bytesFromKib(host.availableKib),
        hugenode_plain_memory_floor_bytes: bytesFromKib(rules.floorKib),
      },
    );
    const running = host.guests.filter((guest) => guest.isRunning).length;
    this.#instances.set({ state: 'running' }, { hugenode_instances: running });
    this.#instances.set({ state: 'shut_off' }, { hugenode_instances: host.guests.length - running });
  }
}

/**
 * Pages that are certain to be another's. A start under way takes its claim page by page, so up to all of the claimed
 * ones may be among the taken: what they could explain is not called foreign.
 */
export function foreignPages(pool: { total: number; free: number; held: number; claimed: number }): number {
  return Math.max(0, pool.total - pool.free - pool.held - pool.claimed);
}
