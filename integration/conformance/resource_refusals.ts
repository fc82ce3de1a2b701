/** What calls of the guest's agent, of networks, storage and secrets are refused with. */
import type { Domain, Network, StoragePool, StorageVol } from 'node-libvirt';
import { refusal, undone, type Refusal } from './refusal.ts';
import type { ProcedureName } from './row.ts';
import type { World } from './world.ts';

const NONE = { name: 'nlv-none', uuid: 'a7c3fbd0-6f2e-4c3a-9d6c-0d2f5e8b7a11' };
const NO_SECRET = { uuid: NONE.uuid, usageType: 2, usageID: 'none' };

/** Each wants the agent: a guest without a channel for it cannot, and one that does not run neither. */
const agentCalls: readonly (readonly [ProcedureName, (world: World, domain: Domain) => Promise<unknown>])[] = [
  ['DOMAIN_FSFREEZE', ({ connection }, domain) => connection.domain.fsFreeze(domain)],
  ['DOMAIN_FSTHAW', ({ connection }, domain) => connection.domain.fsThaw(domain)],
  ['DOMAIN_SET_USER_PASSWORD', ({ connection }, domain) => connection.domain.setUserPassword(domain, 'a', 'b')],
  ['DOMAIN_AUTHORIZED_SSH_KEYS_GET', ({ connection }, domain) => connection.domain.authorizedSSHKeysGet(domain, 'a')],
  [
    'DOMAIN_AUTHORIZED_SSH_KEYS_SET',
    ({ connection }, domain) => connection.domain.authorizedSSHKeysSet(domain, 'a', ['b']),
  ],
  ['DOMAIN_GET_GUEST_INFO', ({ connection }, domain) => connection.domain.getGuestInfo(domain)],
  ['QEMU_DOMAIN_AGENT_COMMAND', ({ connection }, domain) => connection.qemu.agentCommand(domain, '{}')],
];

