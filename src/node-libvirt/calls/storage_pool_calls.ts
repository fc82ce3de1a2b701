// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { StoragePool, StorageVol } from '../wire/objects.ts';
import type { Caller } from './caller.ts';

/** virStoragePoolGetInfo */
export type StoragePoolInfo = {
  /** See {@link StoragePoolState}. */
  readonly state: number;
  readonly capacityBytes: number;
  readonly allocationBytes: number;
  readonly availableBytes: number;
};

/** Storage pools. */
export class StoragePoolCalls {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * The pool with a name.
   * virStoragePoolLookupByName, STORAGE_POOL_LOOKUP_BY_NAME.
   * @throws {LibvirtError} NO_STORAGE_POOL: there is none.
   */
  async lookupByName(name: string, options?: CallOptions): Promise<StoragePool> {
    const result = await this.#caller.call(Procedures.STORAGE_POOL_LOOKUP_BY_NAME, { name }, options);
    return result.pool;
  }

  /**
   * The pool with a uuid.
   * virStoragePoolLookupByUUID, STORAGE_POOL_LOOKUP_BY_UUID.
   * @throws {LibvirtError} NO_STORAGE_POOL: there is none.
   */
  async lookupByUUID(uuid: string, options?: CallOptions): Promise<StoragePool> {
    const result = await this.#caller.call(Procedures.STORAGE_POOL_LOOKUP_BY_UUID, { uuid }, options);
    return result.pool;
  }

  /**
   * Defines a persistent pool, or changes the definition of the one with this uuid. It does not start.
   * virStoragePoolDefineXML, STORAGE_POOL_DEFINE_XML.
   * @param flags See {@link StoragePoolDefineFlags}.
   * @throws {LibvirtError} XML_DETAIL: what is not well-formed.
   * @throws {LibvirtError} XML_ERROR: what is no pool.
   * @throws {LibvirtError} OPERATION_FAILED: a name or place that another pool has.
   */
  async defineXML(xml: string, flags: number = 0, options?: CallOptions): Promise<StoragePool> {
    const result = await this.#caller.call(Procedures.STORAGE_POOL_DEFINE_XML, { xml, flags }, options);
    return result.pool;
  }

  /**
   * Starts a transient pool: it is gone when it stops. What is stored stays.
   * virStoragePoolCreateXML, STORAGE_POOL_CREATE_XML.
   * @param flags See {@link StoragePoolCreateFlags}.
   * @throws {LibvirtError} XML_DETAIL: what is not well-formed.
   * @throws {LibvirtError} XML_ERROR: what is no pool.
   * @throws {LibvirtError} OPERATION_FAILED: a name or place that another pool has.
   * @throws {LibvirtError} SYSTEM_ERROR: no such place.
   */
  async createXML(xml: string, flags: number = 0, options?: CallOptions): Promise<StoragePool> {
    const result = await this.#caller.call(Procedures.STORAGE_POOL_CREATE_XML, { xml, flags }, options);
    return result.pool;
  }

  /**
   * Starts a defined pool and looks at its volumes.
   * virStoragePoolCreate, STORAGE_POOL_CREATE.
   * @param flags See {@link StoragePoolCreateFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it is started already.
   * @throws {LibvirtError} SYSTEM_ERROR: the place is not there.
   */
  async create(pool: StoragePool, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.STORAGE_POOL_CREATE, { pool, flags }, options);
  }

  /**
   * Looks at the volumes anew: libvirt does not notice files that others make or remove.
   * virStoragePoolRefresh, STORAGE_POOL_REFRESH.
   * @throws {LibvirtError} OPERATION_INVALID: the pool is not started.
   */
  async refresh(pool: StoragePool, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.STORAGE_POOL_REFRESH, { pool, flags }, options);
  }

  /**
   * Stops a pool. What is stored stays; a transient pool is gone then.
   * virStoragePoolDestroy, STORAGE_POOL_DESTROY.
   * @throws {LibvirtError} OPERATION_INVALID: the pool is not started.
   */
  async destroy(pool: StoragePool, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.STORAGE_POOL_DESTROY, { pool }, options);
  }

  /**
   * Makes what the pool needs to start: a folder, a file system. OVERWRITE destroys what is there.
   * virStoragePoolBuild, STORAGE_POOL_BUILD.
   * @param flags See {@link StoragePoolBuildFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it is started.
   */
  async build(pool: StoragePool, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.STORAGE_POOL_BUILD, { pool, flags }, options);
  }

  /**
   * Removes the definition of a stopped pool. What is stored stays.
   * virStoragePoolUndefine, STORAGE_POOL_UNDEFINE.
   * @throws {LibvirtError} OPERATION_INVALID: it is started.
   */
  async undefine(pool: StoragePool, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.STORAGE_POOL_UNDEFINE, { pool }, options);
  }

  /**
   * The pool's XML.
   * virStoragePoolGetXMLDesc, STORAGE_POOL_GET_XML_DESC.
   * @param flags See {@link StorageXMLFlags}.
   */
  async getXMLDesc(pool: StoragePool, flags: number = 0, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.STORAGE_POOL_GET_XML_DESC, { pool, flags }, options);
    return result.xml;
  }

  /**
   * Whether the pool starts with the host.
   * virStoragePoolGetAutostart, STORAGE_POOL_GET_AUTOSTART.
   */
  async getAutostart(pool: StoragePool, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.STORAGE_POOL_GET_AUTOSTART, { pool }, options);
    return result.isAutostart;
  }

  /**
   * Whether the pool shall start with the host.
   * virStoragePoolSetAutostart, STORAGE_POOL_SET_AUTOSTART.
   * @throws {LibvirtError} INTERNAL_ERROR: it is transient.
   */
  async setAutostart(pool: StoragePool, autostart: boolean, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.STORAGE_POOL_SET_AUTOSTART, { pool, autostart }, options);
  }

  /**
   * Whether the pool is started.
   * virStoragePoolIsActive, STORAGE_POOL_IS_ACTIVE.
   */
  async isActive(pool: StoragePool, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.STORAGE_POOL_IS_ACTIVE, { pool }, options);
    return result.isActive;
  }

  /**
   * Whether the pool is defined, so that it outlives a stop.
   * virStoragePoolIsPersistent, STORAGE_POOL_IS_PERSISTENT.
   */
  async isPersistent(pool: StoragePool, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.STORAGE_POOL_IS_PERSISTENT, { pool }, options);
    return result.isPersistent;
  }

  /**
   * State and room of a pool, as of its last refresh; 0 while it is stopped.
   * virStoragePoolGetInfo, STORAGE_POOL_GET_INFO.
   */
  async getInfo(pool: StoragePool, options?: CallOptions): Promise<StoragePoolInfo> {
    return this.#caller.call(Procedures.STORAGE_POOL_GET_INFO, { pool }, options);
  }

  /**
   * The volumes of a pool, as of its last refresh.
   * virStoragePoolListAllVolumes, STORAGE_POOL_LIST_ALL_VOLUMES.
   * @throws {LibvirtError} OPERATION_INVALID: the pool is not started.
   */
  async listAllVolumes(pool: StoragePool, flags: number = 0, options?: CallOptions): Promise<readonly StorageVol[]> {
    const result = await this.#caller.call(Procedures.STORAGE_POOL_LIST_ALL_VOLUMES, { pool, flags }, options);
    return result.vols;
  }
}
