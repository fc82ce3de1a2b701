/** Registering for events: what Python does must be told, and no longer once the registration is taken back. */
// Rows run inside of the tests that the table becomes.
// oxlint-disable vitest/no-standalone-expect
import { expect } from 'vitest';
import type { Connection, EventName } from 'node-libvirt';
import { live, type Row, type Rows } from './row.ts';
import { at, recordOf, type World } from './world.ts';

type Cause = (world: World) => Promise<unknown>;

const suspendAndResume: Cause = async ({ guest, python }) => {
  await python(at.domain(guest), 'suspend');
  await python(at.domain(guest), 'resume');
};
const defineNetwork: Cause = async (world) => {
  const xml = `<network><name>${world.nameOf('event')}</name></network>`;
  const network = await world.connection.network.defineXML(xml);
  await world.python(at.network(network), 'undefine');
};
const definePool: Cause = async (world) => {
  const xml = `<pool type='dir'><name>${world.nameOf('event')}</name><target><path>${world.folder}/event</path></target></pool>`;
  const pool = await world.connection.storagePool.defineXML(xml);
  await world.python(at.pool(pool), 'undefine');
};
const defineSecret: Cause = async (world) => {
  const xml = `<secret><usage type='ceph'><name>${world.nameOf('event')}</name></usage></secret>`;
  const secret = await world.connection.secret.defineXML(xml);
  await world.python(at.secret(secret), 'undefine');
};
/** This host has no device that could be made: the test driver's has. */
const makeDevice: Cause = async ({ pythonTesting }) => {
  const wwn = process.pid.toString(16).padStart(15, '0');
  const port = `<capability type='fc_host'><wwnn>2${wwn}</wwnn><wwpn>1${wwn}</wwpn></capability>`;
  const xml = `<device><parent>scsi_host1</parent><capability type='scsi_host'>${port}</capability></device>`;
  const device = recordOf(await pythonTesting(at.connect, 'nodeDeviceCreateXML', xml, 0));
  await pythonTesting(at.device({ name: String(device['name']) }), 'destroy');
};

export const eventRows: Rows = {
  CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: told('domainLifecycle', suspendAndResume, 'SUSPENDED'),
  CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: noLongerTold('domainLifecycle', suspendAndResume),
  CONNECT_NETWORK_EVENT_REGISTER_ANY: told('networkLifecycle', defineNetwork, 'UNDEFINED'),
  CONNECT_NETWORK_EVENT_DEREGISTER_ANY: noLongerTold('networkLifecycle', defineNetwork),
  CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY: told('storagePoolLifecycle', definePool, 'UNDEFINED'),
  CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY: noLongerTold('storagePoolLifecycle', definePool),
  CONNECT_SECRET_EVENT_REGISTER_ANY: told('secretLifecycle', defineSecret, 'UNDEFINED'),
  CONNECT_SECRET_EVENT_DEREGISTER_ANY: noLongerTold('secretLifecycle', defineSecret),
  CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY: told('nodeDeviceLifecycle', makeDevice, 'CREATED', onTestDriver),
  CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY: noLongerTold('nodeDeviceLifecycle', makeDevice, onTestDriver),
  QEMU_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER: told('qemuMonitorEvent', suspendAndResume, 'STOP'),
  QEMU_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER: noLongerTold('qemuMonitorEvent', suspendAndResume),
};

function told(name: EventName, cause: Cause, event: string, connectionOf = onSystem): Row {
  return live(async (world) => {
    const seen: string[] = [];
    const listener = (one: object) => void seen.push('event' in one ? String(one.event) : '');
    const subscription = await connectionOf(world).subscribe(name, listener);
    await cause(world);
    await expect.poll(() => seen).toContain(event);
    await subscription.close();
  });
}

/** Events come before later replies: what has not come by then does not come. */
function noLongerTold(name: EventName, cause: Cause, connectionOf = onSystem): Row {
  return live(async (world) => {
    const connection = connectionOf(world);
    const seen: unknown[] = [];
    const subscription = await connection.subscribe(name, (one) => void seen.push(one));
    await subscription.close();
    const { droppedMessages } = connection.stats;
    await cause(world);
    await connection.getLibVersion();
    expect(seen).toEqual([]);
    expect(connection.stats.droppedMessages).toBe(droppedMessages);
  });
}

function onSystem({ connection }: World): Connection {
  return connection;
}

function onTestDriver({ testing }: World): Connection {
  return testing;
}
