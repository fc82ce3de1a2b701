/**
 * A libvirtd of a test's own, beside the machine's and without a trace of it: it runs as another user, so it is a
 * session daemon that keeps all it has below $HOME and $XDG_RUNTIME_DIR, and those are a temporary folder. It finds no
 * QEMU on its path, so it comes up in a moment and probes nothing; what it serves is the test driver.
 *
 * It listens on a unix socket and, on 127.0.0.1, on TCP and TLS. Session daemons have no read-only socket.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeCertificates, type Certificates } from './certificates.ts';

const run = promisify(execFile);

/** nobody: anyone but root makes a session daemon. */
const UID = 65_534;
const START_TIMEOUT_MS = 20_000;
/** It goes by itself when its test was killed and nobody is connected any more. */
const LONELY_S = 120;

type Auth = 'none' | 'sasl';

export type PrivateLibvirtdOptions = {
  /** For who comes by unix socket, TCP and TLS; default none (TLS asks for a client certificate in any case). */
  readonly auth?: { readonly unix?: Auth; readonly tcp?: Auth; readonly tls?: Auth };
  /** Who may come where it is sasl. */
  readonly user?: { readonly username: string; readonly password: string };
  /** Cyrus SASL's names. */
  readonly mechanisms?: readonly string[];
  /** Further lines of libvirtd.conf. */
  readonly settings?: readonly string[];
};

export class PrivateLibvirtd implements AsyncDisposable {
  readonly folder: string;
  readonly socketPath: string;
  readonly tcpPort: number;
  readonly tlsPort: number;
  readonly certificates: Certificates;
  #process: ChildProcess | undefined;

  private constructor(folder: string, ports: readonly [number, number], certificates: Certificates) {
    this.folder = folder;
    this.socketPath = join(folder, 'run', 'libvirt-sock');
    [this.tcpPort, this.tlsPort] = ports;
    this.certificates = certificates;
  }

  static async start(options: PrivateLibvirtdOptions = {}): Promise<PrivateLibvirtd> {
    const folder = await mkdtemp(join(tmpdir(), 'hugenode-libvirtd-'));
    try {
      await Promise.all(['run', 'home', 'sasl2', 'empty'].map((name) => mkdir(join(folder, name))));
      const [tcpPort, tlsPort, certificates] = await Promise.all([
        freePort(),
        freePort(),
        makeCertificates(folder),
        writeSasl(folder, options),
      ]);
      const daemon = new PrivateLibvirtd(folder, [tcpPort, tlsPort], certificates);
      await writeFile(join(folder, 'libvirtd.conf'), daemon.#settings(options));
      await run('chown', ['-R', `${UID}:${UID}`, folder]);
      await daemon.restart();
      return daemon;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get pid(): number {
    return this.#process?.pid ?? Number.NaN;
  }

  /** Starts it anew on the same socket and ports, with all that the test driver had forgotten. */
  async restart(): Promise<void> {
    await this.stop('SIGTERM');
    const { folder } = this;
    const args = ['--config', join(folder, 'libvirtd.conf'), '--pid-file', join(folder, 'pid'), '--listen'];
    const asNobody = [`--reuid=${UID}`, `--regid=${UID}`, '--clear-groups'];
    const child = spawn(
      '/usr/bin/setpriv',
      [...asNobody, '/usr/sbin/libvirtd', ...args, '--timeout', String(LONELY_S)],
      {
        cwd: folder,
        env: {
          HOME: join(folder, 'home'),
          XDG_RUNTIME_DIR: join(folder, 'run'),
          XDG_CONFIG_HOME: join(folder, 'home', 'config'),
          XDG_CACHE_HOME: join(folder, 'home', 'cache'),
          XDG_DATA_HOME: join(folder, 'home', 'data'),
          SASL_CONF_PATH: join(folder, 'sasl2'),
          PATH: join(folder, 'empty'),
        },
        stdio: 'ignore',
      },
    );
    this.#process = child;
    await once(child, 'spawn');
    await this.#untilItAnswers(child);
  }

  /** Ends it, by default as a crash does. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** As a daemon that hangs: its connections stay open and say nothing. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  #settings({ auth = {}, settings = [] }: PrivateLibvirtdOptions): string {
    const { folder } = this;
    const { unix = 'none', tcp = 'none', tls = 'none' } = auth;
    return [
      'listen_tcp = 1',
      'listen_tls = 1',
      'listen_addr = "127.0.0.1"',
      `tcp_port = "${this.tcpPort}"`,
      `tls_port = "${this.tlsPort}"`,
      `auth_unix_rw = "${unix}"`,
      `auth_tcp = "${tcp}"`,
      `auth_tls = "${tls}"`,
      `unix_sock_dir = "${join(folder, 'run')}"`,
      `ca_file = "${join(folder, 'ca.pem')}"`,
      `cert_file = "${join(folder, 'server.pem')}"`,
      `key_file = "${join(folder, 'server.key')}"`,
      `log_outputs = "2:file:${join(folder, 'log')}"`,
      ...settings,
      '',
    ].join('\n');
  }

  async #untilItAnswers(child: ChildProcess): Promise<void> {
    const end = Date.now() + START_TIMEOUT_MS;
    while (!(await this.#answers())) {
      const isGone = child.exitCode !== null || child.signalCode !== null;
      if (!isGone && Date.now() < end) {
        await sleep(20);
        continue;
      }
      const log = await readFile(join(this.folder, 'log'), 'utf8').catch(() => 'no log');
      await this.stop();
      throw new Error(`the private libvirtd ${isGone ? 'ended' : 'does not answer'}: ${log.slice(-2000)}`);
    }
  }

  async #answers(): Promise<boolean> {
    const host = '127.0.0.1';
    const ways = [{ path: this.socketPath }, { host, port: this.tcpPort }, { host, port: this.tlsPort }];
    return (await Promise.all(ways.map(accepts))).every(Boolean);
  }
}

/** A port that is free now. Two tests that ask at once get two. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A server that was given a number listens on a port, not on a path.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function accepts(way: { path: string } | { host: string; port: number }): Promise<boolean> {
  const socket = createConnection(way);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function writeSasl(folder: string, { user, mechanisms = ['plain'] }: PrivateLibvirtdOptions): Promise<void> {
  const database = join(folder, 'sasl2', 'sasldb2');
  const lines = ['pwcheck_method: auxprop', 'auxprop_plugin: sasldb', `sasldb_path: ${database}`];
  await writeFile(
    join(folder, 'sasl2', 'libvirt.conf'),
    [...lines, `mech_list: ${mechanisms.join(' ')}`, ''].join('\n'),
  );
  if (user === undefined) return;
  const setting = run('/usr/sbin/saslpasswd2', ['-p', '-c', '-f', database, '-a', 'libvirt', user.username]);
  setting.child.stdin?.end(user.password);
  await setting;
  await chmod(database, 0o600);
}
