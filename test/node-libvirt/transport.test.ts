/** Ways to a daemon, with servers and programs that behave as badly as real ones: nothing hangs and nothing stays. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { duplexTransport } from '../../src/node-libvirt/transport/duplex.ts';
import { openTransport, type TransportOptions } from '../../src/node-libvirt/transport/open.ts';
import { remoteCommand, sshCommand } from '../../src/node-libvirt/transport/ssh.ts';
import { packetsOf } from '../../src/node-libvirt/transport/tls_transport.ts';
import type { Transport } from '../../src/node-libvirt/transport/transport.ts';
import { chooseSocket, type SocketPlaces } from '../../src/node-libvirt/transport/unix.ts';
import { parseUri } from '../../src/node-libvirt/transport/uri.ts';

const run = promisify(execFile);

let folder: string;
const servers: Server[] = [];
const clients: Socket[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nlv-transport-'));
});
afterEach(async () => {
  for (const socket of clients.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true, force: true });
});

/** A server on a unix socket, or on a port where the path is a number. */
async function serve(onClient: (socket: Socket) => void, path: string | number = join(folder, 'socket')) {
  const server = createServer((socket) => {
    clients.push(socket.on('error', () => undefined));
    onClient(socket);
  });
  servers.push(server);
  if (typeof path === 'number') server.listen(path, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server that listens has one, and a path where given
  return typeof path === 'number' ? (server.address() as AddressInfo).port : path;
}

async function program(name: string, script: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

function open(uri: string, options: TransportOptions = {}, timeoutMs = 5000, signal?: AbortSignal): Promise<Transport> {
  return openTransport(parseUri(uri), options, { timeoutMs, signal });
}

const toSocket = (path: string | number) => open('test:///default', { socketPath: String(path) });
const ext = (path: string) => `test+ext:///default?command=${encodeURIComponent(path)}`;

/** Takes down what happens; buffers are copied, as they are used again. */
class Heard {
  text = '';
  drains = 0;
  readonly errors: Error[] = [];
  readonly ended: Promise<void>;
  readonly memories = new Set<ArrayBufferLike>();

  constructor(transport: Transport) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    transport.start({
      onBytes: (bytes) => {
        this.memories.add(bytes.buffer);
        this.text += bytes.toString('latin1');
      },
      onDrain: () => {
        this.drains += 1;
      },
      onEnd: resolve,
      onError: (error) => this.errors.push(error),
    });
  }
}

describe('unix', () => {
  test('what the peer says before anyone listens is kept, in order, up to its end', async () => {
    const path = await serve((socket) => {
      socket.write('one ');
      setTimeout(() => socket.end('two'), 20);
    });
    const transport = await toSocket(path);
    expect(transport.peer).toBe(path);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const heard = new Heard(transport);
    await heard.ended;
    expect(heard.text).toBe('one two');
    expect(heard.errors).toEqual([]);
  });

  test('reads into one buffer, writes back, pauses and goes on', async () => {
    const path = await serve((socket) => socket.pipe(socket));
    const transport = await toSocket(path);
    const heard = new Heard(transport);
    const big = Buffer.alloc(1_000_000, 'x');
    while (transport.write(big));
    expect(transport.needsDrain).toBe(true);
    await expect.poll(() => heard.drains).toBeGreaterThan(0);
    expect(transport.needsDrain).toBe(false);
    expect(heard.memories.size).toBe(1);
    transport.pause();
    const before = heard.text.length;
    transport.write(Buffer.from('more'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(heard.text.length - before).toBeLessThanOrEqual(64 * 1024);
    transport.resume();
    await expect.poll(() => heard.text.endsWith('xmore')).toBe(true);
    transport.destroy();
    await heard.ended;
  });

  test('a peer that breaks off is an error and an end, and writing after it harms nobody', async () => {
    const port = await serve((socket) => void socket.once('data', () => socket.resetAndDestroy()), 0);
    const transport = await open(`test+tcp://127.0.0.1:${port}/default`);
    const heard = new Heard(transport);
    transport.write(Buffer.from('hello'));
    await heard.ended;
    expect(heard.errors).toMatchObject([{ code: 'ECONNRESET' }]);
    transport.write(Buffer.from('hello?'));
    transport.destroy();
    transport.write(Buffer.from('hello?'));
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(heard.text).toBe('');
  });

  test('an error before start() is not lost', async () => {
    const path = await serve((socket) => socket.resume());
    const transport = await toSocket(path);
    for (const socket of clients) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 10));
    transport.write(Buffer.from('x'));
    await new Promise((resolve) => setTimeout(resolve, 10));
    const heard = new Heard(transport);
    await heard.ended;
    expect(heard.errors).toMatchObject([{ code: 'EPIPE' }]);
  });
});

/** What would keep the process alive. */
function quiet(): readonly string[] {
  return process.getActiveResourcesInfo().filter((kind) => /Timeout|Wrap/.test(kind) && !/TTY|Server/.test(kind));
}

describe('an attempt that fails', () => {
  const neverAnswers = [
    ['TLS with who never shakes hands', (port: number) => `test+tls://127.0.0.1:${port}/default`],
  ] as const;

  test.each(neverAnswers)('by the clock: %s', async (_, uriOf) => {
    const port = await serve((socket) => socket.resume(), 0);
    await expect(open(uriOf(Number(port)), { tls: { verify: false } }, 50)).rejects.toMatchObject({
      name: 'ConnectError',
      code: 'ETIMEDOUT',
      peer: `tls://127.0.0.1:${port}`,
      requestSent: false,
    });
    for (const socket of clients) if (!socket.destroyed) await once(socket, 'close');
  });

  test.each(neverAnswers)('by the signal: %s', async (_, uriOf) => {
    const port = await serve((socket) => socket.resume(), 0);
    const controller = new AbortController();
    const opening = open(uriOf(Number(port)), { tls: { verify: false } }, 5000, controller.signal);
    setTimeout(() => controller.abort(new Error('enough')), 30);
    await expect(opening).rejects.toThrow('enough');
    for (const socket of clients) if (!socket.destroyed) await once(socket, 'close');
  });

  test.each([
    'test:///default',
    'test+tcp://localhost/',
    'test+tls://localhost/',
    'test+ssh://localhost/',
    ext('/bin/cat'),
  ])('nothing is begun with a signal that is aborted already: %s', async (uri) => {
    const before = quiet();
    const signal = AbortSignal.abort(new Error('never'));
    await expect(open(uri, {}, 5000, signal)).rejects.toThrow('never');
    expect(quiet()).toEqual(before);
  });

  test.each(['test+tcp://127.0.0.1:1/', 'test+tls://127.0.0.1:1/?no_verify=1', ext('/no/such/program')])(
    'leaves no timer, socket or process: %s',
    async (uri) => {
      const before = quiet();
      await expect(open(uri)).rejects.toMatchObject({ name: 'ConnectError', message: expect.stringMatching(/; /) });
      await expect.poll(quiet).toEqual(before);
    },
  );

  test('a host that is not there', async () => {
    await expect(open('test+tcp://no-such-host.invalid/default')).rejects.toMatchObject({
      code: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/),
      peer: 'tcp://no-such-host.invalid:16509',
    });
  });

  test('a TLS port that speaks plain', async () => {
    const port = await serve((socket) => socket.end('220 mail.example ESMTP\r\n'), 0);
    await expect(open(`test+tls://127.0.0.1:${port}/default?no_verify=1`)).rejects.toThrow(/plain port/);
  });

  test('TLS options that do not go together', async () => {
    await expect(open('test+tls://127.0.0.1:1/', { tls: { cert: 'x' } })).rejects.toThrow(/belong together/);
    const both = open('test+tls://127.0.0.1:1/?pkipath=/p', { tls: { ca: 'x' } });
    await expect(both).rejects.toThrow(/leave one of them out/);
    const noPem = open('test+tls://127.0.0.1:1/', { tls: { ca: 'x', cert: 'x', key: 'x' } });
    await expect(noPem).rejects.toMatchObject({ name: 'ConnectError', message: expect.stringContaining('PEM') });
    await expect(open(`test+tls://127.0.0.1:1/?pkipath=${folder}`)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(open('test+ssh://node1/', { socketPath: '/s' })).rejects.toThrow(RangeError);
  });
});

describe('a program’s stdio', () => {
  test('carries bytes both ways', async () => {
    const transport = await open(ext('/bin/cat'));
    const heard = new Heard(transport);
    transport.write(Buffer.from('there and back'));
    await expect.poll(() => heard.text).toBe('there and back');
    transport.destroy();
  });

  test('its last words are in the error, without what moves a cursor', async () => {
    const path = await program('talks', String.raw`printf '\033[2Jnot today\n\nreally' >&2; exit 7`);
    const heard = new Heard(await open(ext(path)));
    await heard.ended;
    expect(heard.errors).toMatchObject([
      {
        name: 'ConnectError',
        code: 'COMMAND_ENDED',
        message: expect.stringContaining('exit code 7: [2Jnot today really'),
      },
    ]);
  });

  test('only the end of many words is kept', async () => {
    const path = await program('talks-much', 'yes | head -c 1000000 >&2; echo the end >&2; exit 1');
    const heard = new Heard(await open(ext(path)));
    await heard.ended;
    expect(heard.errors[0]?.message).toContain('the end');
    expect(heard.errors[0]?.message.length).toBeLessThan(5000);
  });

  test('one that has talked and dies is an error of the connection', async () => {
    const path = await program('dies', 'echo hello; kill -9 $$');
    const heard = new Heard(await open(ext(path)));
    await heard.ended;
    expect(heard.text).toBe('hello\n');
    expect(heard.errors).toMatchObject([{ name: 'Error', message: expect.stringContaining('SIGKILL') }]);
  });

  test('one that has talked and leaves is an end', async () => {
    const path = await program('leaves', 'echo hello');
    const heard = new Heard(await open(ext(path)));
    await heard.ended;
    expect(heard.errors).toEqual([]);
  });

  test('one that closes its output and stays is given a second', async () => {
    const path = await program('stays', `echo $$ >${join(folder, 'pid')}; exec >&- 2>&-; exec sleep 60`);
    const transport = await open(ext(path));
    const heard = new Heard(transport);
    await heard.ended;
    expect(heard.errors[0]?.message).toContain('closed its output');
    transport.destroy();
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'));
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test('writing into one that has gone is no uncaught error', async () => {
    const transport = await open(ext('/bin/true'));
    for (let count = 0; count < 20; count += 1) {
      transport.write(Buffer.alloc(100_000));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const heard = new Heard(transport);
    await heard.ended;
    expect(heard.errors).toHaveLength(1);
    transport.destroy();
  });
});

test('a stream of one’s own', async () => {
  const [ours, theirs] = duplexPair();
  const transport = duplexTransport(ours, 'my tunnel');
  theirs.write('early ');
  const heard = new Heard(transport);
  theirs.write('late');
  transport.write(Buffer.from('hello'));
  expect(String(await once(theirs, 'data'))).toBe('hello');
  await expect.poll(() => heard.text).toBe('early late');
  theirs.end();
  await heard.ended;
  ours.destroy(new Error('it broke'));
  await expect.poll(() => heard.errors.map(({ message }) => message)).toEqual(['it broke']);
});

function there(...paths: string[]): SocketPlaces {
  const exists = (path: string) => paths.includes(path);
  return { isRoot: false, runtimeDirectory: '/run/user/7', home: '/home/jo', exists };
}

describe('the socket on this host', () => {
  test.each([
    ['qemu:///system', false, there(), '/run/libvirt/libvirt-sock'],
    ['qemu:///system', true, there(), '/run/libvirt/libvirt-sock-ro'],
    ['qemu:///system', false, there('/run/libvirt/virtqemud-sock'), '/run/libvirt/virtqemud-sock'],
    ['qemu:///system', true, there('/run/libvirt/virtqemud-sock-ro'), '/run/libvirt/virtqemud-sock-ro'],
    ['qemu:///system?mode=legacy', false, there('/run/libvirt/virtqemud-sock'), '/run/libvirt/libvirt-sock'],
    ['lxc:///system?mode=direct', false, there(), '/run/libvirt/virtlxcd-sock'],
    ['network:///system?mode=direct', true, there(), '/run/libvirt/virtnetworkd-sock-ro'],
    ['nodedev:///system?mode=direct', false, there(), '/run/libvirt/virtnodedevd-sock'],
    ['test:///default', false, there(), '/run/libvirt/libvirt-sock'],
    ['test+unix:///default', false, there(), '/run/user/7/libvirt/libvirt-sock'],
    ['qemu:///session', false, there(), '/run/user/7/libvirt/libvirt-sock'],
    ['qemu:///session', true, there(), '/run/user/7/libvirt/libvirt-sock'],
    ['qemu:///session', false, there('/run/user/7/libvirt/virtqemud-sock'), '/run/user/7/libvirt/virtqemud-sock'],
    ['qemu:///session', false, { ...there(), runtimeDirectory: undefined }, '/home/jo/.cache/libvirt/libvirt-sock'],
    ['qemu:///session', false, { ...there(), runtimeDirectory: '' }, '/home/jo/.cache/libvirt/libvirt-sock'],
    ['qemu:///session', true, { ...there(), isRoot: true }, '/run/libvirt/libvirt-sock-ro'],
    ['qemu:///system?socket=/my/own', true, there(), '/my/own'],
  ] as const)('%s, read-only %s: case %#', (uri, isReadonly, places, path) => {
    expect(chooseSocket(parseUri(uri), isReadonly, places)).toBe(path);
  });
});

describe('ssh', () => {
  test('arguments', () => {
    const uri = parseUri('qemu+ssh://root@node1:2222/system?no_tty=1&no_verify=1&keyfile=/k');
    const { program: name, args } = sshCommand(uri, { knownHostsFile: '/a b%', args: ['-v'] }, false);
    const shell = `sh -c 'if command -v virt-ssh-helper >/dev/null 2>&1; then exec virt-ssh-helper '\\''qemu:///system'\\'';`;
    expect(name).toBe('ssh');
    const options = '-p 2222 -l root -i /k -o BatchMode=yes -o StrictHostKeyChecking=no -o'.split(' ');
    const rest = '-v -T -e none -- node1'.split(' ');
    expect(args.slice(0, -1)).toEqual([...options, 'UserKnownHostsFile="/a b%%"', ...rest]);
    expect(args.at(-1)?.startsWith(shell)).toBe(true);
    expect(sshCommand(parseUri('qemu+ssh:///system?command=/my/ssh'), { command: 'other' }, false)).toMatchObject({
      program: '/my/ssh',
      args: ['-T', '-e', 'none', '--', 'localhost', expect.any(String)],
    });
  });

  test.each([
    ['qemu+ssh://n/system', /virt-ssh-helper '\\''qemu:\/\/\/system'\\''; else .*\/var\/run\/libvirt\/libvirt-sock/],
    ['qemu+ssh://n/system?mode=direct', /qemu:\/\/\/system\?mode=direct.*\/var\/run\/libvirt\/virtqemud-sock/],
    ['qemu+ssh://n/system?proxy=native', /^sh -c 'exec virt-ssh-helper '\\''qemu:\/\/\/system'\\'''$/],
    ['qemu+ssh://n/session', /^sh -c 'exec virt-ssh-helper '\\''qemu:\/\/\/session'\\'''$/],
    ['qemu+ssh://n/system?socket=/s', /^sh -c 'q=;[^]*-U '\\''\/s'\\'''$/],
  ])('%s', (uri, line) => {
    expect(remoteCommand(parseUri(uri), false)).toMatch(line);
  });

  test('a shell gives the programs what was meant, whatever it is', async () => {
    const helper = await program('virt-ssh-helper', String.raw`printf '%s|' helper "$@"`);
    const netcat = await program(
      'nc',
      String.raw`[ "$1" = -q ] && [ $# = 1 ] && { echo 'nc: option requires an argument' >&2; exit; }; printf '%s|' nc "$@"`,
    );
    // Nothing else: the machine may have a real virt-ssh-helper.
    await symlink('/bin/sh', join(folder, 'sh'));
    const env = { PATH: folder };
    const said = async (uri: string, isReadonly: boolean) =>
      (await run('/bin/sh', ['-c', remoteCommand(parseUri(uri), isReadonly)], { env })).stdout;
    const texts = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 20 })
      .filter((text) => text.isWellFormed() && !/\p{Cc}/u.test(text));
    const nasty = fc.oneof(
      texts,
      fc.constantFrom(`'; touch /tmp/oops; '`, '$(id)', '`id`', String.raw`\'`, '"', '-U', '&&', '~'),
    );
    const property = fc.asyncProperty(nasty, fc.boolean(), async (text, isReadonly) => {
      const escaped = encodeURIComponent(text);
      const quoted = await said(`qemu+ssh://n/system?socket=${escaped}`, isReadonly);
      expect(quoted).toBe(`nc|-q0|-U|${text}|`);
      const helped = await said(`qemu+ssh://n/system?x=${escaped}`, isReadonly);
      expect(helped).toBe(`helper|${isReadonly ? '-r|' : ''}qemu:///system?x=${escaped}|`);
    });
    await fc.assert(property, { numRuns: 10 });
    await rm(helper);
    expect(await said('qemu+ssh://n/system', true)).toBe('nc|-q0|-U|/var/run/libvirt/libvirt-sock-ro|');
    await writeFile(
      netcat,
      String.raw`#!/bin/sh
printf '%s|' nc "$@"`,
    );
    expect(await said('qemu+ssh://n/system', false)).toBe('nc|-U|/var/run/libvirt/libvirt-sock|');
  });

  test.each([
    ['Host key verification failed.', 'SSH_HOST_KEY'],
    ['root@n: Permission denied (publickey).', 'SSH_AUTHENTICATION'],
    ['ssh: Could not resolve hostname n: Name or service not known', 'ENOTFOUND'],
    ['ssh: connect to host n port 22: Connection refused', 'ECONNREFUSED'],
    ['ssh: connect to host n port 22: Connection timed out', 'ETIMEDOUT'],
    ['ssh: connect to host n port 22: No route to host', 'EHOSTUNREACH'],
    ['sh: 1: nc: not found', 'ENOENT'],
    ['something else', 'COMMAND_ENDED'],
  ])('%s', async (words, code) => {
    const command = await program('ssh', `echo '${words}' >&2; exit 255`);
    const heard = new Heard(await open('qemu+ssh://n/system', { ssh: { command } }));
    await heard.ended;
    expect(heard.errors).toMatchObject([
      { name: 'ConnectError', code, peer: 'ssh://n', message: expect.stringContaining(words) },
    ]);
  });
});

test('TLS goes packet by packet, whatever was written together', () => {
  const packet = fc.uint8Array({ maxLength: 40 }).map((payload) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(4 + payload.length);
    return Buffer.concat([head, payload]);
  });
  fc.assert(
    fc.property(fc.array(packet), (packets) => {
      expect(packetsOf(Buffer.concat(packets))).toEqual(packets);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(Buffer.concat(packetsOf(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
    }),
  );
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
