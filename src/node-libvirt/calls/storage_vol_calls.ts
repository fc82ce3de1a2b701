// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import type { Readable, Writable } from 'node:stream';
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { StoragePool, StorageVol } from '../wire/objects.ts';
import type { Caller } from './caller.ts';

/** virStorageVolGetInfo */
export type StorageVolInfo = {
  /** See {@link StorageVolType}. */
  readonly type: number;
  readonly capacityBytes: number;
  readonly allocationBytes: number;
};

/** Volumes of storage pools. */
export class StorageVolCalls {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * The volume of a pool with a name.
   * virStorageVolLookupByName, STORAGE_VOL_LOOKUP_BY_NAME.
   * @throws {LibvirtError} NO_STORAGE_VOL: there is none.
   * @throws {LibvirtError} OPERATION_INVALID: the pool is not started.
   */
  async lookupByName(pool: StoragePool, name: string, options?: CallOptions): Promise<StorageVol> {
    const result = await this.#caller.call(Procedures.STORAGE_VOL_LOOKUP_BY_NAME, { pool, name }, options);
    return result.vol;
  }

  /**
   * The volume at a path, in any started pool.
   * virStorageVolLookupByPath, STORAGE_VOL_LOOKUP_BY_PATH.
   * @throws {LibvirtError} NO_STORAGE_VOL: there is none.
   */
  async lookupByPath(path: string, options?: CallOptions): Promise<StorageVol> {
    const result = await this.#caller.call(Procedures.STORAGE_VOL_LOOKUP_BY_PATH, { path }, options);
    return result.vol;
  }

  /**
   * Makes a volume as a <volume> describes it.
   * virStorageVolCreateXML, STORAGE_VOL_CREATE_XML.
   * @param flags See {@link StorageVolCreateFlags}.
   * @throws {LibvirtError} STORAGE_VOL_EXIST: the name is taken.
   * @throws {LibvirtError} OPERATION_INVALID: the pool is not started.
   */
  async createXML(pool: StoragePool, xml: string, flags: number = 0, options?: CallOptions): Promise<StorageVol> {
    const result = await this.#caller.call(Procedures.STORAGE_VOL_CREATE_XML, { pool, xml, flags }, options);
    return result.vol;
  }

  /**
   * Makes a volume with the data of another one, in its own format and at least as large. Takes as long as copying.
   * virStorageVolCreateXMLFrom, STORAGE_VOL_CREATE_XML_FROM.
   * @param flags See {@link StorageVolCreateFlags}.
   * @throws {LibvirtError} STORAGE_VOL_EXIST: the name is taken.
   * @throws {LibvirtError} NO_STORAGE_VOL: there is none.
   * @throws {LibvirtError} OPERATION_INVALID: the pool is not started.
   */
  async createXMLFrom(
    pool: StoragePool,
    xml: string,
    cloneVol: StorageVol,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<StorageVol> {
    const result = await this.#caller.call(
      Procedures.STORAGE_VOL_CREATE_XML_FROM,
      { pool, xml, cloneVol, flags },
      options,
    );
    return result.vol;
  }

  /**
   * Writes into a volume, its format and all, from an offset on; length 0 is as much as comes.
   * virStorageVolUpload, STORAGE_VOL_UPLOAD.
   * @throws {LibvirtError} NO_STORAGE_VOL: there is none.
   */
  async upload(
    vol: StorageVol,
    offsetBytes: number = 0,
    lengthBytes: number = 0,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<Writable> {
    const result = await this.#caller.openStream(
      Procedures.STORAGE_VOL_UPLOAD,
      { vol, offsetBytes, lengthBytes, flags },
      options,
    );
    return result.stream;
  }

  /**
   * Reads a volume, its format and all, from an offset on; length 0 is up to its end.
   * virStorageVolDownload, STORAGE_VOL_DOWNLOAD.
   * @throws {LibvirtError} NO_STORAGE_VOL: there is none.
   */
  async download(
    vol: StorageVol,
    offsetBytes: number = 0,
    lengthBytes: number = 0,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<Readable> {
    const result = await this.#caller.openStream(
      Procedures.STORAGE_VOL_DOWNLOAD,
      { vol, offsetBytes, lengthBytes, flags },
      options,
    );
    return result.stream;
  }

  /**
   * A new capacity for a volume that no guest uses; with DELTA so much more, with SHRINK also less.
   * virStorageVolResize, STORAGE_VOL_RESIZE.
   * @param flags See {@link StorageVolResizeFlags}.
   * @throws {LibvirtError} INVALID_ARG: less than it is, without SHRINK.
   * @throws {LibvirtError} NO_STORAGE_VOL: there is none.
   */
  async resize(vol: StorageVol, capacityBytes: number, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.STORAGE_VOL_RESIZE, { vol, capacityBytes, flags }, options);
  }

  /**
   * Deletes a volume and its data.
   * virStorageVolDelete, STORAGE_VOL_DELETE.
   * @param flags See {@link StorageVolDeleteFlags}.
   * @throws {LibvirtError} NO_STORAGE_VOL: there is none.
   */
  async delete(vol: StorageVol, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.STORAGE_VOL_DELETE, { vol, flags }, options);
  }

  /**
   * Kind and size of a volume: as a guest sees it, and what it takes.
   * virStorageVolGetInfo, STORAGE_VOL_GET_INFO.
   * @throws {LibvirtError} NO_STORAGE_VOL: there is none.
   */
  async getInfo(vol: StorageVol, options?: CallOptions): Promise<StorageVolInfo> {
    return this.#caller.call(Procedures.STORAGE_VOL_GET_INFO, { vol }, options);
  }

  /**
   * Where a volume is, as domains name it.
   * virStorageVolGetPath, STORAGE_VOL_GET_PATH.
   * @throws {LibvirtError} NO_STORAGE_VOL: there is none.
   */
  async getPath(vol: StorageVol, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.STORAGE_VOL_GET_PATH, { vol }, options);
    return result.path;
  }

  /**
   * The volume's XML.
   * virStorageVolGetXMLDesc, STORAGE_VOL_GET_XML_DESC.
   * @throws {LibvirtError} NO_STORAGE_VOL: there is none.
   */
  async getXMLDesc(vol: StorageVol, flags: number = 0, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.STORAGE_VOL_GET_XML_DESC, { vol, flags }, options);
    return result.xml;
  }
}
