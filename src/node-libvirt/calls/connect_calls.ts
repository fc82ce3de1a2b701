// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import { Procedures } from '../procedures/index.ts';
import type { Procedure } from '../procedures/procedure.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { Domain, Network, StoragePool, Secret, NWFilter, NodeDevice } from '../wire/objects.ts';
import type { Opened } from './caller.ts';
import { statsRecords, type DomainStatsRecord } from './shapes.ts';

/** The connection and what the host has. */
export abstract class ConnectCalls {
  abstract call<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<R>;
  abstract openStream<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<Opened<R>>;

  /**
   * The hypervisor driver, e.g. «QEMU».
   * virConnectGetType, CONNECT_GET_TYPE.
   */
  async getType(options?: CallOptions): Promise<string> {
    const result = await this.call(Procedures.CONNECT_GET_TYPE, {}, options);
    return result.type;
  }

  /**
   * The hypervisor's version: major * 1000000 + minor * 1000 + micro.
   * virConnectGetVersion, CONNECT_GET_VERSION.
   */
  async getVersion(options?: CallOptions): Promise<number> {
    const result = await this.call(Procedures.CONNECT_GET_VERSION, {}, options);
    return result.version;
  }

  /**
   * The daemon's libvirt version: major * 1000000 + minor * 1000 + micro.
   * virConnectGetLibVersion, CONNECT_GET_LIB_VERSION.
   */
  async getLibVersion(options?: CallOptions): Promise<number> {
    const result = await this.call(Procedures.CONNECT_GET_LIB_VERSION, {}, options);
    return result.version;
  }

  /**
   * The host's name.
   * virConnectGetHostname, CONNECT_GET_HOSTNAME.
   */
  async getHostname(options?: CallOptions): Promise<string> {
    const result = await this.call(Procedures.CONNECT_GET_HOSTNAME, {}, options);
    return result.hostname;
  }

  /**
   * The URI as the daemon sees it.
   * virConnectGetURI, CONNECT_GET_URI.
   */
  async getURI(options?: CallOptions): Promise<string> {
    const result = await this.call(Procedures.CONNECT_GET_URI, {}, options);
    return result.uri;
  }

  /**
   * The host's capabilities as XML: topology, page sizes, guests.
   * virConnectGetCapabilities, CONNECT_GET_CAPABILITIES.
   */
  async getCapabilities(options?: CallOptions): Promise<string> {
    const result = await this.call(Procedures.CONNECT_GET_CAPABILITIES, {}, options);
    return result.capabilities;
  }