export const resourceRefusals: readonly Refusal[] = [
  ...agentCalls.flatMap(([procedure, call]) => [
    refusal(procedure, 'ARGUMENT_UNSUPPORTED', (world) => call(world, world.guest)),
    refusal(procedure, 'OPERATION_INVALID', (world, spare) => call(world, spare)),
  ]),
  refusal('DOMAIN_SET_TIME', 'ARGUMENT_UNSUPPORTED', ({ connection, guest }) => connection.domain.setTime(guest, 1)),
  refusal('DOMAIN_OPEN_CONSOLE', 'OPERATION_FAILED', async ({ connection, guest }) => {
    const console = await connection.domain.openConsole(guest);
    try {
      await connection.domain.openConsole(guest);
    } finally {
      console.destroy();
    }
  }),
  refusal('NETWORK_LOOKUP_BY_NAME', 'NO_NETWORK', ({ connection }) => connection.network.lookupByName('nlv-none')),
  refusal('NETWORK_LOOKUP_BY_UUID', 'NO_NETWORK', ({ connection }) => connection.network.lookupByUUID(NONE.uuid)),
  refusal('NETWORK_CREATE_XML', 'XML_DETAIL', ({ connection }) => connection.network.createXML('<network')),
  refusal('NETWORK_DEFINE_XML', 'XML_ERROR', ({ connection }) => connection.network.defineXML('<pool/>')),
  refusal('NETWORK_DEFINE_XML', 'OPERATION_FAILED', ({ connection }) =>
    connection.network.defineXML(`<network><name>nlv-${process.pid}-wire</name></network>`),
  ),
  refusal('NETWORK_CREATE_XML', 'OPERATION_FAILED', ({ connection }) =>
    connection.network.createXML(`<network><name>nlv-${process.pid}-wire</name></network>`),
  ),
  refusal('NETWORK_CREATE_XML_FLAGS', 'XML_INVALID_SCHEMA', ({ connection }) =>
    connection.network.createXMLFlags('<network><nonsense/></network>', 1),
  ),
  refusal('NETWORK_DEFINE_XML_FLAGS', 'XML_INVALID_SCHEMA', ({ connection }) =>
    connection.network.defineXMLFlags('<network><nonsense/></network>', 1),
  ),
  refusal('NETWORK_CREATE', 'OPERATION_INVALID', async ({ connection }) =>
    connection.network.create(await wire(connection)),
  ),
  refusal('NETWORK_UNDEFINE', 'OPERATION_INVALID', async ({ connection }) =>
    connection.network.undefine(await wire(connection)),
  ),
  refusal('NETWORK_SET_AUTOSTART', 'OPERATION_INVALID', async ({ connection }) =>
    connection.network.setAutostart(await wire(connection), true),
  ),
  refusal('NETWORK_DESTROY', 'OPERATION_INVALID', async ({ connection }) => {
    const network = await connection.network.defineXML(`<network><name>nlv-${process.pid}-stopped</name></network>`);
    await undone(connection.network.destroy(network), () => connection.network.undefine(network));
  }),
  refusal('NETWORK_GET_BRIDGE_NAME', 'INTERNAL_ERROR', async ({ connection }) => {
    const xml = `<network><name>nlv-${process.pid}-direct</name><forward mode='hostdev'/></network>`;
    const network = await connection.network.defineXML(xml);
    await undone(connection.network.getBridgeName(network), () => connection.network.undefine(network));
  }),
  refusal('NETWORK_GET_DHCP_LEASES', 'NO_NETWORK', ({ connection }) => connection.network.getDHCPLeases(NONE)),

  refusal('STORAGE_POOL_LOOKUP_BY_NAME', 'NO_STORAGE_POOL', ({ connection }) =>
    connection.storagePool.lookupByName('nlv-none'),
  ),
  refusal('STORAGE_POOL_LOOKUP_BY_UUID', 'NO_STORAGE_POOL', ({ connection }) =>
    connection.storagePool.lookupByUUID(NONE.uuid),
  ),
  refusal('STORAGE_POOL_DEFINE_XML', 'XML_DETAIL', ({ connection }) => connection.storagePool.defineXML('<pool')),
  refusal('STORAGE_POOL_DEFINE_XML', 'XML_ERROR', ({ connection }) => connection.storagePool.defineXML('<network/>')),
  refusal('STORAGE_POOL_DEFINE_XML', 'OPERATION_FAILED', ({ connection, pool }) =>
    connection.storagePool.defineXML(poolXml(pool.name)),
  ),
  refusal('STORAGE_POOL_CREATE_XML', 'OPERATION_FAILED', ({ connection, pool }) =>
    connection.storagePool.createXML(poolXml(pool.name)),
  ),
  refusal('STORAGE_POOL_CREATE_XML', 'SYSTEM_ERROR', ({ connection }) =>
    connection.storagePool.createXML(poolXml(`nlv-${process.pid}-none`)),
  ),
  refusal('STORAGE_POOL_CREATE', 'OPERATION_INVALID', ({ connection, pool }) => connection.storagePool.create(pool)),
  refusal('STORAGE_POOL_BUILD', 'OPERATION_INVALID', ({ connection, pool }) => connection.storagePool.build(pool)),
  refusal('STORAGE_POOL_UNDEFINE', 'OPERATION_INVALID', ({ connection, pool }) =>
    connection.storagePool.undefine(pool),
  ),
  refusal('STORAGE_POOL_SET_AUTOSTART', 'INTERNAL_ERROR', ({ connection, pool }) =>
    connection.storagePool.setAutostart(pool, true),
  ),
  refusal('STORAGE_VOL_LOOKUP_BY_NAME', 'NO_STORAGE_VOL', ({ connection, pool }) =>
    connection.storageVol.lookupByName(pool, 'none'),
  ),
  refusal('STORAGE_VOL_LOOKUP_BY_PATH', 'NO_STORAGE_VOL', ({ connection }) =>
    connection.storageVol.lookupByPath('/none'),
  ),
  refusal('STORAGE_POOL_REFRESH', 'OPERATION_INVALID', (world) =>
    onStopped(world, (pool) => world.connection.storagePool.refresh(pool)),
  ),
  refusal('STORAGE_POOL_DESTROY', 'OPERATION_INVALID', (world) =>
    onStopped(world, (pool) => world.connection.storagePool.destroy(pool)),
  ),
  refusal('STORAGE_POOL_LIST_ALL_VOLUMES', 'OPERATION_INVALID', (world) =>
    onStopped(world, (pool) => world.connection.storagePool.listAllVolumes(pool)),
  ),
  refusal('STORAGE_VOL_UPLOAD', 'NO_STORAGE_VOL', (world) => world.connection.storageVol.upload(noVol(world))),
  refusal('STORAGE_VOL_DOWNLOAD', 'NO_STORAGE_VOL', (world) => world.connection.storageVol.download(noVol(world))),
  refusal('STORAGE_VOL_DELETE', 'NO_STORAGE_VOL', (world) => world.connection.storageVol.delete(noVol(world))),
  refusal('STORAGE_VOL_GET_INFO', 'NO_STORAGE_VOL', (world) => world.connection.storageVol.getInfo(noVol(world))),
  refusal('STORAGE_VOL_GET_PATH', 'NO_STORAGE_VOL', (world) => world.connection.storageVol.getPath(noVol(world))),
  refusal('STORAGE_VOL_GET_XML_DESC', 'NO_STORAGE_VOL', (world) =>
    world.connection.storageVol.getXMLDesc(noVol(world)),
  ),
  refusal('STORAGE_VOL_RESIZE', 'NO_STORAGE_VOL', (world) => world.connection.storageVol.resize(noVol(world), 1)),
  refusal('STORAGE_VOL_CREATE_XML', 'STORAGE_VOL_EXIST', ({ connection, pool }) =>
    connection.storageVol.createXML(pool, volXml('disk.raw', 1)),
  ),
  refusal('STORAGE_VOL_CREATE_XML_FROM', 'NO_STORAGE_VOL', (world) =>
    world.connection.storageVol.createXMLFrom(world.pool, volXml('x', 1), noVol(world)),
  ),
  refusal('STORAGE_VOL_RESIZE', 'INVALID_ARG', async ({ connection, pool }) => {
    const vol = await connection.storageVol.createXML(pool, volXml('shrink', 4096));
    await undone(connection.storageVol.resize(vol, 512), () => connection.storageVol.delete(vol));
  }),

  refusal('SECRET_DEFINE_XML', 'XML_ERROR', ({ connection }) => connection.secret.defineXML('<pool/>')),
  refusal('SECRET_DEFINE_XML', 'INTERNAL_ERROR', async ({ connection }) => {
    const xml = `<secret><usage type='ceph'><name>nlv-${process.pid}-twice</name></usage></secret>`;
    const secret = await connection.secret.defineXML(xml);
    await undone(connection.secret.defineXML(xml), () => connection.secret.undefine(secret));
  }),
  refusal('SECRET_GET_VALUE', 'INVALID_SECRET', async ({ connection }) => {
    const xml = `<secret private='yes'><usage type='ceph'><name>nlv-${process.pid}-private</name></usage></secret>`;
    const secret = await connection.secret.defineXML(xml);
    await connection.secret.setValue(secret, Buffer.from('x'));
    await undone(connection.secret.getValue(secret), () => connection.secret.undefine(secret));
  }),
  refusal('SECRET_GET_VALUE', 'NO_SECRET', ({ connection }) => connection.secret.getValue(NO_SECRET)),
  refusal('SECRET_SET_VALUE', 'NO_SECRET', ({ connection }) => connection.secret.setValue(NO_SECRET, Buffer.from('x'))),
  refusal('SECRET_GET_XML_DESC', 'NO_SECRET', ({ connection }) => connection.secret.getXMLDesc(NO_SECRET)),
  refusal('SECRET_LOOKUP_BY_USAGE', 'NO_SECRET', ({ connection }) => connection.secret.lookupByUsage(2, 'none')),
  refusal('SECRET_LOOKUP_BY_UUID', 'NO_SECRET', ({ connection }) => connection.secret.lookupByUUID(NONE.uuid)),
  refusal('SECRET_UNDEFINE', 'NO_SECRET', ({ connection }) => connection.secret.undefine(NO_SECRET)),
  refusal('NWFILTER_DEFINE_XML', 'XML_ERROR', ({ connection }) => connection.nwfilter.defineXML('<pool/>')),
  refusal('NWFILTER_DEFINE_XML_FLAGS', 'XML_INVALID_SCHEMA', ({ connection }) =>
    connection.nwfilter.defineXMLFlags('<filter><nonsense/></filter>', 1),
  ),
  refusal('NWFILTER_DEFINE_XML', 'OPERATION_FAILED', async ({ connection }) => {
    const [one] = await connection.listAllNWFilters();
    await connection.nwfilter.defineXML(`<filter name='${one?.name}'/>`);
  }),
  refusal('NWFILTER_LOOKUP_BY_NAME', 'NO_NWFILTER', ({ connection }) => connection.nwfilter.lookupByName('none')),
  refusal('NWFILTER_LOOKUP_BY_UUID', 'NO_NWFILTER', ({ connection }) => connection.nwfilter.lookupByUUID(NONE.uuid)),
  refusal('NWFILTER_GET_XML_DESC', 'NO_NWFILTER', ({ connection }) => connection.nwfilter.getXMLDesc(NONE)),
  refusal('NWFILTER_UNDEFINE', 'NO_NWFILTER', ({ connection }) => connection.nwfilter.undefine(NONE)),
];

async function onStopped(world: World, call: (pool: StoragePool) => Promise<unknown>): Promise<unknown> {
  const { storagePool } = world.connection;
  const pool = await storagePool.defineXML(poolXml(world.nameOf('stopped')));
  return undone(call(pool), () => storagePool.undefine(pool));
}

function noVol({ pool }: World): StorageVol {
  return { pool: pool.name, name: 'none', key: '/none' };
}

/** A pool where there is nothing. */
function poolXml(name: string): string {
  return `<pool type='dir'><name>${name}</name><target><path>/none</path></target></pool>`;
}

function volXml(name: string, capacityBytes: number): string {
  return `<volume><name>${name}</name><capacity>${capacityBytes}</capacity></volume>`;
}

function wire(connection: World['connection']): Promise<Network> {
  return connection.network.lookupByName(`nlv-${process.pid}-wire`);
}
