/** Domains: statistics and tuning of memory, CPUs, disks and interfaces (virDomain*). */
import { cpuMap, cpuMaps, hostCpus } from '../wire/cpu_map.ts';
import { domain } from '../wire/objects.ts';
import { flagsWithStrings, typedParams } from '../wire/typed_params.ts';
import {
  byteCount,
  defaulting,
  fixed,
  flags,
  hyperNumber,
  int,
  list,
  naming,
  optional,
  shyperNumber,
  string,
  struct,
  uhyper,
  uint,
} from '../wire/xdr.ts';
import { remote } from './procedure.ts';

const MEMORY_STATS_MAX = 1024;
const CPU_STATS_MAX = 2048;
const CPU_STATS_NPARAMS = 16;
const VCPUINFO_MAX = 16_384;
const TUNING_MAX = 16;
const BLOCK_STATS_MAX = 16;
const BLOCK_COPY_MAX = 16;
const INTERFACE_MAX = 2048;
const IP_ADDRESS_MAX = 2048;

const anImpact = naming('DomainModificationImpact', flags);
/** A getter of these: flags with STRING_OKAY, and room for as many as the protocol has. */
const tuningQuery = {
  domain,
  maxParams: fixed(int, TUNING_MAX),
  flags: naming('DomainModificationImpact', flagsWithStrings),
};
const text = optional(string);

