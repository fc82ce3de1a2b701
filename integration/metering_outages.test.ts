/** What was told while the broker was away, the agent killed or the disk full arrives afterwards, and once. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { AgentStage, createArgs, flavorOf } from './agent.ts';
import { Link } from './broker.ts';
import { samplesOf, Tap } from './tap.ts';

const run = promisify(execFile);
const PERIOD_MS = 1000;
const FAST = { 'metering.period_ms': PERIOD_MS, 'notifications.format': 'both' };

let stage: AgentStage;
let samples: Tap;
let notifications: Tap;
let link: Link;

beforeAll(async () => {
  stage = await AgentStage.set('outages', FAST);
  link = await Link.to(() => stage.api.amqpPort);
  const url = stage.api.url(stage.vhost);
  samples = await Tap.on(url, 'ceilometer', ['notifications.sample']);
  notifications = await Tap.on(url, 'nova', ['notifications.info', 'versioned_notifications.info']);
  await stage.end();
  await stage.start(throughLink());
});

afterAll(async () => {
  await samples?.close();
  await notifications?.close();
  await stage?.clear();
  await link?.close();
});

const throughLink = (over: Record<string, string | number | boolean> = {}) => ({
  ...FAST,
  'rpc.transport_url': stage.api.url(stage.vhost, link.port),
  ...over,
});

/** When resident samples of the instance were taken (ms), in the order in which they came, repeated ones once. */
function takenAt(uuid: string): number[] {
  const known = new Set<string | null>();
  const messages = samples.seen.filter(({ uniqueId }) => !known.has(uniqueId) && known.add(uniqueId));
  return messages
    .flatMap((message) => samplesOf(message, uuid))
    .filter(({ counter_name: name }) => name === 'memory.resident')
    .map(({ timestamp }) => Date.parse(`${timestamp}Z`));
}

function expectInOrder(times: readonly number[]): void {
  expect(times).toEqual(times.toSorted((one, other) => one - other));
  expect(new Set(times).size).toBe(times.length);
}

/** Samples that have arrived, of all guests and meters, repeated ones once. */
const arrived = () =>
  new Map(samples.seen.map(({ uniqueId, payload }) => [uniqueId, payload]))
    .values()
    .reduce((sum, payload) => sum + (Array.isArray(payload['samples']) ? payload['samples'].length : 0), 0);

const spooled = async () => Object(await stage.call('get_host')).spool;

test('60 cycles without broker: every sample arrives once afterwards, in order', { timeout: 180_000 }, async () => {
  const { uuid } = await stage.create({ flavor: flavorOf(40) });
  await expect.poll(() => takenAt(uuid).length, { timeout: 10_000 }).toBeGreaterThan(1);
  const before = takenAt(uuid).length;
  link.cut();
  await sleep(61 * PERIOD_MS);
  expect(takenAt(uuid).length).toBeLessThanOrEqual(before + 2);
  link.heal();
  const healedAt = performance.now();
  // A busy machine takes fewer samples; those that it took, this agent counts itself.
  const { metering } = Object(await stage.call('get_host'));
  expect(metering.cycles + metering.overruns + metering.failures).toBeGreaterThanOrEqual(60);
  await expect.poll(arrived, { timeout: 30_000, interval: 20 }).toBeGreaterThanOrEqual(metering.samples);
  process.stderr.write(
    `${metering.samples} samples of ${metering.cycles} cycles (${metering.overruns} left out) there ${Math.round(performance.now() - healedAt)} ms after the broker was back\n`,
  );
  expectInOrder(takenAt(uuid));
  await stage.call('delete_instance', { uuid });
  const counted = async () => Object(await stage.call('get_host')).metering.samples - arrived();
  await expect.poll(counted, { timeout: 10_000 }).toBe(0);
  expect(await spooled()).toMatchObject({ samples: { waiting: 0, lost: 0 } });
});

test('killed while the broker is away, and started again: what both had taken and told arrives, once', async () => {
  const { uuid } = await stage.create({ flavor: flavorOf(40) });
  await expect.poll(() => takenAt(uuid).length, { timeout: 10_000 }).toBeGreaterThan(1);
  const before = takenAt(uuid).length;
  link.cut();
  await sleep(5 * PERIOD_MS);
  await stage.end('SIGKILL');
  // The next one measures while it waits for the broker.
  const starting = stage.start(throughLink());
  await sleep(6 * PERIOD_MS);
  link.heal();
  await starting;
  await expect.poll(() => takenAt(uuid).length, { timeout: 20_000 }).toBeGreaterThanOrEqual(before + 4 + 3);
  expectInOrder(takenAt(uuid));
  await stage.call('delete_instance', { uuid });
  for (const event of ['create.start', 'create.end', 'delete.start', 'delete.end']) {
    const plain = (one: (typeof notifications.seen)[number]) =>
      one.eventType === `compute.instance.${event}` && one.payload['instance_id'] === uuid;
    await notifications.first(plain, 10_000);
    expect(notifications.seen.filter(plain)).toHaveLength(1);
    const versioned = (one: (typeof notifications.seen)[number]) =>
      one.eventType === `instance.${event}` && Object(one.payload['nova_object.data']).uuid === uuid;
    await notifications.first(versioned, 10_000);
    expect(notifications.seen.filter(versioned)).toHaveLength(1);
  }
});

test('a full disk: samples and notifications go on, the agent says so, and writes again when there is room', async () => {
  const folder = await mkdtemp('/var/tmp/hugenode-full-');
  await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
  onTestFinished(async () => {
    await run('umount', ['-l', folder]);
    await rm(folder, { recursive: true, force: true });
  });
  await stage.end();
  await stage.start(throughLink({ 'spool.path': join(folder, 'spool.sqlite') }));
  const filler = join(folder, 'filler');
  await writeFile(filler, Buffer.alloc(2 ** 20)).catch(() => undefined);
  const args = createArgs({ flavor: flavorOf(40) });
  const uuid = String(args['uuid']);
  await stage.call('create_instance', args);
  const readiness = async () => Object(await stage.call('get_host')).readiness;
  await expect
    .poll(readiness, { timeout: 20_000 })
    .toEqual({ ready: false, reasons: [expect.stringContaining('the spool cannot be written')] });
  await expect.poll(() => takenAt(uuid).length, { timeout: 10_000 }).toBeGreaterThan(2);
  await rm(filler);
  await expect.poll(readiness, { timeout: 20_000 }).toEqual({ ready: true, reasons: [] });
  expectInOrder(takenAt(uuid));
  await stage.call('delete_instance', { uuid });
  await notifications.first(
    (one) => one.eventType === 'compute.instance.delete.end' && one.payload['instance_id'] === uuid,
    10_000,
  );
  expect((await spooled()).samples.lost).toBe(0);
  await stage.end();
  await stage.start(throughLink());
});
