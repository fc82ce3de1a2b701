/** Every way to a daemon, against real ones: a private libvirtd, a private sshd, and the machine's libvirtd to look at. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, type ConnectOptions } from '../src/node-libvirt/connection/connect.ts';
import type { Connection } from '../src/node-libvirt/connection/connection.ts';
import { Procedures } from '../src/node-libvirt/procedures/index.ts';
import { openTransport } from '../src/node-libvirt/transport/open.ts';
import { parseUri } from '../src/node-libvirt/transport/uri.ts';
import type { TlsOptions } from '../src/node-libvirt/transport/tls.ts';
import { PrivateLibvirtd } from './private_libvirtd.ts';
import { PrivateSshd } from './private_sshd.ts';

const run = promisify(execFile);

const user = { username: 'nova', password: 'not to be seen, =Größe' };
const MECHANISMS = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'] as const;

let open: PrivateLibvirtd;
let guarded: PrivateLibvirtd;
let sshd: PrivateSshd;
let folder: string;

const standing = new AsyncDisposableStack();

beforeAll(async () => {
  const auth = { unix: 'sasl', tcp: 'sasl', tls: 'sasl' } as const;
  open = standing.use(await PrivateLibvirtd.start());
  guarded = standing.use(await PrivateLibvirtd.start({ auth, user, mechanisms: MECHANISMS }));
  sshd = standing.use(await PrivateSshd.start());
  folder = await mkdtemp(join(tmpdir(), 'hugenode-transports-'));
  standing.defer(() => rm(folder, { recursive: true, force: true }));
});
afterAll(() => standing.disposeAsync());

/** Connects, has a small and a big call answered, and leaves. */
async function talk(uri: string, options: ConnectOptions = {}): Promise<'answered'> {
  await using connection = await connect(uri, options);
  // Awaited before the connection is closed.
  return await answer(connection);
}

async function answer(connection: Connection): Promise<'answered'> {
  const [{ hostname }, { capabilities }] = await Promise.all([
    connection.call(Procedures.CONNECT_GET_HOSTNAME, {}),
    connection.call(Procedures.CONNECT_GET_CAPABILITIES, {}),
  ]);
  expect(hostname).not.toBe('');
  expect(capabilities).toMatch(/^<capabilities>[^]*<\/capabilities>\n$/);
  return 'answered';
}

function sshUri(query = '', path = '/default'): string {
  return `test+ssh://${sshd.user}@127.0.0.1:${sshd.port}${path}${query}`;
}

function tlsUri(host = 'localhost', port = open.tlsPort): string {
  return `test+tls://${host}:${port}/default`;
}

function good(): TlsOptions {
  return { ca: open.certificates.ca, ...open.certificates.client };
}

const within = (path: string) => `?socket=${encodeURIComponent(path)}`;

describe('unix', () => {
  test('a socket given as option or in the URI', async () => {
    await expect(talk('test:///default', { socketPath: open.socketPath })).resolves.toBe('answered');
    await expect(talk(`test+unix:///default${within(open.socketPath)}`)).resolves.toBe('answered');
  });

  test('options alone, with the URI among them', async () => {
    await using connection = await connect({ uri: 'test:///default', socketPath: open.socketPath });
    await expect(answer(connection)).resolves.toBe('answered');
  });

  test('the machine’s read-only socket takes no change', async () => {
    await using connection = await connect('test:///default', { readonly: true });
    await expect(answer(connection)).resolves.toBe('answered');
    const xml = '<domain type="test"><name>never</name><memory>1</memory><os><type>hvm</type></os></domain>';
    await expect(connection.call(Procedures.DOMAIN_DEFINE_XML_FLAGS, { xml, flags: 0 })).rejects.toMatchObject({
      name: 'LibvirtError',
      code: 29,
    });
  });

  test('a definition of one’s own for the test driver', async () => {
    const file = join(open.folder, 'node.xml');
    await writeFile(file, '<node><cpu><mhz>1</mhz></cpu></node>');
    await expect(talk(`test://${file}`, { socketPath: open.socketPath })).resolves.toBe('answered');
  });
});

