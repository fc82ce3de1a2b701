/** Asks libvirt once for all that the checks want of it. Nothing is changed, and of domains only our own are looked at. */
import { XMLParser } from 'fast-xml-parser';
import {
  connect,
  ConnectError,
  DomainStatsTypes,
  GetAllDomainStatsFlags,
  ListAllDomainsFlags,
  type Connection,
} from 'node-libvirt';
import type { Settings } from '../settings/schema.ts';

export type SecurityModel = {
  readonly model: string;
  /** Of kvm guests, where it is told: `+64055:+64055` for dac. */
  readonly label: string | undefined;
};

export type GuestBalloon = {
  readonly name: string;
  /** Seconds since 1970; 0: the guest's driver has never reported; undefined: it has no balloon, or was busy. */
  readonly lastUpdateS: number | undefined;
};

export type LibvirtFacts = {
  /** As libvirt counts: 9000000 is 9.0.0. */
  readonly libvirtVersion: number;
  readonly qemuVersion: number;
  readonly virtTypes: readonly string[];
  readonly securityModels: readonly SecurityModel[];
  /** Our guests that run. */
  readonly balloons: readonly GuestBalloon[];
};

export type LibvirtReading =
  | { readonly is: 'read'; readonly facts: LibvirtFacts }
  | {
      readonly is: 'unreachable';
      readonly reason: string;
      /** ENOENT, EACCES, ECONNREFUSED, …; empty where there is none. */
      readonly code: string;
      readonly socketPath: string | undefined;
    };

/** Connects, reads, closes; never rejects. `timeoutMs` is for each call. */
export async function probeLibvirt({ libvirt, instances }: Settings, timeoutMs: number): Promise<LibvirtReading> {
  let connection: Connection | undefined;
  try {
    const { uri, socket } = libvirt;
    const callTimeoutMs = Math.min(libvirt.call_timeout_ms, timeoutMs);
    connection = await connect({ uri, callTimeoutMs, ...(socket === '' ? {} : { socketPath: socket }) });
    return { is: 'read', facts: await readFacts(connection, instances.domain_prefix) };
  } catch (error) {
    return {
      is: 'unreachable',
      reason: error instanceof Error ? error.message : String(error),
      code: error instanceof ConnectError ? error.code : '',
      socketPath: error instanceof ConnectError ? error.socketPath : undefined,
    };
  } finally {
    await connection?.close().catch(() => {});
  }
}

async function readFacts(connection: Connection, prefix: string): Promise<LibvirtFacts> {
  const [libvirtVersion, qemuVersion, capabilities, balloons] = await Promise.all([
    connection.getLibVersion(),
    connection.getVersion(),
    connection.getCapabilities(),
    readBalloons(connection, prefix),
  ]);
  return { libvirtVersion, qemuVersion, ...parseCapabilities(capabilities), balloons };
}

async function readBalloons(connection: Connection, prefix: string): Promise<GuestBalloon[]> {
  const running = await connection.listAllDomains(ListAllDomainsFlags.RUNNING);
  const ours = running.filter(({ name }) => name.startsWith(prefix));
  // An empty list would mean all domains.
  if (ours.length === 0) return [];
  const records = await connection.getAllDomainStats(ours, DomainStatsTypes.BALLOON, GetAllDomainStatsFlags.NOWAIT);
  return records.map(({ domain, params }) => {
    const lastUpdate = params['balloon.last-update'];
    return { name: domain.name, lastUpdateS: lastUpdate === undefined ? undefined : Number(lastUpdate) };
  });
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  isArray: (name) => ['secmodel', 'baselabel', 'guest', 'arch', 'domain'].includes(name),
});

/** Domain types for the host's architecture, and how guests are confined, of virConnectGetCapabilities. Pure. */
export function parseCapabilities(xml: string): Pick<LibvirtFacts, 'virtTypes' | 'securityModels'> {
  const capabilities = at(parser.parse(xml), 'capabilities');
  const host = at(capabilities, 'host');
  const arch = listAt(at(host, 'cpu'), 'arch').map(String)[0];
  const virtTypes = listAt(capabilities, 'guest')
    .flatMap((guest) => listAt(guest, 'arch'))
    .filter((one) => at(one, '@name') === arch)
    .flatMap((one) => listAt(one, 'domain'))
    .map((domain) => String(at(domain, '@type')));
  const securityModels = listAt(host, 'secmodel').map((one) => {
    const label = listAt(one, 'baselabel').find((base) => at(base, '@type') === 'kvm');
    const text = at(label, '#text');
    return { model: String(at(one, 'model')), label: typeof text === 'string' ? text : undefined };
  });
  return { virtTypes: [...new Set(virtTypes)], securityModels };
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function listAt(value: unknown, key: string): unknown[] {
  const found = at(value, key);
  if (found === undefined) return [];
  return Array.isArray(found) ? found : [found];
}
