// TLS to a RabbitMQ of its own, with certificates of a day: verified both ways, by us and by oslo.messaging, and login by
// certificate alone.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RabbitMQContainer, type StartedRabbitMQContainer } from '@testcontainers/rabbitmq';
import { PullPolicy } from 'testcontainers';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { BrokerConnection, RpcServer, type BrokerOptions } from '../src/rpc/index.ts';
import { BROKER_IMAGE } from './broker.ts';
import { makeCertificates, type Certificates } from './certificates.ts';
import { PythonProgram } from './oslo/python.ts';
import { Calls, EXCHANGE } from './oslo/stage.ts';

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const CLIENT_NAME = 'hugenode test client';
const CONFIGURATION = `
loopback_users = none
log.file = false
log.console = true
log.console.level = info
listeners.ssl.default = 5671
ssl_options.cacertfile = /etc/rabbitmq/ca.pem
ssl_options.certfile = /etc/rabbitmq/server.pem
ssl_options.keyfile = /etc/rabbitmq/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
ssl_cert_login_from = common_name
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = AMQPLAIN
auth_mechanisms.3 = EXTERNAL
`;

let folder: string;
let certificates: Certificates;
let container: StartedRabbitMQContainer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hugenode-rpc-tls-'));
  certificates = await makeCertificates(folder);
  for (const name of ['client', 'foreignClient'] as const) {
    await writeFile(join(folder, `${name}.cert`), certificates[name].cert);
    await writeFile(join(folder, `${name}.key`), certificates[name].key);
  }
  const { ca, server } = certificates;
  container = await new RabbitMQContainer(BROKER_IMAGE)
    .withPullPolicy(PullPolicy.neverPull())
    .withLabels({ 'hugenode.integration.owner-pid': String(process.pid) })
    .withExposedPorts(5671, 5672, 15672)
    .withCopyContentToContainer([
      inEtc('rabbitmq.conf', CONFIGURATION),
      inEtc('enabled_plugins', '[rabbitmq_management,rabbitmq_auth_mechanism_ssl].\n'),
      inEtc('ca.pem', ca),
      inEtc('server.pem', server.cert),
      inEtc('server.key', server.key),
    ])
    .withStartupTimeout(90_000)
    .start();
  await rabbitmqctl('add_user', CLIENT_NAME, 'unused');
  await rabbitmqctl('set_permissions', CLIENT_NAME, '.*', '.*', '.*');
});

afterAll(async () => {
  await container?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

function inEtc(name: string, content: string) {
  return { target: `/etc/rabbitmq/${name}`, content, mode: 0o644 };
}

async function rabbitmqctl(...args: string[]): Promise<void> {
  const { exitCode, output } = await container.exec(['rabbitmqctl', ...args]);
  if (exitCode !== 0) throw new Error(output);
}

const url = (host: string, options: string, login = 'guest:guest@'): string =>
  `rabbit://${login}${host}:${container.getMappedPort(5671)}/?${options}`;
const fileOf = (name: string): string => join(folder, name);

async function open(transportUrl: string, more: Partial<BrokerOptions> = {}): Promise<BrokerConnection> {
  const broker = await BrokerConnection.open({
    transportUrl,
    clientName: 'tls',
    initialRetries: 0,
    logger: QUIET,
    ...more,
  });
  onTestFinished(() => broker.close());
  return broker;
}

test('with the CA named in the URL, as oslo.messaging names it: calls pass', async () => {
  const secure = url('localhost', `ssl=true&ssl_ca_file=${fileOf('ca.pem')}`);
  const broker = await open(secure);
  const { endpoints } = new Calls();
  const options = { exchange: EXCHANGE, topic: 'tls', server: 'ours', endpoints, logger: QUIET };
  const server = await RpcServer.start(broker, options);
  onTestFinished(() => server.stop(1_000));
  const oslo = PythonProgram.start('client.py', secure, EXCHANGE);
  onTestFinished(() => oslo.stop());
  const call = { op: 'call', topic: 'tls', method: 'echo', args: { value: 'ü' } };
  expect(await oslo.ask(call)).toEqual({ result: 'ü' });
});

test('with the CA of the settings, by name and by address', async () => {
  const ca = Buffer.from(certificates.ca);
  for (const host of ['localhost', '127.0.0.1']) {
    expect((await open(url(host, 'ssl=true'), { tls: { ca } })).isConnected).toBe(true);
  }
});

test.each<[string, () => Partial<BrokerOptions>, string]>([
  ['the CA is not named', () => ({}), "nobody vouches for the broker's certificate: name its CA (rpc.tls_ca_file)"],
  [
    'another CA is named',
    () => ({ tls: { ca: Buffer.from(certificates.foreignCa) } }),
    "nobody vouches for the broker's",
  ],
])('%s: refused', async (_name, more, words) => {
  await expect(open(url('localhost', 'ssl=true'), more())).rejects.toThrow(words);
});

test('a host that the certificate does not name is refused', async () => {
  const opening = open(url('127.0.0.2', `ssl=true&ssl_ca_file=${fileOf('ca.pem')}`));
  await expect(opening).rejects.toThrow("the broker's certificate is for another host name");
});

test('TLS to a port without, and no TLS to a port with it: each is told', async () => {
  const plain = `rabbit://guest:guest@localhost:${container.getMappedPort(5672)}/?ssl=true`;
  await expect(open(plain)).rejects.toThrow(/does not speak TLS|was cut while it was opened/);
  await expect(open(url('localhost', 'ssl=false'))).rejects.toThrow(/a TLS port/);
});

test('a client certificate that the broker does not trust is refused', async () => {
  const files = `ssl_cert_file=${fileOf('foreignClient.cert')}&ssl_key_file=${fileOf('foreignClient.key')}`;
  await expect(open(url('localhost', `ssl=true&ssl_ca_file=${fileOf('ca.pem')}&${files}`))).rejects.toThrow(
    'no connection',
  );
});

test('login by the client certificate alone', async () => {
  const files = `ssl_cert_file=${fileOf('client.cert')}&ssl_key_file=${fileOf('client.key')}`;
  const options = `ssl=true&ssl_ca_file=${fileOf('ca.pem')}&${files}&rabbit_login_method=EXTERNAL`;
  expect((await open(url('localhost', options, ''))).isConnected).toBe(true);
});

test('a file that is not there is named before anything is opened', async () => {
  await expect(open(url('localhost', 'ssl=true&ssl_ca_file=/nowhere/ca.pem'))).rejects.toThrow('/nowhere/ca.pem');
});
