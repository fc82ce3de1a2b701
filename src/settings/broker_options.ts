/** The settings of the bus as `rpc/` takes them; agent and command line connect alike. */
import { readFileSync } from 'node:fs';
import type { BrokerOptions, RpcLogger } from '../rpc/index.ts';
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
    clientName,
    logger,
    tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
  };
}

function readPem(setting: string, file: string): Buffer | undefined {
  if (file === '') return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    throw new SettingsError(`${setting}: cannot read ${file}: ${String(error)}`, { cause: error });
  }
}
