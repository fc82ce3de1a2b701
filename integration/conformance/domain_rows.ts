/** Domains: looking up, life, description. */
// Rows run inside of the tests that the table becomes.
// oxlint-disable vitest/no-standalone-expect
import { join } from 'node:path';
import { expect } from 'vitest';
import {
  DomainCreateFlags,
  DomainMetadataType,
  DomainModificationImpact,
  DomainState,
  DomainXMLFlags,
  ErrorCode,
  param,
  type Domain,
} from 'node-libvirt';
import { tinyXml } from './guest.ts';
import { live, refused, type Rows } from './row.ts';
import { at, listOf, recordOf, removeDomain, sameRefusal, settled, type World } from './world.ts';

const UUID = 'a7c3fbd0-6f2e-4c3a-9d6c-0d2f5e8b7a11';
const PAUSED = DomainCreateFlags.START_PAUSED;
const { CONFIG } = DomainModificationImpact;

export const domainRows: Rows = {
  DOMAIN_LOOKUP_BY_UUID: live(async ({ connection, python, guest }) => {
    expect(await connection.domain.lookupByUUID(guest.uuid)).toEqual(guest);
    await sameRefusal(
      () => connection.domain.lookupByUUID(UUID),
      () => python(at.connect, 'lookupByUUIDString', UUID),
    );
  }),
  DOMAIN_LOOKUP_BY_NAME: live(async ({ connection, python, guest }) => {
    expect(await connection.domain.lookupByName(guest.name)).toEqual(
      await python(at.connect, 'lookupByName', guest.name),
    );
    await sameRefusal(
      () => connection.domain.lookupByName('nlv-none'),
      () => python(at.connect, 'lookupByName', 'nlv-none'),
    );
  }),
  DOMAIN_LOOKUP_BY_ID: live(async ({ connection, python, guest }) => {
    expect(await connection.domain.lookupByID(guest.id)).toEqual(await python(at.connect, 'lookupByID', guest.id));
    await sameRefusal(
      () => connection.domain.lookupByID(0x7fffffff),
      () => python(at.connect, 'lookupByID', 0x7fffffff),
    );
  }),
  DOMAIN_DEFINE_XML_FLAGS: live((world) =>
    withDomain(world, async (domain) => {
      expect(domain.id).toBe(-1);
      expect(await world.python(at.connect, 'lookupByName', domain.name)).toEqual(domain);
      for (const wrong of ['<domain', '<pool/>'])
        await sameRefusal(
          () => world.connection.domain.defineXMLFlags(wrong),
          () => world.python(at.connect, 'defineXMLFlags', wrong, 0),
        );
    }),
  ),
  DOMAIN_CREATE_XML: live(async (world) => {
    const { connection, python } = world;
    const domain = await connection.domain.createXML(tinyXml(world.nameOf('transient')), PAUSED);
    expect(domain.id).toBeGreaterThan(0);
    expect(await python(at.connect, 'lookupByName', domain.name)).toEqual(domain);
    expect(await python(at.domain(domain), 'isPersistent')).toBe(0);
    await python(at.domain(domain), 'destroy');
    await expect(connection.domain.lookupByName(domain.name)).rejects.toMatchObject({ code: ErrorCode.NO_DOMAIN });
  }),
  DOMAIN_CREATE_WITH_FLAGS: live((world) =>
    withDomain(world, async (domain) => {
      const started = await world.connection.domain.createWithFlags(domain, PAUSED);
      expect(await world.python(at.connect, 'lookupByName', domain.name)).toEqual(started);
      expect(listOf(await world.python(at.domain(domain), 'state', 0))[0]).toBe(DomainState.PAUSED);
      await sameRefusal(
        () => world.connection.domain.createWithFlags(domain),
        () => world.python(at.domain(domain), 'createWithFlags', 0),
      );
    }),
  ),
  DOMAIN_DESTROY: live((world) =>
    withStarted(world, async (domain) => {
      await world.connection.domain.destroy(domain);
      expect(await world.python(at.domain(domain), 'isActive')).toBe(0);
      await sameRefusal(
        () => world.connection.domain.destroy(domain),
        () => world.python(at.domain(domain), 'destroy'),
      );
    }),
  ),
  DOMAIN_DESTROY_FLAGS: live((world) =>
    withStarted(world, async (domain) => {
      await world.connection.domain.destroyFlags(domain);
      expect(await world.python(at.domain(domain), 'isActive')).toBe(0);
    }),
  ),
  DOMAIN_UNDEFINE_FLAGS: live(async (world) => {
    const domain = await world.connection.domain.defineXMLFlags(tinyXml(world.nameOf('undefine')));
    await world.connection.domain.undefineFlags(domain);
    await sameRefusal(
      () => world.connection.domain.undefineFlags(domain),
      () => world.python(at.connect, 'lookupByName', domain.name),
    );
  }),
  // The guest has no system that would obey: the test driver's guests do.
  DOMAIN_SHUTDOWN_FLAGS: live((world) =>
    withTesting(world, async (domain) => {
      await world.testing.domain.shutdownFlags(domain);
      expect(await world.pythonTesting(at.domain(domain), 'isActive')).toBe(0);
    }),
  ),
  DOMAIN_REBOOT: live((world) =>
    withTesting(world, async (domain) => {
      await world.testing.domain.reboot(domain);
      expect(await world.pythonTesting(at.domain(domain), 'reboot', 0)).toBe(0);
      await world.testing.domain.destroy(domain);
      await expect(world.testing.domain.reboot(domain)).rejects.toMatchObject({ code: ErrorCode.OPERATION_INVALID });
    }),
  ),
  DOMAIN_RESET: live(async ({ connection, python, guest }) => {
    await connection.domain.reset(guest);
    expect(await python(at.domain(guest), 'reset', 0)).toBe(0);
  }),
  DOMAIN_SUSPEND: live(async ({ connection, python, guest }) => {
    await connection.domain.suspend(guest);
    expect(await python(at.domain(guest), 'state', 0)).toEqual([DomainState.PAUSED, 1]);
    await python(at.domain(guest), 'resume');
  }),
  DOMAIN_RESUME: live(async ({ connection, python, guest }) => {
    await python(at.domain(guest), 'suspend');
    await connection.domain.resume(guest);
    expect(listOf(await python(at.domain(guest), 'state', 0))[0]).toBe(DomainState.RUNNING);
    await sameRefusal(
      () => connection.domain.resume(guest),
      () => python(at.domain(guest), 'resume'),
    );
  }),
  DOMAIN_GET_XML_DESC: live(async ({ connection, python, guest }) => {
    for (const flags of [0, DomainXMLFlags.INACTIVE, DomainXMLFlags.MIGRATABLE])
      expect(await connection.domain.getXMLDesc(guest, flags)).toBe(await python(at.domain(guest), 'XMLDesc', flags));
  }),
  DOMAIN_GET_INFO: live(async ({ connection, python, guest }) => {
    await settled(
      async () => Object.values(await connection.domain.getInfo(guest)),
      () => python(at.domain(guest), 'info'),
      (theirs) => listOf(theirs).with(4, BigInt(String(listOf(theirs)[4]))),
    );
  }),
  DOMAIN_GET_STATE: live(async ({ connection, python, guest }) => {
    expect(Object.values(await connection.domain.getState(guest))).toEqual(await python(at.domain(guest), 'state', 0));
  }),
  DOMAIN_IS_ACTIVE: live((world) =>
    withDomain(world, async (domain) => {
      for (const one of [domain, world.guest])
        expect(Number(await world.connection.domain.isActive(one))).toBe(
          await world.python(at.domain(one), 'isActive'),
        );
    }),
  ),
  DOMAIN_IS_PERSISTENT: live(async ({ connection, python, guest }) => {
    expect(await connection.domain.isPersistent(guest)).toBe(true);
    expect(await python(at.domain(guest), 'isPersistent')).toBe(1);
  }),
  DOMAIN_GET_AUTOSTART: live((world) =>
    withDomain(world, async (domain) => {
      expect(await world.connection.domain.getAutostart(domain)).toBe(false);
      await world.python(at.domain(domain), 'setAutostart', 1);
      expect(await world.connection.domain.getAutostart(domain)).toBe(true);
      await world.python(at.domain(domain), 'setAutostart', 0);
    }),
  ),
  DOMAIN_SET_AUTOSTART: live((world) =>
    withDomain(world, async (domain) => {
      for (const autostart of [true, false]) {
        await world.connection.domain.setAutostart(domain, autostart);
        expect(await world.python(at.domain(domain), 'autostart')).toBe(Number(autostart));
      }
    }),
  ),
  DOMAIN_SET_METADATA: live((world) =>
    withDomain(world, async (domain) => {
      const { DESCRIPTION, ELEMENT } = DomainMetadataType;
      const text = `a < b > c & "d" 'e' é 漢`;
      await world.connection.domain.setMetadata(domain, DESCRIPTION, text, null, null, CONFIG);
      expect(await world.python(at.domain(domain), 'metadata', DESCRIPTION, null, CONFIG)).toBe(text);
      const xml = '<note at="&lt;now&gt;">a &amp; b</note>';
      await world.connection.domain.setMetadata(domain, ELEMENT, xml, 'nlv', 'urn:nlv', CONFIG);
      expect(await world.python(at.domain(domain), 'metadata', ELEMENT, 'urn:nlv', CONFIG)).toBe(xml);
      await world.connection.domain.setMetadata(domain, ELEMENT, null, 'nlv', 'urn:nlv', CONFIG);
      await sameRefusal(
        () => world.connection.domain.getMetadata(domain, ELEMENT, 'urn:nlv', CONFIG),
        () => world.python(at.domain(domain), 'metadata', ELEMENT, 'urn:nlv', CONFIG),
      );
    }),
  ),
  DOMAIN_GET_METADATA: live((world) =>
    withDomain(world, async (domain) => {
      const { TITLE, ELEMENT } = DomainMetadataType;
      await world.python(at.domain(domain), 'setMetadata', TITLE, 'Ein Gast', null, null, CONFIG);
      await world.python(at.domain(domain), 'setMetadata', ELEMENT, '<a><b>1</b></a>', 'nlv', 'urn:nlv', CONFIG);
      expect(await world.connection.domain.getMetadata(domain, TITLE, null, CONFIG)).toBe('Ein Gast');
      expect(await world.connection.domain.getMetadata(domain, ELEMENT, 'urn:nlv', CONFIG)).toBe(
        await world.python(at.domain(domain), 'metadata', ELEMENT, 'urn:nlv', CONFIG),
      );
    }),
  ),

  DOMAIN_MANAGED_SAVE: live((world) =>
    withStarted(world, async (domain) => {
      await world.connection.domain.managedSave(domain);
      expect(await world.python(at.domain(domain), 'isActive')).toBe(0);
      expect(await world.python(at.domain(domain), 'hasManagedSaveImage', 0)).toBe(1);
    }),
  ),
  DOMAIN_HAS_MANAGED_SAVE_IMAGE: live((world) =>
    withStarted(world, async (domain) => {
      expect(await world.connection.domain.hasManagedSaveImage(domain)).toBe(false);
      await world.python(at.domain(domain), 'managedSave', 0);
      expect(await world.connection.domain.hasManagedSaveImage(domain)).toBe(true);
    }),
  ),
  DOMAIN_MANAGED_SAVE_REMOVE: live((world) =>
    withStarted(world, async (domain) => {
      await world.python(at.domain(domain), 'managedSave', 0);
      await world.connection.domain.managedSaveRemove(domain);
      expect(await world.python(at.domain(domain), 'hasManagedSaveImage', 0)).toBe(0);
    }),
  ),
  DOMAIN_SAVE_PARAMS: live((world) =>
    withStarted(world, async (domain) => {
      const file = join(world.folder, 'ours.save');
      await world.connection.domain.saveParams(domain, [param.string('file', file)]);
      expect(await world.python(at.domain(domain), 'isActive')).toBe(0);
      expect(await world.python(at.connect, 'saveImageGetXMLDesc', file, 0)).toContain(domain.uuid);
    }),
  ),
  DOMAIN_RESTORE_PARAMS: live((world) =>
    withStarted(world, async (domain) => {
      const file = join(world.folder, 'theirs.save');
      await world.python(at.domain(domain), 'saveParams', { file }, 0);
      await world.connection.domain.restoreParams([param.string('file', file)]);
      expect(await world.python(at.domain(domain), 'state', 0)).toEqual([DomainState.PAUSED, expect.any(Number)]);
    }),
  ),

  DOMAIN_GET_LAUNCH_SECURITY_INFO: live(async ({ connection, python, guest }) => {
    expect(await connection.domain.getLaunchSecurityInfo(guest)).toEqual(
      await python(at.domain(guest), 'launchSecurityInfo', 0),
    );
  }),
  DOMAIN_SET_LAUNCH_SECURITY_STATE: refused('the host has no AMD SEV', async ({ connection, python, guest }) => {
    const secrets = { 'sev-secret': 'a', 'sev-secret-header': 'b' };
    await sameRefusal(
      () =>
        connection.domain.setLaunchSecurityState(
          guest,
          Object.entries(secrets).map(([field, value]) => param.string(field, value)),
        ),
      () => python(at.domain(guest), 'setLaunchSecurityState', secrets, 0),
    );
  }),
  DOMAIN_GET_MESSAGES: live(async ({ connection, python, guest }) => {
    // A command past libvirt taints the guest, so that there is a message.
    await connection.qemu.monitorCommand(guest, '{"execute":"query-version"}');
    const ours = await connection.domain.getMessages(guest);
    expect(ours.length).toBeGreaterThan(0);
    expect(ours).toEqual(await python(at.domain(guest), 'messages', 0));
  }),

  QEMU_DOMAIN_MONITOR_COMMAND: live(async ({ connection, python, guest }) => {
    const command = '{"execute":"query-version"}';
    const ours = await connection.qemu.monitorCommand(guest, command);
    const theirs = await python(at.domain(guest), 'monitorCommand', command, 0);
    // Each answer bears the serial number of its question.
    expect(returned(ours)).toEqual(returned(theirs));
    const HMP = 1;
    expect(await connection.qemu.monitorCommand(guest, 'info name', HMP)).toBe(
      await python(at.domain(guest), 'monitorCommand', 'info name', HMP),
    );
  }),
  QEMU_DOMAIN_AGENT_COMMAND: refused('the guest has no system, so no agent', async ({ connection, python, guest }) => {
    const command = '{"execute":"guest-ping"}';
    await sameRefusal(
      () => connection.qemu.agentCommand(guest, command),
      () => python(at.domain(guest), 'agentCommand', command, -1, 0),
    );
  }),
};

