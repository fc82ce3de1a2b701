/** Opening a connection: the handshake and what can stand in its way. */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connect, type ConnectOptions } from '../../src/node-libvirt/connect.ts';
import { ErrorCode } from '../../src/node-libvirt/error_codes.ts';
import { AuthError, ConnectError, LibvirtError } from '../../src/node-libvirt/errors.ts';
import { Procedures } from '../../src/node-libvirt/procedures.ts';
import { FakeLibvirtd } from './fake_libvirtd.ts';

let daemon: FakeLibvirtd;

beforeEach(async () => {
  daemon = await FakeLibvirtd.open();
});
afterEach(() => daemon[Symbol.asyncDispose]());

test('goes through the steps in libvirt’s order', async () => {
  const steps: unknown[] = [];
  daemon.answer(Procedures.AUTH_LIST, () => {
    steps.push('AUTH_LIST');
    return { types: [2] };
  });
  daemon.answer(Procedures.AUTH_POLKIT, () => {
    steps.push('AUTH_POLKIT');
    return { complete: 1 };
  });
  daemon.answer(Procedures.CONNECT_SUPPORTS_FEATURE, ({ feature }) => {
    steps.push(['SUPPORTS_FEATURE', feature]);
    return { supported: 1 };
  });
  daemon.answer(Procedures.CONNECT_OPEN, (args) => {
    steps.push(['CONNECT_OPEN', args]);
    return {};
  });
  const connection = await connect({ socketPath: daemon.socketPath, uri: 'test:///default', readonly: true });
  expect(steps).toEqual([
    'AUTH_LIST',
    'AUTH_POLKIT',
    ['SUPPORTS_FEATURE', 10],
    ['CONNECT_OPEN', { name: 'test:///default', flags: 1 }],
    ['SUPPORTS_FEATURE', 14],
  ]);
  await connection.close();
});

test('polkit’s refusal says what would help', async () => {
  daemon.answer(Procedures.AUTH_LIST, () => ({ types: [2] }));
  daemon.script(Procedures.AUTH_POLKIT, (call) => call.fail({ code: 94, domain: 60, message: 'no agent' }));
  const error = await connect({ socketPath: daemon.socketPath }).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(AuthError);
  expect(error).toBeInstanceOf(LibvirtError);
  expect(error).toMatchObject({ code: ErrorCode.AUTH_UNAVAILABLE, domain: 60, procedure: 'AUTH_POLKIT' });
  expect(String(error)).toContain('polkit rule');
});

test('a daemon that insists on SASL is an AuthError', async () => {
  daemon.answer(Procedures.AUTH_LIST, () => ({ types: [1] }));
  await expect(connect({ socketPath: daemon.socketPath })).rejects.toThrow(AuthError);
});

test('an uri that the daemon cannot open is its own LibvirtError', async () => {
  daemon.script(Procedures.CONNECT_OPEN, (call) => call.fail({ code: ErrorCode.NO_CONNECT }));
  await expect(connect({ socketPath: daemon.socketPath })).rejects.toMatchObject({
    name: 'LibvirtError',
    code: ErrorCode.NO_CONNECT,
  });
});

test('a daemon that says nothing is a time-out', async () => {
  daemon.script(Procedures.AUTH_LIST, () => undefined);
  await expect(connect({ socketPath: daemon.socketPath, callTimeoutMs: 20 })).rejects.toMatchObject({
    name: 'CallTimeoutError',
    procedure: 'AUTH_LIST',
  });
});

test('a daemon that hangs up is a closed connection', async () => {
  daemon.script(Procedures.CONNECT_OPEN, () => daemon.drop());
  await expect(connect({ socketPath: daemon.socketPath })).rejects.toMatchObject({ name: 'ConnectionClosedError' });
});

test('connecting can be broken off', async () => {
  const controller = new AbortController();
  daemon.script(Procedures.CONNECT_OPEN, () => controller.abort(new Error('enough')));
  await expect(connect({ socketPath: daemon.socketPath, signal: controller.signal })).rejects.toThrow('enough');
  await expect(connect({ socketPath: daemon.socketPath, signal: controller.signal })).rejects.toThrow('enough');
});

test('no socket, a socket left behind, a file: each says what to do', async () => {
  const missing = `${daemon.socketPath}-missing`;
  await expect(connect({ socketPath: missing })).rejects.toThrow(ConnectError);
  await expect(connect({ socketPath: missing })).rejects.toMatchObject({
    code: 'ENOENT',
    socketPath: missing,
    requestSent: false,
    message: `cannot connect to ${missing}: there is no such socket; start libvirtd (or virtqemud) on this host, or pass the right socketPath`,
  });
  const file = `${daemon.socketPath}-file`;
  await writeFile(file, '');
  await expect(connect({ socketPath: file })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('something else behind the socket is found out', async () => {
  const path = `${daemon.socketPath}-other`;
  const server = createServer((socket) => socket.end('220 mail.example ESMTP\r\n')).listen(path);
  await expect(connect({ socketPath: path })).rejects.toMatchObject({
    name: 'ConnectionClosedError',
    cause: { name: 'ProtocolError' },
  });
  server.close();
});

const wrong: readonly (readonly [string, ConnectOptions])[] = [
  ['a transport', { uri: 'qemu+ssh://host/system' }],
  ['a host', { uri: 'qemu://host/system' }],
  ['no URI', { uri: 'qemu' }],
  ['maxInFlight 0', { maxInFlight: 0 }],
  ['a callTimeoutMs of 0', { callTimeoutMs: 0 }],
  ['a keepaliveIntervalMs below 0', { keepaliveIntervalMs: -1 }],
];

test.each(wrong)('%s is a RangeError', async (_, options) => {
  await expect(connect({ socketPath: daemon.socketPath, ...options })).rejects.toThrow(RangeError);
});
