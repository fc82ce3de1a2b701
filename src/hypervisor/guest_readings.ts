/** Statistics of all guests of ours with one call to libvirt, each completed by what the kernel says of its process. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CallTimeoutError,
  DomainStatsTypes,
  GetAllDomainStatsFlags,
  type Domain,
  type DomainStatsRecord,
} from 'node-libvirt';
import type { GuestStatistics, StatisticsOptions } from '../compute_driver.ts';
import { ComputeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { GuestRecords } from './guest_records.ts';
import type { GuestRuns } from './guest_runs.ts';
import type { LibvirtLink } from './libvirt_link.ts';
import { balloonOf, cpuOf, deviceOf, powerStateOf } from './statistics.ts';

export type GuestReadingsOptions = {
  /** Of its own: a call that a stuck guest holds up must hold up nothing else. */
  readonly link: LibvirtLink;
  readonly records: GuestRecords;
  readonly runs: GuestRuns;
  readonly architecture: () => Promise<string>;
  readonly log: Logger;
};

/** Where nobody says how long. */
const DEADLINE_MS = 10_000;
/** What is learnt of one guest, once per run, may take this part of the deadline. */
const LEARNING_SHARE = 4;
/** libvirtd marks the guest as busy as soon as it asks it; then it is passed over. */
const RETRY_DELAY_MS = 50;

export class GuestReadings {
  readonly #options: GuestReadingsOptions;

  constructor(options: GuestReadingsOptions) {
    this.#options = options;
  }

  /** Of the domains given, or of all that run. @throws {ComputeError} */
  async read(domains: readonly Domain[] | undefined, options: StatisticsOptions): Promise<GuestStatistics[]> {
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    const { runs, architecture, log } = this.#options;
    const records = await this.#ask(domains, options.cpu === true, deadlineMs);
    if (domains === undefined) runs.forgetAllBut(records.map(({ domain }) => domain));
    const arch = await architecture();
    const guests = records.map((record) =>
      this.#complete(record, arch, deadlineMs / LEARNING_SHARE).catch((error: unknown) => {
        // One guest that cannot be read costs its own samples only.
        log.warn('no statistics of one guest', { instance: record.domain.uuid, error: String(error) });
        return undefined;
      }),
    );
    return (await Promise.all(guests)).filter((guest) => guest !== undefined);
  }

  /**
   * A guest whose QEMU has just stopped answering holds up the call that finds it out; the next one passes it over
   * (NOWAIT), so a call that takes too long is made once more.
   */
  async #ask(domains: readonly Domain[] | undefined, cpu: boolean, deadlineMs: number): Promise<DomainStatsRecord[]> {
    const { link, log } = this.#options;
    const groups =
      DomainStatsTypes.STATE |
      DomainStatsTypes.BALLOON |
      (cpu ? DomainStatsTypes.CPU_TOTAL | DomainStatsTypes.VCPU : 0);
    const flags = GetAllDomainStatsFlags.NOWAIT | (domains === undefined ? GetAllDomainStatsFlags.ACTIVE : 0);
    const ask = (timeoutMs: number) =>
      link.use((connection) => connection.getAllDomainStats(domains ?? [], groups, flags, { timeoutMs }));
    try {
      return await ask(deadlineMs / 2);
    } catch (error) {
      if (!(error instanceof ComputeError && error.cause instanceof CallTimeoutError)) throw error;
      log.warn('the statistics take too long, asking once more without the guest that is stuck');
      await sleep(RETRY_DELAY_MS);
      return ask(deadlineMs / 2);
    }
  }

  async #complete(
    { domain, params }: DomainStatsRecord,
    architecture: string,
    waitMs: number,
  ): Promise<GuestStatistics | undefined> {
    const { records, runs } = this.#options;
    const instance = await within(waitMs, records.of(domain));
    // While a build is under way the guest is not yet sold.
    if (instance === undefined || instance.launchedAt === null) return undefined;
    const powerState = powerStateOf(params['state.state']);
    if (powerState === 'shutdown') return undefined;
    const balloon = balloonOf(params);
    const { watchedMs, ...facts } = await runs.factsOf(domain, waitMs);
    return {
      instance,
      domainName: domain.name,
      powerState,
      architecture,
      ...deviceOf(params),
      ...cpuOf(params),
      ...facts,
      watchedMs,
      ...(balloon === undefined ? {} : { balloon }),
    };
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const timeUp = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeUp.reject(new Error(`no answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, timeUp.promise]);
  } finally {
    clearTimeout(timer);
  }
}
