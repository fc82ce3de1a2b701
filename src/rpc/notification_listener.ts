// Hears notifications as oslo.messaging's NotificationListener does, in both formats (`messagingv2` and `messaging`),
// and hands them over one by one.
//
//   delivery -> decoded -> wanted, not seen before -> buffer -> next() -> done() -> acknowledged
//
// The broker delivers at most `prefetch` notifications that are not acknowledged yet, so whoever is slow makes the
// broker keep the rest. With a pool the queue is everybody's of that name (oslo's `pool`): it stays while nobody
// listens, and what was not acknowledged is delivered again. Without one the queue is this listener's alone and ends
// with its connection: what is sent while that is lost is not heard.

import type { Channel, ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from './broker.ts';
import { decodeNotification, type NotificationMessage } from './envelope.ts';
import type { KeptChannel } from './kept_channel.ts';
import type { RpcLogger } from './logger.ts';
import type { NotificationPriority } from './notifier.ts';
import { declareControlExchange, declareSharedQueue, hexId, type TopologyFlags } from './topology.ts';

export interface NotificationListenerOptions {
  /** The control exchange of the senders. */
  exchange: string;
  /** Theirs too: each priority is heard by the key `<topic>.<priority>`. */
  topic: string;
  priorities: readonly NotificationPriority[];
  /** Name of a queue that listeners share and that outlives them. Default: a queue of its own. */
  pool?: string;
  /** Notifications that are delivered and not acknowledged at a time. Default 64. */
  prefetch?: number;
  /** Must be those of everybody else on the exchange. */
  flags?: TopologyFlags;
  /** What it refuses is acknowledged and never handed over. Default: everything is wanted. Must not throw. */
  isWanted?: (notification: NotificationMessage) => boolean;
  logger: RpcLogger;
}

/** One notification, and the word that it has been dealt with. */
export interface HeardNotification {
  notification: NotificationMessage;
  /** Acknowledges it; again and after a loss of the connection without effect. */
  done(): void;
}

const DEFAULT_PREFETCH = 64;
const REMEMBERED_NOTIFICATIONS = 10_000;

interface Delivery {
  channel: Channel;
  message: ConsumeMessage;
}

interface Entry {
  notification: NotificationMessage;
  /** Of the same notification: it may come again while it is dealt with. */
  deliveries: Delivery[];
  isDone: boolean;
}

/** A listener on one topic of one broker connection; there again after each loss of it. */
export class NotificationListener {
  readonly #options: NotificationListenerOptions;
  readonly #waiting: Entry[] = [];
  readonly #known = new Map<string, Entry>();
  #arrival = Promise.withResolvers<void>();
  #channel: KeptChannel | null = null;
  /** Starts to consume a queue of its own that was made anew while notifications of the one before still wait. */
  #consumeLater: (() => void) | null = null;
  #isClosed = false;

  private constructor(options: NotificationListenerOptions) {
    this.#options = options;
  }

  /** Resolves when the queue is bound: whatever is sent from then on is heard. RpcError `topology` if it is refused. */
  static async open(broker: BrokerConnection, options: NotificationListenerOptions): Promise<NotificationListener> {
    const listener = new NotificationListener(options);
    const purpose = `notifications of ${options.topic}`;
    listener.#channel = await broker.keepChannel(purpose, (channel) => listener.#listen(channel));
    return listener;
  }

  /** The next notification, waiting for it however long it takes; null after `close()`. */
  async next(): Promise<HeardNotification | null> {
    while (!this.#isClosed) {
      const entry = this.#waiting.shift();
      if (entry) {
        if (this.#waiting.length === 0) this.#consumeLater?.();
        return { notification: entry.notification, done: () => finish(entry) };
      }
      await this.#arrival.promise;
    }
    return null;
  }

  /** Ends; what was not dealt with stays in the queue of a pool. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await this.#channel?.close();
  }

  async #listen(channel: Channel): Promise<void> {
    const { pool, prefetch = DEFAULT_PREFETCH } = this.#options;
    await channel.prefetch(prefetch);
    const queue = await this.#declare(channel);
    channel.once('close', () => {
      this.#consumeLater = null;
      // The broker delivers these again, here or to another listener of the pool.
      if (pool !== undefined) this.#forgetWaiting();
    });
    const consume = (): Promise<unknown> => channel.consume(queue, (message) => this.#onMessage(channel, message));
    if (this.#waiting.length === 0) {
      await consume();
      return;
    }
    this.#consumeLater = () => {
      this.#consumeLater = null;
      consume().catch(() => channel.close().catch(() => {}));
    };
  }

  async #declare(channel: Channel): Promise<string> {
    const { exchange, topic, priorities, pool, flags = {} } = this.#options;
    await declareControlExchange(channel, exchange, flags);
    // A new name each time: the broker may still hold the queue of a connection that it does not know to be dead.
    const queue = pool ?? `${topic}_listener_${hexId()}`;
    if (pool !== undefined) await declareSharedQueue(channel, queue, flags);
    else await channel.assertQueue(queue, { durable: false, autoDelete: true, exclusive: true });
    for (const priority of priorities) await channel.bindQueue(queue, exchange, `${topic}.${priority}`);
    return queue;
  }

  #onMessage(channel: Channel, message: ConsumeMessage | null): void {
    if (!message) {
      // The queue was deleted under us: a new channel declares it again.
      channel.close().catch(() => {});
      return;
    }
    const { logger, isWanted = () => true } = this.#options;
    const decoded = decodeNotification(message.content, message.properties);
    if (!decoded.accepted) {
      logger.warn('notification refused', { reason: decoded.rejection.reason });
      settle(() => channel.reject(message, false));
    } else if (!isWanted(decoded.message)) {
      settle(() => channel.ack(message));
    } else {
      this.#take(decoded.message, { channel, message });
    }
  }

  #take(notification: NotificationMessage, delivery: Delivery): void {
    const { uniqueId } = notification;
    const known = uniqueId === null ? undefined : this.#known.get(uniqueId);
    if (known) {
      this.#options.logger.debug('duplicate notification', { uniqueId });
      known.deliveries.push(delivery);
      if (known.isDone) finish(known);
      return;
    }
    const entry: Entry = { notification, deliveries: [delivery], isDone: false };
    this.#waiting.push(entry);
    if (uniqueId !== null) this.#remember(uniqueId, entry);
    this.#wake();
  }

  #remember(uniqueId: string, entry: Entry): void {
    this.#known.set(uniqueId, entry);
    // A Map iterates in the order of insertion: the oldest come first.
    for (const [oldId, { isDone }] of this.#known) {
      if (this.#known.size <= REMEMBERED_NOTIFICATIONS) return;
      if (isDone) this.#known.delete(oldId);
    }
  }

  #forgetWaiting(): void {
    for (const { notification } of this.#waiting.splice(0)) {
      if (notification.uniqueId !== null) this.#known.delete(notification.uniqueId);
    }
  }

  #wake(): void {
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers<void>();
  }
}

function finish(entry: Entry): void {
  entry.isDone = true;
  for (const { channel, message } of entry.deliveries.splice(0)) settle(() => channel.ack(message));
}

function settle(work: () => void): void {
  try {
    work();
  } catch {
    // The channel is gone and its delivery tags with it: a pool's queue delivers again, as a duplicate.
  }
}
