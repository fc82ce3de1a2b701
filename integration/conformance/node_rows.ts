/** The host: CPUs, memory, devices. */
// Rows run inside of the tests that the table becomes.
// oxlint-disable vitest/no-standalone-expect
import { expect } from 'vitest';
import { ErrorCode, ListAllNodeDevicesFlags, type Connection, type NodeDevice } from 'node-libvirt';
import { live, refused, type Rows } from './row.ts';
import { at, cpusOf, listOf, recordOf, sameRefusal, settled } from './world.ts';

const COMPUTER: NodeDevice = { name: 'computer' };
const NONE: NodeDevice = { name: 'nlv_none' };
const NO_MDEV = 'no device of this machine makes mediated devices';
const MDEV_XML = `<device><parent>computer</parent><capability type='mdev'><type id='none'/></capability></device>`;

export const nodeRows: Rows = {
  NODE_GET_INFO: live(async ({ connection, python }) => {
    const ours = async () => {
      const { model, memoryKib, cpus, mhz, nodes, sockets, cores, threads } = await connection.node.getInfo();
      // libvirt-python has the memory in MiB.
      return [model, Math.floor(memoryKib / 1024), cpus, mhz, nodes, sockets, cores, threads];
    };
    await settled(ours, () => python(at.connect, 'getInfo'));
  }),
  NODE_GET_FREE_PAGES: live(async ({ connection, python }) => {
    await settled(
      async () => (await connection.node.getFreePages([2048], 0, 1))[0],
      () => python(at.connect, 'getFreePages', [2048], 0, 1, 0),
      (theirs) => [recordOf(recordOf(theirs)['0'])['2048']],
    );
    expect(await connection.node.getFreePages([2048, 4], 0, 1)).toEqual([[expect.any(Number), expect.any(Number)]]);
    await sameRefusal(
      () => connection.node.getFreePages([4], 4000, 1),
      () => python(at.connect, 'getFreePages', [4], 4000, 1, 0),
    );
  }),
  NODE_ALLOC_PAGES: live(async ({ connection, python }) => {
    // No page more: the pools of this machine are not ours.
    expect(await connection.node.allocPages([2048], [0], 0, 1)).toBe(
      await python(at.connect, 'allocPages', { $pages: { 2048: 0 } }, 0, 1, 0),
    );
  }),
  NODE_GET_CELLS_FREE_MEMORY: live(async ({ connection, python }) => {
    // Free memory of a busy host never stands still: the same to within a tenth.
    const [ours = 0] = await connection.node.getCellsFreeMemory(0, 1);
    expect(ours / Number(listOf(await python(at.connect, 'getCellsFreeMemory', 0, 1))[0])).toBeCloseTo(1, 1);
  }),
  NODE_GET_FREE_MEMORY: live(async ({ connection, python }) => {
    const ours = await connection.node.getFreeMemory();
    expect(ours / Number(await python(at.connect, 'getFreeMemory'))).toBeCloseTo(1, 1);
  }),
  NODE_GET_MEMORY_STATS: live(async ({ connection, python }) => {
    const ours = await connection.node.getMemoryStats();
    const theirs = recordOf(await python(at.connect, 'getMemoryStats', -1, 0));
    expect(Object.keys(ours)).toEqual(Object.keys(theirs));
    expect(ours['total']).toBe(theirs['total']);
    expect(Object.keys(await connection.node.getMemoryStats(0))).toEqual(['total', 'free']);
    await sameRefusal(
      () => connection.node.getMemoryStats(4000),
      () => python(at.connect, 'getMemoryStats', 4000, 0),
    );
  }),
  NODE_GET_CPU_STATS: live(async ({ connection, python }) => {
    const before = await connection.node.getCPUStats();
    const theirs = recordOf(await python(at.connect, 'getCPUStats', -1, 0));
    const after = await connection.node.getCPUStats();
    expect(Object.keys(before)).toEqual(Object.keys(theirs));
    for (const name of ['user', 'kernel', 'idle']) {
      expect(BigInt(String(theirs[name]))).toBeGreaterThanOrEqual(before[name] ?? 0n);
      expect(BigInt(String(theirs[name]))).toBeLessThanOrEqual(after[name] ?? 0n);
    }
    expect(Object.keys(await connection.node.getCPUStats(0))).toEqual(Object.keys(theirs));
  }),
  NODE_GET_CPU_MAP: live(async ({ connection, python }) => {
    const { onlineCpus, cpuCount } = await connection.node.getCPUMap();
    const [count, map, online] = listOf(await python(at.connect, 'getCPUMap'));
    expect({ onlineCpus, cpuCount }).toEqual({ onlineCpus: cpusOf(map), cpuCount: count });
    expect(onlineCpus).toHaveLength(Number(online));
  }),
  NODE_GET_SECURITY_MODEL: live(async ({ connection, python }) => {
    expect(Object.values(await connection.node.getSecurityModel())).toEqual(
      await python(at.connect, 'getSecurityModel'),
    );
  }),
  NODE_GET_SEV_INFO: refused('the host has no AMD SEV', async ({ connection, python }) => {
    await sameRefusal(
      () => connection.node.getSEVInfo(),
      () => python(at.connect, 'getSEVInfo', 0),
    );
  }),

  NODE_DEVICE_LOOKUP_BY_NAME: live(async ({ connection, python }) => {
    expect(await connection.nodeDevice.lookupByName('computer')).toEqual(
      await python(at.connect, 'nodeDeviceLookupByName', 'computer'),
    );
    await sameRefusal(
      () => connection.nodeDevice.lookupByName(NONE.name),
      () => python(at.connect, 'nodeDeviceLookupByName', NONE.name),
    );
  }),
  NODE_DEVICE_GET_XML_DESC: live(async ({ connection, python }) => {
    for (const device of await somePciDevices(connection))
      expect(await connection.nodeDevice.getXMLDesc(device)).toBe(await python(at.device(device), 'XMLDesc', 0));
  }),
  NODE_DEVICE_IS_ACTIVE: live(async ({ connection, python }) => {
    expect(Number(await connection.nodeDevice.isActive(COMPUTER))).toBe(await python(at.device(COMPUTER), 'isActive'));
  }),
  NODE_DEVICE_IS_PERSISTENT: live(async ({ connection, python }) => {
    expect(Number(await connection.nodeDevice.isPersistent(COMPUTER))).toBe(
      await python(at.device(COMPUTER), 'isPersistent'),
    );
  }),
  NODE_DEVICE_GET_AUTOSTART: live(async ({ connection, python }) => {
    expect(Number(await connection.nodeDevice.getAutostart(COMPUTER))).toBe(
      await python(at.device(COMPUTER), 'autostart'),
    );
  }),
  NODE_DEVICE_SET_AUTOSTART: refused(NO_MDEV, async ({ connection, python }) => {
    await sameRefusal(
      () => connection.nodeDevice.setAutostart(COMPUTER, true),
      () => python(at.device(COMPUTER), 'setAutostart', 1),
    );
  }),
  NODE_DEVICE_DEFINE_XML: refused(NO_MDEV, async ({ connection, python }) => {
    await sameRefusal(
      () => connection.nodeDevice.defineXML(MDEV_XML),
      () => python(at.connect, 'nodeDeviceDefineXML', MDEV_XML, 0),
    );
  }),
  NODE_DEVICE_UNDEFINE: refused(NO_MDEV, async ({ connection, python }) => {
    await sameRefusal(
      () => connection.nodeDevice.undefine(COMPUTER),
      () => python(at.device(COMPUTER), 'undefine', 0),
    );
    await expect(connection.nodeDevice.undefine(NONE)).rejects.toMatchObject({ code: ErrorCode.NO_NODE_DEVICE });
  }),
  NODE_DEVICE_CREATE: refused(NO_MDEV, async ({ connection, python }) => {
    await sameRefusal(
      () => connection.nodeDevice.create(COMPUTER),
      () => python(at.device(COMPUTER), 'create', 0),
    );
    await expect(connection.nodeDevice.create(NONE)).rejects.toMatchObject({ code: ErrorCode.NO_NODE_DEVICE });
  }),
};

async function somePciDevices(connection: Connection): Promise<readonly NodeDevice[]> {
  const devices = await connection.listAllNodeDevices(ListAllNodeDevicesFlags.CAP_PCI_DEV);
  return [COMPUTER, ...devices.slice(0, 2)];
}
