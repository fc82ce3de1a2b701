/** Samples of real guests against the kernel's own numbers: what they use, what they hold, and when nothing is known. */
import { execFile } from 'node:child_process';
import { open, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostView, type InstanceView } from '../src/api/views.ts';
import { AgentStage, flavorOf } from './agent.ts';
import { samplesOf, Tap, type TappedSample } from './tap.ts';
import { TINY_IMAGE_ID, waitForReady } from './tiny_guest.ts';

const run = promisify(execFile);
const PAGES = 64;
const PERIOD_MS = 2000;

let stage: AgentStage;
let samples: Tap;
let notifications: Tap;

beforeAll(async () => {
  stage = await AgentStage.set('metering', { 'metering.period_ms': PERIOD_MS, 'metering.balloon_period_ms': 2000 });
  const url = stage.api.url(stage.vhost);
  samples = await Tap.on(url, 'ceilometer', ['notifications.sample']);
  notifications = await Tap.on(url, 'nova', ['notifications.info', 'notifications.error']);
});

afterAll(async () => {
  await samples?.close();
  await notifications?.close();
  await stage?.clear();
});

const virsh = async (...args: string[]) => (await run('virsh', ['-c', 'qemu:///system', ...args])).stdout;

/** All samples of that meter so far, oldest first. */
const seenOf = ({ uuid }: InstanceView, meter: string): TappedSample[] =>
  samples.seen.flatMap((message) => samplesOf(message, uuid)).filter(({ counter_name: name }) => name === meter);

/** The first sample of that meter from now on. */
async function next(instance: InstanceView, meter: string, timeoutMs = 20_000): Promise<TappedSample> {
  const before = seenOf(instance, meter).length;
  await expect.poll(() => seenOf(instance, meter).length, { timeout: timeoutMs, interval: 50 }).toBeGreaterThan(before);
  const found = seenOf(instance, meter).at(-1);
  if (found === undefined) throw new Error('unreachable');
  return found;
}

/** What get_host says of the guest's statistics. */
async function balloonOf({ uuid }: InstanceView): Promise<string> {
  const { metering } = hostView.parse(await stage.call('get_host'));
  return metering?.not_fresh.find(({ instance }) => instance === uuid)?.state ?? 'fresh';
}

async function kibOf(uuid: string, field: string): Promise<number> {
  const status = await readFile(`/proc/${await stage.pidOf(uuid)}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
}

/** A line for the shell on the guest's serial console. */
async function typeInto({ domain_name: name }: InstanceView, line: string): Promise<void> {
  const console = await open((await virsh('ttyconsole', name)).trim(), 'r+');
  try {
    // QEMU looks once per second whether somebody is there, and reads nothing before.
    await sleep(2000);
    await console.write(`${line}\n`);
    await sleep(1000);
  } finally {
    await console.close();
  }
}

/** When (monotonic ms) the guest's console has that text. */
async function saidOn(consoleLogPath: string, text: string): Promise<number> {
  const deadline = performance.now() + 30_000;
  while (!(await readFile(consoleLogPath, 'latin1')).includes(text)) {
    if (performance.now() > deadline) throw new Error(`no «${text}» on the console`);
    await sleep(50);
  }
  return performance.now();
}

/** The domain as it is, with another balloon, from its next start on; and starts it. */
async function withBalloon({ domain_name: name }: InstanceView, change: (xml: string) => string): Promise<void> {
  await virsh('destroy', name);
  const xml = await virsh('dumpxml', '--inactive', name);
  const changed = change(xml);
  expect(changed).not.toBe(xml);
  const file = `/var/tmp/${name}.xml`;
  await writeFile(file, changed);
  await virsh('define', file);
  await virsh('start', name);
}

test('usage follows the guest within a period, resident is the kernel’s number, numa the kernel’s pages', async () => {
  const guest = await stage.create({ flavor: flavorOf(PAGES), image: TINY_IMAGE_ID });
  await waitForReady(guest.console_log, 60_000);
  const before = (await next(guest, 'memory.usage')).counter_volume;
  const ate = saidOn(guest.console_log, 'TINY-GUEST EAT 24');
  await typeInto(guest, 'eat 24');
  const ateAt = await ate;
  // One period of the balloon, and one of ours with its jitter.
  await expect
    .poll(() => seenOf(guest, 'memory.usage').at(-1)?.counter_volume ?? 0, { timeout: 15_000, interval: 50 })
    .toBeGreaterThan(before + 22);
  const followedMs = performance.now() - ateAt;
  expect(followedMs).toBeLessThan(2 * PERIOD_MS + 1500);
  expect(seenOf(guest, 'memory.usage').at(-1)?.counter_volume).toBeLessThan(before + 28);

  const resident = await next(guest, 'memory.resident');
  const held = (await kibOf(guest.uuid, 'VmRSS')) + (await kibOf(guest.uuid, 'HugetlbPages'));
  expect(Math.abs(resident.counter_volume / (held / 1024) - 1)).toBeLessThan(0.02);
  const rss = Number(/^rss (\d+)$/m.exec(await virsh('dommemstat', guest.domain_name))?.[1]);
  expect(rss / held).toBeLessThan(0.6);
  process.stderr.write(
    `usage followed after ${Math.round(followedMs)} ms; resident ${resident.counter_volume.toFixed(2)} MiB, kernel ${(held / 1024).toFixed(2)}, libvirt's rss ${(rss / 1024).toFixed(2)}\n`,
  );

  const pages = await stage.hugePagesOf(guest.uuid);
  expect(resident.resource_metadata['numa']).toEqual(
    Object.fromEntries(Object.entries(pages).map(([node, count]) => [`node${node}`, { '2048kB': count }])),
  );
  const cpu = await next(guest, 'cpu');
  expect(cpu).toMatchObject({ counter_unit: 'ns', resource_metadata: { cpu_number: 1 } });
  expect(cpu.counter_volume).toBeGreaterThan(100_000_000);
  expect(seenOf(guest, 'memory.swap.in').length).toBeGreaterThan(0);

  await virsh('suspend', guest.domain_name);
  const paused = await notifications.first(
    (one) => one.eventType === 'compute.instance.update' && one.payload['instance_id'] === guest.uuid,
    5000,
  );
  expect(paused.payload).toMatchObject({ old_state: 'active', state: 'paused' });
  // The age rule: two periods, at least 30 s.
  await expect.poll(() => balloonOf(guest), { timeout: 45_000, interval: 500 }).toBe('stale');
  const usages = seenOf(guest, 'memory.usage').length;
  const still = await next(guest, 'memory.resident');
  expect(still.resource_metadata).toMatchObject({ status: 'paused', state: 'paused' });
  expect(seenOf(guest, 'memory.usage')).toHaveLength(usages);
  await virsh('resume', guest.domain_name);
  await next(guest, 'memory.usage');
  expect(await balloonOf(guest)).toBe('fresh');
  await stage.call('delete_instance', { uuid: guest.uuid });
}, 180_000);

