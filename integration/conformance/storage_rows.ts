/** Storage pools and volumes in our folder, and secrets. */
// Rows run inside of the tests that the table becomes.
// oxlint-disable vitest/no-standalone-expect
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect } from 'vitest';
import {
  SecretUsageType,
  StoragePoolState,
  StorageVolType,
  type Secret,
  type StoragePool,
  type StorageVol,
} from 'node-libvirt';
import { live, type Rows } from './row.ts';
import { at, listOf, object, sameRefusal, settled, sorted, type World } from './world.ts';

const MIB = 1024 * 1024;

export const storageRows: Rows = {
  STORAGE_POOL_LOOKUP_BY_NAME: live(async ({ connection, python, pool }) => {
    expect(await connection.storagePool.lookupByName(pool.name)).toEqual(pool);
    await sameRefusal(
      () => connection.storagePool.lookupByName('nlv-none'),
      () => python(at.connect, 'storagePoolLookupByName', 'nlv-none'),
    );
  }),
  STORAGE_POOL_LOOKUP_BY_UUID: live(async ({ connection, python, pool }) => {
    expect(await connection.storagePool.lookupByUUID(pool.uuid)).toEqual(
      await python(at.connect, 'storagePoolLookupByUUIDString', pool.uuid),
    );
  }),
  STORAGE_POOL_DEFINE_XML: live((world) =>
    withPool(world, async (pool) => {
      expect(await world.python(at.connect, 'storagePoolLookupByName', pool.name)).toEqual(pool);
      expect(await world.python(at.pool(pool), 'isPersistent')).toBe(1);
    }),
  ),
  STORAGE_POOL_CREATE_XML: live(async (world) => {
    const { connection, python } = world;
    const pool = await connection.storagePool.createXML(await poolXml(world));
    expect(await python(at.pool(pool), 'isPersistent')).toBe(0);
    await connection.storagePool.destroy(pool);
    await sameRefusal(
      () => connection.storagePool.lookupByName(pool.name),
      () => python(at.connect, 'storagePoolLookupByName', pool.name),
    );
  }),
  STORAGE_POOL_CREATE: live((world) =>
    withPool(world, async (pool) => {
      await world.connection.storagePool.create(pool);
      expect(await world.python(at.pool(pool), 'isActive')).toBe(1);
    }),
  ),
  STORAGE_POOL_BUILD: live((world) =>
    withPool(world, async (pool) => {
      await world.connection.storagePool.build(pool);
      await world.python(at.pool(pool), 'build', 0);
      await world.python(at.pool(pool), 'create', 0);
    }),
  ),
  STORAGE_POOL_REFRESH: live(async ({ connection, python, pool }) => {
    await connection.storagePool.refresh(pool);
    expect(await python(at.pool(pool), 'refresh', 0)).toBe(0);
  }),
  STORAGE_POOL_DESTROY: live((world) =>
    withPool(world, async (pool) => {
      await world.python(at.pool(pool), 'create', 0);
      await world.connection.storagePool.destroy(pool);
      expect(await world.python(at.pool(pool), 'isActive')).toBe(0);
      await sameRefusal(
        () => world.connection.storagePool.destroy(pool),
        () => world.python(at.pool(pool), 'destroy'),
      );
    }),
  ),
  STORAGE_POOL_UNDEFINE: live(async (world) => {
    const pool = await world.connection.storagePool.defineXML(await poolXml(world));
    await world.connection.storagePool.undefine(pool);
    await sameRefusal(
      () => world.connection.storagePool.undefine(pool),
      () => world.python(at.connect, 'storagePoolLookupByName', pool.name),
    );
  }),
  STORAGE_POOL_GET_INFO: live(async ({ connection, python, pool }) => {
    const ours = await connection.storagePool.getInfo(pool);
    expect(ours.state).toBe(StoragePoolState.RUNNING);
    await settled(
      async () => Object.values(await connection.storagePool.getInfo(pool)),
      () => python(at.pool(pool), 'info'),
    );
  }),
  STORAGE_POOL_GET_XML_DESC: live((world) =>
    withPool(world, async (pool) => {
      expect(await world.connection.storagePool.getXMLDesc(pool)).toBe(await world.python(at.pool(pool), 'XMLDesc', 0));
    }),
  ),
  STORAGE_POOL_GET_AUTOSTART: live((world) =>
    withPool(world, async (pool) => {
      expect(await world.connection.storagePool.getAutostart(pool)).toBe(false);
      await world.python(at.pool(pool), 'setAutostart', 1);
      expect(await world.connection.storagePool.getAutostart(pool)).toBe(true);
      await world.python(at.pool(pool), 'setAutostart', 0);
    }),
  ),
  STORAGE_POOL_SET_AUTOSTART: live((world) =>
    withPool(world, async (pool) => {
      await world.connection.storagePool.setAutostart(pool, true);
      expect(await world.python(at.pool(pool), 'autostart')).toBe(1);
      await world.connection.storagePool.setAutostart(pool, false);
    }),
  ),
  STORAGE_POOL_IS_ACTIVE: live((world) =>
    withPool(world, async (pool) => {
      expect(await world.connection.storagePool.isActive(pool)).toBe(false);
      await world.python(at.pool(pool), 'create', 0);
      expect(await world.connection.storagePool.isActive(pool)).toBe(true);
    }),
  ),
  STORAGE_POOL_IS_PERSISTENT: live(async ({ connection, python, pool }) => {
    expect(Number(await connection.storagePool.isPersistent(pool))).toBe(await python(at.pool(pool), 'isPersistent'));
  }),
  STORAGE_POOL_LIST_ALL_VOLUMES: live((world) =>
    withVol(world, async (vol) => {
      const ours = await world.connection.storagePool.listAllVolumes(world.pool);
      expect(ours).toContainEqual(vol);
      expect(sorted(ours)).toEqual(sorted(await world.python(at.pool(world.pool), 'listAllVolumes')));
    }),
  ),

  STORAGE_VOL_LOOKUP_BY_NAME: live((world) =>
    withVol(world, async (vol) => {
      expect(await world.connection.storageVol.lookupByName(world.pool, vol.name)).toEqual(
        await world.python(at.pool(world.pool), 'storageVolLookupByName', vol.name),
      );
      await sameRefusal(
        () => world.connection.storageVol.lookupByName(world.pool, 'none'),
        () => world.python(at.pool(world.pool), 'storageVolLookupByName', 'none'),
      );
    }),
  ),
  STORAGE_VOL_LOOKUP_BY_PATH: live((world) =>
    withVol(world, async (vol) => {
      expect(await world.connection.storageVol.lookupByPath(vol.key)).toEqual(
        await world.python(at.connect, 'storageVolLookupByPath', vol.key),
      );
    }),
  ),
  STORAGE_VOL_CREATE_XML: live((world) =>
    withVol(world, async (vol) => {
      expect(await world.python(at.pool(world.pool), 'storageVolLookupByName', vol.name)).toEqual(vol);
      await sameRefusal(
        () => world.connection.storageVol.createXML(world.pool, volXml(vol.name)),
        () => world.python(at.pool(world.pool), 'createXML', volXml(vol.name), 0),
      );
    }),
  ),
  STORAGE_VOL_CREATE_XML_FROM: live((world) =>
    withVol(world, async (vol) => {
      await pipeline([Buffer.from('copy me')], await world.connection.storageVol.upload(vol));
      const { connection, python, pool } = world;
      const ours = await connection.storageVol.createXMLFrom(pool, volXml('ours'), vol);
      expect(await python(at.pool(pool), 'createXMLFrom', volXml('theirs'), object(at.vol(vol)), 0)).toMatchObject({
        name: 'theirs',
      });
      const theirs = await connection.storageVol.lookupByName(pool, 'theirs');
      const [a, b] = await Promise.all([ours, theirs].map((one) => contentOf(world, one)));
      expect(a?.toString('utf8', 0, 7)).toBe('copy me');
      expect(b?.equals(a ?? Buffer.alloc(0))).toBe(true);
      for (const one of [ours, theirs]) await connection.storageVol.delete(one);
    }),
  ),
  STORAGE_VOL_UPLOAD: live((world) =>
    withVol(world, async (vol) => {
      // More than a packet of a stream holds.
      const data = Buffer.alloc(700_001, 'upload ');
      await pipeline([data], await world.connection.storageVol.upload(vol, 512));
      const theirs = await world.python(at.vol(vol), 'download', 512, data.length, 0);
      expect(Buffer.isBuffer(theirs) && data.equals(theirs)).toBe(true);
    }),
  ),
  STORAGE_VOL_DOWNLOAD: live((world) =>
    withVol(world, async (vol) => {
      const data = Buffer.alloc(700_001, 'download ');
      await world.python(at.vol(vol), 'upload', data, 0, 0);
      expect(data.equals(await buffer(await world.connection.storageVol.download(vol, 0, data.length)))).toBe(true);
      expect(await contentOf(world, vol)).toHaveLength(MIB);
      // libvirtd sends reply and data from two threads, and now and then the data is first: nothing of it may be lost.
      for (let count = 0; count < 30; count += 1) {
        const whole = await contentOf(world, vol);
        expect(whole.length === MIB && data.equals(whole.subarray(0, data.length))).toBe(true);
      }
    }),
  ),
  STORAGE_VOL_RESIZE: live((world) =>
    withVol(world, async (vol) => {
      await world.connection.storageVol.resize(vol, 2 * MIB);
      expect(listOf(await world.python(at.vol(vol), 'info'))[1]).toBe(2 * MIB);
      await sameRefusal(
        () => world.connection.storageVol.resize(vol, MIB),
        () => world.python(at.vol(vol), 'resize', MIB, 0),
      );
    }),
  ),
  STORAGE_VOL_DELETE: live(async (world) => {
    const vol = await world.connection.storageVol.createXML(world.pool, volXml('delete'));
    await world.connection.storageVol.delete(vol);
    await sameRefusal(
      () => world.connection.storageVol.delete(vol),
      () => world.python(at.pool(world.pool), 'storageVolLookupByName', vol.name),
    );
  }),
  STORAGE_VOL_GET_INFO: live((world) =>
    withVol(world, async (vol) => {
      const ours = await world.connection.storageVol.getInfo(vol);
      expect(ours).toMatchObject({ type: StorageVolType.FILE, capacityBytes: MIB });
      expect(Object.values(ours)).toEqual(await world.python(at.vol(vol), 'info'));
    }),
  ),
  STORAGE_VOL_GET_PATH: live((world) =>
    withVol(world, async (vol) => {
      expect(await world.connection.storageVol.getPath(vol)).toBe(await world.python(at.vol(vol), 'path'));
    }),
  ),
  STORAGE_VOL_GET_XML_DESC: live((world) =>
    withVol(world, async (vol) => {
      expect(await world.connection.storageVol.getXMLDesc(vol)).toBe(await world.python(at.vol(vol), 'XMLDesc', 0));
    }),
  ),

  SECRET_DEFINE_XML: live((world) =>
    withSecret(world, async (secret) => {
      expect(secret).toMatchObject({ usageType: SecretUsageType.CEPH, usageID: world.nameOf('secret') });
      expect(await world.python(at.connect, 'secretLookupByUUIDString', secret.uuid)).toEqual(secret);
    }),
  ),
  SECRET_SET_VALUE: live((world) =>
    withSecret(world, async (secret) => {
      const value = Buffer.from([0, 1, 2, 254, 255]);
      await world.connection.secret.setValue(secret, value);
      expect(await world.python(at.secret(secret), 'value', 0)).toEqual(value);
    }),
  ),
  SECRET_GET_VALUE: live((world) =>
    withSecret(world, async (secret) => {
      await sameRefusal(
        () => world.connection.secret.getValue(secret),
        () => world.python(at.secret(secret), 'value', 0),
      );
      const value = Buffer.alloc(65_536, 7);
      await world.python(at.secret(secret), 'setValue', value, 0);
      expect((await world.connection.secret.getValue(secret)).equals(value)).toBe(true);
    }),
  ),
  SECRET_GET_XML_DESC: live((world) =>
    withSecret(world, async (secret) => {
      expect(await world.connection.secret.getXMLDesc(secret)).toBe(
        await world.python(at.secret(secret), 'XMLDesc', 0),
      );
    }),
  ),
  SECRET_LOOKUP_BY_USAGE: live((world) =>
    withSecret(world, async (secret) => {
      expect(await world.connection.secret.lookupByUsage(secret.usageType, secret.usageID)).toEqual(
        await world.python(at.connect, 'secretLookupByUsage', secret.usageType, secret.usageID),
      );
    }),
  ),
  SECRET_LOOKUP_BY_UUID: live((world) =>
    withSecret(world, async (secret) => {
      expect(await world.connection.secret.lookupByUUID(secret.uuid)).toEqual(
        await world.python(at.connect, 'secretLookupByUUIDString', secret.uuid),
      );
    }),
  ),
  SECRET_UNDEFINE: live(async (world) => {
    const secret = await world.connection.secret.defineXML(secretXml(world));
    await world.connection.secret.undefine(secret);
    await sameRefusal(
      () => world.connection.secret.undefine(secret),
      () => world.python(at.connect, 'secretLookupByUUIDString', secret.uuid),
    );
  }),
};

