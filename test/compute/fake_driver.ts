/**
 * A compute driver without a hypervisor: a pool per node whose pages guests really take, gradually, and faults where a
 * test wants them. It also shows that the plug-in contract can be met by something that is not libvirt.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { pagesOn, type HostMemory, type NodePages } from '../../src/admission/host_memory.ts';
import type {
  AvailableResource,
  ComputeDriver,
  GuestInfo,
  GuestStatistics,
  PageHolders,
} from '../../src/compute_driver.ts';
import { ComputeError } from '../../src/errors.ts';
import type { Instance } from '../../src/instance.ts';
import { hostOf } from '../admission/hosts.ts';

export type FakeFault = 'spawn' | 'spawn-half' | 'holdings' | 'wrong-node' | 'save' | 'destroy' | 'remote';

export class FakeDriver implements ComputeDriver {
  readonly guests = new Map<string, { instance: Instance; held: NodePages[] }>();
  readonly faults = new Set<FakeFault>();
  spawned = 0;
  /** Most guests that were being started at the same moment. */
  mostSpawning = 0;
  #spawning = 0;
  readonly #pools: number[];

  /** Free 2 MiB pages per node. */
  constructor(pools: number[]) {
    this.#pools = pools;
  }

  get freePages(): readonly number[] {
    const held = [...this.guests.values()].flatMap((guest) => guest.held);
    return this.#pools.map((pages, node) => pages - pagesOn(held, node, 2048));
  }

  async readHostMemory(): Promise<HostMemory> {
    await sleep(1);
    const guests = [...this.guests.values()].map(({ instance }) => ({
      instanceUuid: instance.uuid,
      projectId: instance.projectId,
      placement: instance.placement,
      isRunning: true,
    }));
    return { ...hostOf(this.freePages), guests };
  }

  async getAvailableResource(): Promise<AvailableResource> {
    return {
      memory: await this.readHostMemory(),
      totals: this.#pools.map((pages, node) => ({ node, pageSizeKib: 2048, pages })),
    };
  }

  async spawn(instance: Instance): Promise<void> {
    this.spawned += 1;
    this.#spawning += 1;
    this.mostSpawning = Math.max(this.mostSpawning, this.#spawning);
    try {
      await this.#take(instance);
    } catch (error) {
      this.guests.delete(instance.uuid);
      throw error;
    } finally {
      this.#spawning -= 1;
    }
  }

  async #take(instance: Instance): Promise<void> {
    if (this.faults.has('spawn')) throw toldToFail();
    const guest = { instance, held: [] as NodePages[] };
    this.guests.set(instance.uuid, guest);
    for (const cell of instance.placement) {
      const half = Math.floor(cell.pages / 2);
      const others = cell.elsewhere.flatMap((other) => Array.from({ length: other.pages }, () => 1));
      for (const [nth, pages] of [half, cell.pages - half, ...others].entries()) {
        await sleep(Math.random() * 4);
        const home = this.faults.has('wrong-node') ? cell.node + 1 : cell.node;
        const node = nth < 2 ? home : this.#farthest();
        guest.held.push({ node, pageSizeKib: cell.pageSizeKib, pages });
        if ((this.freePages[node] ?? 0) < 0) throw new Error('over-committed: QEMU would have died here');
        if (this.faults.has('spawn-half')) throw toldToFail();
      }
    }
  }

  /** A kernel whose order is not the one that admission foresees: the last node that has a page. */
  #farthest(): number {
    return this.freePages.findLastIndex((pages) => pages > 0);
  }

  async getHoldings(uuid: string): Promise<readonly NodePages[] | undefined> {
    if (this.faults.has('holdings')) throw new Error('numa_maps cannot be read');
    return this.guests.get(uuid)?.held;
  }

  /** Every guest is a process of its own, and what it lacks in the pool is all there is to explain. */
  async getPageHolders(): Promise<PageHolders | undefined> {
    if (this.faults.has('remote')) return undefined;
    return {
      pools: this.#pools.map((totalPages, node) => ({
        node,
        pageSizeKib: 2048,
        totalPages,
        freePages: this.freePages[node] ?? 0,
      })),
      promised: [],
      holders: [...this.guests.values()].map(({ instance, held }, index) => ({
        pid: 1000 + index,
        command: 'qemu-system-x86',
        instance,
        held,
        alsoMapped: [],
      })),
      unreadable: [],
    };
  }

  async saveInstance(instance: Instance): Promise<void> {
    if (this.faults.has('save')) throw new ComputeError('HypervisorUnavailable', 'libvirt is gone');
    const guest = this.guests.get(instance.uuid);
    if (guest !== undefined) guest.instance = instance;
  }

  async destroy(uuid: string): Promise<boolean> {
    if (this.faults.has('destroy')) throw new ComputeError('HypervisorUnavailable', 'libvirt is gone');
    await sleep(1);
    return this.guests.delete(uuid);
  }

  async removeStrays(): Promise<void> {}

  async getInfo(uuid: string): Promise<GuestInfo | undefined> {
    const guest = this.guests.get(uuid);
    if (guest === undefined) return undefined;
    return { instance: guest.instance, powerState: 'running', domainName: `fake-${uuid}`, consoleLogPath: '/dev/null' };
  }

  async listGuests(): Promise<readonly GuestInfo[]> {
    const infos = await Promise.all([...this.guests.keys()].map((uuid) => this.getInfo(uuid)));
    return infos.filter((info) => info !== undefined);
  }

  async getStatistics(): Promise<readonly GuestStatistics[]> {
    return [];
  }

  onLifecycle(): void {}
}

function toldToFail(): ComputeError {
  return new ComputeError('InstanceSpawnFailed', 'the fake was told to fail');
}
