/** Statistics of guests, against a libvirtd whose every word the test decides and processes of this machine. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { DomainState, ErrorCode, Procedures } from 'node-libvirt';
import { FakeLibvirtd } from 'node-libvirt/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { renderDomain } from '../../src/domain/render.ts';
import { LibvirtDriver } from '../../src/hypervisor/libvirt_driver.ts';
import { cpuOf, deviceOf } from '../../src/hypervisor/statistics.ts';
import { instanceOf, specOf, UUID } from '../domain/instances.ts';
import { quietLog, type QuietLog } from '../quiet_log.ts';

const CAPABILITIES = `<capabilities><host><cpu><arch>x86_64</arch></cpu><topology><cells num="1"><cell id="0">
  <memory unit="KiB">4096</memory>  <pages unit="KiB" size="4">1000</pages><pages unit="KiB" size="2048">64</pages>
  <cpus num="1"><cpu id="0"/></cpus></cell></cells></topology></host></capabilities>`;
const OTHER_UUID = '11111111-2222-4333-8444-555555555555';

type Guest = { uuid: string; id: number; xml: string; figures: Record<string, number> };

let libvirtd: FakeLibvirtd;
let driver: LibvirtDriver;
let log: QuietLog;
let folder: string;
let guests: Guest[];
let periods: { uuid: string; periodSeconds: number; flags: number }[];
let asked: { stats: number; flags: number }[];
const processes: ChildProcess[] = [];

const asDomain = ({ uuid, id }: Guest) => ({ name: `hn-${uuid}`, uuid, id });

function guestOf(uuid: string, over: Partial<Guest> = {}, balloonPeriodS = 10): Guest {
  const xml = renderDomain({ ...specOf(instanceOf({ uuid }), { balloonPeriodS }), domainName: `hn-${uuid}` });
  const figures = { 'balloon.current': 131_072, 'balloon.last-update': 0, 'balloon.rss': 4 };
  return { uuid, id: 1, xml, figures, ...over };
}

/** A process that looks like the guest's QEMU: its pid file and its command line fit. */
async function processOf(uuid: string): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', 'echo up; read end', uuid], { stdio: ['pipe', 'pipe', 'inherit'] });
  processes.push(child);
  await once(child.stdout ?? child, 'data');
  writeFileSync(join(folder, `hn-${uuid}.pid`), String(child.pid));
  return child;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hugenode-readings-'));
  guests = [];
  periods = [];
  asked = [];
  log = quietLog();
  libvirtd = await FakeLibvirtd.open();
  libvirtd.answer(Procedures.CONNECT_GET_LIB_VERSION, () => ({ version: 9_000_000 }));
  libvirtd.answer(Procedures.CONNECT_GET_CAPABILITIES, () => ({ capabilities: CAPABILITIES }));
  libvirtd.answer(Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, () => ({ callbackID: 1 }));
  libvirtd.script(Procedures.DOMAIN_GET_XML_DESC, (call) => {
    const { domain } = call.args(Procedures.DOMAIN_GET_XML_DESC);
    const guest = guests.find(({ uuid }) => uuid === domain.uuid);
    if (guest === undefined) call.fail({ code: ErrorCode.NO_DOMAIN });
    else call.reply(Procedures.DOMAIN_GET_XML_DESC, { xml: guest.xml });
  });
  libvirtd.answer(Procedures.DOMAIN_SET_MEMORY_STATS_PERIOD, ({ domain, periodSeconds, flags }) => {
    periods.push({ uuid: domain.uuid, periodSeconds, flags });
    return {};
  });
  libvirtd.answer(Procedures.CONNECT_GET_ALL_DOMAIN_STATS, ({ stats, flags }) => {
    asked.push({ stats, flags: flags >>> 0 });
    return { records: records() };
  });
  driver = new LibvirtDriver({
    uri: 'qemu:///system',
    socket: libvirtd.socketPath,
    callTimeoutMs: 2000,
    startTimeoutMs: 200,
    virtType: 'auto',
    machine: 'q35',
    cpuSharedSet: null,
    pidPath: folder,
    instancesPath: join(folder, 'instances'),
    domainPrefix: 'hn-',
    balloonPeriodMs: 10_000,
    log,
  });
});

