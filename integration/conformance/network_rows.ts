/** Networks and network filters: isolated ones, with nobody on them. */
// Rows run inside of the tests that the table becomes.
// oxlint-disable vitest/no-standalone-expect
import { expect } from 'vitest';
import { ErrorCode, NetworkXMLFlags, type Network, type NWFilter } from 'node-libvirt';
import { live, type Rows } from './row.ts';
import { at, sameRefusal, type World } from './world.ts';

const UUID = 'a7c3fbd0-6f2e-4c3a-9d6c-0d2f5e8b7a11';

export const networkRows: Rows = {
  NETWORK_LOOKUP_BY_NAME: live((world) =>
    withNetwork(world, async (network) => {
      expect(await world.connection.network.lookupByName(network.name)).toEqual(
        await world.python(at.connect, 'networkLookupByName', network.name),
      );
      await sameRefusal(
        () => world.connection.network.lookupByName('nlv-none'),
        () => world.python(at.connect, 'networkLookupByName', 'nlv-none'),
      );
    }),
  ),
  NETWORK_LOOKUP_BY_UUID: live((world) =>
    withNetwork(world, async (network) => {
      expect(await world.connection.network.lookupByUUID(network.uuid)).toEqual(network);
      await sameRefusal(
        () => world.connection.network.lookupByUUID(UUID),
        () => world.python(at.connect, 'networkLookupByUUIDString', UUID),
      );
    }),
  ),
  NETWORK_CREATE_XML: live(async (world) => {
    const { connection, python } = world;
    const network = await connection.network.createXML(networkXml(world));
    expect(await python(at.connect, 'networkLookupByName', network.name)).toEqual(network);
    expect(await python(at.network(network), 'isPersistent')).toBe(0);
    await python(at.network(network), 'destroy');
    await expect(connection.network.lookupByUUID(network.uuid)).rejects.toMatchObject({ code: ErrorCode.NO_NETWORK });
  }),
  NETWORK_CREATE_XML_FLAGS: live(async (world) => {
    const { connection, python } = world;
    const VALIDATE = 1;
    const wrong = networkXml(world).replace('</network>', '<nonsense/></network>');
    await sameRefusal(
      () => connection.network.createXMLFlags(wrong, VALIDATE),
      () => python(at.connect, 'networkCreateXMLFlags', wrong, VALIDATE),
    );
    const network = await connection.network.createXMLFlags(networkXml(world), VALIDATE);
    expect(await python(at.network(network), 'isActive')).toBe(1);
    await connection.network.destroy(network);
  }),
  NETWORK_DEFINE_XML: live((world) =>
    withNetwork(world, async (network) => {
      expect(await world.python(at.network(network), 'isPersistent')).toBe(1);
      expect(await world.python(at.network(network), 'XMLDesc', 0)).toContain(network.name);
    }),
  ),
  NETWORK_DEFINE_XML_FLAGS: live(async (world) => {
    const { connection, python } = world;
    const VALIDATE = 1;
    const network = await connection.network.defineXMLFlags(networkXml(world), VALIDATE);
    expect(await python(at.connect, 'networkLookupByName', network.name)).toEqual(network);
    await connection.network.undefine(network);
  }),
  NETWORK_CREATE: live((world) =>
    withNetwork(world, async (network) => {
      await world.connection.network.create(network);
      expect(await world.python(at.network(network), 'isActive')).toBe(1);
      await sameRefusal(
        () => world.connection.network.create(network),
        () => world.python(at.network(network), 'create'),
      );
    }),
  ),
  NETWORK_DESTROY: live((world) =>
    withNetwork(world, async (network) => {
      await world.python(at.network(network), 'create');
      await world.connection.network.destroy(network);
      expect(await world.python(at.network(network), 'isActive')).toBe(0);
    }),
  ),
  NETWORK_UNDEFINE: live(async (world) => {
    const { connection, python } = world;
    const network = await connection.network.defineXML(networkXml(world));
    await connection.network.undefine(network);
    await sameRefusal(
      () => connection.network.undefine(network),
      () => python(at.connect, 'networkLookupByName', network.name),
    );
  }),
  NETWORK_GET_XML_DESC: live((world) =>
    withNetwork(world, async (network) => {
      for (const flags of [0, NetworkXMLFlags.INACTIVE])
        expect(await world.connection.network.getXMLDesc(network, flags)).toBe(
          await world.python(at.network(network), 'XMLDesc', flags),
        );
    }),
  ),
  NETWORK_GET_BRIDGE_NAME: live((world) =>
    withNetwork(world, async (network) => {
      await world.connection.network.create(network);
      const ours = await world.connection.network.getBridgeName(network);
      expect(ours).toMatch(/^virbr\d+$/);
      expect(ours).toBe(await world.python(at.network(network), 'bridgeName'));
    }),
  ),
  NETWORK_GET_AUTOSTART: live((world) =>
    withNetwork(world, async (network) => {
      expect(await world.connection.network.getAutostart(network)).toBe(false);
      await world.python(at.network(network), 'setAutostart', 1);
      expect(await world.connection.network.getAutostart(network)).toBe(true);
    }),
  ),
  NETWORK_SET_AUTOSTART: live((world) =>
    withNetwork(world, async (network) => {
      await world.connection.network.setAutostart(network, true);
      expect(await world.python(at.network(network), 'autostart')).toBe(1);
      await world.connection.network.setAutostart(network, false);
      expect(await world.python(at.network(network), 'autostart')).toBe(0);
    }),
  ),
  NETWORK_IS_ACTIVE: live((world) =>
    withNetwork(world, async (network) => {
      expect(await world.connection.network.isActive(network)).toBe(false);
      await world.python(at.network(network), 'create');
      expect(await world.connection.network.isActive(network)).toBe(true);
    }),
  ),
  NETWORK_IS_PERSISTENT: live((world) =>
    withNetwork(world, async (network) => {
      expect(Number(await world.connection.network.isPersistent(network))).toBe(
        await world.python(at.network(network), 'isPersistent'),
      );
    }),
  ),
  NETWORK_GET_DHCP_LEASES: live((world) =>
    withNetwork(world, async (network) => {
      // Nobody leases anything here; a lease is read from bytes in procedures.test.ts.
      await world.connection.network.create(network);
      expect(await world.connection.network.getDHCPLeases(network)).toEqual(
        await world.python(at.network(network), 'DHCPLeases'),
      );
      expect(await world.connection.network.getDHCPLeases(network, '52:54:00:00:00:01')).toEqual(
        await world.python(at.network(network), 'DHCPLeases', '52:54:00:00:00:01'),
      );
    }),
  ),

  NWFILTER_DEFINE_XML: live((world) =>
    withFilter(world, async (filter) => {
      expect(await world.python(at.connect, 'nwfilterLookupByName', filter.name)).toEqual(filter);
    }),
  ),
  NWFILTER_DEFINE_XML_FLAGS: live(async (world) => {
    const { connection, python } = world;
    const VALIDATE = 1;
    const filter = await connection.nwfilter.defineXMLFlags(filterXml(world), VALIDATE);
    expect(await python(at.connect, 'nwfilterLookupByName', filter.name)).toEqual(filter);
    await python(at.nwfilter(filter), 'undefine');
  }),
  NWFILTER_LOOKUP_BY_NAME: live((world) =>
    withFilter(world, async (filter) => {
      expect(await world.connection.nwfilter.lookupByName(filter.name)).toEqual(filter);
      await sameRefusal(
        () => world.connection.nwfilter.lookupByName('nlv-none'),
        () => world.python(at.connect, 'nwfilterLookupByName', 'nlv-none'),
      );
    }),
  ),
  NWFILTER_LOOKUP_BY_UUID: live((world) =>
    withFilter(world, async (filter) => {
      expect(await world.connection.nwfilter.lookupByUUID(filter.uuid)).toEqual(
        await world.python(at.connect, 'nwfilterLookupByUUIDString', filter.uuid),
      );
    }),
  ),
  NWFILTER_GET_XML_DESC: live((world) =>
    withFilter(world, async (filter) => {
      expect(await world.connection.nwfilter.getXMLDesc(filter)).toBe(
        await world.python(at.nwfilter(filter), 'XMLDesc', 0),
      );
    }),
  ),
  NWFILTER_UNDEFINE: live(async (world) => {
    const { connection, python } = world;
    const filter = await connection.nwfilter.defineXML(filterXml(world));
    await connection.nwfilter.undefine(filter);
    await sameRefusal(
      () => connection.nwfilter.undefine(filter),
      () => python(at.connect, 'nwfilterLookupByName', filter.name),
    );
  }),
};

async function withNetwork(world: World, check: (network: Network) => Promise<void>): Promise<void> {
  const { connection } = world;
  const network = await connection.network.defineXML(networkXml(world));
  try {
    await check(network);
  } finally {
    if (await connection.network.isActive(network)) await connection.network.destroy(network);
    await connection.network.undefine(network);
  }
}

async function withFilter(world: World, check: (filter: NWFilter) => Promise<void>): Promise<void> {
  const filter = await world.connection.nwfilter.defineXML(filterXml(world));
  try {
    await check(filter);
  } finally {
    await world.connection.nwfilter.undefine(filter);
  }
}

/** Without an address: no DHCP server, no firewall rules, nothing that could meet another network. */
function networkXml(world: World): string {
  return `<network><name>${world.nameOf('net')}</name></network>`;
}

function filterXml(world: World): string {
  return `<filter name='${world.nameOf('filter')}' chain='root'><rule action='drop' direction='in'><tcp dstportstart='25'/></rule></filter>`;
}