/** A defined pool beside the one that the rows share. */
async function withPool(world: World, check: (pool: StoragePool) => Promise<void>): Promise<void> {
  const { connection } = world;
  const pool = await connection.storagePool.defineXML(await poolXml(world));
  try {
    await check(pool);
  } finally {
    if (await connection.storagePool.isActive(pool)) await connection.storagePool.destroy(pool);
    await connection.storagePool.undefine(pool);
  }
}

async function withVol(world: World, check: (vol: StorageVol) => Promise<void>): Promise<void> {
  const vol = await world.connection.storageVol.createXML(world.pool, volXml('vol.raw'));
  try {
    await check(vol);
  } finally {
    await world.connection.storageVol.delete(vol);
  }
}

async function withSecret(world: World, check: (secret: Secret) => Promise<void>): Promise<void> {
  const secret = await world.connection.secret.defineXML(secretXml(world));
  try {
    await check(secret);
  } finally {
    await world.connection.secret.undefine(secret);
  }
}

async function contentOf(world: World, vol: StorageVol): Promise<Buffer> {
  return buffer(await world.connection.storageVol.download(vol));
}

async function poolXml(world: World): Promise<string> {
  const path = join(world.folder, 'other');
  await mkdir(path, { recursive: true });
  return `<pool type='dir'><name>${world.nameOf('other')}</name><target><path>${path}</path></target></pool>`;
}

function volXml(name: string): string {
  return `<volume><name>${name}</name><capacity unit='MiB'>1</capacity><target><format type='raw'/></target></volume>`;
}

function secretXml(world: World): string {
  return `<secret ephemeral='yes'><usage type='ceph'><name>${world.nameOf('secret')}</name></usage></secret>`;
}