/** What a command of QEMU's monitor answered. */
function returned(answer: unknown): unknown {
  return recordOf(JSON.parse(String(answer)))['return'];
}

/** A domain that does not run. */
export async function withDomain(world: World, check: (domain: Domain) => Promise<void>): Promise<void> {
  const domain = await world.connection.domain.defineXMLFlags(tinyXml(world.nameOf('spare')));
  try {
    await check(domain);
  } finally {
    await removeDomain(world.connection, domain);
  }
}

/** One that is started, but paused: it costs nothing. */
export async function withStarted(world: World, check: (domain: Domain) => Promise<void>): Promise<void> {
  await withDomain(world, async (domain) => {
    await world.python(at.domain(domain), 'createWithFlags', PAUSED);
    await check(domain);
  });
}

/** A running domain of the test driver. */
export async function withTesting(world: World, check: (domain: Domain) => Promise<void>, devices = ''): Promise<void> {
  const xml = tinyXml(world.nameOf('testing'), 'test').replace('</domain>', `<devices>${devices}</devices></domain>`);
  const defined = await world.testing.domain.defineXMLFlags(xml);
  try {
    await check(await world.testing.domain.createWithFlags(defined));
  } finally {
    if (await world.testing.domain.isActive(defined)) await world.testing.domain.destroy(defined);
    await world.testing.domain.undefineFlags(defined, 2);
  }
}
