/**
 * The real agent over the lab: started as a user starts it, its libvirt in another machine. After each start and stop the
 * four who know of pages are asked: the agent, libvirt, the lab's sysfs, and the numa_maps of each QEMU there. They have
 * to say the same, and the same as the placements that the agent has answered.
 */
import { randomUUID } from 'node:crypto';
import { connect, type Connection } from 'node-libvirt';
import { expect } from 'vitest';
import { z } from 'zod';
import { hostView, instanceView, type HostView, type InstanceView } from '../../src/api/views.ts';
import type { MemoryMode } from '../../src/numa/pages.ts';
import { RemoteError } from '../../src/rpc/index.ts';
import { AgentStage } from '../agent.ts';
import type { Overrides } from '../agent_process.ts';
import { NumaLab, POOLS, type PageCounts } from './lab.ts';

const SIZES_KIB = [2048, 1_048_576];

/** A guest by its pages per guest cell; as many vCPUs as cells, because a node of the lab has one CPU. */
export type Shape = {
  readonly cells?: number;
  readonly pages: number;
  readonly pageSizeMib?: number;
  readonly memoryMode?: MemoryMode;
};

export type Accounts = {
  readonly agent: {
    readonly instances: Readonly<Record<string, PageCounts>>;
    readonly free: PageCounts;
    readonly total: PageCounts;
    readonly claimed: PageCounts;
    /** Null: not known. */
    readonly held: Readonly<Record<string, number | null>>;
    readonly promised: HostView['promised'];
  };
  /** virNodeGetFreePages. */
  readonly libvirt: PageCounts;
  /** sysfs of the lab. */
  readonly kernel: PageCounts;
  /** numa_maps, by domain. */
  readonly qemus: Readonly<Record<string, PageCounts>>;
};

export type Outcome =
  | { readonly is: 'running'; readonly instance: InstanceView }
  | { readonly is: 'refused'; readonly message: string; readonly refusal: unknown };

export class LabHost {
  readonly lab: NumaLab;
  readonly stage: AgentStage;
  /** The test's own way to the lab's libvirt, past the agent. */
  readonly libvirt: Connection;
  readonly #running = new Map<string, InstanceView>();

  private constructor(lab: NumaLab, stage: AgentStage, libvirt: Connection) {
    this.lab = lab;
    this.stage = stage;
    this.libvirt = libvirt;
  }

