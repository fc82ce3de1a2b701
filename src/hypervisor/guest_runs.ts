/**
 * What does not change while a guest runs, learnt once per run: its process, its balloon, the pages it holds. A run is
 * known by libvirt's number of the domain, which is a new one at each start.
 */
import { DomainModificationImpact, type Domain } from 'node-libvirt';
import type { NodePages } from '../admission/host_memory.ts';
import { readBalloon } from '../domain/balloon.ts';
import { readHoldings } from '../host/numa_maps.ts';
import { readMemoryOfRun, type ProcessRun } from '../host/process_memory.ts';
import type { Logger } from '../log.ts';
import type { GuestProcesses } from './guest_processes.ts';
import { absentIsUndefined, type LibvirtLink } from './libvirt_link.ts';

export type GuestRunsOptions = {
  readonly link: LibvirtLink;
  readonly processes: GuestProcesses;
  /** What a guest without one of its own gets. */
  readonly balloonPeriodS: number;
  readonly log: Logger;
};

type Run = {
  readonly id: number;
  readonly sinceMs: number;
  process: ProcessRun | undefined;
  /** Undefined as long as it could not be asked. */
  balloon: { readonly exists: boolean; periodS: number } | undefined;
  held: { readonly hugetlbKib: number; readonly pages: readonly NodePages[] } | undefined;
  isLearning: boolean;
  isReadingHeld: boolean;
  toldPeriod: boolean;
};

export type RunFacts = {
  readonly watchedMs: number;
  readonly balloonPeriodMs?: number;
  readonly residentKib?: number;
  readonly held?: readonly NodePages[];
};

export class GuestRuns {
  readonly #options: GuestRunsOptions;
  readonly #runs = new Map<string, Run>();

  constructor(options: GuestRunsOptions) {
    this.#options = options;
  }

  /**
   * What is known of a running guest. The first time it is asked for; what takes longer than `waitMs` is there the next
   * time. Never rejects.
   */
  async factsOf(domain: Domain, waitMs: number): Promise<RunFacts> {
    const run = this.#runOf(domain);
    if (run.balloon === undefined || run.process === undefined) await within(waitMs, this.#learn(run, domain));
    if (run.balloon?.exists === true && run.balloon.periodS === 0) void this.#learn(run, domain);
    const memory = run.process === undefined ? undefined : readMemoryOfRun(run.process);
    // Gone, or another process by now: looked for anew in the next cycle.
    if (memory === undefined) run.process = undefined;
    else if (run.held?.hugetlbKib !== memory.hugetlbKib) {
      await within(waitMs, this.#readHeld(run, domain, memory.hugetlbKib));
    }
    const isHeldKnown = memory !== undefined && run.held?.hugetlbKib === memory.hugetlbKib;
    return {
      watchedMs: performance.now() - run.sinceMs,
      ...(run.balloon === undefined ? {} : { balloonPeriodMs: run.balloon.periodS * 1000 }),
      ...(memory === undefined ? {} : { residentKib: memory.vmRssKib + memory.hugetlbKib }),
      ...(isHeldKnown && run.held !== undefined ? { held: run.held.pages } : {}),
    };
  }

  /** Guests that do not run any more are not known any more. */
  forgetAllBut(domains: readonly Domain[]): void {
    const running = new Set(domains.map(({ uuid }) => uuid));
    for (const uuid of this.#runs.keys()) if (!running.has(uuid)) this.#runs.delete(uuid);
  }

  #runOf({ uuid, id }: Domain): Run {
    const known = this.#runs.get(uuid);
    if (known?.id === id) return known;
    const run: Run = {
      id,
      sinceMs: performance.now(),
      process: undefined,
      balloon: undefined,
      held: undefined,
      isLearning: false,
      isReadingHeld: false,
      toldPeriod: false,
    };
    this.#runs.set(uuid, run);
    return run;
  }

  async #learn(run: Run, domain: Domain): Promise<void> {
    if (run.isLearning) return;
    run.isLearning = true;
    const { link, processes, balloonPeriodS, log } = this.#options;
    try {
      run.process ??= await processes.runOf(domain.name, domain.uuid);
      if (run.balloon === undefined) {
        const xml = await absentIsUndefined(link.use((connection) => connection.domain.getXMLDesc(domain)));
        if (xml !== undefined) run.balloon = readBalloon(xml);
      }
      if (run.balloon?.exists !== true || run.balloon.periodS !== 0 || balloonPeriodS === 0) return;
      await link.use((connection) =>
        connection.domain.setMemoryStatsPeriod(domain, balloonPeriodS, DomainModificationImpact.LIVE),
      );
      run.balloon.periodS = balloonPeriodS;
      log.info('the guest is asked for its memory from now on', { instance: domain.uuid, period_s: balloonPeriodS });
    } catch (error) {
      if (!run.toldPeriod) {
        log.warn('the balloon of a guest is not known, or cannot be asked', {
          instance: domain.uuid,
          error: String(error),
        });
      }
      run.toldPeriod = true;
    } finally {
      run.isLearning = false;
    }
  }

  async #readHeld(run: Run, domain: Domain, hugetlbKib: number): Promise<void> {
    const { process } = run;
    if (process === undefined || run.isReadingHeld) return;
    // Over base pages numa_maps is a long walk, and what it says changes all the time.
    if (hugetlbKib === 0) {
      run.held = { hugetlbKib, pages: [] };
      return;
    }
    run.isReadingHeld = true;
    try {
      const pages = await readHoldings(process.pid);
      const after = readMemoryOfRun(process);
      // Of that process, and of that moment.
      if (after?.hugetlbKib === hugetlbKib) run.held = { hugetlbKib, pages: pages.filter(isHuge) };
    } catch (error) {
      this.#options.log.warn('cannot read what the guest holds', { instance: domain.uuid, error: String(error) });
      // Asked again when it changes.
      run.held = { hugetlbKib, pages: [] };
    } finally {
      run.isReadingHeld = false;
    }
  }
}

/** No kernel has base pages that large, or hugetlb pages of less. */
const SMALLEST_HUGE_KIB = 128;

function isHuge({ pageSizeKib }: NodePages): boolean {
  return pageSizeKib >= SMALLEST_HUGE_KIB;
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const timeUp = Promise.withResolvers<void>();
  const timer = setTimeout(timeUp.resolve, ms);
  await Promise.race([work, timeUp.promise]);
  clearTimeout(timer);
}
