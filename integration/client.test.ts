/** The client for TypeScript control planes on a real agent: its verbs, its errors, and what it hears meanwhile. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import {
  AnswerTimeoutError,
  ApiError,
  BrokerAwayError,
  HugenodeClient,
  HugenodeError,
  NoSuchHostError,
  type CreateInstanceArgs,
  type HugenodeHost,
  type LifecycleNotification,
  type NotificationStream,
} from '../src/client/index.ts';
import { AgentStage, flavorOf, freePagesBack } from './agent.ts';
import { LAUNCHER } from './agent_process.ts';
import { Link } from './broker.ts';
import { poolCount } from './page_pool.ts';

let stage: AgentStage;
let client: HugenodeClient;
let host: HugenodeHost;

beforeAll(async () => {
  stage = await AgentStage.set('client');
  client = await HugenodeClient.connect({ transportUrl: stage.api.url(stage.vhost), context: { project_id: 'p-1' } });
  host = client.host(stage.host);
});

afterAll(async () => {
  await client?.close();
  await stage?.clear();
});

const request = (over: Partial<CreateInstanceArgs> = {}): CreateInstanceArgs => ({
  uuid: randomUUID(),
  name: 'guest',
  project_id: 'p-1',
  user_id: 'u-1',
  flavor: flavorOf(40),
  ...over,
});

const caught = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => {
      throw new Error('it was done');
    },
    (error: unknown) => error,
  );

/** Resolves when so many streams without a pool have their queues: they are the only ones of that name. */
async function listening(count: number): Promise<void> {
  for (;;) {
    const queues = await stage.api.queues(stage.vhost);
    if (queues.filter(({ name }) => name.startsWith('notifications_listener_')).length >= count) break;
    await sleep(50);
  }
  // Declared, and bound in a moment.
  await sleep(200);
}

async function take(stream: NotificationStream, count: number): Promise<LifecycleNotification[]> {
  const heard: LifecycleNotification[] = [];
  while (heard.length < count) {
    const { value } = await stream.next();
    if (value === undefined) break;
    heard.push(value);
  }
  return heard;
}

test('create, get, list, plan, host, delete; and each step is told of, in order', async () => {
  const free = await poolCount('free_hugepages');
  await using stream = await client.notifications();
  const args = request({ image_properties: { hw_numa_nodes: '1' }, metadata: { role: 'web' } });
  const instance = await host.createInstance(args, { requestId: 'req-of-the-test' });
  expect(instance).toMatchObject({ uuid: args.uuid, vm_state: 'active', metadata: { role: 'web' }, host: host.name });
  expect(instance.placement.map(({ node, pages }) => ({ node, pages }))).toEqual([{ node: 0, pages: 40 }]);

  expect(await host.createInstance(args)).toMatchObject({ launched_at: instance.launched_at });
  expect(await host.getInstance(args.uuid)).toMatchObject({ name: 'guest' });
  expect((await host.listInstances()).map(({ uuid }) => uuid)).toEqual([args.uuid]);
  expect(await host.getHost()).toMatchObject({ instances: 1, api_version: '1.1' });
  const holders = (await host.getHost({ holders: true })).holders?.pools.flatMap((pool) => pool.holders);
  expect(holders).toContainEqual(expect.objectContaining({ instance: { uuid: args.uuid, name: 'guest' }, pages: 40 }));
  expect((await host.planInstance({ flavor: flavorOf(40), count: 2 })).wanted).toBe(2);
  expect((await host.planInstance({ flavor: flavorOf(40), fill: true })).nodes).toHaveLength(1);

  await host.deleteInstance(args.uuid);
  expect(await freePagesBack(free)).toBe(free);
  const heard = await take(stream, 4);
  expect(heard.map(({ event }) => event)).toEqual(['create.start', 'create.end', 'delete.start', 'delete.end']);
  expect(heard[1]).toMatchObject({
    eventType: 'compute.instance.create.end',
    uuid: args.uuid,
    priority: 'info',
    requestId: 'req-of-the-test',
    publisherId: `compute.${host.name}`,
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    payload: { host: host.name, memory_mb: 80, state: 'active', message: 'Success', metadata: { role: 'web' } },
  });
});

test('a build that fails is told as an error, and only events that were asked for are heard', async () => {
  await using errors = await client.notifications({ events: ['create.error'] });
  await using elsewhere = await client.notifications({ host: 'another-host' });
  const error = await caught(host.createInstance(request({ flavor: flavorOf(1_000_000) })));
  expect(error).toBeInstanceOf(ApiError);
  const [heard] = await take(errors, 1);
  expect(heard).toMatchObject({ event: 'create.error', priority: 'error' });
  expect(heard?.payload.exception).toMatch(/^ComputeResourcesUnavailable: /);
  await elsewhere.close();
  expect(await elsewhere.next()).toEqual({ done: true, value: undefined });
});

test('errors of the API: class, message and numbers', async () => {
  const refusal = await caught(host.createInstance(request({ flavor: flavorOf(1_000_000) })));
  if (!(refusal instanceof ApiError)) throw refusal;
  expect(refusal.is('InstanceNotFound', 'ComputeResourcesUnavailable')).toBe(true);
  expect(refusal).toMatchObject({ className: 'ComputeResourcesUnavailable', mayHaveBeenDone: false });
  expect(refusal.message).toMatch(/node 0: 1000000 pages of 2 MiB needed, \d+ free/);
  expect(refusal.details).not.toEqual({});

  const wrong = await caught(host.createInstance(request({ name: '' })));
  expect(wrong).toMatchObject({ className: 'InvalidRequest', details: { problems: [{ field: 'name' }] } });
  expect(await caught(host.getInstance(randomUUID()))).toMatchObject({ className: 'InstanceNotFound' });
  const unwritable = await caught(host.planInstance({ flavor: { ...flavorOf(1), vcpus: Number.NaN } }));
  expect(unwritable).toBeInstanceOf(HugenodeError);
});