describe('tcp', () => {
  test.each(['127.0.0.1', 'localhost'])('%s', async (host) => {
    await expect(talk(`test+tcp://${host}:${open.tcpPort}/default`)).resolves.toBe('answered');
  });

  test('a daemon that is killed under way', async () => {
    await using daemon = await PrivateLibvirtd.start();
    const connection = await connect(`test+tcp://127.0.0.1:${daemon.tcpPort}/default`);
    await daemon.stop();
    expect(await connection.closed).toMatchObject({ kind: expect.stringMatching(/server|transport/) });
    await expect(connect(`test+tcp://127.0.0.1:${daemon.tcpPort}/default`)).rejects.toMatchObject({
      name: 'ConnectError',
      code: 'ECONNREFUSED',
    });
    await daemon.restart();
    await expect(talk(`test+tcp://127.0.0.1:${daemon.tcpPort}/default`)).resolves.toBe('answered');
  });

  test('a daemon that hangs, and one that is killed in the middle of the handshake', async () => {
    await using daemon = await PrivateLibvirtd.start();
    const uri = `test+tcp://127.0.0.1:${daemon.tcpPort}/default`;
    daemon.freeze();
    await expect(connect(uri, { callTimeoutMs: 200 })).rejects.toMatchObject({ name: 'CallTimeoutError' });
    const connecting = connect(uri);
    setTimeout(() => void daemon.stop(), 100);
    await expect(connecting).rejects.toMatchObject({ name: 'ConnectError', code: 'ECONNRESET', requestSent: false });
  });

  test('the TLS port says that it is one', async () => {
    await expect(connect(`test+tcp://127.0.0.1:${open.tlsPort}/default`)).rejects.toThrow(/TLS port/);
  });
});

