/** TLS to the broker: verification is on, a CA of one's own can be named. The server speaks TLS and no AMQP. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BrokerConnection, BrokerUnavailableError } from '../../src/rpc/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hugenode-tls-'));
const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

let server: Server;
let port: number;
/** What clients said first, after the handshake. */
const greetings: string[] = [];

beforeAll(async () => {
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '1',
      ...names,
      ...files,
    ],
    {
      stdio: 'ignore',
    },
  );
  server = createServer({ key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) });
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (bytes: Buffer) => {
      greetings.push(bytes.subarray(0, 4).toString());
      socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});

afterAll(() => server.close());

const open = (host: string, tls: { ca?: Buffer }) =>
  BrokerConnection.open({
    transportUrl: `rabbit://u:p@${host}:${port}/?ssl=true`,
    clientName: 'test',
    initialRetries: 0,
    connectTimeoutMs: 3000,
    logger: QUIET,
    tls,
  });

test('a certificate that nobody vouches for is refused before a word of AMQP', async () => {
  await expect(open('localhost', {})).rejects.toThrow(BrokerUnavailableError);
  expect(greetings).toEqual([]);
});

test('a certificate of another host is refused too', async () => {
  const ca = readFileSync(join(folder, 'cert.pem'));
  await expect(open('127.0.0.1', { ca })).rejects.toThrow(BrokerUnavailableError);
  expect(greetings).toEqual([]);
});

test('with its CA named, AMQP begins', async () => {
  const ca = readFileSync(join(folder, 'cert.pem'));
  await expect(open('localhost', { ca })).rejects.toThrow(BrokerUnavailableError); // it speaks no AMQP
  expect(greetings).toEqual(['AMQP']);
});
