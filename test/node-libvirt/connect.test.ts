/** Opening a connection: the handshake and what can stand in its way. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { duplexPair } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RememberedCredentials } from '../../src/node-libvirt/auth/remembered_credentials.ts';
import { connect, openSession, type ConnectOptions } from '../../src/node-libvirt/connection/connect.ts';
import { ErrorCode } from '../../src/node-libvirt/error_codes.ts';
import { AuthError, ConnectError, LibvirtError } from '../../src/node-libvirt/errors.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import { FakeLibvirtd } from '../../src/node-libvirt/testing/index.ts';
import { duplexTransport } from '../../src/node-libvirt/transport/duplex.ts';
import type { Transport } from '../../src/node-libvirt/transport/transport.ts';

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

test('an authentication that nobody here knows is an AuthError', async () => {
  daemon.answer(Procedures.AUTH_LIST, () => ({ types: [7] }));
  await expect(connect({ socketPath: daemon.socketPath })).rejects.toThrow(AuthError);
});

test('a URI as text, with options beside it, and options with the URI among them', async () => {
  const names = new Set<string | null>();
  daemon.answer(Procedures.CONNECT_OPEN, ({ name }) => {
    names.add(name);
    return {};
  });
  const { socketPath } = daemon;
  const connections = await Promise.all([
    connect(daemon.uri),
    connect('test:///default', { socketPath }),
    connect({ uri: 'qemu+unix:///system?name=lxc:///', socketPath }),
    connect({ socketPath }),
    connect(undefined, { uri: 'xen:///system', socketPath }),
  ]);
  await Promise.all(connections.map((connection) => connection.close()));
  expect(names).toEqual(new Set(['qemu:///system', 'test:///default', 'lxc:///', 'xen:///system']));
});

test('options beside options would be dropped, so they are refused', async () => {
  // @ts-expect-error -- it does not compile either
  await expect(connect({ socketPath: daemon.socketPath }, { pool: 3 })).rejects.toThrow(/the URI and then options/);
  expect(daemon.accepted).toBe(0);
});

test('a keepalive interval that is longer than any timer never pings', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on('warning', onWarning);
  await using _ = await connect({ socketPath: daemon.socketPath, keepaliveIntervalMs: 2 ** 31 });
  await sleep(30);
  process.off('warning', onWarning);
  expect(daemon.pings).toBe(0);
  expect(warnings).toEqual([]);
});

test('a session for a stream asks for no pings', async () => {
  const features: number[] = [];
  daemon.answer(Procedures.CONNECT_SUPPORTS_FEATURE, ({ feature }) => {
    features.push(feature);
    return { supported: 1 };
  });
  const session = await openSession({ uri: daemon.uri }, { asksForPings: false });
  session.destroy();
  expect(features).toEqual([14]);
});

test('a daemon that is too old says so: no event callbacks, or no such procedure', async () => {
  daemon.answer(Procedures.CONNECT_SUPPORTS_FEATURE, ({ feature }) => ({ supported: feature === 14 ? 0 : 1 }));
  const old = { name: 'ConnectError', code: 'DAEMON_TOO_OLD', socketPath: daemon.socketPath };
  await expect(connect(daemon.uri)).rejects.toMatchObject(old);
  await expect(connect(daemon.uri)).rejects.toThrow(/older than libvirt 1\.3.*update/);
  daemon.script(Procedures.CONNECT_SUPPORTS_FEATURE, (call) =>
    call.fail({ code: ErrorCode.RPC, domain: 7, message: 'unknown procedure: 60' }),
  );
  await expect(connect(daemon.uri)).rejects.toMatchObject(old);
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

test('a daemon that hangs up in the middle is no connection, and nothing took effect', async () => {
  daemon.script(Procedures.CONNECT_OPEN, () => daemon.drop());
  await expect(connect({ socketPath: daemon.socketPath })).rejects.toMatchObject({
    name: 'ConnectError',
    code: 'ECONNRESET',
    peer: daemon.socketPath,
    socketPath: daemon.socketPath,
    requestSent: false,
  });
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
    peer: missing,
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
    name: 'ConnectError',
    code: 'EPROTO',
    cause: { name: 'ProtocolError' },
  });
  server.close();
});

test('over TCP', async () => {
  await using other = await FakeLibvirtd.open({ tcp: true });
  const uri = `qemu+tcp://localhost:${other.port}/system`;
  await using connection = await connect(uri);
  await expect(connection.call(Procedures.CONNECT_SUPPORTS_FEATURE, { feature: 1 })).resolves.toEqual({ supported: 1 });
  other.script(Procedures.AUTH_LIST, () => other.drop());
  await expect(connect(uri)).rejects.toThrow(/TLS port/);
});

async function ownWay({ socketPath }: FakeLibvirtd): Promise<Transport> {
  return duplexTransport(createConnection(socketPath), 'my way');
}

describe('by a way of one’s own', () => {
  test('a stream that somebody else connected', async () => {
    await using connection = await connect('test+ssh://node1/default', { openTransport: () => ownWay(daemon) });
    await expect(connection.call(Procedures.CONNECT_SUPPORTS_FEATURE, { feature: 1 })).resolves.toEqual({
      supported: 1,
    });
  });

  test('one that comes too late is closed', async () => {
    const [ours, theirs] = duplexPair();
    const { promise, resolve } = Promise.withResolvers<Transport>();
    await expect(connect({ callTimeoutMs: 20, openTransport: () => promise })).rejects.toMatchObject({
      code: 'ETIMEDOUT',
    });
    resolve(duplexTransport(ours, 'late'));
    await expect.poll(() => ours.destroyed).toBe(true);
    theirs.destroy();
  });
});

async function noVault(): Promise<never> {
  throw new Error('no vault');
}

function says(text: string, complete = 0): { complete: number; nil: number; data: Buffer } {
  return { complete, nil: 0, data: Buffer.from(text) };
}

/** By a stand-in for ssh that leads to the daemon. */
async function sshUri(query = ''): Promise<string> {
  const path = `${daemon.socketPath}-ssh`;
  const program = `const s = require("net").connect("${daemon.socketPath}"); process.stdin.pipe(s).pipe(process.stdout)`;
  await writeFile(path, `#!/bin/sh\nexec '${process.execPath}' -e '${program}'\n`);
  await chmod(path, 0o755);
  return `qemu+ssh://node1/system?command=${encodeURIComponent(path)}${query}`;
}

