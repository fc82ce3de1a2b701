/** An sshd of a test's own on 127.0.0.1, with its own keys and configuration: nothing in /etc/ssh or ~/.ssh is used. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { accepts, freePort } from './private_libvirtd.ts';

const run = promisify(execFile);
const START_TIMEOUT_MS = 10_000;

export class PrivateSshd implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly user = userInfo().username;
  readonly #process: ChildProcess;

  private constructor(folder: string, port: number, process: ChildProcess) {
    this.folder = folder;
    this.port = port;
    this.#process = process;
  }

  /** @param path where programs are looked for after the login */
  static async start({ path }: { readonly path?: string } = {}): Promise<PrivateSshd> {
    const folder = await mkdtemp(join(tmpdir(), 'hugenode-sshd-'));
    const port = await freePort();
    await Promise.all(['host_key', 'key', 'unknown_key'].map((name) => newKey(join(folder, name))));
    await copyFile(join(folder, 'key.pub'), join(folder, 'authorized_keys'));
    await writeFile(
      join(folder, 'known_hosts'),
      `[127.0.0.1]:${port} ${await readFile(join(folder, 'host_key.pub'), 'utf8')}`,
    );
    await writeFile(join(folder, 'no_known_hosts'), '');
    await writeFile(join(folder, 'sshd_config'), settings(folder, port, path));
    // Debian's unit makes this folder when it starts, sshd wants it, and no setting names another one.
    await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
    const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(folder, 'sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
    });
    const sshd = new PrivateSshd(folder, port, child);
    const end = Date.now() + START_TIMEOUT_MS;
    while (!(await accepts({ host: '127.0.0.1', port }))) {
      if (child.exitCode === null && Date.now() < end) {
        await sleep(20);
        continue;
      }
      await sshd[Symbol.asyncDispose]();
      throw new Error(`the private sshd does not come up: ${said}`);
    }
    return sshd;
  }

  /** ssh's options for coming in; args keep the user's own configuration, agent and known hosts out. */
  get ssh(): { readonly keyfile: string; readonly knownHostsFile: string; readonly args: readonly string[] } {
    const options = ['GlobalKnownHostsFile=/dev/null', 'IdentitiesOnly=yes', 'IdentityAgent=none', 'BatchMode=yes'];
    return {
      keyfile: join(this.folder, 'key'),
      knownHostsFile: join(this.folder, 'known_hosts'),
      args: ['-F', 'none', ...options.flatMap((option) => ['-o', option])],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const gone = once(this.#process, 'exit');
      this.#process.kill('SIGTERM');
      await gone;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function newKey(path: string): Promise<void> {
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'hugenode test', '-f', path]);
}

function settings(folder: string, port: number, path: string | undefined): string {
  return [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    'PidFile none',
    'LogLevel ERROR',
    `HostKey ${join(folder, 'host_key')}`,
    `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
    // Folders of /tmp are anyone's to write in, which sshd would not have.
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'PermitUserRC no',
    'PrintMotd no',
    ...(path === undefined ? [] : [`SetEnv PATH=${path}`]),
    '',
  ].join('\n');
}
