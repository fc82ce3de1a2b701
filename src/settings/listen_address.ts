/** Where the metrics are served: an address and a port as one text. Pure. */
import { BlockList, isIP } from 'node:net';

export type ListenAddress = { readonly host: string; readonly port: number };

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** `127.0.0.1:9177`, `[::1]:9177`, `localhost:0` (any port); undefined where the text is none of these. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535) return undefined;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  // Names are not looked up here: what a name means may change after it was found to be harmless.
  if (plain !== undefined && isIP(plain) !== 4 && plain !== 'localhost') return undefined;
  return { host, port };
}

/** Whether only this machine reaches it. */
export function isLoopback({ host }: ListenAddress): boolean {
  const family = isIP(host);
  if (family === 0) return host === 'localhost';
  return LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
