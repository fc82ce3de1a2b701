/**
 * A tap on notification queues: it declares and binds them as any consumer does, and hands over the inner messages.
 */
import { connect, type ChannelModel } from 'amqplib';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeNotification } from '../src/rpc/envelope.ts';

export type Tapped = {
  readonly eventType: string;
  readonly priority: string;
  readonly publisherId: string;
  readonly payload: Record<string, unknown>;
  readonly context: Record<string, unknown>;
};

export class Tap {
  readonly seen: Tapped[] = [];
  readonly #connection: ChannelModel;

  private constructor(connection: ChannelModel) {
    this.#connection = connection;
  }

  static async on(url: string, exchange: string, queues: readonly string[]): Promise<Tap> {
    const connection = await connect(url);
    const tap = new Tap(connection);
    const channel = await connection.createChannel();
    await channel.assertExchange(exchange, 'topic', { durable: false, autoDelete: false });
    for (const queue of queues) {
      await channel.assertQueue(queue, { durable: false, autoDelete: false });
      await channel.bindQueue(queue, exchange, queue);
      await channel.consume(
        queue,
        (message) => {
          if (message === null) return;
          const decoded = decodeNotification(message.content, message.properties);
          if (!decoded.accepted) throw new Error(`not a notification: ${decoded.rejection.reason}`);
          const { eventType, priority, publisherId, payload, context } = decoded.message;
          tap.seen.push({ eventType, priority, publisherId, payload: payload as Record<string, unknown>, context });
        },
        { noAck: true },
      );
    }
    return tap;
  }

  /** The first message that fits, now or within the time. */
  async first(fits: (message: Tapped) => boolean, timeoutMs: number): Promise<Tapped> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = this.seen.find(fits);
      if (found !== undefined) return found;
      if (performance.now() > deadline)
        throw new Error(`no such message; seen: ${this.seen.map((one) => one.eventType).join(', ')}`);
      await sleep(50);
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
