// Reads oslo.messaging's transport URL (and plain amqp URLs) into what amqplib needs:
//   rabbit://user:pass@host1:5672,user2:pass2@host2/vhost?ssl=true
// Never opens a connection. No error and no description made here holds a user name or a password.

import { credentials as logins, type Options } from 'amqplib';
import { RpcError } from './errors.ts';
import { readUrlOptions, type LoginMethod, type UrlOptions } from './url_options.ts';

export interface BrokerHost {
  hostname: string;
  port: number;
  username: string;
  password: string;
}

export interface TransportUrl {
  protocol: 'amqp' | 'amqps';
  /** One or more, in the order written. */
  hosts: BrokerHost[];
  /** Decoded: `/` is the broker's default. */
  virtualHost: string;
  /** Of its query: they win over the settings. */
  options: UrlOptions;
}

// oslo.messaging 14 takes kombu:// as an alias of rabbit://.
const SCHEMES: Readonly<Record<string, 'amqp' | 'amqps'>> = {
  rabbit: 'amqp',
  kombu: 'amqp',
  amqp: 'amqp',
  rabbits: 'amqps',
  amqps: 'amqps',
};

/** Parses a transport URL; throws RpcError `invalid-url` that says what is wrong without repeating the URL. */
export function parseTransportUrl(text: string): TransportUrl {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?/.exec(text.trim());
  if (!match) throw invalid('expected rabbit://user:password@host:port/virtual-host');
  const [, scheme = '', authority = '', path = '', query = ''] = match;

  const plain = SCHEMES[scheme.toLowerCase()];
  if (!plain) throw invalid(`scheme ${scheme} is not one of ${Object.keys(SCHEMES).join(', ')}`);

  const options = readUrlOptions(Object.fromEntries(new URLSearchParams(query)));
  const protocol = plain === 'amqps' || options.ssl === true ? 'amqps' : 'amqp';
  const hosts = authority
    .split(',')
    .filter((part) => part !== '')
    .map((part) => parseHost(part, protocol === 'amqps' ? 5671 : 5672));
  if (hosts.length === 0) throw invalid('no host given');

  return { protocol, hosts, virtualHost: virtualHostOf(path), options };
}

/** The hosts in another order, so that not all processes begin with the same one; `random` is from 0 below 1. */
export function shuffled(url: TransportUrl, random: () => number): TransportUrl {
  const hosts = url.hosts
    .map((host) => ({ host, at: random() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ host }) => host);
  return { ...url, hosts };
}

/** How amqplib logs in, with the user name and password of whichever host is tried. */
export function loginOf(method: LoginMethod, hostNow: () => BrokerHost) {
  if (method === 'EXTERNAL') return logins.external();
  const response = (): Buffer => {
    const { username, password } = hostNow();
    const login = method === 'PLAIN' ? logins.plain(username, password) : logins.amqplain(username, password);
    return login.response();
  };
  return { mechanism: method, response, username: '', password: '' };
}

/** What amqplib's `connect` takes for the host at `index` (counted round the list). */
export function connectOptions(url: TransportUrl, index: number, heartbeatSeconds: number): Options.Connect {
  const host = url.hosts[index % url.hosts.length];
  if (!host) throw invalid('no host given');
  return {
    protocol: url.protocol,
    hostname: host.hostname,
    port: host.port,
    username: host.username,
    password: host.password,
    // amqplib 2.3 percent-decodes the virtual host even when it comes as an object's field.
    vhost: encodeURIComponent(url.virtualHost),
    heartbeat: heartbeatSeconds,
  };
}

/** The hosts and virtual host for logs and errors, without credentials. */
export function describe(url: TransportUrl): string {
  const hosts = url.hosts.map((host) => describeHost(host)).join(',');
  return `${url.protocol}://${hosts}/${url.virtualHost === '/' ? '' : encodeURIComponent(url.virtualHost)}`;
}

/** `host:port`, with brackets round an IPv6 address. */
export function describeHost(host: Pick<BrokerHost, 'hostname' | 'port'>): string {
  return `${host.hostname.includes(':') ? `[${host.hostname}]` : host.hostname}:${host.port}`;
}

function virtualHostOf(path: string): string {
  // oslo.messaging 14: all after the first slash, so //x and /%2Fx both mean "/x"; nothing, / and // mean "/".
  const name = decoded(path.slice(1), 'virtual host');
  return name === '' ? '/' : name;
}

function parseHost(part: string, defaultPort: number): BrokerHost {
  // From the right: oslo lets an @ stand unencoded in a password.
  const at = part.lastIndexOf('@');
  const credentials = at < 0 ? '' : part.slice(0, at);
  const colon = credentials.indexOf(':');
  const username = decoded(colon < 0 ? credentials : credentials.slice(0, colon), 'user name');
  const password = decoded(colon < 0 ? '' : credentials.slice(colon + 1), 'password');

  const address = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(part.slice(at + 1));
  if (!address) throw invalid('a host is neither name:port nor [IPv6 address]:port');
  return {
    hostname: address[1] || address[2] || 'localhost',
    port: parsePort(address[3] ?? '', defaultPort),
    username: at < 0 ? 'guest' : username,
    password: at < 0 ? 'guest' : password,
  };
}

function parsePort(text: string, defaultPort: number): number {
  if (text === '') return defaultPort;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw invalid('a port is not a number from 1 to 65535');
  return port;
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`the ${what} is not percent-encoded UTF-8`);
  }
}

function invalid(detail: string): RpcError {
  return new RpcError('invalid-url', `transport URL: ${detail}`);
}
