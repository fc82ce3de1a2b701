/** Storage pools and their volumes (virStoragePool*, virStorageVol*). */
import { storagePool, storageVol } from '../wire/objects.ts';
import { byteCount, bool, defaulting, fixed, flags, int, list, naming, string, uint, uuid } from '../wire/xdr.ts';
import { remote } from './procedure.ts';

const VOL_LIST_MAX = 16_384;

const pool = storagePool;
const vol = storageVol;
const stopped = { OPERATION_INVALID: 'the pool is not started' };
const missingVol = { NO_STORAGE_VOL: 'there is none' };
const unfit = { XML_DETAIL: 'what is not well-formed', XML_ERROR: 'what is no pool' };
const piece = { offsetBytes: defaulting(byteCount, 0), lengthBytes: defaulting(byteCount, 0), flags };

export const storageProcedures = remote({
  STORAGE_POOL_LOOKUP_BY_NAME: {
    number: 84,
    isPriority: true,
    args: { name: string },
    result: { pool },
    method: {
      c: 'virStoragePoolLookupByName',
      doc: 'The pool with a name.',
      throws: { NO_STORAGE_POOL: 'there is none' },
    },
  },
  STORAGE_POOL_LOOKUP_BY_UUID: {
    number: 85,
    args: { uuid },
    result: { pool },
    method: {
      c: 'virStoragePoolLookupByUUID',
      doc: 'The pool with a uuid.',
      throws: { NO_STORAGE_POOL: 'there is none' },
    },
  },
  STORAGE_POOL_DEFINE_XML: {
    number: 77,
    isPriority: true,
    args: { xml: string, flags: naming('StoragePoolDefineFlags', flags) },
    result: { pool },
    method: {
      c: 'virStoragePoolDefineXML',
      doc: 'Defines a persistent pool, or changes the definition of the one with this uuid. It does not start.',
      throws: { ...unfit, OPERATION_FAILED: 'a name or place that another pool has' },
    },
  },
  STORAGE_POOL_CREATE_XML: {
    number: 76,
    args: { xml: string, flags: naming('StoragePoolCreateFlags', flags) },
    result: { pool },
    method: {
      c: 'virStoragePoolCreateXML',
      doc: 'Starts a transient pool: it is gone when it stops. What is stored stays.',
      throws: { ...unfit, OPERATION_FAILED: 'a name or place that another pool has', SYSTEM_ERROR: 'no such place' },
    },
  },
  STORAGE_POOL_CREATE: {
    number: 78,
    args: { pool, flags: naming('StoragePoolCreateFlags', flags) },
    method: {
      c: 'virStoragePoolCreate',
      doc: 'Starts a defined pool and looks at its volumes.',
      throws: { OPERATION_INVALID: 'it is started already', SYSTEM_ERROR: 'the place is not there' },
    },
  },
  STORAGE_POOL_REFRESH: {
    number: 83,
    args: { pool, flags },
    method: {
      c: 'virStoragePoolRefresh',
      doc: 'Looks at the volumes anew: libvirt does not notice files that others make or remove.',
      throws: stopped,
    },
  },
  STORAGE_POOL_DESTROY: {
    number: 80,
    isPriority: true,
    args: { pool },
    method: {
      c: 'virStoragePoolDestroy',
      doc: 'Stops a pool. What is stored stays; a transient pool is gone then.',
      throws: stopped,
    },
  },
  STORAGE_POOL_BUILD: {
    number: 79,
    args: { pool, flags: naming('StoragePoolBuildFlags', flags) },
    method: {
      c: 'virStoragePoolBuild',
      doc: 'Makes what the pool needs to start: a folder, a file system. OVERWRITE destroys what is there.',
      throws: { OPERATION_INVALID: 'it is started' },
    },
  },
  STORAGE_POOL_UNDEFINE: {
    number: 82,
    args: { pool },
    method: {
      c: 'virStoragePoolUndefine',
      doc: 'Removes the definition of a stopped pool. What is stored stays.',
      throws: { OPERATION_INVALID: 'it is started' },
    },
  },
  STORAGE_POOL_GET_XML_DESC: {
    number: 88,
    args: { pool, flags: naming('StorageXMLFlags', flags) },
    result: { xml: string },
    method: { c: 'virStoragePoolGetXMLDesc', doc: "The pool's XML." },
  },
  STORAGE_POOL_GET_AUTOSTART: {
    number: 89,
    args: { pool },
    result: { isAutostart: bool },
    method: { c: 'virStoragePoolGetAutostart', doc: 'Whether the pool starts with the host.' },
  },
  STORAGE_POOL_SET_AUTOSTART: {
    number: 90,
    args: { pool, autostart: bool },
    method: {
      c: 'virStoragePoolSetAutostart',
      doc: 'Whether the pool shall start with the host.',
      throws: { INTERNAL_ERROR: 'it is transient' },
    },
  },
  STORAGE_POOL_IS_ACTIVE: {
    number: 154,
    args: { pool },
    result: { isActive: bool },
    method: { c: 'virStoragePoolIsActive', doc: 'Whether the pool is started.' },
  },
  STORAGE_POOL_IS_PERSISTENT: {
    number: 155,
    args: { pool },
    result: { isPersistent: bool },
    method: { c: 'virStoragePoolIsPersistent', doc: 'Whether the pool is defined, so that it outlives a stop.' },
  },
  STORAGE_POOL_GET_INFO: {
    number: 87,
    isPriority: true,
    args: { pool },
    result: {
      state: naming('StoragePoolState', uint),
      capacityBytes: byteCount,
      allocationBytes: byteCount,
      availableBytes: byteCount,
    },
    method: {
      c: 'virStoragePoolGetInfo',
      doc: 'State and room of a pool, as of its last refresh; 0 while it is stopped.',
      returns: 'StoragePoolInfo',
    },
  },
  STORAGE_POOL_LIST_ALL_VOLUMES: {
    number: 282,
    isPriority: true,
    args: { pool, needResults: fixed(int, 1), flags },
    result: { vols: list(vol, VOL_LIST_MAX), count: fixed(uint, 0) },
    method: {
      c: 'virStoragePoolListAllVolumes',
      doc: 'The volumes of a pool, as of its last refresh.',
      throws: stopped,
    },
  },
  STORAGE_VOL_LOOKUP_BY_NAME: {
    number: 95,
    isPriority: true,
    args: { pool, name: string },
    result: { vol },
    method: {
      c: 'virStorageVolLookupByName',
      doc: 'The volume of a pool with a name.',
      throws: { ...missingVol, ...stopped },
    },
  },
  STORAGE_VOL_LOOKUP_BY_PATH: {
    number: 97,
    isPriority: true,
    args: { path: string },
    result: { vol },
    method: { c: 'virStorageVolLookupByPath', doc: 'The volume at a path, in any started pool.', throws: missingVol },
  },
  STORAGE_VOL_CREATE_XML: {
    number: 93,
    args: { pool, xml: string, flags: naming('StorageVolCreateFlags', flags) },
    result: { vol },
    method: {
      c: 'virStorageVolCreateXML',
      doc: 'Makes a volume as a <volume> describes it.',
      throws: { STORAGE_VOL_EXIST: 'the name is taken', ...stopped },
    },
  },
  STORAGE_VOL_CREATE_XML_FROM: {
    number: 125,
    args: { pool, xml: string, cloneVol: vol, flags: naming('StorageVolCreateFlags', flags) },
    result: { vol },
    method: {
      c: 'virStorageVolCreateXMLFrom',
      doc: 'Makes a volume with the data of another one, in its own format and at least as large. Takes as long as copying.',
      throws: { STORAGE_VOL_EXIST: 'the name is taken', ...missingVol, ...stopped },
    },
  },
  STORAGE_VOL_UPLOAD: {
    number: 208,
    args: { vol, ...piece },
    stream: 'write',
    method: {
      c: 'virStorageVolUpload',
      doc: 'Writes into a volume, its format and all, from an offset on; length 0 is as much as comes.',
      throws: missingVol,
    },
  },
  STORAGE_VOL_DOWNLOAD: {
    number: 209,
    args: { vol, ...piece },
    stream: 'read',
    method: {
      c: 'virStorageVolDownload',
      doc: 'Reads a volume, its format and all, from an offset on; length 0 is up to its end.',
      throws: missingVol,
    },
  },
  STORAGE_VOL_RESIZE: {
    number: 260,
    args: { vol, capacityBytes: byteCount, flags: naming('StorageVolResizeFlags', flags) },
    method: {
      c: 'virStorageVolResize',
      doc: 'A new capacity for a volume that no guest uses; with DELTA so much more, with SHRINK also less.',
      throws: { INVALID_ARG: 'less than it is, without SHRINK', ...missingVol },
    },
  },
  STORAGE_VOL_DELETE: {
    number: 94,
    args: { vol, flags: naming('StorageVolDeleteFlags', flags) },
    method: { c: 'virStorageVolDelete', doc: 'Deletes a volume and its data.', throws: missingVol },
  },
  STORAGE_VOL_GET_INFO: {
    number: 98,
    isPriority: true,
    args: { vol },
    result: { type: naming('StorageVolType', int), capacityBytes: byteCount, allocationBytes: byteCount },
    method: {
      c: 'virStorageVolGetInfo',
      doc: 'Kind and size of a volume: as a guest sees it, and what it takes.',
      throws: missingVol,
      returns: 'StorageVolInfo',
    },
  },
  STORAGE_VOL_GET_PATH: {
    number: 100,
    isPriority: true,
    args: { vol },
    result: { path: string },
    method: { c: 'virStorageVolGetPath', doc: 'Where a volume is, as domains name it.', throws: missingVol },
  },
  STORAGE_VOL_GET_XML_DESC: {
    number: 99,
    args: { vol, flags },
    result: { xml: string },
    method: { c: 'virStorageVolGetXMLDesc', doc: "The volume's XML.", throws: missingVol },
  },
});
