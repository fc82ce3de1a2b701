/** Lifecycle notifications as an async iterable: each is acknowledged when the next one is asked for, or the loop ends. */
import type { BrokerConnection, HeardNotification, RpcLogger, TopologyFlags } from '../rpc/index.ts';
import { NotificationListener } from '../rpc/index.ts';
import { setUpError } from './errors.ts';
import { lifecycleNotificationOf, type LifecycleEvent, type LifecycleNotification } from './lifecycle_notification.ts';

/** What is heard. */
export type WatchOptions = {
  /** Default: all. */
  readonly events?: readonly LifecycleEvent[] | undefined;
  /** Only what is told of instances on this host. Default: all hosts. */
  readonly host?: string | undefined;
  /**
   * Name of a queue that outlives the stream and every loss of the broker's connection, shared by all who name it: each
   * notification goes to one of them. Without it the stream has a queue of its own, and what is sent while the
   * connection is lost is not heard.
   */
  readonly pool?: string | undefined;
  /** Notifications that wait here at a time; the broker keeps the others. Default 64. */
  readonly prefetch?: number | undefined;
};

/** Where the agents' notifications are. */
export type NotificationSource = {
  readonly exchange: string;
  readonly topic: string;
  readonly flags: TopologyFlags;
};

/** What the stream listens to: create.error is an error, all others are informations. */
const PRIORITIES = ['info', 'error'] as const;

export class NotificationStream implements AsyncIterableIterator<LifecycleNotification>, AsyncDisposable {
  readonly #listener: NotificationListener;
  readonly #onClose: (stream: NotificationStream) => void;
  #inHand: HeardNotification | null = null;

  private constructor(listener: NotificationListener, onClose: (stream: NotificationStream) => void) {
    this.#listener = listener;
    this.#onClose = onClose;
  }

  /** Resolves when the queue is bound. @throws {HugenodeError} as the client's connect does. */
  static async open(
    broker: BrokerConnection,
    { exchange, topic, flags }: NotificationSource,
    { events, host, pool, prefetch }: WatchOptions,
    { logger, onClose }: { logger: RpcLogger; onClose: (stream: NotificationStream) => void },
  ): Promise<NotificationStream> {
    const isWanted = (told: LifecycleNotification | undefined): boolean =>
      told !== undefined &&
      (events === undefined || events.includes(told.event)) &&
      (host === undefined || told.payload.host === host);
    try {
      const listener = await NotificationListener.open(broker, {
        exchange,
        topic,
        priorities: PRIORITIES,
        flags,
        isWanted: (message) => isWanted(lifecycleNotificationOf(message)),
        logger,
        ...(pool !== undefined && { pool }),
        ...(prefetch !== undefined && { prefetch }),
      });
      return new NotificationStream(listener, onClose);
    } catch (error) {
      throw setUpError(error);
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Waits for the next notification, through losses of the broker; ends after `close()`. */
  async next(): Promise<IteratorResult<LifecycleNotification, undefined>> {
    for (;;) {
      this.#acknowledge();
      const heard = await this.#listener.next();
      if (heard === null) return { done: true, value: undefined };
      this.#inHand = heard;
      const value = lifecycleNotificationOf(heard.notification);
      if (value !== undefined) return { done: false, value };
    }
  }

  /** What leaving a `for await` calls: acknowledges the notification in hand and closes. */
  async return(): Promise<IteratorResult<LifecycleNotification, undefined>> {
    this.#acknowledge();
    await this.close();
    return { done: true, value: undefined };
  }

  /** Ends the stream, also a `next()` that waits. Never rejects. */
  async close(): Promise<void> {
    this.#onClose(this);
    await this.#listener.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #acknowledge(): void {
    this.#inHand?.done();
    this.#inHand = null;
  }
}
