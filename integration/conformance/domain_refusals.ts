/** What calls of domains and the host are refused with. */
import { randomUUID } from 'node:crypto';
import { DomainBlockCopyFlags, param } from 'node-libvirt';
import { diskPath, tinyXml } from './guest.ts';
import { refusal, undone, type Refusal } from './refusal.ts';
import type { World } from './world.ts';

const LIVE = 1;
const CONFIG = 2;
const NONE = { name: 'nlv-none', uuid: 'a7c3fbd0-6f2e-4c3a-9d6c-0d2f5e8b7a11' };
const BEYOND = '<cpu><arch>x86_64</arch><model>EPYC-Milan</model></cpu>';
const MISSING_DISK = `<disk type='file' device='disk'><source file='/none'/><target dev='vdx' bus='virtio'/></disk>`;

/** `spare` is a domain that does not run, `world.guest` one that does. */
export const domainRefusals: readonly Refusal[] = [
  refusal('CONNECT_GET_DOMAIN_CAPABILITIES', 'INVALID_ARG', ({ connection }) =>
    connection.getDomainCapabilities(null, 'vax'),
  ),
  refusal('CONNECT_GET_CPU_MODEL_NAMES', 'INVALID_ARG', ({ connection }) => connection.getCPUModelNames('vax')),
  refusal('CONNECT_COMPARE_CPU', 'CPU_INCOMPATIBLE', ({ connection }) => connection.compareCPU(BEYOND, 1)),
  refusal('CONNECT_COMPARE_HYPERVISOR_CPU', 'CPU_INCOMPATIBLE', ({ connection }) =>
    connection.compareHypervisorCPU(null, 'x86_64', null, 'qemu', BEYOND, 1),
  ),
  refusal('NODE_GET_FREE_PAGES', 'INTERNAL_ERROR', ({ connection }) => connection.node.getFreePages([4], 4000, 1)),
  refusal('NODE_GET_FREE_PAGES', 'OPERATION_FAILED', ({ connection }) => connection.node.getFreePages([3], 0, 1)),
  refusal('NODE_ALLOC_PAGES', 'OPERATION_UNSUPPORTED', ({ connection }) => connection.node.allocPages([4], [1], 0, 1)),
  refusal('NODE_GET_CELLS_FREE_MEMORY', 'INTERNAL_ERROR', ({ connection }) =>
    connection.node.getCellsFreeMemory(4000, 1),
  ),
  refusal('NODE_GET_MEMORY_STATS', 'INVALID_ARG', ({ connection }) => connection.node.getMemoryStats(4000)),
  refusal('NODE_GET_CPU_STATS', 'INVALID_ARG', ({ connection }) => connection.node.getCPUStats(4000)),
  refusal('NODE_GET_SEV_INFO', 'OPERATION_UNSUPPORTED', ({ connection }) => connection.node.getSEVInfo()),
  refusal('NODE_DEVICE_LOOKUP_BY_NAME', 'NO_NODE_DEVICE', ({ connection }) =>
    connection.nodeDevice.lookupByName('none'),
  ),
  refusal('NODE_DEVICE_GET_XML_DESC', 'NO_NODE_DEVICE', ({ connection }) => connection.nodeDevice.getXMLDesc(NONE)),
  refusal('NODE_DEVICE_UNDEFINE', 'NO_NODE_DEVICE', ({ connection }) => connection.nodeDevice.undefine(NONE)),
  refusal('NODE_DEVICE_CREATE', 'NO_NODE_DEVICE', ({ connection }) => connection.nodeDevice.create(NONE)),
  refusal('NODE_DEVICE_SET_AUTOSTART', 'OPERATION_UNSUPPORTED', ({ connection }) =>
    connection.nodeDevice.setAutostart({ name: 'computer' }, true),
  ),

  refusal('DOMAIN_LOOKUP_BY_UUID', 'NO_DOMAIN', ({ connection }) => connection.domain.lookupByUUID(NONE.uuid)),
  refusal('DOMAIN_LOOKUP_BY_NAME', 'NO_DOMAIN', ({ connection }) => connection.domain.lookupByName('nlv-none')),
  refusal('DOMAIN_LOOKUP_BY_ID', 'NO_DOMAIN', ({ connection }) => connection.domain.lookupByID(0x7fffffff)),
  refusal('DOMAIN_DEFINE_XML_FLAGS', 'XML_DETAIL', ({ connection }) => connection.domain.defineXMLFlags('<domain')),
  refusal('DOMAIN_DEFINE_XML_FLAGS', 'XML_ERROR', ({ connection }) => connection.domain.defineXMLFlags('<pool/>')),
  refusal('DOMAIN_DEFINE_XML_FLAGS', 'XML_INVALID_SCHEMA', ({ connection }) =>
    connection.domain.defineXMLFlags('<domain><nonsense/></domain>', 1),
  ),
  refusal('DOMAIN_DEFINE_XML_FLAGS', 'CONFIG_UNSUPPORTED', ({ connection }, { name }) =>
    connection.domain.defineXMLFlags(tinyXml(`${name}-x`).replace('<vcpu>1<', '<vcpu>1000<')),
  ),
  refusal('DOMAIN_DEFINE_XML_FLAGS', 'OPERATION_FAILED', ({ connection }, { name }) =>
    connection.domain.defineXMLFlags(tinyXml(name)),
  ),
  refusal('DOMAIN_CREATE_XML', 'OPERATION_FAILED', ({ connection }, { name }) =>
    connection.domain.createXML(tinyXml(name)),
  ),
  refusal('DOMAIN_CREATE_XML', 'OPERATION_INVALID', async ({ connection, guest }) =>
    connection.domain.createXML(await connection.domain.getXMLDesc(guest, 2)),
  ),
  refusal('DOMAIN_CREATE_WITH_FLAGS', 'OPERATION_INVALID', ({ connection, guest }) =>
    connection.domain.createWithFlags(guest),
  ),
  refusal('DOMAIN_DESTROY', 'OPERATION_INVALID', ({ connection }, spare) => connection.domain.destroy(spare)),
  refusal('DOMAIN_DESTROY_FLAGS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.destroyFlags(spare),
  ),
  refusal('DOMAIN_SHUTDOWN_FLAGS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.shutdownFlags(spare),
  ),
  refusal('DOMAIN_SHUTDOWN_FLAGS', 'ARGUMENT_UNSUPPORTED', ({ connection, guest }) =>
    connection.domain.shutdownFlags(guest, 2),
  ),
  refusal('DOMAIN_REBOOT', 'OPERATION_INVALID', ({ connection }, spare) => connection.domain.reboot(spare)),
  refusal('DOMAIN_REBOOT', 'ARGUMENT_UNSUPPORTED', ({ connection, guest }) => connection.domain.reboot(guest, 2)),
  refusal('DOMAIN_RESET', 'OPERATION_INVALID', ({ connection }, spare) => connection.domain.reset(spare)),
  refusal('DOMAIN_SUSPEND', 'OPERATION_INVALID', ({ connection }, spare) => connection.domain.suspend(spare)),
  refusal('DOMAIN_RESUME', 'OPERATION_INVALID', ({ connection, guest }) => connection.domain.resume(guest)),
  refusal('DOMAIN_SET_METADATA', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.setMetadata(spare, 0, 'x', null, null, LIVE),
  ),
  refusal('DOMAIN_GET_METADATA', 'NO_DOMAIN_METADATA', ({ connection }, spare) =>
    connection.domain.getMetadata(spare, 0),
  ),
  refusal('DOMAIN_MANAGED_SAVE', 'OPERATION_INVALID', ({ connection }, spare) => connection.domain.managedSave(spare)),
  refusal('DOMAIN_SAVE_PARAMS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.saveParams(spare, [param.string('file', '/none')]),
  ),
  refusal('DOMAIN_RESTORE_PARAMS', 'OPERATION_FAILED', ({ connection }) =>
    connection.domain.restoreParams([param.string('file', '/etc/hostname')]),
  ),
  refusal('DOMAIN_SET_LAUNCH_SECURITY_STATE', 'OPERATION_UNSUPPORTED', ({ connection, guest }) =>
    connection.domain.setLaunchSecurityState(guest, [
      param.string('sev-secret', 'a'),
      param.string('sev-secret-header', 'b'),
    ]),
  ),
  refusal('DOMAIN_SNAPSHOT_LOOKUP_BY_NAME', 'NO_DOMAIN_SNAPSHOT', ({ connection }, spare) =>
    connection.domainSnapshot.lookupByName(spare, 'none'),
  ),
  refusal('DOMAIN_SNAPSHOT_GET_XML_DESC', 'NO_DOMAIN_SNAPSHOT', ({ connection }, spare) =>
    connection.domainSnapshot.getXMLDesc({ name: 'none', domain: spare }),
  ),
  refusal('DOMAIN_SNAPSHOT_DELETE', 'NO_DOMAIN_SNAPSHOT', ({ connection }, spare) =>
    connection.domainSnapshot.delete({ name: 'none', domain: spare }),
  ),
  refusal('DOMAIN_REVERT_TO_SNAPSHOT', 'NO_DOMAIN_SNAPSHOT', ({ connection }, spare) =>
    connection.domain.revertToSnapshot({ name: 'none', domain: spare }),
  ),

  refusal('DOMAIN_MEMORY_STATS', 'OPERATION_INVALID', ({ connection }, spare) => connection.domain.memoryStats(spare)),
  refusal('DOMAIN_SET_MEMORY_STATS_PERIOD', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.setMemoryStatsPeriod(spare, 1, LIVE),
  ),
  refusal('DOMAIN_SET_MEMORY_FLAGS', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.setMemoryFlags(guest, 2 ** 30),
  ),
  refusal('DOMAIN_SET_MEMORY_FLAGS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.setMemoryFlags(spare, 1024, LIVE),
  ),
  refusal('DOMAIN_GET_CPU_STATS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.getCPUStats(spare, -1, 1),
  ),
  refusal('DOMAIN_GET_CPU_STATS', 'INVALID_ARG', ({ connection, guest }) => connection.domain.getCPUStats(guest, 0, 0)),
  refusal('DOMAIN_GET_VCPUS', 'OPERATION_INVALID', ({ connection }, spare) => connection.domain.getVcpus(spare, 1)),
  refusal('DOMAIN_GET_VCPUS_FLAGS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.getVcpusFlags(spare, LIVE),
  ),
  refusal('DOMAIN_SET_VCPUS_FLAGS', 'INVALID_ARG', ({ connection }, spare) =>
    connection.domain.setVcpusFlags(spare, 9, CONFIG),
  ),
  refusal('DOMAIN_PIN_VCPU_FLAGS', 'INVALID_ARG', ({ connection }, spare) =>
    connection.domain.pinVcpuFlags(spare, 0, [], CONFIG),
  ),
  refusal('DOMAIN_PIN_VCPU_FLAGS', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.pinVcpuFlags(guest, 77, [0], LIVE),
  ),
  refusal('DOMAIN_PIN_EMULATOR', 'INVALID_ARG', ({ connection }, spare) =>
    connection.domain.pinEmulator(spare, [], CONFIG),
  ),
  refusal('DOMAIN_GET_NUMA_PARAMETERS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.getNumaParameters(spare, LIVE),
  ),
  refusal('DOMAIN_SET_NUMA_PARAMETERS', 'ARGUMENT_UNSUPPORTED', ({ connection }, spare) =>
    connection.domain.setNumaParameters(spare, [param.int('none', 1)], CONFIG),
  ),
  refusal('DOMAIN_SET_NUMA_PARAMETERS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.setNumaParameters(spare, [param.string('numa_nodeset', '0')], LIVE),
  ),
  refusal('DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.getSchedulerParametersFlags(spare, LIVE),
  ),
  refusal('DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS', 'ARGUMENT_UNSUPPORTED', ({ connection }, spare) =>
    connection.domain.setSchedulerParametersFlags(spare, [param.int('none', 1)], CONFIG),
  ),
  refusal('DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.setSchedulerParametersFlags(spare, [param.ullong('cpu_shares', 9)], LIVE),
  ),
  refusal('DOMAIN_INTERFACE_STATS', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.interfaceStats(guest, 'none'),
  ),
  refusal('DOMAIN_INTERFACE_STATS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.interfaceStats(spare, 'none'),
  ),
  refusal('DOMAIN_INTERFACE_ADDRESSES', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.interfaceAddresses(spare),
  ),
  refusal('DOMAIN_INTERFACE_ADDRESSES', 'ARGUMENT_UNSUPPORTED', ({ connection, guest }) =>
    connection.domain.interfaceAddresses(guest, 1),
  ),
  refusal('DOMAIN_BLOCK_STATS', 'INVALID_ARG', ({ connection, guest }) => connection.domain.blockStats(guest, 'none')),
  refusal('DOMAIN_BLOCK_STATS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.blockStats(spare, 'vda'),
  ),
  refusal('DOMAIN_BLOCK_STATS_FLAGS', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.blockStatsFlags(guest, 'none'),
  ),
  refusal('DOMAIN_BLOCK_STATS_FLAGS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.blockStatsFlags(spare, 'vda'),
  ),
  refusal('DOMAIN_GET_BLOCK_INFO', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.getBlockInfo(guest, 'none'),
  ),
  refusal('DOMAIN_BLOCK_RESIZE', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.blockResize(guest, 'none', 1),
  ),
  refusal('DOMAIN_BLOCK_RESIZE', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.blockResize(spare, 'vda', 1),
  ),
  refusal('DOMAIN_GET_BLOCK_JOB_INFO', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.getBlockJobInfo(guest, 'none'),
  ),
  refusal('DOMAIN_GET_BLOCK_JOB_INFO', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.getBlockJobInfo(spare, 'vda'),
  ),
  refusal('DOMAIN_BLOCK_JOB_ABORT', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.blockJobAbort(spare, 'vda'),
  ),
  refusal('DOMAIN_BLOCK_COPY', 'BLOCK_COPY_ACTIVE', (world) => duringCopy(world, () => beginCopy(world))),
  refusal('DOMAIN_BLOCK_REBASE', 'BLOCK_COPY_ACTIVE', (world) =>
    duringCopy(world, () => world.connection.domain.blockRebase(world.guest, 'vda')),
  ),
  refusal('DOMAIN_UPDATE_DEVICE_FLAGS', 'OPERATION_UNSUPPORTED', async ({ connection, guest }) => {
    const xml = /<interface[\s\S]*<\/interface>/.exec(await connection.domain.getXMLDesc(guest))?.[0] ?? '';
    await connection.domain.updateDeviceFlags(guest, xml.replace("model type='virtio'", "model type='e1000'"), LIVE);
  }),
  refusal('DOMAIN_BLOCK_JOB_ABORT', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.blockJobAbort(guest, 'none'),
  ),
  refusal('DOMAIN_BLOCK_JOB_ABORT', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.blockJobAbort(guest, 'vda'),
  ),
  refusal('DOMAIN_BLOCK_COPY', 'OPERATION_INVALID', (world, spare) =>
    world.connection.domain.blockCopy(
      spare,
      'vda',
      `<disk type='file'><source file='${diskPath(world, 'x')}'/></disk>`,
    ),
  ),
  refusal('DOMAIN_BLOCK_COMMIT', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.blockCommit(guest, 'vda', '/none', null, 0, 4),
  ),
  refusal('DOMAIN_BLOCK_REBASE', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.blockRebase(guest, 'vda', '/none'),
  ),

  refusal('DOMAIN_ATTACH_DEVICE_FLAGS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.attachDeviceFlags(spare, MISSING_DISK, LIVE),
  ),
  refusal('DOMAIN_ATTACH_DEVICE_FLAGS', 'XML_ERROR', (world) =>
    world.connection.domain.attachDeviceFlags(
      world.guest,
      MISSING_DISK.replace('vdx', 'vda').replace('/none', diskPath(world, 'disk.raw')),
      LIVE,
    ),
  ),
  refusal('DOMAIN_DETACH_DEVICE_FLAGS', 'DEVICE_MISSING', ({ connection }, spare) =>
    connection.domain.detachDeviceFlags(spare, MISSING_DISK, CONFIG),
  ),
  refusal('DOMAIN_UPDATE_DEVICE_FLAGS', 'INVALID_ARG', ({ connection }, spare) =>
    connection.domain.updateDeviceFlags(spare, MISSING_DISK, CONFIG),
  ),
  refusal('DOMAIN_DETACH_DEVICE_ALIAS', 'INTERNAL_ERROR', ({ connection, guest }) =>
    connection.domain.detachDeviceAlias(guest, 'ua-none', LIVE),
  ),
  refusal('DOMAIN_ABORT_JOB', 'OPERATION_INVALID', ({ connection, guest }) => connection.domain.abortJob(guest)),
  refusal('DOMAIN_ABORT_JOB_FLAGS', 'OPERATION_INVALID', ({ connection, guest }) =>
    connection.domain.abortJobFlags(guest),
  ),
  refusal('DOMAIN_SEND_KEY', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.sendKey(spare, 0, 10, [30]),
  ),
  refusal('DOMAIN_INJECT_NMI', 'OPERATION_INVALID', ({ connection }, spare) => connection.domain.injectNMI(spare)),
  refusal('DOMAIN_AGENT_SET_RESPONSE_TIMEOUT', 'INVALID_ARG', ({ connection, guest }) =>
    connection.domain.agentSetResponseTimeout(guest, -3),
  ),
  refusal('DOMAIN_START_DIRTY_RATE_CALC', 'CONFIG_UNSUPPORTED', ({ connection, guest }) =>
    connection.domain.startDirtyRateCalc(guest, 61),
  ),
  refusal('DOMAIN_START_DIRTY_RATE_CALC', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.startDirtyRateCalc(spare, 1),
  ),
  refusal('DOMAIN_MIGRATE_PERFORM3_PARAMS', 'MIGRATE_UNSAFE', ({ connection, guest }) =>
    connection.domain.migrateToURI3(guest, 'qemu+tcp://127.0.0.1:1/system', [], 3),
  ),
  refusal('DOMAIN_MIGRATE_PERFORM3_PARAMS', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.migrateToURI3(spare, 'qemu+tcp://127.0.0.1:1/system', [], 3),
  ),
  refusal('DOMAIN_MIGRATE_PERFORM3_PARAMS', 'SYSTEM_ERROR', ({ connection, guest }) =>
    connection.domain.migrateToURI3(guest, 'qemu+tcp://127.0.0.1:1/system', [], 512 | 3),
  ),
  refusal('DOMAIN_MIGRATE_SET_MAX_DOWNTIME', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.domain.migrateSetMaxDowntime(spare, 1),
  ),
  refusal('DOMAIN_MIGRATE_SET_MAX_SPEED', 'OVERFLOW', ({ connection, guest }) =>
    connection.domain.migrateSetMaxSpeed(guest, 2 ** 50),
  ),
  refusal('DOMAIN_MIGRATE_START_POST_COPY', 'OPERATION_INVALID', ({ connection, guest }) =>
    connection.domain.migrateStartPostCopy(guest),
  ),
  refusal('QEMU_DOMAIN_MONITOR_COMMAND', 'OPERATION_INVALID', ({ connection }, spare) =>
    connection.qemu.monitorCommand(spare, '{}'),
  ),
];

/** While a disk is being copied. */
async function duringCopy(world: World, call: () => Promise<unknown>): Promise<unknown> {
  await beginCopy(world);
  return undone(call(), () => world.connection.domain.blockJobAbort(world.guest, 'vda'));
}

function beginCopy(world: World): Promise<void> {
  const xml = `<disk type='file'><driver type='raw'/><source file='${diskPath(world, randomUUID())}'/></disk>`;
  return world.connection.domain.blockCopy(world.guest, 'vda', xml, [], DomainBlockCopyFlags.TRANSIENT_JOB);
}
