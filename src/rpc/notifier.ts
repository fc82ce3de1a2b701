// Sends notifications as oslo.messaging's Notifier does (drivers `messagingv2` and `messaging`). The publisher declares
// and binds the queue too, so that what is sent before the first consumer starts is kept for it, unless it is told not to.

import type { Channel } from 'amqplib';
import type { BrokerConnection } from './broker.ts';
import { encodeNotification, type NotificationFormat } from './envelope.ts';
import { declareBoundQueue, declareControlExchange, hexId, type TopologyFlags } from './topology.ts';

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

/** A notification as it goes out: its ids and its time are fixed, so that sending it twice is telling it once. */
export interface PreparedNotification {
  exchange: string;
  queue: string;
  body: string;
}

export interface NotifierOptions {
  /** Must be those of the consumers. */
  flags?: TopologyFlags;
  /** oslo's notification driver. Default `messagingv2`. */
  format?: NotificationFormat;
  /** Whether the queue is declared, and so kept full without a consumer. Default true, as oslo has it. */
  declaresQueues?: boolean;
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
  readonly #format: NotificationFormat;
  readonly #declaresQueues: boolean;

  /** Does no I/O. */
  constructor(broker: BrokerConnection, options: NotifierOptions = {}) {
    this.#broker = broker;
    this.#flags = options.flags ?? {};
    this.#format = options.format ?? 'messagingv2';
    this.#declaresQueues = options.declaresQueues ?? true;
  }

  /**
   * Resolves when the broker has the notification. Rejects with BrokerUnavailableError, RpcError `topology` (the queue
   * exists with other flags) or `not-encodable`; nothing is kept for later.
   */
  async notify(notification: Notification): Promise<void> {
    await this.deliver(prepareNotification(notification, this.#format));
  }

  /** As `notify`, of one that was prepared: as often as need be. */
  async deliver({ exchange, queue, body }: PreparedNotification): Promise<void> {
    await this.#declare(exchange, queue);
    await this.#broker.publish(exchange, queue, body);
  }

  async #declare(exchange: string, queue: string): Promise<void> {
    const flags = this.#flags;
    const declare = (channel: Channel): Promise<void> =>
      this.#declaresQueues
        ? declareBoundQueue(channel, exchange, queue, flags)
        : declareControlExchange(channel, exchange, flags);
    const key = this.#declaresQueues ? `queue ${queue} on exchange ${exchange}` : `exchange ${exchange}`;
    // What is auto-deleted may be gone at any time.
    if (flags.autoDelete) await this.#broker.declare(key, declare);
    else await this.#broker.declareOnce(key, declare);
  }
}

/** Gives it its ids and its time. @throws RpcError `not-encodable` */
export function prepareNotification(notification: Notification, format?: NotificationFormat): PreparedNotification {
  const { exchange, topic, priority } = notification;
  const message = {
    messageId: crypto.randomUUID(),
    publisherId: notification.publisherId,
    eventType: notification.eventType,
    priority: priority.toUpperCase(),
    payload: notification.payload,
    timestamp: naiveUtc(new Date()),
    uniqueId: hexId(),
    context: safeContext(notification.context ?? {}),
  };
  return { exchange, queue: `${topic}.${priority}`, body: encodeNotification(message, format) };
}

/** The context without any key that is not known to be safe. */
export function safeContext(context: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(context).filter(([key]) => SAFE_CONTEXT_KEYS.has(key)));
}

/** Python's str(utcnow()): `YYYY-MM-DD HH:MM:SS.ffffff`. */
export function naiveUtc(date: Date): string {
  return date.toISOString().replace('T', ' ').replace('Z', '000');
}
