/** Domains: devices, jobs, the guest, migration, snapshots. */
// Rows run inside of the tests that the table becomes.
// oxlint-disable vitest/no-standalone-expect
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import {
  DomainConsoleFlags,
  DomainGetJobStatsFlags,
  DomainJobType,
  DomainMigrateFlags,
  ErrorCode,
  KeycodeSet,
  param,
  type Domain,
  type DomainSnapshot,
} from 'node-libvirt';
import { withDomain, withStarted, withTesting } from './domain_rows.ts';
import { diskPath, GUEST_MAC, makeDisk } from './guest.ts';
import { live, refused, type Rows } from './row.ts';
import { at, listOf, recordOf, sameRefusal, sorted, type World } from './world.ts';

const LIVE = 1;
const CONFIG = 2;
const NO_AGENT = 'the guest has no system, so no agent';

export const deviceRows: Rows = {
  DOMAIN_ATTACH_DEVICE_FLAGS: live(async (world) => {
    const { connection, python, guest } = world;
    await makeDisk(world, 'plugged.raw');
    const xml = diskXml(world, 'plugged.raw');
    await connection.domain.attachDeviceFlags(guest, xml, LIVE | CONFIG);
    for (const flags of [0, 2])
      expect(await python(at.domain(guest), 'XMLDesc', flags)).toContain(diskPath(world, 'plugged.raw'));
    await sameRefusal(
      () => connection.domain.attachDeviceFlags(guest, xml, LIVE),
      () => python(at.domain(guest), 'attachDeviceFlags', xml, LIVE),
    );
    await python(at.domain(guest), 'detachDeviceFlags', xml, CONFIG);
  }),
  DOMAIN_DETACH_DEVICE_FLAGS: live((world) =>
    withDomain(world, async (domain) => {
      const { connection, python } = world;
      const xml = diskXml(world, 'none.raw');
      await python(at.domain(domain), 'attachDeviceFlags', xml, CONFIG);
      await connection.domain.detachDeviceFlags(domain, xml, CONFIG);
      expect(await python(at.domain(domain), 'XMLDesc', 0)).not.toContain('none.raw');
      await sameRefusal(
        () => connection.domain.detachDeviceFlags(domain, xml, CONFIG),
        () => python(at.domain(domain), 'detachDeviceFlags', xml, CONFIG),
      );
    }),
  ),
  DOMAIN_UPDATE_DEVICE_FLAGS: live(async (world) => {
    const { connection, python, guest } = world;
    const current = /<interface[\s\S]*<\/interface>/.exec(await connection.domain.getXMLDesc(guest))?.[0] ?? '';
    expect(current).toContain(GUEST_MAC);
    for (const state of ['down', 'up']) {
      const xml = current.replace('</interface>', `<link state='${state}'/></interface>`);
      await connection.domain.updateDeviceFlags(guest, xml, LIVE);
      expect(await python(at.domain(guest), 'XMLDesc', 0)).toContain(`<link state='${state}'/>`);
    }
  }),
  DOMAIN_DETACH_DEVICE_ALIAS: live((world) =>
    withDomain(world, async (domain) => {
      const { connection, python } = world;
      const alias = `<alias name='ua-nlv'/></disk>`;
      await python(
        at.domain(domain),
        'attachDeviceFlags',
        diskXml(world, 'none.raw').replace('</disk>', alias),
        CONFIG,
      );
      await connection.domain.detachDeviceAlias(domain, 'ua-nlv', CONFIG);
      expect(await python(at.domain(domain), 'XMLDesc', 0)).not.toContain('none.raw');
    }),
  ),

  DOMAIN_GET_JOB_INFO: live(async ({ connection, python, guest }) => {
    const ours = await connection.domain.getJobInfo(guest);
    expect(Object.values(ours)).toEqual(await python(at.domain(guest), 'jobInfo'));
  }),
  DOMAIN_GET_JOB_STATS: live(async ({ connection, python, guest, folder }) => {
    // A job that is over, and so stands still.
    await python(at.domain(guest), 'coreDump', join(folder, 'dump'), 0);
    const flags = DomainGetJobStatsFlags.COMPLETED | DomainGetJobStatsFlags.KEEP_COMPLETED;
    const { type, params } = await connection.domain.getJobStats(guest, flags);
    expect(params['memory_total']).toBeGreaterThan(0);
    expect({ type, ...params }).toEqual(await python(at.domain(guest), 'jobStats', flags));
  }),
  DOMAIN_ABORT_JOB: live(async (world) => {
    const { connection, python, guest } = world;
    await withStuckSave(world, (domain) => connection.domain.abortJob(domain));
    await sameRefusal(
      () => connection.domain.abortJob(guest),
      () => python(at.domain(guest), 'abortJob'),
    );
  }),
  DOMAIN_ABORT_JOB_FLAGS: live(async (world) => {
    const { connection, python, guest } = world;
    await withStuckSave(world, (domain) => connection.domain.abortJobFlags(domain));
    await sameRefusal(
      () => connection.domain.abortJobFlags(guest),
      () => python(at.domain(guest), 'abortJobFlags', 0),
    );
  }),

  DOMAIN_OPEN_CONSOLE: live(async ({ connection, python, guest }) => {
    const console = await connection.domain.openConsole(guest, null, DomainConsoleFlags.FORCE);
    try {
      // Who comes second is refused: it is ours.
      await sameRefusal(
        () => connection.domain.openConsole(guest),
        () => python(at.domain(guest), 'openConsole', 0),
      );
      await connection.domain.reset(guest);
      let text = '';
      for await (const chunk of console) {
        text += String(chunk);
        if (text.includes('SeaBIOS')) break;
      }
      expect(text).toContain('SeaBIOS');
    } finally {
      console.destroy();
    }
  }),
  DOMAIN_SCREENSHOT: live(async ({ connection, python, guest }) => {
    await python(at.domain(guest), 'suspend');
    const { mime, stream } = await connection.domain.screenshot(guest);
    const ours = await buffer(stream);
    const theirs = recordOf(await python(at.domain(guest), 'screenshot', 0, 0));
    await python(at.domain(guest), 'resume');
    expect(mime).toBe(theirs['mime']);
    expect(ours.length).toBeGreaterThan(100);
    expect(theirs['bytes']).toEqual(ours);
  }),
  DOMAIN_SEND_KEY: live(async ({ connection, python, guest }) => {
    const KEY_A = 30;
    await connection.domain.sendKey(guest, KeycodeSet.LINUX, 10, [KEY_A]);
    await sameRefusal(
      () => connection.domain.sendKey(guest, KeycodeSet.LINUX, 10, [65_000]),
      () => python(at.domain(guest), 'sendKey', KeycodeSet.LINUX, 10, [65_000], 1, 0),
    );
  }),
  DOMAIN_INJECT_NMI: live(async (world) => {
    const { connection, python, guest } = world;
    await connection.domain.injectNMI(guest);
    expect(await python(at.domain(guest), 'injectNMI', 0)).toBe(0);
    await withDomain(world, async (domain) => {
      await sameRefusal(
        () => connection.domain.injectNMI(domain),
        () => python(at.domain(domain), 'injectNMI', 0),
      );
    });
  }),

  // What an agent would do, the test driver does.
  DOMAIN_FSFREEZE: live((world) =>
    withTesting(world, async (domain) => {
      expect(await world.testing.domain.fsFreeze(domain, ['/', '/boot'])).toBe(2);
      // All are frozen already.
      expect(await world.testing.domain.fsFreeze(domain)).toBe(
        await world.pythonTesting(at.domain(domain), 'fsFreeze', null, 0),
      );
    }),
  ),
  DOMAIN_FSTHAW: live((world) =>
    withTesting(world, async (domain) => {
      expect(await world.pythonTesting(at.domain(domain), 'fsFreeze', null, 0)).toBe(2);
      expect(await world.testing.domain.fsThaw(domain, ['/'])).toBe(1);
      expect(await world.pythonTesting(at.domain(domain), 'fsThaw', null, 0)).toBe(1);
    }),
  ),
  DOMAIN_SET_TIME: live((world) =>
    withTesting(world, async (domain) => {
      await world.testing.domain.setTime(domain, 1_700_000_000, 5);
      expect(recordOf(await world.pythonTesting(at.domain(domain), 'getTime', 0))).toMatchObject({
        seconds: expect.any(Number),
      });
    }),
  ),
  DOMAIN_SET_USER_PASSWORD: live((world) =>
    withTesting(world, async (domain) => {
      await world.testing.domain.setUserPassword(domain, 'root', 'secret');
      expect(await world.pythonTesting(at.domain(domain), 'setUserPassword', 'root', 'secret', 0)).toBe(0);
    }),
  ),
  DOMAIN_AUTHORIZED_SSH_KEYS_GET: refused(NO_AGENT, async ({ connection, python, guest }) => {
    await sameRefusal(
      () => connection.domain.authorizedSSHKeysGet(guest, 'root'),
      () => python(at.domain(guest), 'authorizedSSHKeysGet', 'root', 0),
    );
  }),
  DOMAIN_AUTHORIZED_SSH_KEYS_SET: refused(NO_AGENT, async ({ connection, python, guest }) => {
    await sameRefusal(
      () => connection.domain.authorizedSSHKeysSet(guest, 'root', ['ssh-ed25519 AAAA']),
      () => python(at.domain(guest), 'authorizedSSHKeysSet', 'root', ['ssh-ed25519 AAAA'], 0),
    );
  }),
  DOMAIN_GET_GUEST_INFO: refused(NO_AGENT, async ({ connection, python, guest }) => {
    await sameRefusal(
      () => connection.domain.getGuestInfo(guest),
      () => python(at.domain(guest), 'guestInfo', 0, 0),
    );
  }),
  DOMAIN_AGENT_SET_RESPONSE_TIMEOUT: live(async ({ connection, python, guest }) => {
    await connection.domain.agentSetResponseTimeout(guest, 5);
    expect(await python(at.domain(guest), 'agentSetResponseTimeout', 5, 0)).toBe(0);
    await sameRefusal(
      () => connection.domain.agentSetResponseTimeout(guest, -3),
      () => python(at.domain(guest), 'agentSetResponseTimeout', -3, 0),
    );
  }),
  DOMAIN_START_DIRTY_RATE_CALC: live(async ({ connection, python, guest }) => {
    await connection.domain.startDirtyRateCalc(guest, 1);
    const DIRTYRATE = 512;
    const theirs = listOf(await python(at.connect, 'getAllDomainStats', DIRTYRATE, 0)).map(listOf);
    const [, params] = theirs.find(([domain]) => recordOf(domain)['uuid'] === guest.uuid) ?? [];
    expect(params).toMatchObject({ 'dirtyrate.calc_period': 1 });
    await sameRefusal(
      () => connection.domain.startDirtyRateCalc(guest, 0),
      () => python(at.domain(guest), 'startDirtyRateCalc', 0, 0),
    );
  }),

  DOMAIN_MIGRATE_PERFORM3_PARAMS: refused('there is no second host', async ({ connection, python, guest }) => {
    const { LIVE: ALIVE, PEER2PEER, UNSAFE } = DomainMigrateFlags;
    const to = 'qemu+tcp://127.0.0.1:1/system';
    for (const flags of [ALIVE | PEER2PEER, ALIVE | PEER2PEER | UNSAFE])
      await sameRefusal(
        () => connection.domain.migrateToURI3(guest, to, [], flags),
        () => python(at.domain(guest), 'migrateToURI3', to, {}, flags),
      );
  }),
  DOMAIN_MIGRATE_SET_MAX_DOWNTIME: live(async ({ connection, python, guest }) => {
    await connection.domain.migrateSetMaxDowntime(guest, 400);
    expect(await python(at.domain(guest), 'migrateGetMaxDowntime', 0)).toBe(400);
  }),
  DOMAIN_MIGRATE_SET_MAX_SPEED: live(async ({ connection, python, guest }) => {
    await connection.domain.migrateSetMaxSpeed(guest, 99);
    expect(await python(at.domain(guest), 'migrateGetMaxSpeed', 0)).toBe(99);
  }),
  DOMAIN_MIGRATE_START_POST_COPY: refused('there is no second host', async ({ connection, python, guest }) => {
    await sameRefusal(
      () => connection.domain.migrateStartPostCopy(guest),
      () => python(at.domain(guest), 'migrateStartPostCopy', 0),
    );
  }),

  // The real one would want qemu-img for those of a domain that does not run.
  DOMAIN_SNAPSHOT_CREATE_XML: live((world) =>
    withSnapshot(world, async (snapshot) => {
      expect(await world.pythonTesting(at.domain(snapshot.domain), 'snapshotLookupByName', snapshot.name)).toEqual(
        snapshot,
      );
    }),
  ),
  DOMAIN_LIST_ALL_SNAPSHOTS: live((world) =>
    withSnapshot(world, async ({ domain }) => {
      const xml = '<domainsnapshot><name>second</name></domainsnapshot>';
      await world.pythonTesting(at.domain(domain), 'snapshotCreateXML', xml, 0);
      const ours = await world.testing.domain.listAllSnapshots(domain);
      expect(ours).toHaveLength(2);
      expect(sorted(ours)).toEqual(sorted(await world.pythonTesting(at.domain(domain), 'listAllSnapshots', 0)));
    }),
  ),
  DOMAIN_SNAPSHOT_LOOKUP_BY_NAME: live((world) =>
    withSnapshot(world, async (snapshot) => {
      expect(await world.testing.domainSnapshot.lookupByName(snapshot.domain, snapshot.name)).toEqual(snapshot);
      await sameRefusal(
        () => world.testing.domainSnapshot.lookupByName(snapshot.domain, 'none'),
        () => world.pythonTesting(at.domain(snapshot.domain), 'snapshotLookupByName', 'none'),
      );
    }),
  ),
  DOMAIN_SNAPSHOT_GET_XML_DESC: live((world) =>
    withSnapshot(world, async (snapshot) => {
      expect(await world.testing.domainSnapshot.getXMLDesc(snapshot)).toBe(
        await world.pythonTesting(at.snapshot(snapshot), 'getXMLDesc', 0),
      );
    }),
  ),
  DOMAIN_REVERT_TO_SNAPSHOT: live((world) =>
    withSnapshot(world, async (snapshot) => {
      const { domain } = snapshot;
      await world.pythonTesting(at.domain(domain), 'destroy');
      await world.testing.domain.revertToSnapshot(snapshot);
      expect(await world.pythonTesting(at.domain(domain), 'isActive')).toBe(1);
    }),
  ),
  DOMAIN_SNAPSHOT_DELETE: live((world) =>
    withSnapshot(world, async (snapshot) => {
      await world.testing.domainSnapshot.delete(snapshot);
      expect(await world.pythonTesting(at.domain(snapshot.domain), 'listAllSnapshots', 0)).toEqual([]);
      await expect(world.testing.domainSnapshot.delete(snapshot)).rejects.toMatchObject({
        code: ErrorCode.NO_DOMAIN_SNAPSHOT,
      });
    }),
  ),
};