afterEach(async () => {
  for (const child of processes.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  await driver.close();
  await libvirtd[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const records = () =>
  guests.map((guest) => ({
    domain: asDomain(guest),
    params: Object.entries({ 'state.state': DomainState.RUNNING, ...guest.figures }).map(([field, value]) => ({
      field,
      type: 'ullong' as const,
      value: BigInt(value),
    })),
  }));

test('one call for all that run, without waiting for any, and CPU only where it is wanted', async () => {
  guests = [guestOf(UUID), guestOf(OTHER_UUID, { id: 2 })];
  expect(await driver.getStatistics()).toHaveLength(2);
  await driver.getStatistics(undefined, { cpu: true });
  // STATE and BALLOON, then CPU_TOTAL and VCPU too; ACTIVE and NOWAIT.
  expect(asked).toEqual([
    { stats: 5, flags: 0x2000_0001 },
    { stats: 15, flags: 0x2000_0001 },
  ]);
});

test('resident is that of the guest’s own process, and of no other that has its pid', async () => {
  guests = [guestOf(UUID)];
  const own = await processOf(UUID);
  const [first] = await driver.getStatistics();
  expect(first?.residentKib).toBeGreaterThan(100);
  expect(first?.held).toEqual([]);
  own.kill('SIGKILL');
  await once(own, 'exit');
  const [gone] = await driver.getStatistics();
  expect(gone).not.toHaveProperty('residentKib');
  // Another process under the pid that the file names: its command line is another.
  writeFileSync(join(folder, `hn-${UUID}.pid`), String(process.pid));
  const [reused] = await driver.getStatistics();
  expect(reused).not.toHaveProperty('residentKib');
  await processOf(UUID);
  const [again] = await driver.getStatistics();
  expect(again?.residentKib).toBeGreaterThan(100);
});

test('a guest without period gets one while it runs, once, and one without balloon none', async () => {
  const without = guestOf(UUID);
  without.xml = without.xml.replace(/<stats period="10"\/>|<stats period="10"><\/stats>/, '');
  expect(without.xml).not.toContain('<stats');
  const none = guestOf(OTHER_UUID, { id: 2, figures: { 'balloon.rss': 4 } });
  none.xml = none.xml.replace(/<memballoon[^>]*>[^]*<\/memballoon>/, '<memballoon model="none"/>');
  guests = [without, none];
  for (let cycle = 0; cycle < 3; cycle += 1) await driver.getStatistics();
  expect(periods).toEqual([{ uuid: UUID, periodSeconds: 10, flags: 1 }]);
  const [one, other] = await driver.getStatistics();
  expect(one).toMatchObject({ hasBalloon: true, balloonPeriodMs: 10_000 });
  expect(other).toMatchObject({ hasBalloon: false, balloonPeriodMs: 0 });
  // Started again: libvirt has the domain's own XML, and we know nothing of this run.
  without.id = 7;
  await driver.getStatistics();
  expect(periods).toHaveLength(2);
});

test('a guest that was not asked because it is busy says nothing of its balloon', async () => {
  guests = [guestOf(UUID, { figures: { 'balloon.current': 5 } })];
  const [busy] = await driver.getStatistics();
  expect(busy).not.toHaveProperty('hasBalloon');
  expect(busy).not.toHaveProperty('balloon');
  expect(busy).toMatchObject({ actualKib: 5 });
});

test('a guest whose QEMU stops answering costs its own figures: the call is made once more without it', async () => {
  guests = [guestOf(UUID), guestOf(OTHER_UUID, { id: 2 })];
  let calls = 0;
  libvirtd.script(Procedures.CONNECT_GET_ALL_DOMAIN_STATS, (call) => {
    calls += 1;
    if (calls === 1) return; // it waits for the guest
    call.reply(Procedures.CONNECT_GET_ALL_DOMAIN_STATS, { records: records() });
  });
  const statistics = await driver.getStatistics(undefined, { deadlineMs: 400 });
  expect(statistics).toHaveLength(2);
  expect(calls).toBe(2);
});

test('a libvirtd that answers neither time is given up at the deadline', async () => {
  libvirtd.script(Procedures.CONNECT_GET_ALL_DOMAIN_STATS, () => {});
  const began = performance.now();
  await expect(driver.getStatistics(undefined, { deadlineMs: 300 })).rejects.toMatchObject({
    errorClass: 'HypervisorUnavailable',
  });
  expect(performance.now() - began).toBeLessThan(1500);
});

test('a domain that is gone when it is looked at costs nobody else anything', async () => {
  const gone = guestOf(UUID);
  guests = [gone, guestOf(OTHER_UUID, { id: 2 })];
  libvirtd.answer(Procedures.CONNECT_GET_ALL_DOMAIN_STATS, () => {
    const answer = { records: records() };
    guests = guests.filter((guest) => guest !== gone);
    return answer;
  });
  expect((await driver.getStatistics()).map(({ instance }) => instance.uuid)).toEqual([OTHER_UUID]);
});

test('a domain whose XML cannot be had in time has figures without it', async () => {
  guests = [guestOf(UUID), guestOf(OTHER_UUID, { id: 2 })];
  await driver.getInfo(UUID).catch(() => undefined);
  libvirtd.script(Procedures.DOMAIN_GET_XML_DESC, (call) => {
    const { domain } = call.args(Procedures.DOMAIN_GET_XML_DESC);
    const guest = guests.find(({ uuid }) => uuid === domain.uuid);
    if (guest?.uuid === OTHER_UUID) call.reply(Procedures.DOMAIN_GET_XML_DESC, { xml: guest.xml });
  });
  const statistics = await driver.getStatistics(undefined, { deadlineMs: 800 });
  expect(statistics.map(({ instance }) => instance.uuid)).toContain(OTHER_UUID);
});

test('a guest that is shut off has no figures', async () => {
  guests = [guestOf(UUID, { figures: { 'state.state': DomainState.SHUTOFF } })];
  expect(await driver.getStatistics([UUID])).toEqual([]);
  expect(await driver.getStatistics([])).toEqual([]);
});

test('CPU time as Ceilometer counts it', () => {
  const vcpus = { 'vcpu.current': 2, 'vcpu.maximum': 3, 'cpu.time': 99n };
  const times = { 'vcpu.0.time': 10n, 'vcpu.0.wait': 1n, 'vcpu.2.time': 20n, 'vcpu.2.wait': 2n };
  expect(cpuOf({ ...vcpus, ...times })).toEqual({ vcpus: 2, cpuNs: 33n });
  // One vCPU without wait: the process's own.
  expect(cpuOf({ ...vcpus, ...times, 'vcpu.2.wait': undefined })).toEqual({ vcpus: 2, cpuNs: 99n });
  expect(cpuOf({ 'cpu.time': 2n ** 62n })).toEqual({ cpuNs: 2n ** 62n });
  expect(cpuOf({})).toEqual({});
});

test('whatever libvirt says, figures are whole, not negative, or absent', () => {
  const value = fc.oneof(fc.integer(), fc.double(), fc.bigInt(), fc.string(), fc.constant(undefined), fc.boolean());
  const names = ['vcpu.current', 'vcpu.maximum', 'vcpu.0.time', 'vcpu.0.wait', 'cpu.time', 'balloon.current'];
  const params = fc.dictionary(fc.constantFrom(...names, 'balloon.rss', 'balloon.last-update', 'state.state'), value);
  fc.assert(
    fc.property(params, (said) => {
      const { vcpus, cpuNs } = cpuOf(said);
      const { actualKib, stateNumber } = deviceOf(said);
      for (const figure of [vcpus, actualKib, stateNumber]) {
        expect(figure === undefined || (Number.isSafeInteger(figure) && figure >= 0)).toBe(true);
      }
      expect(cpuNs === undefined || cpuNs >= 0n).toBe(true);
    }),
  );
});

test('events are heard again after libvirtd was away, and what happened meanwhile is looked at', async () => {
  guests = [guestOf(UUID)];
  libvirtd.answer(Procedures.CONNECT_LIST_ALL_DOMAINS, () => ({ domains: guests.map(asDomain) }));
  const heard: unknown[] = [];
  driver.onLifecycle((event) => heard.push(event));
  await driver.getStatistics();
  expect(heard).toEqual([]);
  libvirtd.drop();
  await expect.poll(() => driver.getStatistics().catch(() => []), { timeout: 5000 }).toHaveLength(1);
  await expect.poll(() => heard, { timeout: 5000 }).toEqual([{ uuid: UUID, event: 'unknown' }]);
});
