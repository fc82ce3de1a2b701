/** The settings of the bus as `rpc/` takes them; agent and command line connect alike. */
import { readFileSync } from 'node:fs';
import { parseTransportUrl, type BrokerOptions, type RpcLogger, type TopologyFlags } from '../rpc/index.ts';
import { SettingsError } from './load.ts';
import type { Settings } from './schema.ts';

/** @throws {SettingsError} where a TLS file cannot be read. */
export function brokerOptions({ rpc }: Settings, clientName: string, logger: RpcLogger): BrokerOptions {
  const ca = readPem('rpc.tls_ca_file', rpc.tls_ca_file);
  const cert = readPem('rpc.tls_cert_file', rpc.tls_cert_file);
  const key = readPem('rpc.tls_key_file', rpc.tls_key_file);
  return {
    transportUrl: rpc.transport_url,
    heartbeatSeconds: Math.round(rpc.heartbeat_ms / 1000),
    connectTimeoutMs: rpc.connect_timeout_ms,
    loginMethod: rpc.login_method,
    clientName,
    logger,
    tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
  };
}

/** How exchanges and queues are declared; what the transport URL says about it wins. @throws {RpcError} `invalid-url` */
export function topologyFlags({ rpc }: Settings): TopologyFlags {
  return {
    durable: rpc.durable_queues || rpc.queues === 'durable',
    quorum: rpc.queues === 'quorum',
    autoDelete: rpc.auto_delete_queues,
    deliveryLimit: rpc.quorum_delivery_limit,
    maxMemoryLength: rpc.quorum_max_memory_length,
    maxMemoryBytes: rpc.quorum_max_memory_bytes,
    transientQuorum: rpc.transient_queues === 'quorum',
    transientExpiresMs: rpc.transient_queues_ttl_ms,
    adoptExisting: rpc.adopt_existing_queues,
    ...parseTransportUrl(rpc.transport_url).options.flags,
  };
}

/** Requests at work per queue; what the transport URL says about it wins. @throws {RpcError} `invalid-url` */
export function prefetchOf({ rpc }: Settings): number {
  return parseTransportUrl(rpc.transport_url).options.prefetch ?? rpc.prefetch;
}

function readPem(setting: string, file: string): Buffer | undefined {
  if (file === '') return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    throw new SettingsError(`${setting}: cannot read ${file}: ${String(error)}`, { cause: error });
  }
}