describe('tls', () => {
  test.each(['127.0.0.1', 'localhost'])('both sides verified, %s', async (host) => {
    await expect(talk(tlsUri(host), { tls: good() })).resolves.toBe('answered');
  });

  test('a certificate for another name than the host’s, named', async () => {
    await expect(talk(tlsUri('127.0.0.1'), { tls: { ...good(), servername: 'localhost' } })).resolves.toBe('answered');
  });

  test('an address in the certificate, named', async () => {
    const uri = tlsUri('localhost');
    await expect(talk(uri, { tls: { ...good(), servername: '127.0.0.1' } })).resolves.toBe('answered');
    await expect(connect(uri, { tls: { ...good(), servername: '127.0.0.2' } })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });

  test('files in a folder', async () => {
    const pki = join(folder, 'pki');
    await mkdir(pki);
    await writeFile(join(pki, 'cacert.pem'), open.certificates.ca);
    const query = `?pkipath=${encodeURIComponent(pki)}`;
    await expect(connect(tlsUri() + query)).rejects.toMatchObject({ code: 'ENOENT' });
    await writeFile(join(pki, 'clientcert.pem'), open.certificates.client.cert);
    await writeFile(join(pki, 'clientkey.pem'), open.certificates.client.key);
    await expect(talk(tlsUri() + query)).resolves.toBe('answered');
  });

  test('much data, both ways', async () => {
    await using connection = await connect(tlsUri(), { tls: good(), maxInFlight: 4 });
    const answers = await Promise.all(Array.from({ length: 200 }, () => answer(connection)));
    expect(answers).toHaveLength(200);
  });

  test('calls that are written together are answered together', async () => {
    // Two packets in one TLS record: libvirtd would find the second when its next keepalive is due, after 5 s.
    await using connection = await connect(tlsUri(), { tls: good(), callTimeoutMs: 3000 });
    const calls = Array.from({ length: 4 }, () => connection.call(Procedures.CONNECT_GET_HOSTNAME, {}));
    await expect(Promise.all(calls)).resolves.toHaveLength(4);
  });

  test.each(['no', 'an expired', 'a foreign'])('%s client certificate is refused', async (which) => {
    const { ca, expiredClient, foreignClient } = open.certificates;
    const client = { no: {}, 'an expired': expiredClient, 'a foreign': foreignClient }[which];
    await expect(connect(tlsUri(), { tls: { ca, ...client } })).rejects.toMatchObject({
      name: 'ConnectError',
      code: 'CLIENT_CERTIFICATE',
      peer: `tls://localhost:${open.tlsPort}`,
    });
  });

  test('a server whose CA or name is another is not believed, unless that is asked for', async () => {
    const foreign = { ...good(), ca: open.certificates.foreignCa };
    await expect(connect(tlsUri(), { tls: foreign })).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
    await expect(connect(tlsUri(), { tls: { ...good(), servername: 'node1' } })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    await expect(talk(`${tlsUri()}?no_verify=1`, { tls: foreign })).resolves.toBe('answered');
    await expect(talk(tlsUri(), { tls: { ...foreign, verify: false } })).resolves.toBe('answered');
  });

  test('the plain port says that it is one', async () => {
    await expect(connect(tlsUri('127.0.0.1', open.tcpPort), { tls: good() })).rejects.toThrow(/plain port/);
  });
});

/** A TLS server of the test's own; gives the URI that leads to it. */
async function serveTls(
  onClient: (socket: TLSSocket) => void,
  certificate = open.certificates.server,
): Promise<string> {
  const server = createServer({ ...certificate, noDelay: true }, (socket) => {
    onClient(socket.on('error', () => undefined));
  }).listen(0, '127.0.0.1');
  standing.defer(() => void server.close());
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server that was given a port has a port
  return tlsUri('127.0.0.1', (server.address() as AddressInfo).port);
}

describe('tls with a server that misbehaves', () => {
  const limit = { timeoutMs: 5000 };

  test('it has expired', async () => {
    const uri = await serveTls((socket) => socket.end(), open.certificates.expiredServer);
    await expect(connect(uri, { tls: good() })).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' });
  });

  test('it never says that we are welcome, or says something else', async () => {
    const silent = await serveTls((socket) => socket.resume());
    const short = { timeoutMs: 100 };
    await expect(openTransport(parseUri(silent), { tls: good() }, short)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    const other = await serveTls((socket) => socket.write('HTTP/1.1 400'));
    await expect(openTransport(parseUri(other), { tls: good() }, limit)).rejects.toMatchObject({ code: 'EPROTO' });
  });

  test('what it says along with the welcome, and much of it, comes through pauses', async () => {
    const size = 8_000_000;
    const uri = await serveTls((socket) => socket.write(Buffer.concat([Buffer.of(1), Buffer.alloc(size, 7)])));
    const transport = await openTransport(parseUri(uri), { tls: good() }, limit);
    await sleep(50);
    let count = 0;
    let isRight = true;
    transport.start({
      onBytes: (bytes) => {
        count += bytes.length;
        isRight &&= bytes.every((byte) => byte === 7);
      },
      onDrain: () => undefined,
      onEnd: () => undefined,
      onError: () => undefined,
    });
    await expect.poll(() => count).toBeGreaterThan(0);
    transport.pause();
    const before = count;
    await sleep(100);
    expect(count - before).toBeLessThan(size / 4);
    transport.resume();
    await expect.poll(() => count).toBe(size);
    expect(isRight).toBe(true);
    transport.destroy();
  });
});

describe('SASL', () => {
  test.each(MECHANISMS)('%s on the unix socket and over TLS', async (mechanism) => {
    const auth = { ...user, mechanisms: [mechanism] };
    await expect(talk('test:///default', { socketPath: guarded.socketPath, auth })).resolves.toBe('answered');
    const { ca, client } = guarded.certificates;
    await expect(
      talk(`test+tls://localhost:${guarded.tlsPort}/default`, { tls: { ca, ...client }, auth }),
    ).resolves.toBe('answered');
  });

  test('the strongest is taken, and who is asked for the password is told', async () => {
    const asked: unknown[] = [];
    await using _ = await connect('test:///default', {
      socketPath: guarded.socketPath,
      credentials: async (request) => {
        asked.push(request);
        return user;
      },
    });
    expect(asked).toEqual([{ peer: guarded.socketPath, mechanism: 'SCRAM-SHA-512', username: undefined }]);
  });

  test.each(MECHANISMS)('a wrong password is refused and told to nobody: %s', async (mechanism) => {
    const auth = { username: 'nova', password: 'wrong-one', mechanisms: [mechanism] };
    const error: unknown = await connect('test:///default', { socketPath: guarded.socketPath, auth }).catch((e) => e);
    expect(error).toMatchObject({ name: 'AuthError', code: 45 });
    expect(JSON.stringify(error) + String(error)).not.toContain('wrong-one');
  });

  test('nothing is said where others can read it', async () => {
    await expect(connect(`test+tcp://127.0.0.1:${guarded.tcpPort}/default`, { auth: user })).rejects.toMatchObject({
      name: 'AuthError',
      message: expect.stringContaining('+tls'),
    });
  });

  test('a server that is not verified is not given the password itself', async () => {
    const { client } = guarded.certificates;
    const by = (mechanism: 'PLAIN' | 'SCRAM-SHA-256') => ({
      tls: { ...client, verify: false },
      auth: { ...user, mechanisms: [mechanism] },
    });
    const uri = `test+tls://localhost:${guarded.tlsPort}/default`;
    await expect(talk(uri, { tls: { ...client, verify: false }, auth: user })).resolves.toBe('answered');
    await expect(talk(uri, by('SCRAM-SHA-256'))).resolves.toBe('answered');
    await expect(talk(uri, by('PLAIN'))).resolves.toBe('answered');
    await using plainOnly = await PrivateLibvirtd.start({ auth: { tls: 'sasl' }, user, mechanisms: ['PLAIN'] });
    const tls = { ...plainOnly.certificates.client, verify: false };
    await expect(
      connect(`test+tls://localhost:${plainOnly.tlsPort}/default`, { tls, auth: user }),
    ).rejects.toMatchObject({ name: 'AuthError', message: expect.stringContaining('nobody has verified') });
  });

  test('without a password, or without a mechanism that both have', async () => {
    const { socketPath } = guarded;
    await expect(connect('test:///default', { socketPath })).rejects.toThrow(/pass the option auth/);
  });
});

describe('ssh', () => {
  test('by virt-ssh-helper to the machine’s libvirtd', async () => {
    await expect(talk(sshUri('?proxy=native'), { ssh: sshd.ssh })).resolves.toBe('answered');
    await expect(talk(sshUri(), { ssh: sshd.ssh, readonly: true })).resolves.toBe('answered');
  });

  test('by netcat to a socket', async () => {
    await expect(talk(sshUri(within(open.socketPath)), { ssh: sshd.ssh })).resolves.toBe('answered');
    await expect(
      talk(sshUri(`${within(open.socketPath)}&proxy=netcat&netcat=/usr/bin/nc`), { ssh: sshd.ssh }),
    ).resolves.toBe('answered');
  });

  test('by netcat where the helper is missing', async () => {
    const path = join(folder, 'bin');
    await mkdir(path);
    await Promise.all(['sh', 'nc'].map((program) => symlink(`/bin/${program}`, join(path, program))));
    await using without = await PrivateSshd.start({ path });
    const uri = `test+ssh://${without.user}@127.0.0.1:${without.port}/default`;
    await expect(talk(uri, { ssh: without.ssh })).resolves.toBe('answered');
    await expect(talk(uri, { ssh: without.ssh, readonly: true })).resolves.toBe('answered');
    await expect(connect(`${uri}?proxy=native`, { ssh: without.ssh })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('SASL through the tunnel', async () => {
    await expect(talk(sshUri(within(guarded.socketPath)), { ssh: sshd.ssh, auth: user })).resolves.toBe('answered');
  });

  test('a socket with a name that a shell would take to pieces', async () => {
    const odd = join(open.folder, 'it\'s a $(touch hugenode-oops) `socket`; %&"\\');
    await rm(odd, { force: true });
    await symlink(open.socketPath, odd);
    await expect(talk(sshUri(within(odd)), { ssh: sshd.ssh })).resolves.toBe('answered');
    await expect(readFile(join(homedir(), 'hugenode-oops'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('an unknown host key, a key that sshd does not know, no sshd, no ssh', async () => {
    const knownHostsFile = join(sshd.folder, 'no_known_hosts');
    await expect(connect(sshUri(), { ssh: { ...sshd.ssh, knownHostsFile } })).rejects.toMatchObject({
      name: 'ConnectError',
      code: 'SSH_HOST_KEY',
    });
    const keyfile = encodeURIComponent(join(sshd.folder, 'unknown_key'));
    await expect(connect(sshUri(`?keyfile=${keyfile}`), { ssh: sshd.ssh })).rejects.toMatchObject({
      code: 'SSH_AUTHENTICATION',
      message: expect.stringContaining('Permission denied'),
    });
    await expect(connect('test+ssh://127.0.0.1:1/default', { ssh: sshd.ssh })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
    await expect(connect(sshUri('?command=/no/ssh'), { ssh: sshd.ssh })).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(connect(sshUri(within('/no/socket')), { ssh: sshd.ssh })).rejects.toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining('/no/socket'),
    });
  });

  test('no_verify=1 takes a new host key', async () => {
    const knownHostsFile = join(folder, 'new_known_hosts');
    await expect(talk(sshUri('?no_verify=1'), { ssh: { ...sshd.ssh, knownHostsFile } })).resolves.toBe('answered');
    expect(await readFile(knownHostsFile, 'utf8')).toContain(String(sshd.port));
  });

  test('the process ends with the connection, and the connection with the process', async () => {
    const pidFile = join(folder, 'ssh.pid');
    const command = join(folder, 'counted-ssh');
    await writeFile(command, `#!/bin/sh\necho $$ >${pidFile}\nexec ssh "$@"\n`);
    await chmod(command, 0o755);
    const uri = sshUri(`?command=${encodeURIComponent(command)}`);
    await expect(talk(uri, { ssh: sshd.ssh })).resolves.toBe('answered');
    const first = Number(await readFile(pidFile, 'utf8'));
    await expect.poll(() => isAlive(first)).toBe(false);

    const connection = await connect(uri, { ssh: sshd.ssh });
    process.kill(Number(await readFile(pidFile, 'utf8')), 'SIGKILL');
    expect(await connection.closed).toMatchObject({ kind: 'transport', error: { message: /ended by SIGKILL/ } });
  });

  test('an ssh that never comes through is given up and gone', async () => {
    const pidFile = join(folder, 'sleeping.pid');
    const command = join(folder, 'sleeping-ssh');
    await writeFile(command, `#!/bin/sh\ntrap '' TERM\necho $$ >${pidFile}\nwhile :; do sleep 0.1; done\n`);
    await chmod(command, 0o755);
    const uri = sshUri(`?command=${encodeURIComponent(command)}`);
    await expect(connect(uri, { callTimeoutMs: 300 })).rejects.toMatchObject({ name: 'CallTimeoutError' });
    const pid = Number(await readFile(pidFile, 'utf8'));
    await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
  });
});

describe('ext', () => {
  test('a program that leads to the socket', async () => {
    const command = join(folder, 'way');
    await writeFile(command, `#!/bin/sh\nexec nc -U '${open.socketPath}'\n`);
    await chmod(command, 0o755);
    await expect(talk(`test+ext:///default?command=${encodeURIComponent(command)}`)).resolves.toBe('answered');
  });
});

test('the machine’s libvirtd is still its own', async () => {
  const { stdout } = await run('virsh', ['-c', 'qemu:///system', 'uri'], { timeout: 60_000 });
  expect(stdout.trim()).toBe('qemu:///system');
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
