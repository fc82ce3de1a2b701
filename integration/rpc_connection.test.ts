// Reaching a broker: transport URLs as oslo.messaging reads them, their options, ways of logging in, and what an
// operator is told when it does not come about.

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { BrokerConnection, BrokerUnavailableError, RpcServer, type BrokerOptions } from '../src/rpc/index.ts';
import { runLauncher, settingsArgs } from './agent_process.ts';
import { BrokerApi, Link } from './broker.ts';
import { PythonProgram } from './oslo/python.ts';
import { Calls, EXCHANGE, Stage, until } from './oslo/stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.set('rpc-connection');
});

afterAll(() => stage?.clear());

async function open(transportUrl: string, more: Partial<BrokerOptions> = {}): Promise<BrokerConnection> {
  const broker = await BrokerConnection.open({ transportUrl, clientName: 'connection', logger: stage.logger, ...more });
  onTestFinished(() => broker.close());
  return broker;
}

async function serve(broker: BrokerConnection, topic: string): Promise<void> {
  const { endpoints } = new Calls();
  const options = { exchange: EXCHANGE, topic, server: 'ours', endpoints, logger: stage.logger };
  const server = await RpcServer.start(broker, options);
  onTestFinished(() => server.stop(1_000));
}

const host = (port = inject('amqpPort')): string => `guest:guest@127.0.0.1:${port}`;

describe('virtual hosts', () => {
  // What each URL means to oslo.messaging decides: its client and our server have to meet.
  test.each([
    ['plain', 'plain', '/plain'],
    ['/slashed', '/slashed', '//slashed'],
    ['/slashed', '/slashed', '/%2Fslashed'],
    ['a/b', 'a/b', '/a/b'],
    ['ü 1', 'ü 1', '/%C3%BC%201'],
    ['the default', '/', ''],
    ['the default', '/', '/'],
    ['the default', '/', '//'],
  ])('%s', async (_name, vhost, path) => {
    const api = new BrokerApi({ amqpPort: inject('amqpPort'), managementPort: inject('managementPort') });
    if (vhost !== '/') await api.vhost(vhost);
    const url = `rabbit://${host()}${path}`;
    const topic = `vhost-${crypto.randomUUID()}`;
    await serve(await open(url), topic);
    expect((await api.queues(vhost)).map(({ name }) => name)).toContain(topic);
    const oslo = PythonProgram.start('client.py', url, EXCHANGE);
    onTestFinished(() => oslo.stop());
    expect(await oslo.ask({ op: 'call', topic, method: 'echo', args: { value: 1 } })).toEqual({ result: 1 });
  });
});

describe('options of the URL', () => {
  test('PLAIN and AMQPLAIN, whatever the settings say', async () => {
    for (const method of ['PLAIN', 'AMQPLAIN']) {
      const url = `${stage.osloUrl}?rabbit_login_method=${method}`;
      const name = `login ${method}`;
      await open(url, { clientName: name, loginMethod: method === 'PLAIN' ? 'AMQPLAIN' : 'PLAIN' });
      await expect.poll(() => connectionNamed(name), { timeout: 15_000 }).toMatchObject({ auth_mechanism: method });
    }
  });

  test('the heartbeat is what the URL says', async () => {
    await open(`${stage.osloUrl}?heartbeat_timeout_threshold=17`, { clientName: 'beats', heartbeatSeconds: 5 });
    await expect.poll(() => connectionNamed('beats'), { timeout: 15_000 }).toMatchObject({ timeout: 17 });
  });

  test('what is not known, or means nothing here, is told', async () => {
    await open(`${stage.osloUrl}?rabbit_quorum=1&rpc_conn_pool_size=3`);
    const warnings = stage.logged.filter((line) => line.startsWith('warn transport URL'));
    expect(warnings.join('\n')).toContain('unknown options {"options":"rabbit_quorum"}');
    expect(warnings.join('\n')).toContain('without a meaning here {"options":"rpc_conn_pool_size"}');
  });

  test('a value that does not fit is refused before anything is opened', async () => {
    const opening = open(`${stage.osloUrl}?heartbeat_timeout_threshold=soon`);
    await expect(opening).rejects.toMatchObject({ code: 'invalid-url' });
    await expect(opening).rejects.toThrow('option heartbeat_timeout_threshold');
  });
});

describe('several hosts', () => {
  test('each is tried in turn, at first and after each loss, wherever it begins', async () => {
    const links = await Promise.all([1, 2, 3].map(() => Link.to(() => stage.api.amqpPort)));
    onTestFinished(async () => {
      for (const link of links) await link.close();
    });
    const hosts = links.map(({ port }) => host(port)).join(',');
    for (const alive of links) {
      for (const link of links) link.cut();
      alive.heal();
      const broker = await open(`rabbit://${hosts}/${stage.vhost}`);
      for (const next of links.toReversed()) {
        for (const link of links) link.cut();
        await until(() => !broker.isConnected);
        next.heal();
        await expect.poll(() => broker.isConnected, { timeout: 20_000 }).toBe(true);
      }
    }
  });
});

