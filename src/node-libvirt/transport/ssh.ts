/**
 * ssh, by the ssh program: its configuration, agent and keys are the user's, and nothing of them is needed here.
 *
 * On the other side virt-ssh-helper leads to the daemon; where it is missing (libvirt before 6.8), netcat does. The
 * remote login shell, whatever it is, gets one line, and in it a script for sh with each piece quoted.
 */
import { ConnectErrorCode } from '../errors.ts';
import type { Command } from './command.ts';
import { driverSocket } from './unix.ts';
import type { LibvirtUri } from './uri.ts';

/** What the URI names itself counts before these. */
export type SshOptions = {
  /** The ssh program; default `ssh` on the path. */
  readonly command?: string;
  /** Private key; default: what ssh finds by itself. */
  readonly keyfile?: string;
  /** Host keys, instead of ~/.ssh/known_hosts. */
  readonly knownHostsFile?: string;
  /** More arguments of ssh, e.g. ['-o', 'ConnectTimeout=5']. */
  readonly args?: readonly string[];
};

/** Not /run: the other host may be older than that, and where there is /run this leads to it. */
const REMOTE_DIRECTORY = '/var/run/libvirt';

export function sshCommand(uri: LibvirtUri, options: SshOptions, isReadonly: boolean): Command {
  const { host = 'localhost', port, user, params } = uri;
  const keyfile = params.keyfile ?? options.keyfile;
  const args = [
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(user === undefined ? [] : ['-l', user]),
    ...(keyfile === undefined ? [] : ['-i', keyfile]),
    ...(params.noTty ? ['-o', 'BatchMode=yes'] : []),
    ...(params.noVerify ? ['-o', 'StrictHostKeyChecking=no'] : []),
    ...(options.knownHostsFile === undefined
      ? []
      : ['-o', `UserKnownHostsFile=${configValue(options.knownHostsFile)}`]),
    ...(options.args ?? []),
    // No terminal, and no character that means something to ssh.
    '-T',
    '-e',
    'none',
    '--',
    host,
    remoteCommand(uri, isReadonly),
  ];
  return { program: params.command ?? options.command ?? 'ssh', args, explain };
}

/** `ext`: the program alone, as libvirt runs it. */
export function externalCommand(uri: LibvirtUri): Command {
  const advice = 'the command does not lead to the daemon';
  return {
    program: uri.params.command ?? '',
    args: [],
    explain: () => ({ code: ConnectErrorCode.COMMAND_ENDED, advice }),
  };
}

/** The line for the remote login shell. */
export function remoteCommand(uri: LibvirtUri, isReadonly: boolean): string {
  const helper = `virt-ssh-helper ${isReadonly ? '-r ' : ''}${quoted(uri.helperName)}`;
  const netcat = netcatScript(uri, isReadonly);
  switch (chooseProxy(uri)) {
    case 'native':
      return `sh -c ${quoted(`exec ${helper}`)}`;
    case 'netcat':
      return `sh -c ${quoted(netcat)}`;
    case 'auto':
      return `sh -c ${quoted(`if command -v virt-ssh-helper >/dev/null 2>&1; then exec ${helper}; else ${netcat}; fi`)}`;
  }
}

/** libvirt's defaults: a socket is for netcat, as old helpers know no socket=; a session's path only the other side knows. */
function chooseProxy({ params, path }: LibvirtUri): 'auto' | 'netcat' | 'native' {
  if (params.proxy !== undefined) return params.proxy;
  if (params.socket !== undefined) return 'netcat';
  return path === '/session' ? 'native' : 'auto';
}

/** Where -q wants an argument it means «leave when the input ends», without which that netcat would stay for ever. */
function netcatScript({ params, driver }: LibvirtUri, isReadonly: boolean): string {
  const netcat = quoted(params.netcat ?? 'nc');
  const name = params.mode === 'direct' ? driverSocket(driver) : 'libvirt-sock';
  const socket = quoted(params.socket ?? `${REMOTE_DIRECTORY}/${name}${isReadonly ? '-ro' : ''}`);
  const asked = `$(LC_ALL=C ${netcat} -q 2>&1 </dev/null)`;
  return `q=; case "${asked}" in *"requires an argument"*) q=-q0;; esac; exec ${netcat} $q -U ${socket}`;
}

/** For a POSIX shell: within single quotes nothing means anything, but the quote itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** In ssh's configuration a space ends a value and % begins a token. */
function configValue(path: string): string {
  return `"${path.replaceAll('%', '%%').replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** ssh's own failures have exit code 255 and texts that are the same in every language. */
const failures: readonly { readonly text: RegExp; readonly code: string; readonly advice: string }[] = [
  {
    text: /host key verification failed|remote host identification has changed|no .*host key is known/i,
    code: ConnectErrorCode.SSH_HOST_KEY,
    advice:
      'the host’s key is unknown or has changed; connect once by hand, or see known_hosts (no_verify=1 takes new keys)',
  },
  {
    text: /permission denied|too many authentication failures|no more authentication methods/i,
    code: ConnectErrorCode.SSH_AUTHENTICATION,
    advice: 'sshd does not let this user in; load the key into the agent, or name it by keyfile=',
  },
  { text: /could not resolve hostname/i, code: 'ENOTFOUND', advice: 'there is no such host; check the name' },
  {
    text: /connection refused/i,
    code: 'ECONNREFUSED',
    advice: 'nobody listens there; start sshd, or correct the port',
  },
  { text: /timed out/i, code: 'ETIMEDOUT', advice: 'the host does not answer; is it up, and the port open?' },
  { text: /no route to host|network is unreachable/i, code: 'EHOSTUNREACH', advice: 'there is no way to that host' },
  {
    text: /not found|no such file/i,
    code: 'ENOENT',
    advice:
      'the other host lacks virt-ssh-helper, netcat or the socket; start libvirtd there, or see proxy= and socket=',
  },
];

function explain(lastWords: string): { readonly code: string; readonly advice: string } {
  const known = failures.find(({ text }) => text.test(lastWords));
  return known ?? { code: ConnectErrorCode.COMMAND_ENDED, advice: 'ssh ended before the daemon spoke' };
}
