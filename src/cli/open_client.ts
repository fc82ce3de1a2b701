/** The package's client, as the settings have it. */
import { HugenodeClient } from '../client/index.ts';
import { createLogger } from '../log.ts';
import { brokerOptions, topologyFlags } from '../settings/broker_options.ts';
import type { Settings } from '../settings/schema.ts';

/**
 * Connects without patience: whoever sits at a terminal asks again. `logLevel` is what is told on standard error of the
 * connection; errors of verbs are reported by themselves, and what is logged on their way there is noise.
 * @throws {HugenodeError} {SettingsError}
 */
export async function openClient(settings: Settings, logLevel: 'error' | 'warn' = 'error'): Promise<HugenodeClient> {
  const { rpc, notifications, host } = settings;
  const logger = createLogger({ level: logLevel, host });
  return HugenodeClient.connect({
    ...brokerOptions(settings, 'hugenode cli', logger),
    initialRetries: 0,
    exchange: rpc.exchange,
    topic: rpc.topic,
    flags: topologyFlags(settings),
    notifications: { exchange: notifications.exchange, topic: notifications.topic },
    timeoutMs: rpc.response_timeout_ms,
    createTimeoutMs: rpc.response_timeout_ms,
  });
}
