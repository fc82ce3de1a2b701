import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { MetricsServer } from '../../src/metrics/metrics_server.ts';
import { isLoopback, parseListenAddress } from '../../src/settings/listen_address.ts';
import { loadSettings } from '../../src/settings/load.ts';
import { quietLog } from '../quiet_log.ts';

async function serverOf(text: () => Promise<string>, port = 0, lines: [string, string][] = []): Promise<MetricsServer> {
  const listen = { host: '127.0.0.1', port };
  const log = quietLog(lines);
  const server = await MetricsServer.start({
    listen,
    contentType: 'text/plain; version=0.0.4',
    text,
    log,
    retryMs: 20,
  });
  onTestFinished(() => server.stop());
  return server;
}

test('GET and HEAD of /metrics, and nothing else', async () => {
  const { port } = await serverOf(async () => 'a 1\n');
  const ask = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method });
  const answer = await ask('/metrics?name[]=a');
  expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
    200,
    'text/plain; version=0.0.4',
    'a 1\n',
  ]);
  expect(await (await ask('/metrics', 'HEAD')).text()).toBe('');
  expect((await ask('/')).status).toBe(404);
  expect((await ask('/metrics/../etc/passwd')).status).toBe(404);
  const posted = await ask('/metrics', 'POST');
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

test('an error is told in the log, not to whoever asks', async () => {
  const lines: [string, string][] = [];
  const { port } = await serverOf(() => Promise.reject(new Error('secret')), 0, lines);
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain('secret');
  expect(lines.at(-1)).toEqual(['error', 'metrics could not be written']);
});

test('a port that is taken is told once and tried again', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const lines: [string, string][] = [];
  const server = await serverOf(async () => 'a 1\n', port, lines);
  await new Promise((resolve) => {
    setTimeout(resolve, 100);
  });
  expect(server.port).toBeUndefined();
  expect(lines.map(([level]) => level)).toEqual(['error']);
  other.close();
  await vi.waitFor(() => expect(server.port).toBe(port));
});

test('stopping ends connections that are open', async () => {
  const server = await serverOf(async () => 'a 1\n');
  const { port } = server;
  expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200);
  await server.stop();
  await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow('fetch failed');
});

test.each([
  ['127.0.0.1:9177', { host: '127.0.0.1', port: 9177 }, true],
  ['[::1]:0', { host: '::1', port: 0 }, true],
  ['localhost:80', { host: 'localhost', port: 80 }, true],
  ['127.8.9.1:80', { host: '127.8.9.1', port: 80 }, true],
  ['0.0.0.0:9177', { host: '0.0.0.0', port: 9177 }, false],
  ['[::]:9177', { host: '::', port: 9177 }, false],
  ['10.0.0.1:9177', { host: '10.0.0.1', port: 9177 }, false],
])('%s', (text, address, loopback) => {
  expect(parseListenAddress(text)).toEqual(address);
  expect(isLoopback(address)).toBe(loopback);
});

test.each(['', '9177', '127.0.0.1', '127.0.0.1:65536', 'example.org:80', '[127.0.0.1]:80', '::1:80', '127.0.0.1:-1'])(
  '«%s» is no address with a port',
  (text) => expect(parseListenAddress(text)).toBeUndefined(),
);

const load = (...overrides: string[]) => loadSettings({ overrides }).metrics.listen;

test('an address that other machines reach has to be asked for', () => {
  expect(load()).toBe('127.0.0.1:9177');
  expect(() => load('metrics.listen=0.0.0.0:9177')).toThrow('metrics.remote=true');
  expect(load('metrics.listen=0.0.0.0:9177', 'metrics.remote=true')).toBe('0.0.0.0:9177');
  expect(() => load('metrics.listen=nowhere')).toThrow('metrics.listen');
});
