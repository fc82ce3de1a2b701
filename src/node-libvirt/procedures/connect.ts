/** The connection as a whole and what it can list (virConnect*). */
import { domain, network, nodeDevice, nwfilter, secret, storagePool } from '../wire/objects.ts';
import { typedParams } from '../wire/typed_params.ts';
import {
  defaulting,
  fixed,
  flags,
  hyperNumber,
  int,
  list,
  naming,
  optional,
  string,
  struct,
  uint,
  type Type,
} from '../wire/xdr.ts';
import { remote } from './procedure.ts';

const OBJECT_LIST_MAX = 16_384;
const NODE_DEVICE_LIST_MAX = 65_536;
const ALL_DOMAIN_STATS_MAX = 262_144;
const CPU_MODELS_MAX = 8192;
const CPU_BASELINE_MAX = 256;

const domains = list(domain, OBJECT_LIST_MAX);
const text = optional(string);
const needResults = fixed(int, 1);
const count = fixed(uint, 0);
/** Which CPUs a hypervisor can offer: null is its default. */
const hypervisor = { emulator: text, arch: text, machine: text, virttype: text };
const comparison = { comparison: naming('CPUCompareResult', int) };

function listing(refers: string): { needResults: typeof needResults; flags: Type<number> } {
  return { needResults, flags: naming(refers, flags) };
}

