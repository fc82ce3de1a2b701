// Names and declarations of oslo.messaging's exchanges and queues, exactly as oslo 14 makes them: a queue declared
// with other flags than the other side's is a 406 PRECONDITION_FAILED, and neither side hears the other.
//
//   control exchange (topic) --<topic>----------> queue <topic>            any one server
//                            --<topic>.<server>-> queue <topic>.<server>   this server
//   <topic>_fanout (fanout)  -------------------> queue <topic>_fanout_<hex>  every server, one each
//
// With `adoptExisting` a refused name is taken as it is: the broker ends the channel with the refusal, so this ends in
// an AdoptedError, and the same declaration on the connection's next channel is a passive one.

import type { Channel, Options } from 'amqplib';
import { reasonOf } from './logger.ts';
import { AdoptedError, readInequivalence } from './refusals.ts';

/** oslo's options of its queues, all off by default as there. */
export interface TopologyFlags {
  /** `amqp_durable_queues`. */
  durable?: boolean;
  /** `amqp_auto_delete`. */
  autoDelete?: boolean;
  /** `rabbit_quorum_queue`; durable by that alone. */
  quorum?: boolean;
  /** `rabbit_transient_quorum_queue` of newer oslo: also what fanout casts go through. */
  transientQuorum?: boolean;
  /** `rabbit_quorum_delivery_limit` and `rabbit_quroum_max_memory_*`; 0 or absent: none. */
  deliveryLimit?: number;
  maxMemoryLength?: number;
  maxMemoryBytes?: number;
  /** `rabbit_transient_queues_ttl`, in ms. Default: 1,800,000. */
  transientExpiresMs?: number;
  /** Use what exists under a name with other flags, instead of refusing to start. */
  adoptExisting?: boolean;
}

const TRANSIENT_QUEUE_EXPIRES_MS = 1_800_000;

export const serverQueue = (topic: string, server: string): string => `${topic}.${server}`;
export const fanoutExchange = (topic: string): string => `${topic}_fanout`;
export const fanoutQueue = (topic: string, suffix: string): string => `${topic}_fanout_${suffix}`;
export const replyQueue = (suffix: string): string => `reply_${suffix}`;

/** What was taken as it is, per connection: another connection may find something else. */
const adopted = new WeakMap<object, Set<string>>();

/** 32 hex digits, the form oslo gives its message ids and queue suffixes. */
export function hexId(): string {
  return crypto.randomUUID().replaceAll('-', '');
}

/** Declares the control exchange. */
export async function declareControlExchange(channel: Channel, exchange: string, flags: TopologyFlags): Promise<void> {
  const options = { durable: isDurable(flags), autoDelete: flags.autoDelete ?? false };
  await declareExchange(channel, exchange, 'topic', options, flags);
}

/** Declares the exchange of fanout casts: auto-deleted, and durable only where its queues are quorum queues. */
export async function declareFanoutExchange(channel: Channel, topic: string, flags: TopologyFlags = {}): Promise<void> {
  const options = { durable: flags.transientQuorum ?? false, autoDelete: true };
  await declareExchange(channel, fanoutExchange(topic), 'fanout', options, flags);
}

/** Declares the control exchange and a queue bound to it under its own name. */
export async function declareBoundQueue(
  channel: Channel,
  exchange: string,
  queue: string,
  flags: TopologyFlags,
): Promise<void> {
  await declareControlExchange(channel, exchange, flags);
  await declareSharedQueue(channel, queue, flags);
  await channel.bindQueue(queue, exchange, queue);
}

/** Declares a queue that several processes know: of a topic, of a server, of notifications, of a pool of listeners. */
export async function declareSharedQueue(channel: Channel, queue: string, flags: TopologyFlags): Promise<void> {
  const options = {
    durable: isDurable(flags),
    autoDelete: flags.autoDelete ?? false,
    exclusive: false,
    ...(flags.quorum && { arguments: quorumArguments(flags) }),
  };
  await declareQueue(channel, queue, options, flags);
}

/** Declares the fanout exchange and this process's queue on it; the queue outlives a crash by half an hour. */
export async function declareFanoutQueue(
  channel: Channel,
  topic: string,
  queue: string,
  flags: TopologyFlags = {},
): Promise<void> {
  await declareFanoutExchange(channel, topic, flags);
  const options = {
    durable: flags.transientQuorum ?? false,
    autoDelete: false,
    exclusive: false,
    expires: flags.transientExpiresMs ?? TRANSIENT_QUEUE_EXPIRES_MS,
    ...(flags.transientQuorum && { arguments: quorumArguments(flags) }),
  };
  await declareQueue(channel, queue, options, flags);
  await channel.bindQueue(queue, fanoutExchange(topic), topic);
}

/**
 * Declares a caller's reply queue. oslo's is shared and lives half an hour after its process; this one is exclusive and
 * auto-deleted, so that a client leaves nothing behind. Nobody else declares a reply queue, so the flags need not match.
 */
export async function declareReplyQueue(channel: Channel, queue: string): Promise<void> {
  await channel.assertQueue(queue, { durable: false, autoDelete: true, exclusive: true });
}

function declareExchange(
  channel: Channel,
  exchange: string,
  type: string,
  options: Options.AssertExchange,
  flags: TopologyFlags,
): Promise<void> {
  return declareOrAdopt(channel, `exchange ${exchange}`, flags, {
    declare: () => channel.assertExchange(exchange, type, options),
    check: () => channel.checkExchange(exchange),
  });
}

function declareQueue(
  channel: Channel,
  queue: string,
  options: Options.AssertQueue,
  flags: TopologyFlags,
): Promise<void> {
  return declareOrAdopt(channel, `queue ${queue}`, flags, {
    declare: () => channel.assertQueue(queue, options),
    check: () => channel.checkQueue(queue),
  });
}

async function declareOrAdopt(
  channel: Channel,
  name: string,
  { adoptExisting = false }: TopologyFlags,
  ways: { declare: () => Promise<unknown>; check: () => Promise<unknown> },
): Promise<void> {
  const names = adopted.get(channel.connection) ?? new Set();
  if (names.has(name)) {
    // Deleted meanwhile: declared as wanted the next time.
    names.delete(name);
    await ways.check();
    names.add(name);
    return;
  }
  try {
    await ways.declare();
  } catch (error) {
    const found = adoptExisting ? readInequivalence(reasonOf(error)) : undefined;
    // An exchange of another type routes by other rules.
    if (!found || found.flag === 'type') throw error;
    names.add(name);
    adopted.set(channel.connection, names);
    throw new AdoptedError(found);
  }
}

/** oslo ignores `amqp_durable_queues` where it declares quorum queues: those are durable. */
function isDurable({ durable = false, quorum = false }: TopologyFlags): boolean {
  return durable || quorum;
}

function quorumArguments(flags: TopologyFlags): Record<string, unknown> {
  return {
    'x-queue-type': 'quorum',
    ...(flags.deliveryLimit && { 'x-delivery-limit': flags.deliveryLimit }),
    ...(flags.maxMemoryLength && { 'x-max-in-memory-length': flags.maxMemoryLength }),
    ...(flags.maxMemoryBytes && { 'x-max-in-memory-bytes': flags.maxMemoryBytes }),
  };
}
