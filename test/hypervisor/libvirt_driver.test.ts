/** The driver against a libvirtd whose every word the test decides: what it leaves behind when something fails. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DomainState, ListAllDomainsFlags, ErrorCode, Procedures } from 'node-libvirt';
import { FakeLibvirtd } from 'node-libvirt/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeRecord } from '../../src/domain/record.ts';
import { LibvirtDriver } from '../../src/hypervisor/libvirt_driver.ts';
import { instanceOf, UUID } from '../domain/instances.ts';
import { quietLog } from '../quiet_log.ts';

const CAPABILITIES = `<capabilities><host><cpu><arch>x86_64</arch></cpu><topology><cells num="1"><cell id="0">
  <memory unit="KiB">4096</memory>  <pages unit="KiB" size="4">1000</pages><pages unit="KiB" size="2048">64</pages>
  <cpus num="1"><cpu id="0"/></cpus></cell></cells></topology></host></capabilities>`;

const OTHER_UUID = '11111111-2222-4333-8444-555555555555';
const DOMAIN = { name: `hn-${UUID}`, uuid: UUID, id: -1 };

let libvirtd: FakeLibvirtd;
let driver: LibvirtDriver;
let instancesPath: string;
/** Procedures called, in order, as far as they change something. */
let changes: string[];
/** XML of the one domain there may be. */
let defined: string | undefined;

beforeEach(async () => {
  libvirtd = await FakeLibvirtd.open();
  changes = [];
  defined = undefined;
  instancesPath = join(mkdtempSync(join(tmpdir(), 'hugenode-driver-')), 'instances');
  libvirtd.answer(Procedures.CONNECT_GET_LIB_VERSION, () => ({ version: 9_000_000 }));
  libvirtd.answer(Procedures.CONNECT_GET_CAPABILITIES, () => ({ capabilities: CAPABILITIES }));
  libvirtd.answer(Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, () => ({ callbackID: 1 }));
  libvirtd.script(Procedures.DOMAIN_GET_XML_DESC, (call) => {
    if (defined === undefined) call.fail({ code: ErrorCode.NO_DOMAIN });
    else call.reply(Procedures.DOMAIN_GET_XML_DESC, { xml: defined });
  });
  libvirtd.answer(Procedures.CONNECT_LIST_ALL_DOMAINS, ({ flags }) => ({
    domains: defined === undefined || flags === ListAllDomainsFlags.INACTIVE ? [] : [DOMAIN],
  }));
  libvirtd.answer(Procedures.DOMAIN_GET_STATE, () => ({ state: DomainState.RUNNING, reason: 1 }));
  libvirtd.answer(Procedures.DOMAIN_SET_METADATA, () => ({}));
  libvirtd.answer(Procedures.DOMAIN_DEFINE_XML_FLAGS, ({ xml }) => {
    changes.push('define');
    defined = xml;
    return { domain: DOMAIN };
  });
  libvirtd.answer(Procedures.DOMAIN_CREATE_WITH_FLAGS, () => {
    changes.push('create');
    return { domain: DOMAIN };
  });
  libvirtd.answer(Procedures.DOMAIN_DESTROY_FLAGS, () => {
    changes.push('destroy');
    return {};
  });
  libvirtd.answer(Procedures.DOMAIN_UNDEFINE_FLAGS, () => {
    changes.push('undefine');
    defined = undefined;
    return {};
  });
  driver = new LibvirtDriver({
    uri: 'qemu:///system',
    socket: libvirtd.socketPath,
    callTimeoutMs: 2000,
    startTimeoutMs: 200,
    virtType: 'auto',
    machine: 'q35',
    cpuSharedSet: null,
    pidPath: instancesPath,
    instancesPath,
    domainPrefix: 'hn-',
    balloonPeriodMs: 10_000,
    log: quietLog(),
  });
});

afterEach(async () => {
  rmSync(dirname(instancesPath), { recursive: true });
  await driver.close();
  await libvirtd[Symbol.asyncDispose]();
});

const folder = () => join(instancesPath, UUID);
const instance = instanceOf({ imageId: null, flavor: { ...instanceOf().flavor, diskGib: 0 } });

test('a start that succeeds keeps domain and folder', async () => {
  await driver.spawn(instance, null);
  expect(changes).toEqual(['define', 'create']);
  expect(existsSync(folder())).toBe(true);
});