/** A save into a pipe that nobody empties does not come to an end: it must be aborted, and the guest is still there. */
async function withStuckSave(world: World, abort: (domain: Domain) => Promise<void>): Promise<void> {
  await withStarted(world, async (domain) => {
    const { connection, python } = world;
    const path = join(world.folder, randomUUID());
    await promisify(execFile)('mkfifo', [path]);
    const pipe = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const save = connection.domain.saveParams(domain, [param.string('file', path)]);
    // Handled below; until then its failure is no surprise.
    save.catch(() => {});
    try {
      await expect.poll(async () => (await connection.domain.getJobInfo(domain)).type).not.toBe(DomainJobType.NONE);
      expect(listOf(await python(at.domain(domain), 'jobInfo'))[0]).not.toBe(DomainJobType.NONE);
      await abort(domain);
    } finally {
      await pipe.close();
    }
    await expect(save).rejects.toMatchObject({ name: 'LibvirtError' });
    expect(await python(at.domain(domain), 'isActive')).toBe(1);
  });
}

async function withSnapshot(world: World, check: (snapshot: DomainSnapshot) => Promise<void>): Promise<void> {
  await withTesting(world, async (domain) => {
    const xml = '<domainsnapshot><name>first</name></domainsnapshot>';
    await check(await world.testing.domainSnapshot.createXML(domain, xml));
  });
}

function diskXml(world: World, name: string): string {
  return `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${diskPath(world, name)}'/><target dev='vdb' bus='virtio'/></disk>`;
}
