/**
 * A libvirt URI, taken apart: which way leads to the daemon, and what the daemon is then asked to open.
 *
 *   driver[+transport]://[user@][host][:port]/[path][?params][#fragment]
 *
 * Decides only, touches nothing. What we cannot do is refused here rather than ignored: libvirt.so drops parameters of
 * other transports silently, and who asked for a known_hosts file must not believe that it was used.
 *
 * Source of the rules: libvirt's docs/uri.rst, and for the name that is opened what libvirt 9.0.0 sends.
 */
import { isIPv6 } from 'node:net';
import { UriError } from '../errors.ts';

export type TransportName = 'unix' | 'tcp' | 'tls' | 'ssh' | 'ext';

export type LibvirtUri = {
  /** As it was given. */
  readonly text: string;
  readonly driver: string;
  readonly transport: TransportName;
  readonly user: string | undefined;
  /** Decoded; an IPv6 address without its brackets. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** Decoded, e.g. `/system`. */
  readonly path: string;
  /** What CONNECT_OPEN is given: the URI as the daemon's own host would write it. Empty lets the daemon choose. */
  readonly name: string;
  /** The same for virt-ssh-helper, which wants to know of `mode` and `socket` too. */
  readonly helperName: string;
  readonly params: UriParams;
};

/** The parameters that are ours; the others are part of the name. */
export type UriParams = {
  readonly command: string | undefined;
  readonly socket: string | undefined;
  readonly netcat: string | undefined;
  readonly keyfile: string | undefined;
  readonly pkipath: string | undefined;
  readonly noVerify: boolean;
  readonly noTty: boolean;
  readonly mode: SocketMode;
  readonly proxy: Proxy;
};

/** `direct`: the driver's own daemon; `legacy`: libvirtd (or virtproxyd); `auto`: the former where it is there. */
export type SocketMode = (typeof modes)[number];
/** What carries the bytes from the remote sshd to the daemon; undefined where the URI leaves it to us. */
export type Proxy = (typeof proxies)[number] | undefined;

const modes = ['auto', 'direct', 'legacy'] as const;
const proxies = ['auto', 'netcat', 'native'] as const;
const transports: readonly TransportName[] = ['unix', 'tcp', 'tls', 'ssh', 'ext'];

const FORM =
  'driver[+transport]://[user@][host][:port]/path[?parameters], e.g. qemu:///system or qemu+ssh://node1/system';

/** Ours, but not followed: what to do instead. */
const refused: Readonly<Record<string, string>> = {
  tls_priority:
    'it is GnuTLS’s language, which Node does not speak; leave it out (Node’s defaults are TLS 1.2 and 1.3), or set the tls options',
  known_hosts: 'it is for libssh; give ssh the file by the option ssh.knownHostsFile, or in ~/.ssh/config',
  known_hosts_verify: 'it is for libssh; use no_verify=1 to accept new host keys, or ~/.ssh/config',
  sshauth: 'it is for libssh; ssh takes PreferredAuthentications from ~/.ssh/config, or by the option ssh.args',
  auth: 'pass the option auth: { username, password, mechanisms } instead',
  authfile: 'read the file yourself and pass the option auth or credentials',
};

/** Left out of the name. `no_sanity` asks libvirt.so not to inspect certificate files, which is not done here anyway. */
const consumed = new Set([
  'name',
  'command',
  'socket',
  'netcat',
  'keyfile',
  'pkipath',
  'no_verify',
  'no_tty',
  'no_sanity',
  'mode',
  'proxy',
]);
/** Of these, what virt-ssh-helper consumes on its side. */
const kept = new Set(['mode', 'socket']);

type Param = { readonly name: string; readonly value: string };