test('a domain that libvirt does not take leaves no folder', async () => {
  libvirtd.script(Procedures.DOMAIN_DEFINE_XML_FLAGS, (call) =>
    call.fail({ code: ErrorCode.CONFIG_UNSUPPORTED, message: 'no such machine' }),
  );
  await expect(driver.spawn(instance, null)).rejects.toMatchObject({
    errorClass: 'InstanceSpawnFailed',
    message: expect.stringContaining('no such machine'),
    details: { libvirt_code: ErrorCode.CONFIG_UNSUPPORTED },
  });
  expect(changes).toEqual([]);
  expect(existsSync(folder())).toBe(false);
});

test('a QEMU that dies at its start leaves no domain and no folder', async () => {
  libvirtd.script(Procedures.DOMAIN_CREATE_WITH_FLAGS, (call) =>
    call.fail({ message: 'unable to map backing store for guest RAM' }),
  );
  await expect(driver.spawn(instance, null)).rejects.toMatchObject({ errorClass: 'ComputeResourcesUnavailable' });
  expect(changes).toEqual(['define', 'destroy', 'undefine']);
  expect(defined).toBeUndefined();
  expect(existsSync(folder())).toBe(false);
});

test('a start that takes too long is ended, because it may still come up', async () => {
  libvirtd.script(Procedures.DOMAIN_CREATE_WITH_FLAGS, () => undefined);
  await expect(driver.spawn(instance, null)).rejects.toMatchObject({ errorClass: 'HypervisorUnavailable' });
  expect(changes).toEqual(['define', 'destroy', 'undefine']);
  expect(existsSync(folder())).toBe(false);
});

test('a connection that breaks during the start is made anew to take the guest back', async () => {
  await driver.open();
  libvirtd.script(Procedures.DOMAIN_CREATE_WITH_FLAGS, () => libvirtd.drop());
  await expect(driver.spawn(instance, null)).rejects.toMatchObject({ errorClass: 'HypervisorUnavailable' });
  expect(changes).toEqual(['define', 'destroy', 'undefine']);
});

test('a guest that does not end at once is asked again; one that does not run is no error', async () => {
  let asked = 0;
  libvirtd.script(Procedures.DOMAIN_CREATE_WITH_FLAGS, (call) => call.fail({}));
  libvirtd.script(Procedures.DOMAIN_DESTROY_FLAGS, (call) => {
    asked += 1;
    call.fail({ code: asked === 1 ? ErrorCode.SYSTEM_ERROR : ErrorCode.OPERATION_INVALID, int1: 16 });
  });
  await expect(driver.spawn(instance, null)).rejects.toMatchObject({ errorClass: 'InstanceSpawnFailed' });
  expect(asked).toBe(2);
  expect(changes).toEqual(['define', 'undefine']);
});

const theirs = (name: string, record: string) =>
  `<domain><name>${name}</name><uuid>${UUID}</uuid><metadata><hugenode:instance xmlns:hugenode="urn:hugenode:instance:1">${record}</hugenode:instance></metadata></domain>`;

test.each([
  ['without metadata', `<domain><name>theirs</name><uuid>${UUID}</uuid></domain>`],
  ['of another agent', theirs(`other-${UUID}`, encodeRecord(instance))],
  ['of ours whose record cannot be read', theirs(`hn-${UUID}`, '{"version":2}')],
  ['that carries the record of another guest', theirs(`hn-${UUID}`, encodeRecord({ ...instance, uuid: OTHER_UUID }))],
])('a domain %s is a conflict, is no instance, and is left alone', async (_what, xml) => {
  defined = xml;
  await expect(driver.spawn(instance, null)).rejects.toMatchObject({ errorClass: 'InstanceConflict' });
  expect(await driver.getInfo(UUID)).toBeUndefined();
  expect(await driver.destroy(UUID)).toBe(false);
  expect(changes).toEqual([]);
});

test('what is read while a build is saved does not hide that it was saved', async () => {
  const building = { ...instance, launchedAt: null };
  await driver.spawn(building, null);
  const reading = driver.getInfo(UUID); // asks for XML, which is still that of the build
  await driver.saveInstance(instance);
  await reading;
  expect((await driver.getInfo(UUID))?.instance.launchedAt ?? null).toBe(instance.launchedAt);
});

