/** What some methods make of a reply, where the wire's form is no pleasure: pure functions (result, arguments). */
import { MemoryStatTag } from '../constants/domain_states.ts';
import { nameOf } from '../constants/names.ts';
import { ProtocolError } from '../errors.ts';
import { cpuMapRows } from '../wire/cpu_map.ts';
import type { Domain } from '../wire/objects.ts';
import { toRecord, type TypedParam, type TypedParamRecord } from '../wire/typed_params.ts';

export type DomainStatsRecord = {
  readonly domain: Domain;
  /** By libvirt's names, e.g. `state.state`, `balloon.current`; what a daemon or guest cannot tell is absent. */
  readonly params: TypedParamRecord;
};

export function statsRecords(result: {
  readonly records: readonly { readonly domain: Domain; readonly params: readonly TypedParam[] }[];
}): DomainStatsRecord[] {
  return result.records.map(({ domain, params }) => ({ domain, params: toRecord(params) }));
}

/** Typed parameters by name. */
export function record(result: { readonly params: readonly TypedParam[] }): TypedParamRecord {
  return toRecord(result.params);
}

/** The wire has the counts cell after cell; a row per cell is what everybody wants. */
export function pagesPerCell(
  result: { readonly counts: readonly number[] },
  args: { readonly pagesKib: readonly number[]; readonly cellCount: number },
): number[][] {
  const { counts } = result;
  const columns = args.pagesKib.length;
  if (counts.length % columns !== 0 || counts.length > args.cellCount * columns) {
    const asked = `${columns} page sizes on ${args.cellCount} cells`;
    throw new ProtocolError(`reply to NODE_GET_FREE_PAGES: ${counts.length} counts for ${asked}`);
  }
  return Array.from({ length: counts.length / columns }, (_, row) => counts.slice(row * columns, (row + 1) * columns));
}

/** By libvirt's names in lower case, e.g. `actual_balloon`; what the guest's balloon driver does not tell is absent. */
export type DomainMemoryStats = {
  readonly [Name in Lowercase<keyof typeof MemoryStatTag> | `unknown_${number}`]?: number;
};

export function memoryStats(result: {
  readonly stats: readonly { readonly tag: number; readonly value: number }[];
}): DomainMemoryStats {
  return Object.fromEntries(result.stats.map(({ tag, value }) => [nameOf(MemoryStatTag, tag).toLowerCase(), value]));
}

/** Fields and values as a record. */
export function byName<V>(result: {
  readonly stats: readonly { readonly field: string; readonly value: V }[];
}): Readonly<Record<string, V>> {
  return Object.fromEntries(result.stats.map(({ field, value }) => [field, value]));
}

/** The wire has the parameters of one CPU after those of the other, `count` of each. */
export function cpuStats(result: {
  readonly params: readonly TypedParam[];
  readonly count: number;
}): TypedParamRecord[] {
  const { params, count } = result;
  if (params.length === 0) return [];
  if (count < 1 || params.length % count !== 0)
    throw new ProtocolError(`reply to DOMAIN_GET_CPU_STATS: ${params.length} parameters, ${count} per CPU`);
  return Array.from({ length: params.length / count }, (_, row) =>
    toRecord(params.slice(row * count, (row + 1) * count)),
  );
}

export type DomainVcpu = {
  readonly number: number;
  /** See VcpuState. */
  readonly state: number;
  readonly cpuTimeNs: bigint;
  /** The host CPU it is on; negative numbers: see VcpuHostCpuState. */
  readonly cpu: number;
  /** The host CPUs it may be on. */
  readonly cpus: readonly number[];
};

export function vcpus(
  result: { readonly vcpus: readonly Omit<DomainVcpu, 'cpus'>[]; readonly cpumaps: Buffer },
  args: { readonly hostCpus: number },
): DomainVcpu[] {
  const rows = cpuMapRows(result.cpumaps, result.vcpus.length, args.hostCpus);
  return result.vcpus.map((vcpu, index) => ({ ...vcpu, cpus: rows[index] ?? [] }));
}

/** The CPUs of each map. */
export function cpuRows(
  result: { readonly cpumaps: Buffer; readonly count: number },
  args: { readonly hostCpus: number },
): number[][] {
  return cpuMapRows(result.cpumaps, result.count, args.hostCpus);
}

export type DomainBlockJobInfo = {
  /** See DomainBlockJobType. */
  readonly type: number;
  /** In MiB/s, or with BANDWIDTH_BYTES in bytes/s; 0 is no limit. */
  readonly bandwidth: number;
  /** From 0 to `end`, in units of the hypervisor's; `end` may grow. */
  readonly cur: number;
  readonly end: number;
};

export function blockJobInfo(result: DomainBlockJobInfo & { readonly found: number }): DomainBlockJobInfo | null {
  const { found, ...info } = result;
  return found === 0 ? null : info;
}

export type DomainJobStats = {
  /** See DomainJobType. */
  readonly type: number;
  readonly params: TypedParamRecord;
};

export function jobStats(result: { readonly type: number; readonly params: readonly TypedParam[] }): DomainJobStats {
  return { type: result.type, params: toRecord(result.params) };
}