/** @throws {UriError} saying which part is wrong, and what would do. */
export function parseUri(text: string): LibvirtUri {
  // Each part has an end of its own, so this is linear in the text.
  const parts = /^([a-z][a-z\d.-]*)(?:\+([^:/?#]*))?:(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(#.*)?$/i.exec(text);
  if (parts === null || hasControl(text) || !text.isWellFormed())
    throw wrong(text, `it does not have the form ${FORM}`);
  const [, driver = '', transportText, authority = '', rawPath = '', query = '', fragment = ''] = parts;
  const { user, host, port } = parseAuthority(text, authority);
  const transport = chooseTransport(text, transportText, host);
  if (transport === 'unix' && (user !== undefined || host !== undefined || port !== undefined))
    throw wrong(text, 'unix sockets are on this host; leave user, host and port out, or take +ssh or +tls');
  if (rawPath !== '' && !rawPath.startsWith('/')) throw wrong(text, `after the scheme come slashes: ${FORM}`);
  const params = parseQuery(text, query);
  const ours = ownParams(text, params);
  if (transport === 'ext' && ours.command === undefined)
    throw wrong(text, '+ext needs the program that leads to the daemon: add command=/path/to/program');
  if (ours.netcat !== undefined && ours.proxy === 'native')
    throw wrong(text, 'proxy=native uses virt-ssh-helper, so netcat= has no meaning; leave one of them out');
  const path = decoded(text, 'path', rawPath);
  const nameFrom = (isOmitted: (name: string) => boolean) =>
    driver.toLowerCase() === 'remote' ? '' : `${driver}://${rawPath}${formatQuery(params, isOmitted)}${fragment}`;
  return {
    text,
    driver,
    transport,
    user,
    host,
    port,
    path,
    name: last(params, 'name') ?? nameFrom((name) => consumed.has(name)),
    helperName: last(params, 'name') ?? nameFrom((name) => consumed.has(name) && !kept.has(name)),
    params: ours,
  };
}

function parseAuthority(text: string, authority: string): Pick<LibvirtUri, 'user' | 'host' | 'port'> {
  const at = authority.lastIndexOf('@');
  const userText = at < 0 ? undefined : authority.slice(0, at);
  if (userText?.includes(':') === true)
    throw wrong(text, 'a password in a URI ends up in logs; pass the option auth: { username, password } instead');
  const [, bracketed, plain = '', portText = ''] =
    /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(authority.slice(at + 1)) ?? [];
  if (bracketed === undefined && plain === '' && authority.slice(at + 1).replace(/^:\d*$/, '') !== '')
    throw wrong(text, 'the host is name, IPv4 address or [IPv6 address], and then :port, a number');
  const host = decoded(text, 'host', bracketed ?? plain);
  if (bracketed !== undefined && !isIPv6(host)) throw wrong(text, `${bracketed} is not an IPv6 address`);
  const user = userText === undefined ? undefined : decoded(text, 'user', userText);
  // ssh would take both for options.
  if (host.startsWith('-') || user?.startsWith('-') === true)
    throw wrong(text, 'neither user nor host begins with «-»');
  if (user === '' || /[\s/@]/.test(host)) throw wrong(text, `user or host is none; the form is ${FORM}`);
  const port = portText === '' ? 0 : Number(portText);
  if (port > 65_535) throw wrong(text, `the port is at most 65535, not ${portText}`);
  // 0 is libvirt's word for the default.
  return { user, host: host === '' ? undefined : host, port: port === 0 ? undefined : port };
}

function chooseTransport(text: string, given: string | undefined, host: string | undefined): TransportName {
  if (given === undefined) return host === undefined ? 'unix' : 'tls';
  const lower = given.toLowerCase();
  const found = transports.find((name) => name === lower);
  if (found !== undefined) return found;
  if (lower === 'libssh' || lower === 'libssh2')
    throw wrong(text, `the transport ${lower} is a C library; take +ssh, which runs the ssh program`);
  throw wrong(text, `there is no transport «${given}»; there are ${transports.join(', ')}`);
}

function parseQuery(text: string, query: string): readonly Param[] {
  return query
    .split(/[&;]/)
    .filter((piece) => piece !== '' && !piece.startsWith('='))
    .map((piece) => {
      const equals = piece.indexOf('=');
      const [name, value] = equals < 0 ? [piece, ''] : [piece.slice(0, equals), piece.slice(equals + 1)];
      return { name: decoded(text, 'parameter', name), value: decoded(text, `parameter ${name}`, value) };
    });
}

function ownParams(text: string, params: readonly Param[]): UriParams {
  for (const { name } of params) {
    const why = refused[name.toLowerCase()];
    if (why !== undefined) throw wrong(text, `${name} is not followed here: ${why}`);
  }
  const value = (name: string) => {
    const found = last(params, name);
    if (found === '') throw wrong(text, `${name} is empty; give it a value or leave it out`);
    return found;
  };
  const isSet = (name: string) => {
    const found = last(params, name);
    if (found !== undefined && !/^-?\d{1,9}$/.test(found)) throw wrong(text, `${name} is 0 or 1, not «${found}»`);
    return found !== undefined && Number(found) !== 0;
  };
  const oneOf = <T extends string>(name: string, choices: readonly T[]): T | undefined => {
    const found = last(params, name);
    const choice = choices.find((each) => each === found);
    if (found !== undefined && choice === undefined)
      throw wrong(text, `${name} is one of ${choices.join(', ')}, not «${found}»`);
    return choice;
  };
  return {
    command: value('command'),
    socket: value('socket'),
    netcat: value('netcat'),
    keyfile: value('keyfile'),
    pkipath: value('pkipath'),
    noVerify: isSet('no_verify'),
    noTty: isSet('no_tty'),
    mode: oneOf('mode', modes) ?? 'auto',
    proxy: oneOf('proxy', proxies),
  };
}

/** Names are compared without case and the last one wins, as libvirt does both. */
function last(params: readonly Param[], name: string): string | undefined {
  return params.findLast((param) => param.name.toLowerCase() === name)?.value;
}

function formatQuery(params: readonly Param[], isOmitted: (name: string) => boolean): string {
  const passed = params.filter(({ name }) => !isOmitted(name.toLowerCase()));
  const pieces = passed.map(({ name, value }) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return pieces.length === 0 ? '' : `?${pieces.join('&')}`;
}

/** Only %XX: a + is a plus here, other than in forms on the web. */
function decoded(text: string, what: string, value: string): string {
  let result: string;
  try {
    result = decodeURIComponent(value);
  } catch {
    throw wrong(text, `the ${what} has a % that begins no UTF-8 character; write % itself as %25`);
  }
  if (hasControl(result)) throw wrong(text, `the ${what} has a control character`);
  return result;
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function wrong(text: string, why: string): UriError {
  // What follows no rules may have its password anywhere before an @.
  const safe = text.replace(/\/\/([^/?#@:]*):.*@/s, '//$1:…@');
  return new UriError(`cannot follow the libvirt URI ${JSON.stringify(safe)}: ${why}`);
}
