/** The life of one instance, end to end: bus, pages, console, samples, notifications, restart, delete. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { AgentStage, createArgs, flavorOf, freePagesBack } from './agent.ts';
import { poolCount } from './page_pool.ts';
import { Link } from './broker.ts';
import { samplesOf, Tap, type Tapped } from './tap.ts';
import { TINY_IMAGE_ID, waitForReady } from './tiny_guest.ts';

const PAGES = 64;
const NAME = `web <1> & "two" 'three'`;

let stage: AgentStage;
let samples: Tap;
let notifications: Tap;

beforeAll(async () => {
  stage = await AgentStage.set('life', { 'metering.period_ms': 3000, 'metering.balloon_period_ms': 2000 });
  const url = stage.api.url(stage.vhost);
  samples = await Tap.on(url, 'ceilometer', ['notifications.sample']);
  notifications = await Tap.on(url, 'nova', ['notifications.info', 'notifications.error']);
});

afterAll(async () => {
  await samples?.close();
  await notifications?.close();
  await stage?.clear();
});

test('a create-instance request becomes a running, metered hugepage guest, and its pages come back', async () => {
  const before = await poolCount('free_hugepages');
  const args = createArgs({
    name: NAME,
    flavor: flavorOf(PAGES),
    image: TINY_IMAGE_ID,
    metadata: { 'metering.stack': 'blue' },
  });

  const created = await stage.create(args);
  expect(created).toMatchObject({ uuid: args['uuid'], name: NAME, vm_state: 'active', power_state: 'running' });
  expect(created.placement).toEqual([
    {
      guest_cell: 0,
      node: 0,
      page_size_kib: 2048,
      pages: PAGES,
      memory_mb: 128,
      vcpus: [0],
      pins: [],
      emulator_cpus: [],
      elsewhere: [],
    },
  ]);
  expect(await stage.domains()).toEqual([created.domain_name]);

  // The kernel's word: the pages of this guest's own process, and the pool of the host.
  expect(await stage.hugePagesOf(created.uuid)).toEqual({ 0: PAGES });
  expect(before - (await poolCount('free_hugepages')) + (await poolCount('resv_hugepages'))).toBe(PAGES);

  expect(await waitForReady(created.console_log, 60_000)).toContain('balloon=bound');

  const sampled = await samples.first(
    (message) => samplesOf(message, created.uuid).some((sample) => sample.counter_name === 'memory.usage'),
    30_000,
  );
  expect(sampled).toMatchObject({
    eventType: 'telemetry.polling',
    priority: 'SAMPLE',
    publisherId: 'ceilometer.polling',
  });
  const [usage, resident] = samplesOf(sampled, created.uuid);
  // The tiny guest has about 95 MiB and uses some 20 of them; its process holds the whole guest in hugepages.
  expect(usage?.counter_volume).toBeGreaterThan(5);
  expect(usage?.counter_volume).toBeLessThan(100);
  expect(resident?.counter_volume).toBeGreaterThan(PAGES * 2);
  expect(usage?.resource_metadata).toMatchObject({
    display_name: NAME,
    user_metadata: { stack: 'blue' },
    memory_mb: 128,
  });

  await stage.call('delete_instance', { uuid: created.uuid });
  expect(await poolCount('free_hugepages')).toBe(before);
  expect(await stage.domains()).toEqual([]);
  expect(existsSync(created.console_log)).toBe(false);

  const isOurs = (one: Tapped) => one.payload['instance_id'] === created.uuid;
  await notifications.first((one) => isOurs(one) && one.eventType === 'compute.instance.delete.end', 5000);
  const events = notifications.seen.filter(isOurs);
  expect(events.map((one) => [one.eventType, one.priority, one.publisherId])).toEqual([
    ['compute.instance.create.start', 'INFO', `compute.${stage.host}`],
    ['compute.instance.create.end', 'INFO', `compute.${stage.host}`],
    ['compute.instance.delete.start', 'INFO', `compute.${stage.host}`],
    ['compute.instance.delete.end', 'INFO', `compute.${stage.host}`],
  ]);
  expect(events[1]?.payload).toMatchObject({
    display_name: NAME,
    tenant_id: 'project-1',
    memory_mb: 128,
    state: 'active',
  });
  expect(events[1]?.context).toMatchObject({ request_id: expect.stringMatching(/^req-/) });
});

test('a raw disk image: each guest has a copy of its own, grown to its flavor, which goes with it', async () => {
  const images = await mkdtemp('/var/tmp/hugenode-images-');
  onTestFinished(() => rm(images, { recursive: true, force: true }));
  await chmod(images, 0o755);
  await mkdir(join(images, 'blank'));
  await writeFile(join(images, 'blank', 'disk.raw'), Buffer.alloc(4 * 2 ** 20));
  await stage.end();
  await stage.start({ 'images.path': images });
  const created = await stage.create({ flavor: { ...flavorOf(40), disk_gb: 1 }, image: 'blank' });
  const disk = join(stage.instancesPath, created.uuid, 'disk.raw');
  expect(await stat(disk)).toMatchObject({ size: 2 ** 30, mode: 0o100600 });
  expect((await stat(disk)).blocks * 512).toBeLessThan(2 ** 20);
  const commandLine = await readFile(`/proc/${await stage.pidOf(created.uuid)}/cmdline`, 'utf8');
  expect(commandLine).toContain(disk);
  await stage.call('delete_instance', { uuid: created.uuid });
  expect(existsSync(disk)).toBe(false);
  expect(existsSync(join(images, 'blank', 'disk.raw'))).toBe(true);
  await stage.end();
  await stage.start({});
});

test('a restarted agent knows its instances and goes on metering them', async () => {
  const created = await stage.create({ flavor: flavorOf(40), image: TINY_IMAGE_ID, name: NAME });
  const pid = await stage.pidOf(created.uuid);
  expect(await stage.end('SIGTERM')).toBe(0);
  samples.seen.length = 0;
  await stage.start();
  expect(await stage.call('get_instance', { uuid: created.uuid })).toEqual(created);
  expect(await stage.call('list_instances')).toEqual([created]);
  expect(await stage.pidOf(created.uuid)).toBe(pid);
  await samples.first((message) => JSON.stringify(message.payload).includes(created.uuid), 30_000);
  await stage.call('delete_instance', { uuid: created.uuid });
});

test('an agent killed in the middle of a build takes it back at start, and builds the redelivered request', async () => {
  const before = await poolCount('free_hugepages');
  const args = createArgs({ flavor: flavorOf(40), image: TINY_IMAGE_ID });
  const answer = stage.call('create_instance', args, 60_000);
  const pidFile = () => stage.pidOf(String(args['uuid'])).catch(() => 0);
  await expect.poll(pidFile, { timeout: 20_000, interval: 2 }).toBeGreaterThan(0);
  const halfBuilt = await pidFile();
  await stage.end('SIGKILL');
  const { length: logged } = stage.logged;
  await stage.start();
  expect(stage.logged.slice(logged)).toContainEqual(
    expect.objectContaining({ message: 'taking back a build that was not finished', instance: args['uuid'] }),
  );
  // The request was not acknowledged, so the broker hands it over again, and its caller still gets an answer.
  expect(await answer).toMatchObject({ uuid: args['uuid'], vm_state: 'active' });
  expect(await stage.domains()).toHaveLength(1);
  expect(await pidFile()).not.toBe(halfBuilt);
  await stage.call('delete_instance', { uuid: args['uuid'] });
  expect(await freePagesBack(before)).toBe(before);
});

test('a build that fails leaves no domain, no file and no page, and says so', async () => {
  const before = await poolCount('free_hugepages');
  // A machine type that QEMU does not have: libvirt takes no such domain.
  await stage.end();
  await stage.start({ 'libvirt.machine': 'pc-q35-no-such' });
  const args = createArgs({ flavor: flavorOf(40) });
  await expect(stage.call('create_instance', args)).rejects.toMatchObject({
    className: 'InstanceSpawnFailed',
    message: expect.stringContaining('pc-q35-no-such'),
  });
  expect(await stage.domains()).toEqual([]);
  expect(existsSync(`${stage.instancesPath}/${String(args['uuid'])}`)).toBe(false);
  expect(await poolCount('free_hugepages')).toBe(before);
  expect(await stage.call('get_host')).toMatchObject({ instances: 0 });
  await notifications.first(
    (one) => one.eventType === 'compute.instance.create.error' && one.payload['instance_id'] === args['uuid'],
    5000,
  );
  await stage.end();
  await stage.start({});
});

test('credentials and tokens never reach the log', async () => {
  await stage.client.call(
    'get_host',
    {},
    { server: stage.host, context: { auth_token: 'gAAAA-secret-token', request_id: 'req-x' } },
  );
  const created = stage.client.call('create_instance', createArgs({ flavor: flavorOf(99999) }), {
    server: stage.host,
    context: { auth_token: 'gAAAA-secret-token' },
  });
  await expect(created).rejects.toThrow('Insufficient compute resources');
  const log = JSON.stringify(stage.logged);
  expect(log).not.toContain('gAAAA-secret-token');
  expect(log).not.toContain('guest:guest');
  expect(JSON.stringify(notifications.seen)).not.toContain('gAAAA-secret-token');
});

test('a broker connection that breaks during a build: the caller gets the answer, and no notification is lost', async () => {
  const link = await Link.to(() => stage.api.amqpPort);
  onTestFinished(() => link.close());
  await stage.end();
  await stage.start({ 'rpc.transport_url': stage.api.url(stage.vhost, link.port) });
  const args = createArgs({ flavor: flavorOf(40) });
  const answer = stage.call('create_instance', args, 60_000);
  await expect.poll(() => stage.domains(), { timeout: 20_000, interval: 5 }).toHaveLength(1);
  link.cut();
  // The build goes on without the broker.
  await expect
    .poll(() => stage.logged.some((line) => line['message'] === 'instance runs' && line['instance'] === args['uuid']), {
      timeout: 20_000,
    })
    .toBe(true);
  link.heal();
  expect(await answer).toMatchObject({ uuid: args['uuid'], vm_state: 'active' });
  const end = await notifications.first(
    (one) => one.eventType === 'compute.instance.create.end' && one.payload['instance_id'] === args['uuid'],
    20_000,
  );
  expect(end.payload).toMatchObject({ message: 'Success' });
  await stage.call('delete_instance', { uuid: args['uuid'] });
  await stage.end();
  await stage.start({});
});

test('a second agent for the same guests does not start', async () => {
  const { code, stderr } = await stage.cli('serve');
  expect(code).toBe(2);
  expect(stderr).toContain('another agent on this machine has the same instances.domain_prefix');
});

test('a reserve that matches nothing on this host is refused at start, by its entry', async () => {
  await stage.end();
  const reserve = '[{ node: 0, size_kib: 2048, count: 1 }, { node: 7, size_kib: 2048, count: 1 }]';
  const { code, stderr } = await stage.cli('--set', `admission.reserved_huge_pages=${reserve}`, 'serve');
  expect(code).toBe(2);
  expect(stderr).toContain('admission.reserved_huge_pages.1: node 7');
  await stage.start({});
});