/** What opening is refused with, which holds neither user nor password. */
async function failing(transportUrl: string, more: Partial<BrokerOptions> = {}): Promise<string> {
  const error: unknown = await open(transportUrl, { initialRetries: 0, ...more }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(BrokerUnavailableError);
  const message = error instanceof Error ? error.message : '';
  expect(message).not.toMatch(/hush|guest/);
  return message;
}

describe('what does not come about', () => {
  test('a wrong password', async () => {
    const told = await failing(stage.osloUrl.replace('guest:guest', 'guest:hush'));
    expect(told).toBe(
      `no connection to amqp://127.0.0.1:${inject('amqpPort')}/rpc-connection: 127.0.0.1:${inject('amqpPort')}: the broker refuses the user name, the password or the way of login (403 ACCESS_REFUSED)`,
    );
  });

  test('a way of login that the broker does not offer', async () => {
    expect(await failing(stage.osloUrl, { loginMethod: 'EXTERNAL' })).toMatch(/EXTERNAL is not provided by the server/);
  });

  test('a virtual host that is not there', async () => {
    expect(await failing(`rabbit://${host()}/nowhere`)).toContain('refuses virtual host nowhere: it does not exist');
  });

  test('a virtual host of others', async () => {
    await manage('PUT', 'users/outsider', { password: 'hush', tags: '' });
    onTestFinished(async () => void (await manage('DELETE', 'users/outsider')));
    const told = await failing(stage.osloUrl.replace('guest:guest', 'outsider:hush'));
    expect(told).toContain('refuses virtual host rpc-connection: it does not exist, or this user may not use it');
  });

  test('a port where nothing listens, a name that nobody knows', async () => {
    expect(await failing('rabbit://guest:hush@127.0.0.1:1/x')).toContain('nothing listens there (ECONNREFUSED)');
    expect(await failing('rabbit://guest:hush@no-such-host.invalid/x')).toMatch(/the host name/);
  });

  test('each host with its own reason', async () => {
    const told = await failing(`rabbit://guest:hush@127.0.0.1:1,guest:hush@${host().split('@')[1]}/x`);
    expect(told).toContain('127.0.0.1:1: nothing listens there');
    expect(told).toContain(`127.0.0.1:${inject('amqpPort')}: the broker refuses the user name`);
  });

  test('a server that says nothing', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await until(() => silent.listening);
    onTestFinished(() => void silent.close());
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const told = await failing(`rabbit://guest:hush@127.0.0.1:${port}/`, { connectTimeoutMs: 500 });
    expect(told).toContain('it does not answer in time');
  });

  test('it is waited for as long as is set, and told once for each reason', async () => {
    const before = stage.logged.length;
    const startedAt = performance.now();
    const told = await failing('rabbit://guest:hush@127.0.0.1:1/x', { startTimeoutMs: 3_000 });
    expect(performance.now() - startedAt).toBeGreaterThan(2_900);
    expect(told).toContain('(given up after 3000 ms): 127.0.0.1:1: nothing listens there');
    const lines = stage.logged.slice(before).filter((line) => line.includes('broker connection failed'));
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.filter((line) => line.startsWith('warn'))).toHaveLength(1);
  });

  test('a broker that comes late is met', async () => {
    const link = await Link.to(() => stage.api.amqpPort);
    onTestFinished(() => link.close());
    link.cut();
    const opening = open(stage.api.url(stage.vhost, link.port), { startTimeoutMs: 0 });
    await until(() => stage.logged.some((line) => line.includes(`127.0.0.1:${link.port}`)));
    link.heal();
    expect((await opening).isConnected).toBe(true);
  });

  test('the agent ends after rpc.start_timeout_ms, and says why', async () => {
    const folder = await mkdtemp('/var/tmp/hugenode-connection-');
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const { code, stderr } = await runLauncher([
      ...settingsArgs({
        'rpc.transport_url': stage.osloUrl.replace('guest:guest', 'guest:hush'),
        'rpc.start_timeout_ms': 2_000,
        'rpc.journal_path': '',
        'spool.path': '',
        'usage.path': '',
        'metrics.enabled': false,
        'instances.path': join(folder, 'instances'),
        'instances.domain_prefix': 'hnt-connection-',
      }),
      'serve',
    ]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('given up after 2000 ms');
    expect(stderr).toContain('the broker refuses the user name, the password');
    expect(stderr).not.toMatch(/hush|guest/);
  });
});

async function connectionNamed(name: string): Promise<unknown> {
  const connections: unknown = JSON.parse(await manage('GET', 'connections'));
  return Array.isArray(connections)
    ? connections.find((one) => one.client_properties?.connection_name === name)
    : undefined;
}

async function manage(method: string, path: string, body?: object): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${inject('managementPort')}/api/${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}`,
      'content-type': 'application/json',
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  return answer.text();
}