test('starts that take long hold up neither define nor destroy, and each has its whole time', async () => {
  const many = Array.from({ length: 6 }, (_unused, nth) => UUID.slice(0, -1) + String(nth));
  libvirtd.script(Procedures.DOMAIN_GET_XML_DESC, (call) => call.fail({ code: ErrorCode.NO_DOMAIN }));
  libvirtd.script(Procedures.DOMAIN_CREATE_WITH_FLAGS, (call) => {
    changes.push('create');
    setTimeout(() => call.reply(Procedures.DOMAIN_CREATE_WITH_FLAGS, { domain: DOMAIN }), 150);
  });
  const starts = many.map((uuid) => driver.spawn({ ...instance, uuid }, null));
  await expect.poll(() => changes.filter((change) => change === 'create')).toHaveLength(4);
  expect(changes.filter((change) => change === 'define')).toHaveLength(6);
  await Promise.all(starts);
  expect(changes.filter((change) => change === 'create')).toHaveLength(6);
});

test('destroying what is gone already removes its files', async () => {
  await driver.spawn(instance, null);
  defined = undefined;
  expect(await driver.destroy(UUID)).toBe(false);
  expect(existsSync(folder())).toBe(false);
});

test('strays: folders without a domain go, others stay', async () => {
  const stray = join(instancesPath, OTHER_UUID);
  await driver.spawn(instance, null);
  mkdirSync(stray);
  mkdirSync(join(instancesPath, 'not-ours'));
  libvirtd.script(Procedures.DOMAIN_GET_XML_DESC, (call) => {
    const { domain } = call.args(Procedures.DOMAIN_GET_XML_DESC);
    if (domain.uuid === UUID && defined !== undefined) call.reply(Procedures.DOMAIN_GET_XML_DESC, { xml: defined });
    else call.fail({ code: ErrorCode.NO_DOMAIN });
  });
  await driver.removeStrays();
  expect([existsSync(stray), existsSync(folder()), existsSync(join(instancesPath, 'not-ours'))]).toEqual([
    false,
    true,
    true,
  ]);
});

test('a guest that will not end is a typed error', async () => {
  await driver.spawn(instance, null);
  libvirtd.script(Procedures.DOMAIN_DESTROY_FLAGS, (call) => call.fail({ code: ErrorCode.SYSTEM_ERROR, int1: 16 }));
  await expect(driver.destroy(UUID)).rejects.toMatchObject({ errorClass: 'HypervisorError' });
  expect(existsSync(folder())).toBe(true);
});

test('calls that libvirt never answers do not hold up those that come after them', async () => {
  libvirtd.script(Procedures.DOMAIN_GET_XML_DESC, () => undefined);
  const stuck = Array.from({ length: 4 }, () => driver.getInfo(UUID).catch((error: Error) => error.name));
  expect(await Promise.all(stuck)).toEqual(Array.from({ length: 4 }, () => 'HypervisorUnavailable'));
  libvirtd.script(Procedures.DOMAIN_GET_XML_DESC, (call) => call.fail({ code: ErrorCode.NO_DOMAIN }));
  expect(await driver.getInfo(UUID)).toBeUndefined();
});

test('libvirt that is not there is a HypervisorUnavailable that says what to do', async () => {
  await libvirtd[Symbol.asyncDispose]();
  await expect(driver.readHostMemory()).rejects.toMatchObject({ errorClass: 'HypervisorUnavailable' });
});

test('a guest that ends while guests are listed is seen all the same: its pages and CPUs are not given away', async () => {
  await driver.spawn(instance, null);
  let isRunning = true;
  libvirtd.answer(Procedures.CONNECT_LIST_ALL_DOMAINS, ({ flags }) => {
    const isListed = flags === (isRunning ? ListAllDomainsFlags.ACTIVE : ListAllDomainsFlags.INACTIVE);
    // It ends right after the first question, whichever that is.
    isRunning = false;
    return { domains: isListed ? [DOMAIN] : [] };
  });
  libvirtd.answer(Procedures.NODE_GET_FREE_PAGES, () => ({ counts: [0, 0] }));
  const { guests } = await driver.readHostMemory();
  expect(guests.map((guest) => guest.instanceUuid)).toContain(UUID);
});
