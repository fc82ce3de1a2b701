/** The host: CPUs, memory, pages (virNode*), and its devices (virNodeDevice*). */
import { cpuMap } from '../wire/cpu_map.ts';
import { nodeDevice } from '../wire/objects.ts';
import { flagsWithStrings, typedParams } from '../wire/typed_params.ts';
import {
  byteCount,
  bool,
  chars,
  charText,
  defaulting,
  fixed,
  flags,
  hyperNumber,
  int,
  list,
  naming,
  string,
  struct,
  uhyper,
  uint,
} from '../wire/xdr.ts';
import { remote } from './procedure.ts';

const NODE_MAX_CELLS = 1024;
const STATS_MAX = 16;
const SECURITY_TEXT_MAX = 257;
const SEV_INFO_MAX = 64;

const pages = list(uint, NODE_MAX_CELLS);
const all = defaulting(int, -1);

export const nodeProcedures = remote({
  NODE_GET_INFO: {
    number: 6,
    isPriority: true,
    result: {
      model: chars(32),
      memoryKib: hyperNumber,
      cpus: int,
      mhz: int,
      nodes: int,
      sockets: int,
      cores: int,
      threads: int,
    },
    method: {
      c: 'virNodeGetInfo',
      doc:
        'Active CPUs and memory of the host. `nodes` is 1 where the CPUs do not divide evenly among the NUMA cells: the ' +
        'capabilities tell the truth.',
      returns: 'NodeInfo',
    },
  },
  NODE_GET_FREE_PAGES: {
    number: 340,
    isPriority: true,
    args: { pagesKib: pages, startCell: int, cellCount: uint, flags },
    result: { counts: list(hyperNumber, NODE_MAX_CELLS) },
    method: {
      c: 'virNodeGetFreePages',
      doc:
        'Free pages per NUMA cell and page size: a row per cell in order, in it a count per size as asked. Fewer rows ' +
        'where cellCount goes beyond the last cell; startCell -1 is the host as a whole.',
      throws: {
        INTERNAL_ERROR: 'startCell is beyond the last cell',
        OPERATION_FAILED: 'a page size that the host does not have',
      },
      returns: 'number[][]',
      shape: 'pagesPerCell',
    },
  },
  NODE_ALLOC_PAGES: {
    number: 347,
    args: {
      pagesKib: pages,
      pageCounts: list(hyperNumber, NODE_MAX_CELLS),
      startCell: int,
      cellCount: uint,
      flags: naming('NodeAllocPagesFlags', flags),
    },
    result: { allocated: int },
    method: {
      c: 'virNodeAllocPages',
      doc:
        'Changes the pools of huge pages: a count per page size, for each of the cells; added, or with SET the whole ' +
        'pool. Answers how many pools were changed. Where too few pages can be had, those that could stay.',
      throws: {
        OPERATION_FAILED: 'too few pages could be had',
        OPERATION_UNSUPPORTED: 'pages of the size that the system itself uses',
      },
    },
  },
  NODE_GET_CELLS_FREE_MEMORY: {
    number: 101,
    isPriority: true,
    args: { startCell: int, maxCells: int },
    result: { cellsBytes: list(byteCount, NODE_MAX_CELLS) },
    method: {
      c: 'virNodeGetCellsFreeMemory',
      doc: 'Free memory per NUMA cell, in bytes.',
      throws: { INTERNAL_ERROR: 'startCell is beyond the last cell' },
    },
  },
  NODE_GET_FREE_MEMORY: {
    number: 102,
    isPriority: true,
    result: { bytes: hyperNumber },
    method: { c: 'virNodeGetFreeMemory', doc: 'Free memory of the host, in bytes.' },
  },
  NODE_GET_MEMORY_STATS: {
    number: 228,
    isPriority: true,
    args: { count: int, cell: all, flags },
    result: { stats: list(struct({ field: string, value: hyperNumber }), STATS_MAX), count: int },
    method: {
      c: 'virNodeGetMemoryStats',
      doc: 'Memory of a NUMA cell, or of the host as a whole (-1), in KiB: total and free; buffers and cached only of all.',
      throws: { INVALID_ARG: 'a cell that does not exist' },
      returns: 'Readonly<Record<string, number>>',
      shape: 'byName',
      countFirst: 'count',
    },
  },
  NODE_GET_CPU_STATS: {
    number: 227,
    isPriority: true,
    args: { cpu: all, count: int, flags },
    result: { stats: list(struct({ field: string, value: uhyper }), STATS_MAX), count: int },
    method: {
      c: 'virNodeGetCPUStats',
      doc: 'Time that a CPU, or all together (-1), spent in kernel, user, idle, iowait and intr since boot, in nanoseconds.',
      throws: { INVALID_ARG: 'a CPU that does not exist' },
      returns: 'Readonly<Record<string, bigint>>',
      shape: 'byName',
      countFirst: 'count',
    },
  },
  NODE_GET_CPU_MAP: {
    number: 293,
    args: { needMap: fixed(int, 1), needOnline: fixed(int, 1), flags },
    result: { onlineCpus: cpuMap, onlineCount: fixed(uint, 0), cpuCount: int },
    method: { c: 'virNodeGetCPUMap', doc: 'Which CPUs are online, and how many there are.', returns: 'NodeCPUMap' },
  },
  NODE_GET_SECURITY_MODEL: {
    number: 122,
    result: { model: charText(SECURITY_TEXT_MAX), doi: charText(SECURITY_TEXT_MAX) },
    method: {
      c: 'virNodeGetSecurityModel',
      doc: "The host's security driver (e.g. «apparmor») and its domain of interpretation; empty where there is none.",
      returns: 'SecurityModel',
    },
  },
  NODE_GET_SEV_INFO: {
    number: 395,
    args: { maxParams: fixed(int, SEV_INFO_MAX), flags: flagsWithStrings },
    result: { params: typedParams(SEV_INFO_MAX), count: fixed(int, 0) },
    method: {
      c: 'virNodeGetSEVInfo',
      doc: "What the host's AMD SEV offers and its certificates, by libvirt's names, e.g. `cbitpos`.",
      throws: { OPERATION_UNSUPPORTED: 'the host has no SEV' },
      returns: 'TypedParamRecord',
      shape: 'record',
    },
  },
  NODE_DEVICE_LOOKUP_BY_NAME: {
    number: 113,
    args: { name: string },
    result: { device: nodeDevice },
    method: {
      c: 'virNodeDeviceLookupByName',
      doc: 'The device with a name, e.g. «pci_0000_00_00_0».',
      throws: { NO_NODE_DEVICE: 'there is none' },
    },
  },
  NODE_DEVICE_GET_XML_DESC: {
    number: 114,
    args: { device: nodeDevice, flags },
    result: { xml: string },
    method: {
      c: 'virNodeDeviceGetXMLDesc',
      doc: 'What a device is and can do, as XML.',
      throws: { NO_NODE_DEVICE: 'there is no such device' },
    },
  },
  NODE_DEVICE_DEFINE_XML: {
    number: 428,
    since: '7.3.0',
    args: { xml: string, flags: naming('NodeDeviceDefineXMLFlags', flags) },
    result: { device: nodeDevice },
    method: { c: 'virNodeDeviceDefineXML', doc: 'Defines a mediated device; other kinds cannot be defined.' },
  },
  NODE_DEVICE_UNDEFINE: {
    number: 429,
    since: '7.3.0',
    args: { device: nodeDevice, flags },
    method: {
      c: 'virNodeDeviceUndefine',
      doc: 'Removes the definition of a mediated device.',
      throws: { NO_NODE_DEVICE: 'there is no such device' },
    },
  },
  NODE_DEVICE_CREATE: {
    number: 430,
    since: '7.3.0',
    args: { device: nodeDevice, flags },
    method: {
      c: 'virNodeDeviceCreate',
      doc: 'Starts a defined mediated device.',
      throws: { NO_NODE_DEVICE: 'there is no such device', OPERATION_INVALID: 'it is started already' },
    },
  },
  NODE_DEVICE_GET_AUTOSTART: {
    number: 433,
    since: '7.8.0',
    args: { device: nodeDevice },
    result: { isAutostart: bool },
    method: { c: 'virNodeDeviceGetAutostart', doc: 'Whether a mediated device starts with its parent.' },
  },
  NODE_DEVICE_SET_AUTOSTART: {
    number: 434,
    since: '7.8.0',
    args: { device: nodeDevice, autostart: bool },
    method: {
      c: 'virNodeDeviceSetAutostart',
      doc: 'Whether a mediated device shall start with its parent.',
      throws: { OPERATION_UNSUPPORTED: 'it is no mediated device' },
    },
  },
  NODE_DEVICE_IS_PERSISTENT: {
    number: 435,
    since: '7.8.0',
    args: { device: nodeDevice },
    result: { isPersistent: bool },
    method: { c: 'virNodeDeviceIsPersistent', doc: 'Whether a device is defined, or will always be there.' },
  },
  NODE_DEVICE_IS_ACTIVE: {
    number: 436,
    since: '7.8.0',
    args: { device: nodeDevice },
    result: { isActive: bool },
    method: { c: 'virNodeDeviceIsActive', doc: 'Whether a device is there, as opposed to only defined.' },
  },
});