  /** A lab at rest, and an agent that has it for its host. What is expected of accounts holds for the lab as it is by default. */
  static async set(
    vhost: string,
    overrides: Overrides = {},
    settings: Readonly<Record<string, string>> = {},
  ): Promise<LabHost> {
    const lab = await NumaLab.start(settings);
    try {
      const stage = await AgentStage.set(vhost, {
        'libvirt.uri': lab.uri,
        // What boots on this machine says nothing of the lab, which has a KVM of its own.
        'libvirt.virt_type': 'auto',
        // A start takes seconds there, and a request behind four of them waits for all.
        'admission.settle_timeout_ms': 180_000,
        ...overrides,
      });
      return new LabHost(lab, stage, await connect({ uri: lab.uri }));
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  async clear(): Promise<void> {
    try {
      await this.libvirt.close();
      await this.stage.clear();
    } finally {
      await this.lab.stop();
    }
  }

  /** Asks for a guest; what is refused rejects. */
  async create(shape: Shape): Promise<InstanceView> {
    const instance = await this.stage.create({ uuid: randomUUID(), flavor: flavorOf(shape) });
    this.#running.set(instance.uuid, instance);
    return instance;
  }

  /** Asks for all of them before any is answered; a refusal is an outcome, whatever else goes wrong rejects. */
  async createAtOnce(shapes: readonly Shape[]): Promise<Outcome[]> {
    const outcomes = await Promise.allSettled(shapes.map((shape) => this.create(shape)));
    return outcomes.map((outcome): Outcome => {
      if (outcome.status === 'fulfilled') return { is: 'running', instance: outcome.value };
      const error: unknown = outcome.reason;
      if (!(error instanceof RemoteError) || error.className !== 'ComputeResourcesUnavailable') throw error;
      return { is: 'refused', message: error.message, refusal: error.kwargs['refusal'] };
    });
  }

  async delete(instance: InstanceView): Promise<void> {
    await this.stage.call('delete_instance', { uuid: instance.uuid });
    this.#running.delete(instance.uuid);
  }

  get running(): readonly InstanceView[] {
    return [...this.#running.values()];
  }

  /** Free pages as they have to be: the pools without what runs, by the agent's own placements. */
  get expectedFree(): PageCounts {
    const free: Record<string, number> = { ...POOLS };
    for (const { placement } of this.running) {
      for (const [pool, pages] of Object.entries(pagesOf(placement))) free[pool] = (free[pool] ?? 0) - pages;
    }
    return free;
  }

  /** What the four say at this moment. */
  async accounts(): Promise<Accounts> {
    const [report, instances, libvirt, kernel, qemus] = await Promise.all([
      this.stage.call('get_host').then((answer) => hostView.parse(answer)),
      this.stage.call('list_instances').then((answer) => z.array(instanceView).parse(answer)),
      this.#libvirtFree(),
      this.lab.freePages(),
      this.lab.held(),
    ]);
    const agent = {
      instances: placedPages(instances),
      free: countsOf(report, 'free'),
      total: countsOf(report, 'total'),
      claimed: countsOf(report, 'claimed'),
      held: countsOf(report, 'held_by_instances'),
      promised: report.promised,
    };
    return { agent, libvirt, kernel, qemus };
  }

  /** What they have to say. */
  expectedAccounts(): Accounts {
    const free = this.expectedFree;
    const none = Object.fromEntries(Object.keys(POOLS).map((pool) => [pool, 0]));
    const unknown = Object.fromEntries(Object.keys(POOLS).map((pool) => [pool, null]));
    const instances = placedPages(this.running);
    return {
      // It cannot ask the lab's kernel what is held and promised, and must not take this machine's figures for the lab's.
      agent: {
        instances,
        free,
        total: POOLS,
        claimed: none,
        held: this.running.length === 0 ? none : unknown,
        promised: [],
      },
      libvirt: free,
      kernel: free,
      qemus: instances,
    };
  }

  async #libvirtFree(): Promise<PageCounts> {
    const rows = await this.libvirt.node.getFreePages(SIZES_KIB, 0, 4);
    return Object.fromEntries(
      rows.flatMap((counts, node) => SIZES_KIB.map((size, nth) => [`${node}/${size}`, counts[nth] ?? 0])),
    );
  }
}

/** At once, without waiting for pages that are still on their way: an answer of the agent means that it is so. */
export async function expectAgreement(host: LabHost): Promise<void> {
  expect(await host.accounts()).toEqual(host.expectedAccounts());
}

function flavorOf({ cells = 1, pages, pageSizeMib = 2, memoryMode }: Shape) {
  return {
    id: 'f-1',
    name: 'hp.numa',
    vcpus: cells,
    memory_mb: cells * pages * pageSizeMib,
    disk_gb: 0,
    extra_specs: {
      'hw:mem_page_size': `${pageSizeMib}MB`,
      'hw:numa_nodes': String(cells),
      ...(memoryMode === undefined ? {} : { 'hugenode:memory_mode': memoryMode }),
    },
  };
}

/** Host nodes of a guest, in ascending order. */
export function nodesOf({ placement }: InstanceView): number[] {
  return placement.map(({ node }) => node).toSorted((a, b) => a - b);
}

export function pagesOf(placement: InstanceView['placement']): PageCounts {
  const pages: Record<string, number> = {};
  for (const { elsewhere, page_size_kib: sizeKib, ...own } of placement) {
    for (const share of [own, ...elsewhere]) {
      const pool = `${share.node}/${sizeKib}`;
      pages[pool] = (pages[pool] ?? 0) + share.pages;
    }
  }
  return pages;
}

/** Pages by domain, as numa_maps has to have them. */
function placedPages(instances: readonly InstanceView[]): Readonly<Record<string, PageCounts>> {
  return Object.fromEntries(instances.map(({ domain_name, placement }) => [domain_name, pagesOf(placement)]));
}

/** One figure of the agent's report, for the pools that are huge. */
function countsOf<F extends 'free' | 'total' | 'claimed' | 'held_by_instances'>(
  report: HostView,
  figure: F,
): Readonly<Record<string, HostView['nodes'][number]['pools'][number][F]>> {
  return Object.fromEntries(
    report.nodes.flatMap(({ node, pools }) =>
      pools
        .filter((pool) => SIZES_KIB.includes(pool.page_size_kib))
        .map((pool) => [`${node}/${pool.page_size_kib}`, pool[figure]]),
    ),
  );
}
