// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { TypedParamRecord } from '../wire/typed_params.ts';
import type { Caller } from './caller.ts';
import { countedCall } from './caller.ts';
import { pagesPerCell, byName, record } from './shapes.ts';

/** virNodeGetInfo */
export type NodeInfo = {
  readonly model: string;
  readonly memoryKib: number;
  readonly cpus: number;
  readonly mhz: number;
  readonly nodes: number;
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
};

/** virNodeGetCPUMap */
export type NodeCPUMap = {
  readonly onlineCpus: readonly number[];
  readonly cpuCount: number;
};

/** virNodeGetSecurityModel */
export type SecurityModel = {
  readonly model: string;
  readonly doi: string;
};

/** The host: CPUs, memory, pages. */
export class NodeCalls {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Active CPUs and memory of the host. `nodes` is 1 where the CPUs do not divide evenly among the NUMA cells: the
   * capabilities tell the truth.
   * virNodeGetInfo, NODE_GET_INFO.
   */
  async getInfo(options?: CallOptions): Promise<NodeInfo> {
    return this.#caller.call(Procedures.NODE_GET_INFO, {}, options);
  }

  /**
   * Free pages per NUMA cell and page size: a row per cell in order, in it a count per size as asked. Fewer rows
   * where cellCount goes beyond the last cell; startCell -1 is the host as a whole.
   * virNodeGetFreePages, NODE_GET_FREE_PAGES.
   * @throws {LibvirtError} INTERNAL_ERROR: startCell is beyond the last cell.
   * @throws {LibvirtError} OPERATION_FAILED: a page size that the host does not have.
   */
  async getFreePages(
    pagesKib: readonly number[],
    startCell: number,
    cellCount: number,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<number[][]> {
    const args = { pagesKib, startCell, cellCount, flags };
    const result = await this.#caller.call(Procedures.NODE_GET_FREE_PAGES, args, options);
    return pagesPerCell(result, args);
  }

  /**
   * Changes the pools of huge pages: a count per page size, for each of the cells; added, or with SET the whole
   * pool. Answers how many pools were changed. Where too few pages can be had, those that could stay.
   * virNodeAllocPages, NODE_ALLOC_PAGES.
   * @param flags See {@link NodeAllocPagesFlags}.
   * @throws {LibvirtError} OPERATION_FAILED: too few pages could be had.
   * @throws {LibvirtError} OPERATION_UNSUPPORTED: pages of the size that the system itself uses.
   */
  async allocPages(
    pagesKib: readonly number[],
    pageCounts: readonly number[],
    startCell: number,
    cellCount: number,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<number> {
    const result = await this.#caller.call(
      Procedures.NODE_ALLOC_PAGES,
      { pagesKib, pageCounts, startCell, cellCount, flags },
      options,
    );
    return result.allocated;
  }

  /**
   * Free memory per NUMA cell, in bytes.
   * virNodeGetCellsFreeMemory, NODE_GET_CELLS_FREE_MEMORY.
   * @throws {LibvirtError} INTERNAL_ERROR: startCell is beyond the last cell.
   */
  async getCellsFreeMemory(startCell: number, maxCells: number, options?: CallOptions): Promise<readonly number[]> {
    const result = await this.#caller.call(Procedures.NODE_GET_CELLS_FREE_MEMORY, { startCell, maxCells }, options);
    return result.cellsBytes;
  }

  /**
   * Free memory of the host, in bytes.
   * virNodeGetFreeMemory, NODE_GET_FREE_MEMORY.
   */
  async getFreeMemory(options?: CallOptions): Promise<number> {
    const result = await this.#caller.call(Procedures.NODE_GET_FREE_MEMORY, {}, options);
    return result.bytes;
  }

  /**
   * Memory of a NUMA cell, or of the host as a whole (-1), in KiB: total and free; buffers and cached only of all.
   * virNodeGetMemoryStats, NODE_GET_MEMORY_STATS.
   * @throws {LibvirtError} INVALID_ARG: a cell that does not exist.
   */
  async getMemoryStats(
    cell: number = -1,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<Readonly<Record<string, number>>> {
    const result = await countedCall(
      this.#caller,
      Procedures.NODE_GET_MEMORY_STATS,
      (count) => ({ cell, flags, count }),
      options,
    );
    return byName(result);
  }

  /**
   * Time that a CPU, or all together (-1), spent in kernel, user, idle, iowait and intr since boot, in nanoseconds.
   * virNodeGetCPUStats, NODE_GET_CPU_STATS.
   * @throws {LibvirtError} INVALID_ARG: a CPU that does not exist.
   */
  async getCPUStats(
    cpu: number = -1,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<Readonly<Record<string, bigint>>> {
    const result = await countedCall(
      this.#caller,
      Procedures.NODE_GET_CPU_STATS,
      (count) => ({ cpu, flags, count }),
      options,
    );
    return byName(result);
  }

  /**
   * Which CPUs are online, and how many there are.
   * virNodeGetCPUMap, NODE_GET_CPU_MAP.
   */
  async getCPUMap(flags: number = 0, options?: CallOptions): Promise<NodeCPUMap> {
    return this.#caller.call(Procedures.NODE_GET_CPU_MAP, { flags }, options);
  }

  /**
   * The host's security driver (e.g. «apparmor») and its domain of interpretation; empty where there is none.
   * virNodeGetSecurityModel, NODE_GET_SECURITY_MODEL.
   */
  async getSecurityModel(options?: CallOptions): Promise<SecurityModel> {
    return this.#caller.call(Procedures.NODE_GET_SECURITY_MODEL, {}, options);
  }

  /**
   * What the host's AMD SEV offers and its certificates, by libvirt's names, e.g. `cbitpos`.
   * virNodeGetSEVInfo, NODE_GET_SEV_INFO.
   * @throws {LibvirtError} OPERATION_UNSUPPORTED: the host has no SEV.
   */
  async getSEVInfo(flags: number = 0, options?: CallOptions): Promise<TypedParamRecord> {
    const result = await this.#caller.call(Procedures.NODE_GET_SEV_INFO, { flags }, options);
    return record(result);
  }
}
