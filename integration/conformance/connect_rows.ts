/** The connection, and what the host has. */
// Rows run inside of the tests that the table becomes.
// oxlint-disable vitest/no-standalone-expect
import { expect } from 'vitest';
import { connect, ErrorCode, ListAllDomainsFlags, Procedures } from 'node-libvirt';
import { absent, live, type Rows } from './row.ts';
import { at, listOf, object, recordOf, sorted, SYSTEM } from './world.ts';

const CPU_XML = '<cpu><arch>x86_64</arch><model>qemu64</model></cpu>';
const PENRYN = "<cpu><arch>x86_64</arch><model>Penryn</model><topology sockets='1' cores='1' threads='1'/></cpu>";
const BEYOND = '<cpu><arch>x86_64</arch><model>EPYC-Milan</model></cpu>';

export const connectRows: Rows = {
  AUTH_LIST: live(async ({ connection, python }) => {
    // Root needs none: the daemon says so once more, and libvirt-python has come in the same way.
    expect(await connection.call(Procedures.AUTH_LIST, {})).toEqual({ types: [0] });
    expect(await python(at.connect, 'isAlive')).toBe(1);
  }),
  AUTH_POLKIT: absent('the daemon asks it of other users than root only'),
  AUTH_SASL_INIT: absent('the daemon has no SASL on its socket'),
  AUTH_SASL_START: absent('the daemon has no SASL on its socket'),
  AUTH_SASL_STEP: absent('the daemon has no SASL on its socket'),

  CONNECT_OPEN: live(async ({ python }) => {
    await using reader = await connect({ uri: SYSTEM, readonly: true });
    expect(await reader.getURI()).toBe(await python(at.connect, 'getURI'));
    await expect(reader.domain.defineXMLFlags('<domain/>')).rejects.toMatchObject({ code: ErrorCode.OPERATION_DENIED });
  }),
  CONNECT_CLOSE: live(async ({ python }) => {
    const connection = await connect();
    await connection.close();
    expect(await connection.closed).toEqual({ kind: 'requested' });
    expect(await python(at.connect, 'isAlive')).toBe(1);
  }),
  CONNECT_SUPPORTS_FEATURE: live(async ({ connection }) => {
    // Of virDrvFeature, in this release; Python has no method for it.
    const MIGRATION_V2 = 1;
    const MIGRATION_PARAMS = 13;
    const supports = (feature: number) => connection.call(Procedures.CONNECT_SUPPORTS_FEATURE, { feature });
    expect(await supports(MIGRATION_PARAMS)).toEqual({ supported: 1 });
    expect(await supports(MIGRATION_V2)).toEqual({ supported: 0 });
  }),
  CONNECT_REGISTER_CLOSE_CALLBACK: live(async ({ connection }) => {
    expect(await connection.call(Procedures.CONNECT_REGISTER_CLOSE_CALLBACK, {})).toEqual({});
    await connection.call(Procedures.CONNECT_UNREGISTER_CLOSE_CALLBACK, {});
  }),
  CONNECT_UNREGISTER_CLOSE_CALLBACK: live(async ({ connection }) => {
    await connection.call(Procedures.CONNECT_REGISTER_CLOSE_CALLBACK, {});
    expect(await connection.call(Procedures.CONNECT_UNREGISTER_CLOSE_CALLBACK, {})).toEqual({});
  }),

  CONNECT_GET_TYPE: live(async ({ connection, python }) => {
    expect(await connection.getType()).toBe(await python(at.connect, 'getType'));
  }),
  CONNECT_GET_VERSION: live(async ({ connection, python }) => {
    expect(await connection.getVersion()).toBe(await python(at.connect, 'getVersion'));
  }),
  CONNECT_GET_LIB_VERSION: live(async ({ connection, python }) => {
    expect(await connection.getLibVersion()).toBe(await python(at.connect, 'getLibVersion'));
  }),
  CONNECT_GET_HOSTNAME: live(async ({ connection, python }) => {
    expect(await connection.getHostname()).toBe(await python(at.connect, 'getHostname'));
  }),
  CONNECT_GET_URI: live(async ({ connection, python }) => {
    expect(await connection.getURI()).toBe(await python(at.connect, 'getURI'));
  }),
  CONNECT_GET_CAPABILITIES: live(async ({ connection, python }) => {
    expect(lasting(await connection.getCapabilities())).toBe(lasting(await python(at.connect, 'getCapabilities')));
  }),
  CONNECT_GET_DOMAIN_CAPABILITIES: live(async ({ connection, python }) => {
    expect(await connection.getDomainCapabilities(null, 'x86_64', 'q35', 'qemu')).toBe(
      await python(at.connect, 'getDomainCapabilities', null, 'x86_64', 'q35', 'qemu', 0),
    );
  }),
  CONNECT_GET_CPU_MODEL_NAMES: live(async ({ connection, python }) => {
    const names = await connection.getCPUModelNames('x86_64');
    expect(names).toContain('qemu64');
    expect(names).toEqual(await python(at.connect, 'getCPUModelNames', 'x86_64', 0));
  }),
  CONNECT_COMPARE_CPU: live(async ({ connection, python }) => {
    for (const xml of [CPU_XML, BEYOND])
      expect(await connection.compareCPU(xml)).toBe(await python(at.connect, 'compareCPU', xml, 0));
  }),
  CONNECT_BASELINE_CPU: live(async ({ connection, python }) => {
    const xmls = [PENRYN, PENRYN.replace('Penryn', 'Nehalem')];
    expect(await connection.baselineCPU(xmls)).toBe(await python(at.connect, 'baselineCPU', xmls, 0));
  }),
  CONNECT_COMPARE_HYPERVISOR_CPU: live(async ({ connection, python }) => {
    for (const xml of [CPU_XML, BEYOND])
      expect(await connection.compareHypervisorCPU(null, 'x86_64', null, 'qemu', xml)).toBe(
        await python(at.connect, 'compareHypervisorCPU', null, 'x86_64', null, 'qemu', xml, 0),
      );
  }),
  CONNECT_BASELINE_HYPERVISOR_CPU: live(async ({ connection, python }) => {
    const xmls = [PENRYN, PENRYN.replace('Penryn', 'Nehalem')];
    expect(await connection.baselineHypervisorCPU(null, 'x86_64', null, 'qemu', xmls)).toBe(
      await python(at.connect, 'baselineHypervisorCPU', null, 'x86_64', null, 'qemu', xmls, 0),
    );
  }),

  CONNECT_LIST_ALL_DOMAINS: live(async ({ connection, python, guest }) => {
    const ours = await connection.listAllDomains(ListAllDomainsFlags.ACTIVE);
    expect(ours).toContainEqual(guest);
    const theirs = await python(at.connect, 'listAllDomains', ListAllDomainsFlags.ACTIVE);
    // Others may start and end guests meanwhile; ours is there in either list.
    expect(theirs).toContainEqual(guest);
  }),
  CONNECT_LIST_ALL_NETWORKS: live(async ({ connection, python }) => {
    expect(sorted(await connection.listAllNetworks())).toEqual(sorted(await python(at.connect, 'listAllNetworks')));
  }),
  CONNECT_LIST_ALL_STORAGE_POOLS: live(async ({ connection, python, pool }) => {
    const ours = await connection.listAllStoragePools();
    expect(ours).toContainEqual(pool);
    expect(sorted(ours)).toEqual(sorted(await python(at.connect, 'listAllStoragePools')));
  }),
  CONNECT_LIST_ALL_SECRETS: live(async (world) => {
    const xml = `<secret><usage type='ceph'><name>${world.nameOf('list')}</name></usage></secret>`;
    const { connection, python } = world;
    const secret = await connection.secret.defineXML(xml);
    const ours = await connection.listAllSecrets();
    expect(ours).toContainEqual(secret);
    expect(sorted(ours)).toEqual(sorted(await python(at.connect, 'listAllSecrets')));
    await connection.secret.undefine(secret);
  }),
  CONNECT_LIST_ALL_NWFILTERS: live(async ({ connection, python }) => {
    const ours = await connection.listAllNWFilters();
    expect(ours.length).toBeGreaterThan(0);
    expect(sorted(ours)).toEqual(sorted(await python(at.connect, 'listAllNWFilters')));
  }),
  CONNECT_LIST_ALL_NODE_DEVICES: live(async ({ connection, python }) => {
    const ours = await connection.listAllNodeDevices();
    expect(ours).toContainEqual({ name: 'computer' });
    const theirs = sorted(await python(at.connect, 'listAllDevices')).filter(isLasting);
    expect(sorted(ours).filter(isLasting)).toEqual(theirs);
  }),
  CONNECT_GET_ALL_DOMAIN_STATS: live(async ({ connection, python, guest }) => {
    const BALLOON_STATE_VCPU = 1 | 4;
    const [ours] = await connection.getAllDomainStats([guest], BALLOON_STATE_VCPU);
    const theirs = listOf(
      await python(at.connect, 'domainListGetStats', [object(at.domain(guest))], BALLOON_STATE_VCPU, 0),
    );
    // rss and last-update change by themselves.
    const names = expect.objectContaining({ 'state.state': 1, 'balloon.maximum': 65_536 });
    expect(ours?.params).toEqual(names);
    expect(theirs).toEqual([[guest, names]]);
    const [, params] = listOf(theirs[0]);
    expect(Object.keys(ours?.params ?? {}).toSorted()).toEqual(Object.keys(recordOf(params)).toSorted());
  }),
};

/** The memory of a virtual host may change from one call to the next. */
function lasting(xml: unknown): string {
  return String(xml).replaceAll(/(<(?:memory|pages)\b[^>]*>)\d+/g, '$1');
}

/** Interfaces come and go with guests and networks, others' too. */
function isLasting(device: unknown): boolean {
  return !JSON.stringify(device).includes('net_');
}
