/** A libvirt that is reached by tcp: its host may be any, so nothing of this machine's kernel is taken for that host's. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ErrorCode, Procedures } from 'node-libvirt';
import { FakeLibvirtd } from 'node-libvirt/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LibvirtDriver } from '../../src/hypervisor/libvirt_driver.ts';
import { instanceOf, UUID } from '../domain/instances.ts';
import { quietLog } from '../quiet_log.ts';

const CAPABILITIES = `<capabilities><host><cpu><arch>x86_64</arch></cpu><topology><cells num="1"><cell id="0">
  <memory unit="KiB">4096</memory>  <pages unit="KiB" size="4">1000</pages><pages unit="KiB" size="2048">64</pages>
  <cpus num="1"><cpu id="0"/></cpus></cell></cells></topology></host></capabilities>`;

const DOMAIN = { name: `hn-${UUID}`, uuid: UUID, id: -1 };

let libvirtd: FakeLibvirtd;
let defined: string;
let folder: string;
/** A process of this machine that looks as if it were the guest's: its pid file and its command line fit. */
let lookalike: ChildProcess;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hugenode-elsewhere-'));
  lookalike = spawn('sh', ['-c', 'read end', UUID], { stdio: ['pipe', 'ignore', 'inherit'] });
  writeFileSync(join(folder, `${DOMAIN.name}.pid`), String(lookalike.pid));
  libvirtd = await FakeLibvirtd.open({ tcp: true });
  libvirtd.answer(Procedures.CONNECT_GET_LIB_VERSION, () => ({ version: 9_000_000 }));
  libvirtd.answer(Procedures.CONNECT_GET_CAPABILITIES, () => ({ capabilities: CAPABILITIES }));
  libvirtd.answer(Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, () => ({ callbackID: 1 }));
  libvirtd.answer(Procedures.CONNECT_LIST_ALL_DOMAINS, () => ({ domains: [] }));
  libvirtd.answer(Procedures.NODE_GET_FREE_PAGES, () => ({ counts: [1000, 64] }));
  libvirtd.script(Procedures.DOMAIN_GET_XML_DESC, (call) => call.fail({ code: ErrorCode.NO_DOMAIN }));
  libvirtd.answer(Procedures.DOMAIN_CREATE_WITH_FLAGS, () => ({ domain: DOMAIN }));
  libvirtd.answer(Procedures.DOMAIN_DEFINE_XML_FLAGS, ({ xml }) => {
    defined = xml;
    return { domain: DOMAIN };
  });
});

afterEach(async () => {
  lookalike.stdin?.end();
  await once(lookalike, 'exit');
  await libvirtd[Symbol.asyncDispose]();
});

const driverOf = (where: { uri: string; socket: string }) =>
  new LibvirtDriver({
    ...where,
    callTimeoutMs: 2000,
    startTimeoutMs: 2000,
    virtType: 'auto',
    machine: 'q35',
    cpuSharedSet: null,
    pidPath: folder,
    instancesPath: join(folder, 'instances'),
    domainPrefix: 'hn-',
    balloonPeriodMs: 10_000,
    log: quietLog(),
  });

/** What the driver takes from the kernel of this machine, and where it lets the console be logged. */
async function taken(driver: LibvirtDriver) {
  try {
    await driver.open();
    await driver.spawn(instanceOf({ imageId: null, flavor: { ...instanceOf().flavor, diskGib: 0 } }), null);
    return {
      holdings: await driver.getHoldings(UUID),
      promised: (await driver.readHostMemory()).promised,
      console: /<log file="([^"]*)"/.exec(defined)?.[1],
    };
  } finally {
    await driver.close();
  }
}

test('nothing is taken from this kernel for a libvirt that is reached by tcp', async () => {
  const driver = driverOf({ uri: `qemu+tcp://127.0.0.1:${libvirtd.port}/system`, socket: '' });
  expect(await taken(driver)).toEqual({
    holdings: undefined,
    promised: [],
    console: `/var/log/libvirt/qemu/hn-${UUID}-console.log`,
  });
});

test('by its unix socket it is this host, and the kernel is asked', async () => {
  const driver = driverOf({ uri: 'qemu:///system', socket: libvirtd.socketPath });
  expect(await taken(driver)).toMatchObject({
    holdings: expect.any(Array),
    console: join(folder, 'instances', UUID, 'console.log'),
  });
});