test('a guest without driver and one without balloon: resident, and no usage', async () => {
  const bare = await stage.create({ flavor: flavorOf(40) });
  const none = await stage.create({ flavor: flavorOf(40) });
  await withBalloon(none, (xml) => xml.replace(/<memballoon[^]*<\/memballoon>/, "<memballoon model='none'/>"));
  await next(bare, 'memory.resident');
  await next(none, 'memory.resident');
  expect(await balloonOf(bare)).toBe('never');
  expect(await balloonOf(none)).toBe('off');
  expect(seenOf(bare, 'memory.usage')).toEqual([]);
  expect(seenOf(none, 'memory.usage')).toEqual([]);
  const logged = stage.logged.filter((line) => line['instance'] === none.uuid && line['balloon'] === 'off');
  expect(logged).toHaveLength(1);
  await stage.call('delete_instance', { uuid: bare.uuid });
  await stage.call('delete_instance', { uuid: none.uuid });
});

test('a domain without statistics period gets one while it runs', async () => {
  const guest = await stage.create({ flavor: flavorOf(PAGES), image: TINY_IMAGE_ID });
  await withBalloon(guest, (xml) => xml.replace(/<stats period='\d+'\/>/, ''));
  await expect
    .poll(() => virsh('dumpxml', guest.domain_name), { timeout: 15_000, interval: 200 })
    .toContain("<stats period='2'/>");
  await next(guest, 'memory.usage', 40_000);
  await stage.call('delete_instance', { uuid: guest.uuid });
});

test('a QEMU that stands still costs its own samples only', async () => {
  const stuck = await stage.create({ flavor: flavorOf(40) });
  const other = await stage.create({ flavor: flavorOf(40) });
  await next(other, 'memory.resident');
  const pid = await stage.pidOf(stuck.uuid);
  process.kill(pid, 'SIGSTOP');
  try {
    await sleep(PERIOD_MS);
    const before = seenOf(other, 'memory.resident').length;
    await sleep(10 * PERIOD_MS);
    const count = seenOf(other, 'memory.resident').length - before;
    process.stderr.write(`${count} of 10 samples beside a QEMU that stands still\n`);
    expect(count).toBeGreaterThanOrEqual(6);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await next(stuck, 'cpu', 40_000);
  await stage.call('delete_instance', { uuid: stuck.uuid });
  await stage.call('delete_instance', { uuid: other.uuid });
}, 120_000);

test('a guest that shuts itself off is told of', async () => {
  const guest = await stage.create({ flavor: flavorOf(PAGES), image: TINY_IMAGE_ID });
  await waitForReady(guest.console_log, 60_000);
  await typeInto(guest, 'poweroff -f');
  const told = await notifications.first(
    (one) => one.payload['instance_id'] === guest.uuid && one.payload['state'] === 'stopped',
    20_000,
  );
  expect(told).toMatchObject({ eventType: 'compute.instance.update', payload: { old_state: 'active' } });
  const count = seenOf(guest, 'memory.resident').length;
  await sleep(2 * PERIOD_MS);
  expect(seenOf(guest, 'memory.resident').length).toBeLessThanOrEqual(count + 1);
  await stage.call('delete_instance', { uuid: guest.uuid });
});
