// Sends notifications as oslo.messaging's Notifier does (driver `messagingv2`). The publisher declares and binds the
// queue too, so that what is sent before the first consumer starts is kept for it.

import type { Channel } from 'amqplib';
import type { BrokerConnection } from './broker.ts';
import { encodeNotification } from './envelope.ts';
import { declareBoundQueue, hexId, type TopologyFlags } from './topology.ts';

export type NotificationPriority = 'audit' | 'debug' | 'info' | 'warn' | 'error' | 'critical' | 'sample';

export interface Notification {
  /** The control exchange, `nova` for Nova's services. */
  exchange: string;
  /** `notifications`, or `versioned_notifications`: the queue is `<topic>.<priority>`. */
  topic: string;
  publisherId: string;
  eventType: string;
  priority: NotificationPriority;
  payload: unknown;
  /** Only the keys known to be safe are sent on. */
  context?: Record<string, unknown>;
}

// oslo.messaging 14, notify/notifier.py _sanitize_context: all else, above all auth_token, stays here.
const SAFE_CONTEXT_KEYS = new Set([
  'user_id',
  'project_id',
  'domain_id',
  'user_domain_id',
  'project_domain_id',
  'is_admin',
  'request_id',
  'roles',
  'user_name',
  'project_name',
  'domain_name',
  'user_domain_name',
  'project_domain_name',
  'service_user_id',
  'service_user_domain_id',
  'service_user_domain_name',
  'service_project_id',
  'service_project_name',
  'service_project_domain_id',
  'service_project_domain_name',
  'service_roles',
  'global_request_id',
  'system_scope',
  'user',
  'domain',
  'user_domain',
  'project_domain',
]);

/** Publishes notifications over a broker connection. */
export class Notifier {
  readonly #broker: BrokerConnection;
  readonly #flags: TopologyFlags;

  /** `flags` must be those of the consumers. Does no I/O. */
  constructor(broker: BrokerConnection, flags: TopologyFlags = {}) {
    this.#broker = broker;
    this.#flags = flags;
  }

  /**
   * Resolves when the broker has the notification. Rejects with BrokerUnavailableError, RpcError `topology` (the queue
   * exists with other flags) or `not-encodable`; nothing is kept for later.
   */
  async notify(notification: Notification): Promise<void> {
    const { exchange, topic, priority } = notification;
    const queue = `${topic}.${priority}`;
    const body = encodeNotification({
      messageId: crypto.randomUUID(),
      publisherId: notification.publisherId,
      eventType: notification.eventType,
      priority: priority.toUpperCase(),
      payload: notification.payload,
      timestamp: naiveUtc(new Date()),
      uniqueId: hexId(),
      context: safeContext(notification.context ?? {}),
    });
    const declare = (channel: Channel): Promise<void> => declareBoundQueue(channel, exchange, queue, this.#flags);
    await this.#broker.declareOnce(`queue ${queue} on exchange ${exchange}`, declare);
    await this.#broker.publish(exchange, queue, body);
  }
}

/** The context without any key that is not known to be safe. */
export function safeContext(context: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(context).filter(([key]) => SAFE_CONTEXT_KEYS.has(key)));
}

/** Python's str(utcnow()): `YYYY-MM-DD HH:MM:SS.ffffff`. */
export function naiveUtc(date: Date): string {
  return date.toISOString().replace('T', ' ').replace('Z', '000');
}
