// Messages that could not be read, kept for whoever wants to know why: in a queue of their own, with the reason and the
// way they came in their headers. oslo.messaging 14 rejects such a message, and it is gone.

import type { Channel, GetMessage } from 'amqplib';
import type { BrokerConnection } from './broker.ts';
import type { Delivery, DeliveryProperties } from './delivery.ts';
import type { RejectionReason } from './envelope.ts';
import { reasonOf, type RpcLogger } from './logger.ts';

const REASON = 'x-hugenode-reason';
const EXCHANGE = 'x-hugenode-exchange';
const ROUTING_KEY = 'x-hugenode-routing-key';
const RECEIVED_AT = 'x-hugenode-received-at';

/** The queue of a topic's dead letters. */
export const deadLetterQueue = (topic: string): string => `${topic}.dead_letters`;

/** Beyond so many the oldest go: a sender that is wrong for ever must not fill the broker's disk. */
const LONGEST_QUEUE = 10_000;

export interface DeadLetter {
  /** Its place in the queue, from 1: the oldest first. */
  number: number;
  reason: string;
  exchange: string;
  routingKey: string;
  /** ISO 8601. */
  receivedAt: string;
  body: Buffer;
  contentType: string | null;
}

/** Puts dead letters away. */
export class DeadLetters {
  readonly #broker: BrokerConnection;
  readonly #topic: string;
  readonly #logger: RpcLogger;

  constructor(broker: BrokerConnection, topic: string, logger: RpcLogger) {
    this.#broker = broker;
    this.#topic = topic;
    this.#logger = logger;
  }

  /** Resolves when the broker has it; where that fails it is logged, because its original must not come back for ever. */
  async put(delivery: Delivery, reason: RejectionReason): Promise<void> {
    const queue = deadLetterQueue(this.#topic);
    try {
      await this.#broker.declareOnce(`queue ${queue}`, (channel) => declareDeadLetterQueue(channel, this.#topic));
      await this.#broker.publish('', queue, delivery.body, {
        mandatory: true,
        properties: propertiesOf(delivery.properties, {
          [REASON]: reason,
          [EXCHANGE]: delivery.exchange,
          [ROUTING_KEY]: delivery.routingKey,
          [RECEIVED_AT]: new Date().toISOString(),
        }),
      });
    } catch (error) {
      this.#logger.error('a message that cannot be read is lost', {
        queue,
        reason,
        bytes: delivery.body.length,
        cause: reasonOf(error),
      });
    }
  }
}

/** Declares the queue, which survives a restart of the broker. */
export async function declareDeadLetterQueue(channel: Channel, topic: string): Promise<void> {
  await channel.assertQueue(deadLetterQueue(topic), { durable: true, maxLength: LONGEST_QUEUE, overflow: 'drop-head' });
}

/** What to do with dead letters that are looked at: `leave` them, put them back on their `way`, or `drop` them. */
export type Fate = 'leave' | 'replay' | 'drop';

/**
 * Goes through the dead letters of a topic, the oldest first; those that are left keep their places.
 * @param decide told of each in turn.
 * @returns how many were replayed and dropped. RpcError or BrokerUnavailableError where the broker fails.
 */
export async function sortDeadLetters(
  broker: BrokerConnection,
  topic: string,
  decide: (letter: DeadLetter) => Fate,
): Promise<{ left: number; replayed: number; dropped: number }> {
  const counts = { left: 0, replayed: 0, dropped: 0 };
  const left: GetMessage[] = [];
  const kept = await broker.keepChannel('dead letters', (channel) => declareDeadLetterQueue(channel, topic));
  const channel = await kept.ready(AbortSignal.timeout(READY_MS));
  try {
    // Those that are there now: one that is replayed may come back at once, for the same reason.
    const { messageCount } = await channel.checkQueue(deadLetterQueue(topic));
    for (let number = 1; number <= messageCount; number += 1) {
      const message = await channel.get(deadLetterQueue(topic));
      if (message === false) break;
      const letter = letterOf(number, message);
      const fate = decide(letter);
      if (fate === 'leave') {
        left.push(message);
        counts.left += 1;
        continue;
      }
      // First where it goes, then that it is gone: in between it is there twice, never not at all.
      if (fate === 'replay') await replay(broker, letter, message);
      channel.ack(message);
      counts[fate === 'replay' ? 'replayed' : 'dropped'] += 1;
    }
    return counts;
  } finally {
    // The newest first, so that each comes back before the one behind it.
    for (const message of left.toReversed()) channel.nack(message, false, true);
    await kept.close();
  }
}

const READY_MS = 10_000;

async function replay(broker: BrokerConnection, letter: DeadLetter, message: GetMessage): Promise<void> {
  await broker.publish(letter.exchange, letter.routingKey, message.content, {
    mandatory: true,
    properties: propertiesOf({ ...message.properties }, {}),
  });
}

function letterOf(number: number, { content, properties }: GetMessage): DeadLetter {
  const header = (name: string): string => String(properties.headers?.[name] ?? '');
  return {
    number,
    reason: header(REASON),
    exchange: header(EXCHANGE),
    routingKey: header(ROUTING_KEY),
    receivedAt: header(RECEIVED_AT),
    body: content,
    contentType: typeof properties.contentType === 'string' ? properties.contentType : null,
  };
}

/** What decides how a message is read, as it came; of its headers all but ours, and these. */
function propertiesOf(came: DeliveryProperties, headers: Record<string, string>) {
  const { contentType, contentEncoding, headers: cameHeaders } = came;
  const foreign = Object.entries(cameHeaders ?? {}).filter(([name]) => !name.startsWith('x-hugenode-'));
  return {
    ...(typeof contentType === 'string' && { contentType }),
    ...(typeof contentEncoding === 'string' && { contentEncoding }),
    headers: { ...Object.fromEntries(foreign), ...headers },
  };
}
