// Names and declarations of oslo.messaging's exchanges and queues, exactly as oslo 14 makes them: a queue declared
// with other flags than the other side's is a 406 PRECONDITION_FAILED, and neither side hears the other.
//
//   control exchange (topic) --<topic>----------> queue <topic>            any one server
//                            --<topic>.<server>-> queue <topic>.<server>   this server
//   <topic>_fanout (fanout)  -------------------> queue <topic>_fanout_<hex>  every server, one each

import type { Channel } from 'amqplib';

/** oslo's `amqp_durable_queues` and `amqp_auto_delete`; both default to false, as there. */
export interface TopologyFlags {
  durable?: boolean;
  autoDelete?: boolean;
}

// oslo.messaging 14: rabbit_transient_queues_ttl, 1800 s, on fanout and reply queues.
const TRANSIENT_QUEUE_EXPIRES_MS = 1_800_000;

export const serverQueue = (topic: string, server: string): string => `${topic}.${server}`;
export const fanoutExchange = (topic: string): string => `${topic}_fanout`;
export const fanoutQueue = (topic: string, suffix: string): string => `${topic}_fanout_${suffix}`;
export const replyQueue = (suffix: string): string => `reply_${suffix}`;

/** 32 hex digits, the form oslo gives its message ids and queue suffixes. */
export function hexId(): string {
  return crypto.randomUUID().replaceAll('-', '');
}

/** Declares the control exchange. */
export async function declareControlExchange(channel: Channel, exchange: string, flags: TopologyFlags): Promise<void> {
  await channel.assertExchange(exchange, 'topic', flagsOf(flags));
}

/** Declares the exchange of fanout casts: not durable and auto-deleted whatever the flags say. */
export async function declareFanoutExchange(channel: Channel, topic: string): Promise<void> {
  await channel.assertExchange(fanoutExchange(topic), 'fanout', { durable: false, autoDelete: true });
}

/** Declares the control exchange and a queue bound to it under its own name. */
export async function declareBoundQueue(
  channel: Channel,
  exchange: string,
  queue: string,
  flags: TopologyFlags,
): Promise<void> {
  await declareControlExchange(channel, exchange, flags);
  await channel.assertQueue(queue, { ...flagsOf(flags), exclusive: false });
  await channel.bindQueue(queue, exchange, queue);
}

/** Declares the fanout exchange and this process's queue on it; the queue outlives a crash by half an hour. */
export async function declareFanoutQueue(channel: Channel, topic: string, queue: string): Promise<void> {
  await declareFanoutExchange(channel, topic);
  await channel.assertQueue(queue, {
    durable: false,
    autoDelete: false,
    exclusive: false,
    expires: TRANSIENT_QUEUE_EXPIRES_MS,
  });
  await channel.bindQueue(queue, fanoutExchange(topic), topic);
}

/**
 * Declares a caller's reply queue. oslo's is shared and lives half an hour after its process; this one is exclusive and
 * auto-deleted, so that a client leaves nothing behind. Nobody else declares a reply queue, so the flags need not match.
 */
export async function declareReplyQueue(channel: Channel, queue: string): Promise<void> {
  await channel.assertQueue(queue, { durable: false, autoDelete: true, exclusive: true });
}

function flagsOf(flags: TopologyFlags): { durable: boolean; autoDelete: boolean } {
  return { durable: flags.durable ?? false, autoDelete: flags.autoDelete ?? false };
}