  /**
   * What domains of a kind can have, as XML. Null is the default: the best that the host has.
   * virConnectGetDomainCapabilities, CONNECT_GET_DOMAIN_CAPABILITIES.
   * @throws {LibvirtError} INVALID_ARG: an emulator, architecture or machine that does not exist.
   */
  async getDomainCapabilities(
    emulatorbin: string | null = null,
    arch: string | null = null,
    machine: string | null = null,
    virttype: string | null = null,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<string> {
    const result = await this.call(
      Procedures.CONNECT_GET_DOMAIN_CAPABILITIES,
      { emulatorbin, arch, machine, virttype, flags },
      options,
    );
    return result.capabilities;
  }

  /**
   * CPU models that libvirt knows for an architecture; not all of them run on this host.
   * virConnectGetCPUModelNames, CONNECT_GET_CPU_MODEL_NAMES.
   * @throws {LibvirtError} INVALID_ARG: an architecture that does not exist.
   */
  async getCPUModelNames(arch: string, flags: number = 0, options?: CallOptions): Promise<readonly string[]> {
    const result = await this.call(Procedures.CONNECT_GET_CPU_MODEL_NAMES, { arch, flags }, options);
    return result.models;
  }

  /**
   * Whether the host's CPU has what a <cpu> describes. For what QEMU makes of it, see compareHypervisorCPU.
   * virConnectCompareCPU, CONNECT_COMPARE_CPU.
   * @param flags See {@link CompareCPUFlags}.
   * @returns See {@link CPUCompareResult}.
   * @throws {LibvirtError} CPU_INCOMPATIBLE: it has not and FAIL_INCOMPATIBLE was given.
   */
  async compareCPU(xml: string, flags: number = 0, options?: CallOptions): Promise<number> {
    const result = await this.call(Procedures.CONNECT_COMPARE_CPU, { xml, flags }, options);
    return result.comparison;
  }

  /**
   * The best CPU that all of these hosts have, as XML.
   * virConnectBaselineCPU, CONNECT_BASELINE_CPU.
   * @param flags See {@link BaselineCPUFlags}.
   */
  async baselineCPU(xmlCPUs: readonly string[], flags: number = 0, options?: CallOptions): Promise<string> {
    const result = await this.call(Procedures.CONNECT_BASELINE_CPU, { xmlCPUs, flags }, options);
    return result.cpu;
  }

  /**
   * Whether a hypervisor of this host can give a guest the CPU that a <cpu> describes. Null is the default.
   * virConnectCompareHypervisorCPU, CONNECT_COMPARE_HYPERVISOR_CPU.
   * @param flags See {@link CompareCPUFlags}.
   * @returns See {@link CPUCompareResult}.
   * @throws {LibvirtError} CPU_INCOMPATIBLE: it cannot and FAIL_INCOMPATIBLE was given.
   */
  async compareHypervisorCPU(
    emulator: string | null,
    arch: string | null,
    machine: string | null,
    virttype: string | null,
    xml: string,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<number> {
    const result = await this.call(
      Procedures.CONNECT_COMPARE_HYPERVISOR_CPU,
      { emulator, arch, machine, virttype, xml, flags },
      options,
    );
    return result.comparison;
  }

  /**
   * The best CPU that the hypervisors of all of these hosts can give a guest, as XML. Null is the default.
   * virConnectBaselineHypervisorCPU, CONNECT_BASELINE_HYPERVISOR_CPU.
   * @param flags See {@link BaselineCPUFlags}.
   */
  async baselineHypervisorCPU(
    emulator: string | null,
    arch: string | null,
    machine: string | null,
    virttype: string | null,
    xmlCPUs: readonly string[],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<string> {
    const result = await this.call(
      Procedures.CONNECT_BASELINE_HYPERVISOR_CPU,
      { emulator, arch, machine, virttype, xmlCPUs, flags },
      options,
    );
    return result.cpu;
  }

  /**
   * The domains of the host, all of them where flags are 0.
   * virConnectListAllDomains, CONNECT_LIST_ALL_DOMAINS.
   * @param flags See {@link ListAllDomainsFlags}.
   */
  async listAllDomains(flags: number = 0, options?: CallOptions): Promise<readonly Domain[]> {
    const result = await this.call(Procedures.CONNECT_LIST_ALL_DOMAINS, { flags }, options);
    return result.domains;
  }

  /**
   * The networks of the host, all of them where flags are 0.
   * virConnectListAllNetworks, CONNECT_LIST_ALL_NETWORKS.
   * @param flags See {@link ListAllNetworksFlags}.
   */
  async listAllNetworks(flags: number = 0, options?: CallOptions): Promise<readonly Network[]> {
    const result = await this.call(Procedures.CONNECT_LIST_ALL_NETWORKS, { flags }, options);
    return result.networks;
  }

  /**
   * The pools of the host, all of them where flags are 0.
   * virConnectListAllStoragePools, CONNECT_LIST_ALL_STORAGE_POOLS.
   * @param flags See {@link ListAllStoragePoolsFlags}.
   */
  async listAllStoragePools(flags: number = 0, options?: CallOptions): Promise<readonly StoragePool[]> {
    const result = await this.call(Procedures.CONNECT_LIST_ALL_STORAGE_POOLS, { flags }, options);
    return result.pools;
  }

  /**
   * The secrets of the host (without their values), all where flags are 0.
   * virConnectListAllSecrets, CONNECT_LIST_ALL_SECRETS.
   * @param flags See {@link ListAllSecretsFlags}.
   */
  async listAllSecrets(flags: number = 0, options?: CallOptions): Promise<readonly Secret[]> {
    const result = await this.call(Procedures.CONNECT_LIST_ALL_SECRETS, { flags }, options);
    return result.secrets;
  }

  /**
   * The network filters of the host. There are no flags.
   * virConnectListAllNWFilters, CONNECT_LIST_ALL_NWFILTERS.
   */
  async listAllNWFilters(flags: number = 0, options?: CallOptions): Promise<readonly NWFilter[]> {
    const result = await this.call(Procedures.CONNECT_LIST_ALL_NWFILTERS, { flags }, options);
    return result.nwfilters;
  }

  /**
   * The devices of the host, all of them where flags are 0.
   * virConnectListAllNodeDevices, CONNECT_LIST_ALL_NODE_DEVICES.
   * @param flags See {@link ListAllNodeDevicesFlags}.
   */
  async listAllNodeDevices(flags: number = 0, options?: CallOptions): Promise<readonly NodeDevice[]> {
    const result = await this.call(Procedures.CONNECT_LIST_ALL_NODE_DEVICES, { flags }, options);
    return result.devices;
  }

  /**
   * Statistics of several domains in one call; no domains means all of them, stats 0 every group. Domains that end
   * meanwhile are left out. It costs some milliseconds per running domain: make it once per period, not once per
   * domain (virDomainListGetStats is the same procedure).
   * virConnectGetAllDomainStats, CONNECT_GET_ALL_DOMAIN_STATS.
   * @param stats See {@link DomainStatsTypes}.
   * @param flags See {@link GetAllDomainStatsFlags}.
   */
  async getAllDomainStats(
    domains: readonly Domain[] = [],
    stats: number = 0,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<DomainStatsRecord[]> {
    const result = await this.call(Procedures.CONNECT_GET_ALL_DOMAIN_STATS, { domains, stats, flags }, options);
    return statsRecords(result);
  }
}