test('no such host: nothing was done', async () => {
  const error = await caught(client.host('nowhere').createInstance(request()));
  expect(error).toBeInstanceOf(NoSuchHostError);
  expect(error).toMatchObject({ host: 'nowhere', mayHaveBeenDone: false });
});

test('given up by a signal or by time: it may be done, and the same request again gets its answer', async () => {
  const args = request();
  const reason = new Error('the user went away');
  const abort = new AbortController();
  const aborted = caught(host.createInstance(args, { signal: abort.signal }));
  abort.abort(reason);
  expect(await aborted).toBe(reason);
  expect(await host.createInstance(args)).toMatchObject({ uuid: args.uuid, vm_state: 'active' });
  await host.deleteInstance(args.uuid);

  const slow = request();
  const late = await caught(host.createInstance(slow, { timeoutMs: 1 }));
  expect(late).toBeInstanceOf(AnswerTimeoutError);
  expect(late).toMatchObject({ mayHaveBeenDone: true, message: expect.stringContaining('same uuid is safe') });
  expect(await host.createInstance(slow)).toMatchObject({ vm_state: 'active' });
  await host.deleteInstance(slow.uuid);
});

test('the broker gone and back: calls say so, and a watch goes on', async () => {
  const link = await Link.to(() => stage.api.amqpPort);
  const far = await HugenodeClient.connect({ transportUrl: stage.api.url(stage.vhost, link.port) });
  onTestFinished(async () => {
    await far.close();
    await link.close();
  });
  await using kept = await far.notifications({ pool: 'watcher', events: ['create.end', 'delete.end'] });
  await using passing = await far.notifications({ events: ['delete.end'] });
  const { uuid } = await host.createInstance(request());

  link.cut();
  while (far.isConnected) await sleep(10);
  const away = await caught(far.host(stage.host).deleteInstance(uuid));
  expect(away).toBeInstanceOf(BrokerAwayError);
  expect(away).toMatchObject({ mayHaveBeenDone: true });
  await host.deleteInstance(uuid);
  link.heal();

  // Heard before the loss and not taken, and sent during it: each comes once, in order.
  const heard = await take(kept, 2);
  expect(heard.map((one) => [one.uuid, one.event])).toEqual([
    [uuid, 'create.end'],
    [uuid, 'delete.end'],
  ]);
  // The queue that is nobody else's begins anew: what is sent from then on is heard.
  await listening(1);
  const second = await host.createInstance(request());
  await host.deleteInstance(second.uuid);
  expect((await take(passing, 1)).map((one) => one.uuid)).toEqual([second.uuid]);
});

test('no broker, and settings that no broker would take', async () => {
  const nobody = { transportUrl: 'rabbit://guest:hidden@127.0.0.1:1/', initialRetries: 0 };
  const away = await caught(HugenodeClient.connect(nobody));
  expect(away).toBeInstanceOf(BrokerAwayError);
  expect(String(away)).not.toContain('hidden');
  const transportUrl = stage.api.url(stage.vhost);
  expect(await caught(HugenodeClient.connect({ transportUrl: 'nonsense' }))).toBeInstanceOf(HugenodeError);
  const other = await HugenodeClient.connect({ transportUrl, flags: { durable: true } });
  onTestFinished(() => other.close());
  expect(await caught(other.notifications())).toBeInstanceOf(HugenodeError);
  expect(await caught(other.host(stage.host).listInstances())).toBeInstanceOf(HugenodeError);
});

test('hugenode watch: lines for people, JSON for programs, until it is told to stop', async () => {
  const { lines, stop } = await watching('watch', '--event', 'create.end', 'delete.end', '--pool', 'cli');
  const json = await watching('--json', '--host', stage.host, 'watch');
  const elsewhere = await watching('--host', 'elsewhere', 'watch');
  await listening(2);
  while ((await stage.api.messageCount(stage.vhost, 'cli')) === undefined) await sleep(50);
  const { uuid } = await host.createInstance(request());
  await host.deleteInstance(uuid);
  while (lines.length < 2 || json.lines.length < 4) await sleep(20);
  expect(await stop()).toEqual({ code: 0, errors: '' });
  expect(await json.stop()).toEqual({ code: 0, errors: '' });
  expect(await elsewhere.stop()).toEqual({ code: 0, errors: '' });

  const [created, deleted] = lines.map((line) => line.split(/ {2,}/));
  expect(created?.slice(1)).toEqual(['create.end', uuid, stage.host, 'active', 'guest']);
  expect(deleted?.slice(1)).toEqual(['delete.end', uuid, stage.host, 'deleted', 'guest']);
  expect(json.lines.map((line) => JSON.parse(line))).toMatchObject([
    { event: 'create.start', uuid },
    { event: 'create.end', uuid, payload: { memory_mb: 80 } },
    { event: 'delete.start', uuid },
    { event: 'delete.end', uuid },
  ]);
  expect(elsewhere.lines).toEqual([]);
  expect(await stage.cli('watch', '--event', 'create.middle')).toMatchObject({ code: 2 });
});

/** The command line, left running; what it prints, and its end by Ctrl-C. */
async function watching(...args: string[]) {
  const child = spawn(LAUNCHER, [...stage.settings, ...args]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  let errors = '';
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr.on('data', (text) => (errors += String(text)));
  const stop = async (): Promise<{ code: unknown; errors: string }> => {
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    const [code] = await ended;
    return { code, errors };
  };
  return { lines, stop };
}
