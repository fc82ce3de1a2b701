/** Calls on the connection and the host (virConnect*, virNode*), one method per libvirt function. */
import { ProtocolError } from './errors.ts';
import { toNumber } from './numbers.ts';
import type { CallOptions } from './pending_call.ts';
import { Procedures, type Procedure } from './procedures.ts';

export type DomainCapabilitiesQuery = {
  /** Path of the emulator; absent: the default for the architecture. */
  readonly emulatorbin?: string;
  readonly arch?: string;
  readonly machine?: string;
  /** «kvm» or «qemu»; absent: the best the host has. */
  readonly virttype?: string;
};

/** virNodeInfo */
export type NodeInfo = {
  readonly model: string;
  readonly memoryKib: number;
  /** Active CPUs. */
  readonly cpus: number;
  readonly mhz: number;
  /** NUMA cells; 1 where the CPUs do not divide evenly among them, so read the capabilities for the truth. */
  readonly nodes: number;
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
};

export abstract class ConnectCalls {
  /** Calls a procedure of the table, or one made with remoteProcedure(). */
  abstract call<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<R>;

  /** The hypervisor driver, e.g. «QEMU». virConnectGetType, CONNECT_GET_TYPE. */
  async getType(options?: CallOptions): Promise<string> {
    return (await this.call(Procedures.CONNECT_GET_TYPE, {}, options)).type;
  }

  /** The hypervisor's version, major * 1000000 + minor * 1000 + micro. virConnectGetVersion, CONNECT_GET_VERSION. */
  async getVersion(options?: CallOptions): Promise<number> {
    return toNumber((await this.call(Procedures.CONNECT_GET_VERSION, {}, options)).version, 'version');
  }

  /** The daemon's libvirt version, as {@link getVersion}. virConnectGetLibVersion, CONNECT_GET_LIB_VERSION. */
  async getLibVersion(options?: CallOptions): Promise<number> {
    return toNumber((await this.call(Procedures.CONNECT_GET_LIB_VERSION, {}, options)).version, 'version');
  }

  /** The host's name. virConnectGetHostname, CONNECT_GET_HOSTNAME. */
  async getHostname(options?: CallOptions): Promise<string> {
    return (await this.call(Procedures.CONNECT_GET_HOSTNAME, {}, options)).hostname;
  }

  /** The URI as the daemon sees it. virConnectGetURI, CONNECT_GET_URI. */
  async getURI(options?: CallOptions): Promise<string> {
    return (await this.call(Procedures.CONNECT_GET_URI, {}, options)).uri;
  }

  /** The host's capabilities as XML. virConnectGetCapabilities, CONNECT_GET_CAPABILITIES. */
  async getCapabilities(options?: CallOptions): Promise<string> {
    return (await this.call(Procedures.CONNECT_GET_CAPABILITIES, {}, options)).capabilities;
  }

  /**
   * What domains of a kind can have, as XML. virConnectGetDomainCapabilities, CONNECT_GET_DOMAIN_CAPABILITIES.
   * @throws {LibvirtError} INVALID_ARG for an emulator, architecture or machine that does not exist.
   */
  async getDomainCapabilities(query: DomainCapabilitiesQuery = {}, options?: CallOptions): Promise<string> {
    const { emulatorbin = null, arch = null, machine = null, virttype = null } = query;
    const args = { emulatorbin, arch, machine, virttype, flags: 0 };
    return (await this.call(Procedures.CONNECT_GET_DOMAIN_CAPABILITIES, args, options)).capabilities;
  }

  /** CPUs and memory of the host. virNodeGetInfo, NODE_GET_INFO. */
  async getNodeInfo(options?: CallOptions): Promise<NodeInfo> {
    const { memory, ...rest } = await this.call(Procedures.NODE_GET_INFO, {}, options);
    return { ...rest, memoryKib: toNumber(memory, 'memory') };
  }

  /**
   * Free pages of `pagesKib` sizes on `cellCount` cells from `startCell` on (-1: the whole host as one row): a row per
   * cell, a count per size in the order asked. Rows end at the last cell. virNodeGetFreePages, NODE_GET_FREE_PAGES.
   * @throws {LibvirtError} a size the kernel does not have is OPERATION_FAILED, a start past the last cell INTERNAL_ERROR.
   */
  async getFreePages(
    pagesKib: readonly number[],
    startCell: number,
    cellCount: number,
    options?: CallOptions,
  ): Promise<number[][]> {
    if (pagesKib.length === 0) throw new RangeError('getFreePages: ask for one page size at least');
    const args = { pages: pagesKib, startCell, cellCount, flags: 0 };
    const { counts } = await this.call(Procedures.NODE_GET_FREE_PAGES, args, options);
    if (counts.length % pagesKib.length !== 0 || counts.length > cellCount * pagesKib.length) {
      const asked = `${pagesKib.length} page sizes on ${cellCount} cells`;
      throw new ProtocolError(`reply to NODE_GET_FREE_PAGES: ${counts.length} counts for ${asked}`);
    }
    const numbers = counts.map((count) => toNumber(count, 'count'));
    return Array.from({ length: numbers.length / pagesKib.length }, (_, row) =>
      numbers.slice(row * pagesKib.length, (row + 1) * pagesKib.length),
    );
  }

  /** Free memory per cell, in bytes. virNodeGetCellsFreeMemory, NODE_GET_CELLS_FREE_MEMORY. */
  async getCellsFreeMemory(startCell: number, maxCells: number, options?: CallOptions): Promise<number[]> {
    const args = { startCell, maxcells: maxCells };
    const { cells } = await this.call(Procedures.NODE_GET_CELLS_FREE_MEMORY, args, options);
    return cells.map((bytes) => toNumber(bytes, 'free memory'));
  }
}
