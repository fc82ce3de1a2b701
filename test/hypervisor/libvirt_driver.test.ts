/** The driver against a libvirtd whose every word the test decides: what it leaves behind when something fails. */
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ErrorCode, Procedures } from 'node-libvirt';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LibvirtDriver } from '../../src/hypervisor/libvirt_driver.ts';
import { FakeLibvirtd } from '../node-libvirt/fake_libvirtd.ts';
import { instanceOf, UUID } from '../domain/instances.ts';
import { quietLog } from '../quiet_log.ts';

const CAPABILITIES = `<capabilities><host><cpu><arch>x86_64</arch></cpu><topology><cells num="1"><cell id="0">
  <pages unit="KiB" size="4">1000</pages><pages unit="KiB" size="2048">64</pages>
  <cpus num="1"><cpu id="0"/></cpus></cell></cells></topology></host></capabilities>`;

const DOMAIN = { name: `hn-${UUID}`, uuid: UUID, id: -1 };

let libvirtd: FakeLibvirtd;
let driver: LibvirtDriver;
let instancesPath: string;
/** Procedures called, in order, as far as they change something. */
let changes: string[];
let defined: Set<string>;

beforeEach(async () => {
  libvirtd = await FakeLibvirtd.open();
  changes = [];
  defined = new Set();
  instancesPath = join(mkdtempSync(join(tmpdir(), 'hugenode-driver-')), 'instances');
  libvirtd.answer(Procedures.CONNECT_GET_LIB_VERSION, () => ({ version: 9_000_000n }));
  libvirtd.answer(Procedures.CONNECT_GET_CAPABILITIES, () => ({ capabilities: CAPABILITIES }));
  libvirtd.answer(Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, () => ({ callbackID: 1 }));
  libvirtd.script(Procedures.DOMAIN_LOOKUP_BY_UUID, (call) => call.fail({ code: ErrorCode.NO_DOMAIN }));
  libvirtd.answer(Procedures.DOMAIN_DEFINE_XML_FLAGS, () => {
    changes.push('define');
    defined.add(UUID);
    return { dom: DOMAIN };
  });
  libvirtd.answer(Procedures.DOMAIN_CREATE_WITH_FLAGS, () => {
    changes.push('create');
    return { dom: DOMAIN };
  });
  libvirtd.answer(Procedures.DOMAIN_DESTROY_FLAGS, () => {
    changes.push('destroy');
    return {};
  });
  libvirtd.answer(Procedures.DOMAIN_UNDEFINE_FLAGS, () => {
    changes.push('undefine');
    defined.delete(UUID);
    return {};
  });
  driver = new LibvirtDriver({
    uri: 'qemu:///system',
    socket: libvirtd.socketPath,
    callTimeoutMs: 2000,
    startTimeoutMs: 200,
    virtType: 'auto',
    machine: 'q35',
    pidPath: instancesPath,
    instancesPath,
    domainPrefix: 'hn-',
    balloonPeriodMs: 10_000,
    log: quietLog(),
  });
});

afterEach(async () => {
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
  await expect(driver.spawn(instance, null)).rejects.toMatchObject({ errorClass: 'InstanceSpawnFailed' });
  expect(changes).toEqual(['define', 'destroy', 'undefine']);
  expect(defined.size).toBe(0);
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

test('a uuid that belongs to a domain of someone else is a conflict, and that domain is left alone', async () => {
  libvirtd.script(Procedures.DOMAIN_DEFINE_XML_FLAGS, (call) => call.fail({ code: ErrorCode.OPERATION_FAILED }));
  libvirtd.answer(Procedures.DOMAIN_LOOKUP_BY_UUID, () => ({ dom: { name: 'theirs', uuid: UUID, id: 7 } }));
  await expect(driver.spawn(instance, null)).rejects.toMatchObject({
    errorClass: 'InstanceConflict',
    details: { domain: 'theirs' },
  });
  expect(changes).toEqual([]);
});

test('libvirt that is not there is a HypervisorUnavailable that says what to do', async () => {
  await libvirtd[Symbol.asyncDispose]();
  await expect(driver.readHostMemory()).rejects.toMatchObject({ errorClass: 'HypervisorUnavailable' });
});