describe('SASL', () => {
  const user = { username: 'nova', password: 'pencil' };
  const { AUTH_LIST, AUTH_SASL_INIT, AUTH_SASL_START, AUTH_SASL_STEP } = Procedures;
  const done = { complete: 1, nil: 1, data: Buffer.alloc(0) };

  beforeEach(() => {
    daemon.answer(AUTH_LIST, () => ({ types: [1] }));
    daemon.answer(AUTH_SASL_INIT, () => ({ mechlist: 'PLAIN,SCRAM-SHA-1,SCRAM-SHA-256,GSSAPI' }));
  });

  /** A daemon that knows a password and proves it, or says something else at the end. */
  function scramDaemon(hash: 'sha1' | 'sha256', password: string, lastWords?: string): string[] {
    const mechanisms: string[] = [];
    const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest();
    const salt = Buffer.from('salt');
    let soFar = '';
    daemon.answer(AUTH_SASL_START, ({ mech, data }) => {
      mechanisms.push(mech);
      const bare = data.toString().slice(3);
      const first = `r=${bare.split('r=')[1] ?? ''}xyz,s=${salt.toString('base64')},i=4096`;
      soFar = `${bare},${first}`;
      return says(first);
    });
    daemon.answer(AUTH_SASL_STEP, ({ nil, data }) => {
      if (nil === 1) return done;
      const message = `${soFar},${data.toString().replace(/,p=.*/, '')}`;
      const salted = pbkdf2Sync(password, salt, 4096, createHash(hash).digest().length, hash);
      return says(
        lastWords ?? `v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`,
        lastWords === undefined ? 0 : 1,
      );
    });
    return mechanisms;
  }

  test('the strongest mechanism that both know, and a daemon that proves itself', async () => {
    const mechanisms = scramDaemon('sha256', 'pencil');
    await using _ = await connect(daemon.uri, { auth: user });
    expect(mechanisms).toEqual(['SCRAM-SHA-256']);
  });

  test('a weaker one where it is asked for', async () => {
    const mechanisms = scramDaemon('sha1', 'pencil');
    await using _ = await connect(daemon.uri, { auth: { ...user, mechanisms: ['SCRAM-SHA-1', 'PLAIN'] } });
    expect(mechanisms).toEqual(['SCRAM-SHA-1']);
  });

  test('PLAIN says name and password, nothing else', async () => {
    const said: unknown[] = [];
    daemon.answer(AUTH_SASL_INIT, () => ({ mechlist: 'GSSAPI PLAIN' }));
    daemon.answer(AUTH_SASL_START, (args) => {
      said.push(args);
      return done;
    });
    await using _ = await connect(daemon.uri, { auth: user });
    expect(said).toEqual([{ mech: 'PLAIN', nil: 0, data: Buffer.from('\0nova\0pencil') }]);
  });

  test.each([
    ['that does not know the password', 'other', undefined],
    ['that lies', 'pencil', 'v=AAAA'],
    ['that says nothing', 'pencil', ''],
    ['that complains', 'pencil', 'e=unknown-user'],
  ])('a daemon %s is not trusted', async (_, password, lastWords) => {
    scramDaemon('sha256', password, lastWords);
    const error: unknown = await connect(daemon.uri, { auth: user }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ name: 'AuthError', code: ErrorCode.AUTH_FAILED });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/pencil/);
  });

  test('a daemon that lets us in without a proof is not trusted', async () => {
    daemon.answer(AUTH_SASL_START, () => done);
    await expect(connect(daemon.uri, { auth: user })).rejects.toThrow(/without proving/);
  });

  test('a daemon that never comes to an end is left', async () => {
    daemon.answer(AUTH_SASL_INIT, () => ({ mechlist: 'PLAIN' }));
    const more = { complete: 0, nil: 1, data: Buffer.alloc(0) };
    daemon.answer(AUTH_SASL_START, () => more);
    daemon.answer(AUTH_SASL_STEP, () => more);
    await expect(connect(daemon.uri, { auth: user })).rejects.toThrow(/come to an end/);
  });

  test('the daemon’s refusal is an AuthError that names neither', async () => {
    daemon.script(AUTH_SASL_START, (call) =>
      call.fail({ code: ErrorCode.AUTH_FAILED, message: 'authentication failed' }),
    );
    const error: unknown = await connect(daemon.uri, { auth: user }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ name: 'AuthError', code: ErrorCode.AUTH_FAILED });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/pencil/);
  });

  test('no password, no mechanism in common, a callback that fails, an abort while somebody is asked', async () => {
    await expect(connect(daemon.uri)).rejects.toThrow(/option auth/);
    await expect(connect(daemon.uri, { auth: { ...user, mechanisms: ['SCRAM-SHA-512'] } })).rejects.toThrow(
      /mech_list/,
    );
    await expect(connect(daemon.uri, { credentials: noVault })).rejects.toThrow('no vault');
    const controller = new AbortController();
    const hangs = () => {
      setTimeout(() => controller.abort(new Error('enough')), 10);
      return new Promise<typeof user>(() => undefined);
    };
    await expect(connect(daemon.uri, { credentials: hangs, signal: controller.signal })).rejects.toThrow('enough');
  });

  describe('of a server that nobody has verified', () => {
    test('PLAIN is not used, unless it is asked for by name', async () => {
      daemon.answer(AUTH_SASL_INIT, () => ({ mechlist: 'PLAIN' }));
      let passwords = 0;
      daemon.answer(AUTH_SASL_START, () => {
        passwords += 1;
        return done;
      });
      const unverified = await sshUri('&no_verify=1');
      const refused: unknown = await connect(unverified, { auth: user }).catch((error: unknown) => error);
      expect(refused).toMatchObject({
        name: 'AuthError',
        message: expect.stringMatching(/nobody has verified.*PLAIN/),
      });
      expect(passwords).toBe(0);
      await using _ = await connect(unverified, { auth: { ...user, mechanisms: ['PLAIN'] } });
      await connect(await sshUri(), { auth: user }).then((verified) => verified.close());
      expect(passwords).toBe(2);
    });

    test('SCRAM is used, whatever else there is', async () => {
      const mechanisms = scramDaemon('sha256', 'pencil');
      await using _ = await connect(await sshUri('&no_verify=1'), { auth: user });
      expect(mechanisms).toEqual(['SCRAM-SHA-256']);
    });
  });

  test('somebody is asked once for the pool and its streams, and again after a refusal', async () => {
    const { STORAGE_VOL_DOWNLOAD: DOWNLOAD } = Procedures;
    const part = { vol: { pool: 'p', name: 'v', key: '/v' }, offsetBytes: 0, lengthBytes: 0, flags: 0 };
    daemon.answer(AUTH_SASL_INIT, () => ({ mechlist: 'PLAIN' }));
    let isRefusing = false;
    daemon.script(AUTH_SASL_START, (call) =>
      isRefusing ? call.fail({ code: ErrorCode.AUTH_FAILED }) : call.reply(AUTH_SASL_START, done),
    );
    daemon.script(DOWNLOAD, (call) => call.fail({ code: ErrorCode.NO_STORAGE_VOL }));
    let asked = 0;
    const credentials = () => {
      asked += 1;
      return user;
    };
    await using connection = await connect(daemon.uri, { credentials, pool: 3 });
    await expect(connection.openStream(DOWNLOAD, part)).rejects.toMatchObject({ code: ErrorCode.NO_STORAGE_VOL });
    expect(asked).toBe(1);
    isRefusing = true;
    await expect(connection.openStream(DOWNLOAD, part)).rejects.toThrow(AuthError);
    isRefusing = false;
    await expect(connection.openStream(DOWNLOAD, part)).rejects.toMatchObject({ code: ErrorCode.NO_STORAGE_VOL });
    expect(asked).toBe(2);
  });

  test('who could not answer is asked again', async () => {
    daemon.answer(AUTH_SASL_INIT, () => ({ mechlist: 'PLAIN' }));
    let asked = 0;
    const credentials = () => {
      asked += 1;
      throw new Error('no vault');
    };
    await expect(connect(daemon.uri, { credentials })).rejects.toThrow('no vault');
    const remembered = new RememberedCredentials(credentials);
    const request = { peer: 'p', mechanism: 'PLAIN', username: undefined } as const;
    await expect(remembered.ask(request)).rejects.toThrow('no vault');
    await expect(remembered.ask(request)).rejects.toThrow('no vault');
    expect(asked).toBe(3);
  });

  test('nothing is said where others can read it', async () => {
    await using other = await FakeLibvirtd.open({ tcp: true });
    other.answer(AUTH_LIST, () => ({ types: [1] }));
    const asked: string[] = [];
    other.answer(AUTH_SASL_INIT, () => {
      asked.push('init');
      return { mechlist: 'PLAIN' };
    });
    const byTcp = connect(`qemu+tcp://127.0.0.1:${other.port}/system`, { auth: user });
    await expect(byTcp).rejects.toMatchObject({ name: 'AuthError', message: expect.stringContaining('+tls') });
    await expect(connect({ auth: user, openTransport: () => ownWay(other) })).rejects.toThrow(AuthError);
    expect(asked).toEqual([]);
  });
});

const wrong: readonly (readonly [string, ConnectOptions])[] = [
  ['a socket and a host', { uri: 'qemu+ssh://host/system' }],
  ['a socket and TLS', { uri: 'qemu://host/system' }],
  ['no URI', { uri: 'qemu' }],
  ['an empty path', { socketPath: '' }],
  ['a path that no socket can have', { socketPath: `/${'x'.repeat(107)}` }],
  ['maxInFlight 0', { maxInFlight: 0 }],
  ['a callTimeoutMs of 0', { callTimeoutMs: 0 }],
  ['a keepaliveIntervalMs below 0', { keepaliveIntervalMs: -1 }],
];

test.each(wrong)('%s is a RangeError', async (_, options) => {
  await expect(connect({ socketPath: daemon.socketPath, ...options })).rejects.toThrow(RangeError);
});
