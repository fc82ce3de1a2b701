/**
 * A tap on notification queues: it declares and binds them as any consumer does, and hands over the inner messages.
 */
import { connect, type ChannelModel } from 'amqplib';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { decodeNotification } from '../src/rpc/envelope.ts';

const payloadSchema = z.record(z.string(), z.unknown());
const samplesSchema = z.object({
  samples: z.array(
    z.object({
      resource_id: z.string(),
      counter_name: z.string(),
      counter_volume: z.number(),
      counter_unit: z.string(),
      timestamp: z.string(),
      message_signature: z.string(),
      resource_metadata: z.record(z.string(), z.unknown()),
    }),
  ),
});

export type TappedSample = z.output<typeof samplesSchema>['samples'][number];

/** The samples of one instance in a message. */
export function samplesOf(message: Tapped, uuid: string): TappedSample[] {
  return samplesSchema.parse(message.payload).samples.filter((sample) => sample.resource_id === uuid);
}

export type Tapped = {
  readonly eventType: string;
  readonly priority: string;
  readonly publisherId: string;
  readonly payload: Record<string, unknown>;
  readonly context: Record<string, unknown>;
  readonly messageId: string;
  /** What oslo.messaging's consumers know a repeated message by. */
  readonly uniqueId: string | null;
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
          const { message: told } = decoded;
          tap.seen.push({ ...told, payload: payloadSchema.parse(told.payload) });
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
