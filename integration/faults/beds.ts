/** What an agent of the fault tests builds on: a fake libvirtd that is quick and counts, or the machine's own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Procedures } from 'node-libvirt';
import { FakeHost, FakeLibvirtd } from 'node-libvirt/testing';
import { readHoldings } from '../../src/host/numa_maps.ts';
import { freePagesBack } from '../agent.ts';
import type { Overrides } from '../agent_process.ts';
import { poolCount } from '../page_pool.ts';
import type { VirtType } from '../virt_type.ts';

const run = promisify(execFile);

/** Free pages of the host, and what each of our guests holds where there is a kernel to be asked. */
export type PageAccount = { readonly free: number; readonly held: readonly number[] };

export interface Bed {
  /** How an agent gets there. */
  readonly settings: Overrides;
  /** 2 MiB pages of one guest. */
  readonly guestPages: number;
  /** How many times longer its callers have to wait than those of a fake one. */
  readonly slowness: number;
  /** Uuids of the domains that there are, each as often as it is there. */
  uuids(): Promise<string[]>;
  /** The account of pages, as soon as it is that of so many guests; otherwise as it stays. */
  pages(guests: number): Promise<PageAccount>;
  /** That of so many guests. */
  pagesOf(guests: number): PageAccount;
  clear(): Promise<void>;
}

const PREFIX = 'hnf-';
const PAGE_KIB = 2048;
const POOL_PAGES = 4000;
const MEMORY_KIB = 512 * 1024 ** 2;

/** A host of two nodes, whose starts take as long as a test says. */
export class FakeBed implements Bed {
  readonly guestPages = 40;
  readonly slowness = 1;
  readonly host: FakeHost;
  /** Uuid of each start that was asked for, in order. */
  readonly starts: string[] = [];
  startMs = 40;
  readonly #daemon: FakeLibvirtd;
  #gate: PromiseWithResolvers<void> | undefined;

  private constructor(host: FakeHost, daemon: FakeLibvirtd) {
    this.host = host;
    this.#daemon = daemon;
    daemon.answer(Procedures.DOMAIN_CREATE_WITH_FLAGS, async ({ domain }) => {
      this.starts.push(domain.uuid);
      await this.#gate?.promise;
      await sleep(this.startMs);
      const found = host.find(domain);
      host.start(found);
      return { domain: found.object };
    });
  }

  static async make(): Promise<FakeBed> {
    const pools = [{ sizeKib: PAGE_KIB, total: POOL_PAGES }];
    const host = new FakeHost({
      cells: [0, 1].map((cell) => ({ cpus: [cell * 2, cell * 2 + 1], memoryKib: MEMORY_KIB, pools })),
    });
    return new FakeBed(host, await FakeLibvirtd.open({ host, tcp: true }));
  }

  get settings(): Overrides {
    return {
      // By TCP it may be another machine: what this one's kernel says of the guests is not asked.
      'libvirt.uri': `qemu+tcp://127.0.0.1:${this.#daemon.port}/system`,
      'instances.domain_prefix': PREFIX,
    };
  }

  /** Starts take until they are released. */
  holdStarts(): void {
    this.#gate ??= Promise.withResolvers();
  }

  releaseStarts(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  async uuids(): Promise<string[]> {
    return this.host.domains.map(({ uuid }) => uuid);
  }

  async pages(): Promise<PageAccount> {
    return { free: this.host.cells.reduce((sum, cell) => sum + cell.pool(PAGE_KIB).free, 0), held: [] };
  }

  pagesOf(guests: number): PageAccount {
    return { free: 2 * POOL_PAGES - guests * this.guestPages, held: [] };
  }

  async clear(): Promise<void> {
    this.releaseStarts();
    await this.#daemon[Symbol.asyncDispose]();
  }
}

/** The machine's libvirtd, its QEMUs and its pages. */
export class RealBed implements Bed {
  readonly guestPages = 16;
  readonly slowness = 4;
  readonly settings: Overrides;
  readonly #prefix: string;
  readonly #freeBefore: number;

  private constructor(prefix: string, virtType: VirtType, freeBefore: number) {
    this.#prefix = prefix;
    this.#freeBefore = freeBefore;
    this.settings = { 'instances.domain_prefix': prefix, 'libvirt.virt_type': virtType };
  }

  static async make(name: string, virtType: VirtType): Promise<RealBed> {
    const bed = new RealBed(`${PREFIX}${name}-`, virtType, 0);
    await bed.#removeGuests();
    return new RealBed(`${PREFIX}${name}-`, virtType, await poolCount('free_hugepages'));
  }

  async uuids(): Promise<string[]> {
    return (await this.#names()).map((name) => name.slice(this.#prefix.length));
  }

  async pages(guests: number): Promise<PageAccount> {
    const free = await freePagesBack(this.pagesOf(guests).free);
    const pids = await Promise.all(
      (await this.#names()).map(async (name) => Number(await readFile(`/run/libvirt/qemu/${name}.pid`, 'utf8'))),
    );
    const holdings = await Promise.all(pids.map((pid) => readHoldings(pid)));
    const held = holdings.map((ofOne) =>
      ofOne.filter(({ pageSizeKib }) => pageSizeKib === PAGE_KIB).reduce((sum, { pages }) => sum + pages, 0),
    );
    return { free, held };
  }

  pagesOf(guests: number): PageAccount {
    return {
      free: this.#freeBefore - guests * this.guestPages,
      held: Array<number>(guests).fill(this.guestPages),
    };
  }

  async clear(): Promise<void> {
    await this.#removeGuests();
  }

  async #names(): Promise<string[]> {
    const { stdout } = await run('virsh', ['-c', 'qemu:///system', 'list', '--all', '--name']);
    return stdout.split('\n').filter((name) => name.startsWith(this.#prefix));
  }

  async #removeGuests(): Promise<void> {
    for (const name of await this.#names()) {
      await run('virsh', ['-c', 'qemu:///system', 'destroy', name]).catch(() => undefined);
      await run('virsh', ['-c', 'qemu:///system', 'undefine', name]).catch(() => undefined);
    }
  }
}