export const domainStatisticsProcedures = remote({
  DOMAIN_MEMORY_STATS: {
    number: 159,
    args: { domain, maxStats: fixed(uint, MEMORY_STATS_MAX), flags },
    result: { stats: list(struct({ tag: int, value: hyperNumber }), MEMORY_STATS_MAX) },
    method: {
      c: 'virDomainMemoryStats',
      doc:
        "Memory as the host and the guest's balloon driver see it: KiB, but for counts (major_fault, minor_fault, " +
        'hugetlb_pgalloc, hugetlb_pgfail) and last_update (seconds since 1970). What the guest does not tell is absent.',
      throws: { OPERATION_INVALID: 'it does not run' },
      returns: 'DomainMemoryStats',
      shape: 'memoryStats',
    },
  },
  DOMAIN_SET_MEMORY_STATS_PERIOD: {
    number: 308,
    args: { domain, periodSeconds: int, flags: naming('DomainMemoryModFlags', flags) },
    method: {
      c: 'virDomainSetMemoryStatsPeriod',
      doc: "How often QEMU asks the guest's balloon driver; 0 is never.",
      throws: { OPERATION_INVALID: 'it does not run, or has no balloon' },
    },
  },
  DOMAIN_SET_MEMORY_FLAGS: {
    number: 204,
    args: { domain, memoryKib: hyperNumber, flags: naming('DomainMemoryModFlags', flags) },
    method: {
      c: 'virDomainSetMemoryFlags',
      doc: 'Memory the guest shall have: its balloon is asked and this does not wait for it. With MAXIMUM its upper bound.',
      throws: { INVALID_ARG: 'more than the maximum', OPERATION_INVALID: 'MAXIMUM while it runs, or LIVE while not' },
    },
  },
  DOMAIN_GET_MAX_MEMORY: {
    number: 17,
    isPriority: true,
    args: { domain },
    result: { memoryKib: hyperNumber },
    method: { c: 'virDomainGetMaxMemory', doc: "The upper bound of the guest's memory, in KiB." },
  },
  DOMAIN_GET_CPU_STATS: {
    number: 262,
    args: { domain, maxParams: fixed(uint, CPU_STATS_NPARAMS), startCpu: int, cpuCount: uint, flags: flagsWithStrings },
    result: { params: typedParams(CPU_STATS_MAX), count: int },
    method: {
      c: 'virDomainGetCPUStats',
      doc:
        'CPU time in nanoseconds: with startCpu -1 and cpuCount 1 one row of totals (cpu_time, user_time, system_time), ' +
        'else a row per host CPU from startCpu on, at most 128 at once; node.getCPUMap tells how many there are.',
      throws: {
        OPERATION_INVALID: 'it does not run, or the host has no cpuacct',
        INVALID_ARG: 'no CPU, or one that does not exist',
      },
      returns: 'TypedParamRecord[]',
      shape: 'cpuStats',
    },
  },
  DOMAIN_GET_VCPUS: {
    number: 20,
    isPriority: true,
    args: { domain, maxVcpus: int, hostCpus },
    result: {
      vcpus: list(struct({ number: uint, state: naming('VcpuState', int), cpuTimeNs: uhyper, cpu: int }), VCPUINFO_MAX),
      cpumaps: cpuMaps,
    },
    method: {
      c: 'virDomainGetVcpus',
      doc: 'The first maxVcpus virtual CPUs: state, time used, the host CPU each is on, and those where it may be.',
      throws: { OPERATION_INVALID: 'it does not run' },
      returns: 'DomainVcpu[]',
      shape: 'vcpus',
    },
  },
  DOMAIN_GET_VCPUS_FLAGS: {
    number: 200,
    isPriority: true,
    args: { domain, flags: naming('DomainVcpuFlags', flags) },
    result: { count: int },
    method: {
      c: 'virDomainGetVcpusFlags',
      doc: 'How many virtual CPUs; with MAXIMUM how many there can be.',
      throws: { OPERATION_INVALID: 'LIVE, and it does not run' },
    },
  },
  DOMAIN_SET_VCPUS_FLAGS: {
    number: 199,
    args: { domain, count: uint, flags: naming('DomainVcpuFlags', flags) },
    method: {
      c: 'virDomainSetVcpusFlags',
      doc: 'Plugs or unplugs virtual CPUs, up to the maximum; with MAXIMUM and CONFIG sets that.',
      throws: { INVALID_ARG: 'more than the maximum' },
    },
  },
  DOMAIN_PIN_VCPU_FLAGS: {
    number: 225,
    args: { domain, vcpu: uint, cpus: cpuMap, flags: anImpact },
    method: {
      c: 'virDomainPinVcpuFlags',
      doc: 'The host CPUs that a virtual CPU may run on.',
      throws: { INVALID_ARG: 'no CPU, or a virtual CPU that does not exist' },
    },
  },
  DOMAIN_GET_VCPU_PIN_INFO: {
    number: 230,
    args: { domain, maxVcpus: int, hostCpus, flags: anImpact },
    result: { cpumaps: cpuMaps, count: int },
    method: {
      c: 'virDomainGetVcpuPinInfo',
      doc: 'The host CPUs that the first maxVcpus virtual CPUs may run on: a row per virtual CPU.',
      returns: 'number[][]',
      shape: 'cpuRows',
    },
  },
  DOMAIN_PIN_EMULATOR: {
    number: 279,
    args: { domain, cpus: cpuMap, flags: anImpact },
    method: {
      c: 'virDomainPinEmulator',
      doc: "The host CPUs that QEMU's own threads may run on.",
      throws: { INVALID_ARG: 'no CPU' },
    },
  },
  DOMAIN_GET_EMULATOR_PIN_INFO: {
    number: 280,
    args: { domain, hostCpus, flags: anImpact },
    result: { cpus: cpuMap, isPinned: fixed(int, 0) },
    method: { c: 'virDomainGetEmulatorPinInfo', doc: "The host CPUs that QEMU's own threads may run on." },
  },
  DOMAIN_GET_NUMA_PARAMETERS: {
    number: 255,
    args: tuningQuery,
    result: { params: typedParams(TUNING_MAX), count: fixed(int, 0) },
    method: {
      c: 'virDomainGetNumaParameters',
      doc: 'Where memory may come from: numa_mode (see DomainNumatuneMemMode) and numa_nodeset, e.g. «0-1».',
      throws: { OPERATION_INVALID: 'the host has no cpuset cgroup, or LIVE and it does not run' },
      returns: 'TypedParamRecord',
      shape: 'record',
    },
  },
  DOMAIN_SET_NUMA_PARAMETERS: {
    number: 254,
    args: { domain, params: typedParams(TUNING_MAX), flags: anImpact },
    method: {
      c: 'virDomainSetNumaParameters',
      doc: 'Where memory shall come from: numa_mode (int) and numa_nodeset (string). The mode of a running guest is fixed.',
      throws: {
        OPERATION_INVALID: 'the host has no cpuset cgroup, or LIVE and it does not run',
        ARGUMENT_UNSUPPORTED: 'a parameter it does not know',
      },
    },
  },
  DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS: {
    number: 223,
    args: tuningQuery,
    result: { params: typedParams(TUNING_MAX) },
    method: {
      c: 'virDomainGetSchedulerParametersFlags',
      doc: 'Shares, periods and quotas (microseconds) of CPU time, e.g. cpu_shares, vcpu_period, vcpu_quota.',
      throws: { OPERATION_INVALID: 'the host has no cpu cgroup, or LIVE and it does not run' },
      returns: 'TypedParamRecord',
      shape: 'record',
    },
  },
  DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS: {
    number: 219,
    args: { domain, params: typedParams(TUNING_MAX), flags: anImpact },
    method: {
      c: 'virDomainSetSchedulerParametersFlags',
      doc: 'Shares (ullong), periods (ullong) and quotas (llong) of CPU time; those not given stay.',
      throws: { ARGUMENT_UNSUPPORTED: 'a parameter it does not know', OPERATION_INVALID: 'the host has no cpu cgroup' },
    },
  },
  DOMAIN_INTERFACE_STATS: {
    number: 65,
    isPriority: true,
    args: { domain, device: string },
    result: {
      rxBytes: shyperNumber,
      rxPackets: shyperNumber,
      rxErrors: shyperNumber,
      rxDrops: shyperNumber,
      txBytes: shyperNumber,
      txPackets: shyperNumber,
      txErrors: shyperNumber,
      txDrops: shyperNumber,
    },
    method: {
      c: 'virDomainInterfaceStats',
      doc: 'What an interface (its name on the host or its MAC) carried since it is there, as the guest sees it; -1 is unknown.',
      throws: { INVALID_ARG: 'the domain has no such interface', OPERATION_INVALID: 'it does not run' },
      returns: 'DomainInterfaceStats',
    },
  },
  DOMAIN_INTERFACE_ADDRESSES: {
    number: 353,
    args: { domain, source: defaulting(naming('DomainInterfaceAddressesSource', uint), 0), flags },
    result: {
      interfaces: list(
        struct({
          name: string,
          hwaddr: text,
          addresses: list(struct({ type: naming('IPAddrType', int), address: string, prefix: uint }), IP_ADDRESS_MAX),
        }),
        INTERFACE_MAX,
      ),
    },
    method: {
      c: 'virDomainInterfaceAddresses',
      doc: "The guest's interfaces and addresses, from the DHCP leases (0), the guest's agent (1) or the ARP table (2).",
      throws: {
        OPERATION_INVALID: 'it does not run',
        AGENT_UNRESPONSIVE: 'AGENT, and no agent answers',
        ARGUMENT_UNSUPPORTED: 'AGENT, and the domain has no channel for it',
      },
    },
  },
  DOMAIN_BLOCK_STATS: {
    number: 64,
    isPriority: true,
    args: { domain, disk: string },
    result: {
      readRequests: shyperNumber,
      readBytes: shyperNumber,
      writeRequests: shyperNumber,
      writeBytes: shyperNumber,
      errors: shyperNumber,
    },
    method: {
      c: 'virDomainBlockStats',
      doc: 'What a disk (its target, e.g. «vda», or its path; empty: all together) carried since the start; -1 is unknown.',
      throws: { INVALID_ARG: 'the domain has no such disk', OPERATION_INVALID: 'it does not run' },
      returns: 'DomainBlockStats',
    },
  },
  DOMAIN_BLOCK_STATS_FLAGS: {
    number: 243,
    args: { domain, disk: string, maxParams: fixed(int, BLOCK_STATS_MAX), flags: flagsWithStrings },
    result: { params: typedParams(BLOCK_STATS_MAX), count: fixed(int, 0) },
    method: {
      c: 'virDomainBlockStatsFlags',
      doc: "As blockStats, with flushes and times in nanoseconds, by libvirt's names, e.g. `rd_total_times`.",
      throws: { INVALID_ARG: 'the domain has no such disk', OPERATION_INVALID: 'it does not run' },
      returns: 'TypedParamRecord',
      shape: 'record',
    },
  },
  DOMAIN_GET_BLOCK_INFO: {
    number: 194,
    args: { domain, disk: string, flags },
    result: { allocationBytes: byteCount, capacityBytes: byteCount, physicalBytes: byteCount },
    method: {
      c: 'virDomainGetBlockInfo',
      doc: 'Size of a disk (target or path): as the guest sees it, what of it has data, and where the file ends.',
      throws: { INVALID_ARG: 'the domain has no such disk' },
      returns: 'DomainBlockInfo',
    },
  },
  DOMAIN_BLOCK_RESIZE: {
    number: 251,
    args: { domain, disk: string, size: hyperNumber, flags: naming('DomainBlockResizeFlags', flags) },
    method: {
      c: 'virDomainBlockResize',
      doc: 'A new size for the disk of a running guest: in KiB, with BYTES in bytes. Shrinking destroys data.',
      throws: { INVALID_ARG: 'the domain has no such disk', OPERATION_INVALID: 'it does not run' },
    },
  },
  DOMAIN_GET_BLOCK_JOB_INFO: {
    number: 238,
    isPriority: true,
    args: { domain, disk: string, flags: naming('DomainBlockJobInfoFlags', flags) },
    result: {
      found: int,
      type: naming('DomainBlockJobType', int),
      bandwidth: hyperNumber,
      cur: hyperNumber,
      end: hyperNumber,
    },
    method: {
      c: 'virDomainGetBlockJobInfo',
      doc: 'How far the job of a disk is; null where it has none.',
      throws: { INVALID_ARG: 'the domain has no such disk', OPERATION_INVALID: 'it does not run' },
      returns: 'DomainBlockJobInfo | null',
      shape: 'blockJobInfo',
    },
  },
  DOMAIN_BLOCK_JOB_ABORT: {
    number: 237,
    args: { domain, disk: string, flags: naming('DomainBlockJobAbortFlags', flags) },
    method: {
      c: 'virDomainBlockJobAbort',
      doc: 'Ends the job of a disk; with PIVOT the guest goes on with the copy. Waits for the end unless ASYNC.',
      throws: {
        INVALID_ARG: 'the domain has no such disk, or the disk has no job',
        OPERATION_INVALID: 'it does not run',
      },
    },
  },
  DOMAIN_BLOCK_COPY: {
    number: 345,
    args: {
      domain,
      disk: string,
      destXml: string,
      params: defaulting(typedParams(BLOCK_COPY_MAX), []),
      flags: naming('DomainBlockCopyFlags', flags),
    },
    method: {
      c: 'virDomainBlockCopy',
      doc:
        'Begins to copy a disk to what a <disk> describes, and mirrors it from then on until blockJobAbort. Parameters: ' +
        'bandwidth (ullong, bytes/s), granularity (uint, bytes), buf-size (ullong, bytes).',
      throws: { BLOCK_COPY_ACTIVE: 'the disk has a job', OPERATION_INVALID: 'it does not run' },
    },
  },
  DOMAIN_BLOCK_COMMIT: {
    number: 290,
    args: {
      domain,
      disk: string,
      base: text,
      top: text,
      bandwidth: defaulting(hyperNumber, 0),
      flags: naming('DomainBlockCommitFlags', flags),
    },
    method: {
      c: 'virDomainBlockCommit',
      doc:
        'Begins to merge overlays down into their backing file. Null is the whole chain (top: the active image, which ' +
        'needs ACTIVE). Bandwidth in MiB/s, 0 is no limit.',
      throws: { INVALID_ARG: 'a file that is not in the chain', BLOCK_COPY_ACTIVE: 'the disk has a job' },
    },
  },
  DOMAIN_BLOCK_REBASE: {
    number: 266,
    args: {
      domain,
      disk: string,
      base: text,
      bandwidth: defaulting(hyperNumber, 0),
      flags: naming('DomainBlockRebaseFlags', flags),
    },
    method: {
      c: 'virDomainBlockRebase',
      doc: 'Begins to pull data of the backing files into the disk, down to `base` (null: all). Bandwidth in MiB/s, 0: no limit.',
      throws: { INVALID_ARG: 'a file that is not in the chain', BLOCK_COPY_ACTIVE: 'the disk has a job' },
    },
  },
});
