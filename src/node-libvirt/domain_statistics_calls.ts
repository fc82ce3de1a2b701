/** Statistics of domains. */
import { MemoryStatTag, nameOf } from './constants.ts';
import { DomainCalls } from './domain_calls.ts';
import { toNumber } from './numbers.ts';
import type { CallOptions } from './pending_call.ts';
import { Procedures, type Domain } from './procedures.ts';
import { toRecord, type TypedParamRecord } from './typed_params.ts';

export type DomainStatsRecord = {
  readonly domain: Domain;
  /** By libvirt's names, e.g. `state.state`, `balloon.current`; what a daemon or guest cannot tell is absent. */
  readonly params: TypedParamRecord;
};

/** By libvirt's names in lower case, e.g. `actual_balloon`; what the guest's balloon driver does not tell is absent. */
export type DomainMemoryStats = {
  readonly [Name in Lowercase<keyof typeof MemoryStatTag> | `unknown_${number}`]?: number;
};

/** More than there are (REMOTE_DOMAIN_MEMORY_STATS_MAX): a newer daemon's tags come too. */
const MAX_STATS = 1024;

export abstract class DomainStatisticsCalls extends DomainCalls {
  /**
   * Statistics of several domains in one call (an empty list means all of them): groups as in DomainStatsTypes, flags as
   * in GetAllDomainStatsFlags. Domains that end meanwhile are left out. Costs some milliseconds per running domain, so
   * make it once per period and not once per domain. virDomainListGetStats, CONNECT_GET_ALL_DOMAIN_STATS.
   */
  async getAllDomainStats(
    domains: readonly Domain[],
    stats: number,
    flags: number,
    options?: CallOptions,
  ): Promise<DomainStatsRecord[]> {
    const { records } = await this.call(
      Procedures.CONNECT_GET_ALL_DOMAIN_STATS,
      { doms: domains, stats, flags },
      options,
    );
    return records.map(({ dom, params }) => ({ domain: dom, params: toRecord(params) }));
  }

  /**
   * Memory as the host and the guest's balloon driver see it: KiB, but for counts (major_fault, minor_fault,
   * hugetlb_pgalloc, hugetlb_pgfail) and last_update (seconds since 1970). virDomainMemoryStats, DOMAIN_MEMORY_STATS.
   * @throws {LibvirtError} OPERATION_INVALID where the domain does not run.
   */
  async getDomainMemoryStats(domain: Domain, options?: CallOptions): Promise<DomainMemoryStats> {
    const args = { dom: domain, maxStats: MAX_STATS, flags: 0 };
    const { stats } = await this.call(Procedures.DOMAIN_MEMORY_STATS, args, options);
    return Object.fromEntries(
      stats.map(({ tag, val }) => {
        const name = nameOf(MemoryStatTag, tag).toLowerCase();
        return [name, toNumber(val, name)];
      }),
    );
  }

  /**
   * How often QEMU asks the guest's balloon driver, in seconds; 0 is never. Flags as in DomainModificationImpact.
   * virDomainSetMemoryStatsPeriod, DOMAIN_SET_MEMORY_STATS_PERIOD.
   */
  async setDomainMemoryStatsPeriod(
    domain: Domain,
    periodSeconds: number,
    flags: number,
    options?: CallOptions,
  ): Promise<void> {
    const args = { dom: domain, period: periodSeconds, flags };
    await this.call(Procedures.DOMAIN_SET_MEMORY_STATS_PERIOD, args, options);
  }
}