export const connectProcedures = remote({
  CONNECT_OPEN: { number: 1, isPriority: true, args: { name: text, flags } },
  CONNECT_CLOSE: { number: 2, isPriority: true },
  CONNECT_SUPPORTS_FEATURE: { number: 60, isPriority: true, args: { feature: int }, result: { supported: int } },
  CONNECT_GET_TYPE: {
    number: 3,
    isPriority: true,
    result: { type: string },
    method: { c: 'virConnectGetType', doc: 'The hypervisor driver, e.g. «QEMU».' },
  },
  CONNECT_GET_VERSION: {
    number: 4,
    isPriority: true,
    result: { version: hyperNumber },
    method: {
      c: 'virConnectGetVersion',
      doc: "The hypervisor's version: major * 1000000 + minor * 1000 + micro.",
    },
  },
  CONNECT_GET_LIB_VERSION: {
    number: 157,
    isPriority: true,
    result: { version: hyperNumber },
    method: {
      c: 'virConnectGetLibVersion',
      doc: "The daemon's libvirt version: major * 1000000 + minor * 1000 + micro.",
    },
  },
  CONNECT_GET_HOSTNAME: {
    number: 59,
    isPriority: true,
    result: { hostname: string },
    method: { c: 'virConnectGetHostname', doc: "The host's name." },
  },
  CONNECT_GET_URI: {
    number: 110,
    isPriority: true,
    result: { uri: string },
    method: { c: 'virConnectGetURI', doc: 'The URI as the daemon sees it.' },
  },
  CONNECT_GET_CAPABILITIES: {
    number: 7,
    result: { capabilities: string },
    method: { c: 'virConnectGetCapabilities', doc: "The host's capabilities as XML: topology, page sizes, guests." },
  },
  CONNECT_GET_DOMAIN_CAPABILITIES: {
    number: 342,
    args: { emulatorbin: text, arch: text, machine: text, virttype: text, flags },
    result: { capabilities: string },
    method: {
      c: 'virConnectGetDomainCapabilities',
      doc: 'What domains of a kind can have, as XML. Null is the default: the best that the host has.',
      throws: { INVALID_ARG: 'an emulator, architecture or machine that does not exist' },
    },
  },
  CONNECT_GET_CPU_MODEL_NAMES: {
    number: 312,
    args: { arch: string, needResults, flags },
    result: { models: list(string, CPU_MODELS_MAX), count: fixed(int, 0) },
    method: {
      c: 'virConnectGetCPUModelNames',
      doc: 'CPU models that libvirt knows for an architecture; not all of them run on this host.',
      throws: { INVALID_ARG: 'an architecture that does not exist' },
    },
  },
  CONNECT_COMPARE_CPU: {
    number: 158,
    isPriority: true,
    args: { xml: string, flags: naming('CompareCPUFlags', flags) },
    result: comparison,
    method: {
      c: 'virConnectCompareCPU',
      doc: "Whether the host's CPU has what a <cpu> describes. For what QEMU makes of it, see compareHypervisorCPU.",
      throws: { CPU_INCOMPATIBLE: 'it has not and FAIL_INCOMPATIBLE was given' },
    },
  },
  CONNECT_BASELINE_CPU: {
    number: 162,
    args: { xmlCPUs: list(string, CPU_BASELINE_MAX), flags: naming('BaselineCPUFlags', flags) },
    result: { cpu: string },
    method: { c: 'virConnectBaselineCPU', doc: 'The best CPU that all of these hosts have, as XML.' },
  },
  CONNECT_COMPARE_HYPERVISOR_CPU: {
    number: 393,
    args: { ...hypervisor, xml: string, flags: naming('CompareCPUFlags', flags) },
    result: comparison,
    method: {
      c: 'virConnectCompareHypervisorCPU',
      doc: 'Whether a hypervisor of this host can give a guest the CPU that a <cpu> describes. Null is the default.',
      throws: { CPU_INCOMPATIBLE: 'it cannot and FAIL_INCOMPATIBLE was given' },
    },
  },
  CONNECT_BASELINE_HYPERVISOR_CPU: {
    number: 394,
    args: { ...hypervisor, xmlCPUs: list(string, CPU_BASELINE_MAX), flags: naming('BaselineCPUFlags', flags) },
    result: { cpu: string },
    method: {
      c: 'virConnectBaselineHypervisorCPU',
      doc: 'The best CPU that the hypervisors of all of these hosts can give a guest, as XML. Null is the default.',
    },
  },
  CONNECT_LIST_ALL_DOMAINS: {
    number: 273,
    isPriority: true,
    args: listing('ListAllDomainsFlags'),
    result: { domains, count },
    method: { c: 'virConnectListAllDomains', doc: 'The domains of the host, all of them where flags are 0.' },
  },
  CONNECT_LIST_ALL_NETWORKS: {
    number: 283,
    isPriority: true,
    args: listing('ListAllNetworksFlags'),
    result: { networks: list(network, OBJECT_LIST_MAX), count },
    method: { c: 'virConnectListAllNetworks', doc: 'The networks of the host, all of them where flags are 0.' },
  },
  CONNECT_LIST_ALL_STORAGE_POOLS: {
    number: 281,
    isPriority: true,
    args: listing('ListAllStoragePoolsFlags'),
    result: { pools: list(storagePool, OBJECT_LIST_MAX), count },
    method: { c: 'virConnectListAllStoragePools', doc: 'The pools of the host, all of them where flags are 0.' },
  },
  CONNECT_LIST_ALL_SECRETS: {
    number: 287,
    isPriority: true,
    args: listing('ListAllSecretsFlags'),
    result: { secrets: list(secret, OBJECT_LIST_MAX), count },
    method: {
      c: 'virConnectListAllSecrets',
      doc: 'The secrets of the host (without their values), all where flags are 0.',
    },
  },
  CONNECT_LIST_ALL_NWFILTERS: {
    number: 286,
    isPriority: true,
    args: { needResults, flags },
    result: { nwfilters: list(nwfilter, OBJECT_LIST_MAX), count },
    method: { c: 'virConnectListAllNWFilters', doc: 'The network filters of the host. There are no flags.' },
  },
  CONNECT_LIST_ALL_NODE_DEVICES: {
    number: 285,
    isPriority: true,
    args: listing('ListAllNodeDevicesFlags'),
    result: { devices: list(nodeDevice, NODE_DEVICE_LIST_MAX), count },
    method: { c: 'virConnectListAllNodeDevices', doc: 'The devices of the host, all of them where flags are 0.' },
  },
  CONNECT_GET_ALL_DOMAIN_STATS: {
    number: 344,
    args: {
      domains: defaulting(domains, []),
      stats: naming('DomainStatsTypes', flags),
      flags: naming('GetAllDomainStatsFlags', flags),
    },
    result: { records: list(struct({ domain, params: typedParams(ALL_DOMAIN_STATS_MAX) }), OBJECT_LIST_MAX) },
    method: {
      c: 'virConnectGetAllDomainStats',
      doc:
        'Statistics of several domains in one call; no domains means all of them, stats 0 every group. Domains that end ' +
        'meanwhile are left out. It costs some milliseconds per running domain: make it once per period, not once per ' +
        'domain (virDomainListGetStats is the same procedure).',
      returns: 'DomainStatsRecord[]',
      shape: 'statsRecords',
    },
  },
});
