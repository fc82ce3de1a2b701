/**
 * Asks the broker for all that the checks want of it, and leaves it as it was: a queue is declared as the settings want
 * it only where it exists already (RabbitMQ then compares the flags, and says 406 where they differ; a passive
 * declaration alone compares nothing), and what is tried out is tried on a queue that ends with its connection.
 */
import type { Channel } from 'amqplib';
import {
  BrokerConnection,
  deadLetterQueue,
  declareControlExchange,
  declareFanoutExchange,
  declareSharedQueue,
  describeTransportUrl,
  explainRefusal,
  fanoutExchange,
  fanoutQueue,
  hexId,
  parseTransportUrl,
  serverQueue,
  type TopologyFlags,
} from '../rpc/index.ts';
import { brokerOptions, topologyFlags } from '../settings/broker_options.ts';
import type { Settings } from '../settings/schema.ts';

export type QueueState = {
  readonly name: string;
  readonly kind: 'queue' | 'exchange';
  /** Of requests, or of what the agent tells. */
  readonly use: 'requests' | 'telling';
  readonly exists: boolean;
  /** Why the broker refuses it as the settings want it, in words; undefined where it does not. */
  readonly refusal: string | undefined;
  /** Whether it is the user's permissions that are in the way (403). */
  readonly isForbidden: boolean;
  readonly messages: number;
  readonly consumers: number;
};

/** What the agent does on the bus, each tried once; `refusal` as above. */
export type Trial = { readonly what: string; readonly refusal: string };

export type BrokerFacts = {
  readonly where: string;
  readonly virtualHost: string;
  readonly isEncrypted: boolean;
  readonly isLoopback: boolean;
  readonly hasDefaultLogin: boolean;
  /** A memory or disk alarm: it reads no publishes. */
  readonly isBlocked: boolean;
  readonly adoptsExisting: boolean;
  readonly things: readonly QueueState[];
  /** Only those that the broker refuses. */
  readonly refusedTrials: readonly Trial[];
};

export type BrokerReading =
  | { readonly is: 'read'; readonly facts: BrokerFacts }
  | { readonly is: 'unreachable'; readonly where: string; readonly isLoopback: boolean; readonly reason: string }
  /** The settings themselves cannot be followed. */
  | { readonly is: 'invalid'; readonly reason: string };

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const ANSWER_DEADLINE_MS = 3_000;

/** Connects, reads, closes; never rejects. No user name and no password is in what it says. `timeoutMs` is for connecting. */
export async function probeBroker(settings: Settings, timeoutMs: number): Promise<BrokerReading> {
  let broker: BrokerConnection;
  let place: ReturnType<typeof placeOf>;
  let flags: TopologyFlags;
  try {
    place = placeOf(settings);
    flags = topologyFlags(settings);
    const options = brokerOptions(settings, 'hugenode doctor', SILENT);
    const connectTimeoutMs = Math.min(settings.rpc.connect_timeout_ms, timeoutMs);
    const opening = BrokerConnection.open({ ...options, connectTimeoutMs, initialRetries: 0 });
    broker = await opening.catch((error: unknown) => {
      throw new UnreachableError(reasonOf(error), { cause: error });
    });
  } catch (error) {
    if (!(error instanceof UnreachableError)) return { is: 'invalid', reason: reasonOf(error) };
    const { where, isLoopback } = placeOf(settings);
    return { is: 'unreachable', where, isLoopback, reason: error.message };
  }
  try {
    const wanted = wantedThings(settings, { ...flags, adoptExisting: false });
    // One after the other: they share a connection, and there are few.
    const things: QueueState[] = [];
    for (const thing of wanted) things.push(await look(broker, thing));
    const refusedTrials = await tryOut(broker, settings.rpc.topic, things);
    return {
      is: 'read',
      facts: {
        ...place,
        isBlocked: broker.isBlocked,
        adoptsExisting: flags.adoptExisting ?? false,
        things,
        refusedTrials,
      },
    };
  } catch (error) {
    return { is: 'unreachable', where: place.where, isLoopback: place.isLoopback, reason: reasonOf(error) };
  } finally {
    await broker.close();
  }
}

class UnreachableError extends Error {}

function placeOf({ rpc }: Settings) {
  const url = parseTransportUrl(rpc.transport_url);
  return {
    where: describeTransportUrl(url),
    virtualHost: url.virtualHost,
    isEncrypted: url.protocol === 'amqps',
    isLoopback: url.hosts.every(({ hostname }) => /^(localhost|127\.[\d.]+|::1)$/.test(hostname)),
    hasDefaultLogin: url.hosts.some(({ username, password }) => username === 'guest' && password === 'guest'),
  };
}

type WantedThing = Pick<QueueState, 'name' | 'kind' | 'use'> & {
  readonly declare: (channel: Channel) => Promise<void>;
};

/** All that an agent of these settings declares, but for its fanout queue, whose name is new each time. */
function wantedThings(settings: Settings, flags: TopologyFlags): WantedThing[] {
  const { rpc, host, notifications, metering } = settings;
  const exchange = (name: string, use: QueueState['use']): WantedThing => ({
    name,
    kind: 'exchange',
    use,
    declare: (channel) => declareControlExchange(channel, name, flags),
  });
  const queue = (name: string, use: QueueState['use']): WantedThing => ({
    name,
    kind: 'queue',
    use,
    declare: (channel) => declareSharedQueue(channel, name, flags),
  });
  const fanout = fanoutExchange(rpc.topic);
  const topics = [
    ...(notifications.format === 'versioned' ? [] : [notifications.topic]),
    ...(notifications.format === 'unversioned' ? [] : [notifications.versioned_topic]),
  ];
  const told = [
    ...(notifications.enabled
      ? [
          exchange(notifications.exchange, 'telling'),
          ...topics.flatMap((topic) => [queue(`${topic}.info`, 'telling'), queue(`${topic}.error`, 'telling')]),
        ]
      : []),
    ...(metering.enabled ? [exchange(metering.exchange, 'telling'), queue(`${metering.topic}.sample`, 'telling')] : []),
  ];
  const things: WantedThing[] = [
    exchange(rpc.exchange, 'requests'),
    {
      name: fanout,
      kind: 'exchange',
      use: 'requests',
      declare: (channel) => declareFanoutExchange(channel, rpc.topic, flags),
    },
    queue(rpc.topic, 'requests'),
    queue(serverQueue(rpc.topic, host), 'requests'),
    // Its flags are our own, whatever the settings say.
    ...(rpc.dead_letters ? [{ ...queue(deadLetterQueue(rpc.topic), 'requests'), declare: async () => {} }] : []),
    ...told.filter(({ kind }) => notifications.declare_queues || kind === 'exchange'),
  ];
  // Two topics may be one.
  return [...new Map(things.map((thing) => [`${thing.kind} ${thing.name}`, thing])).values()];
}

async function look(broker: BrokerConnection, { declare, ...thing }: WantedThing): Promise<QueueState> {
  const found = {
    exists: true,
    refusal: undefined as string | undefined,
    isForbidden: false,
    messages: 0,
    consumers: 0,
  };
  const presence = await onChannel(broker, async (channel) => {
    if (thing.kind === 'exchange') await channel.checkExchange(thing.name);
    else {
      const { messageCount, consumerCount } = await channel.checkQueue(thing.name);
      found.messages = messageCount;
      found.consumers = consumerCount;
    }
  });
  if (/NOT.FOUND/.test(presence ?? '')) return { ...thing, ...found, exists: false };
  const refusal = presence ?? (await onChannel(broker, declare));
  if (refusal !== undefined) {
    found.refusal = explainRefusal(refusal);
    found.isForbidden = /ACCESS.REFUSED/.test(refusal);
  }
  return { ...thing, ...found };
}

/**
 * RabbitMQ looks at the right to publish first, then at the user that the message names; another one than the sender is
 * refused (406) before the message goes anywhere. So the right is known, and nobody gets a message of ours.
 */
const NOBODY = 'hugenode-doctor-sends-nothing';
const NOT_SENT = /user_id property/;

/** What an agent does, on a queue of its kind of name that ends with the channel, and on the exchanges that exist. */
async function tryOut(broker: BrokerConnection, topic: string, things: readonly QueueState[]): Promise<Trial[]> {
  const name = fanoutQueue(topic, hexId());
  const trials: Trial[] = [];
  const attempt = async (what: string, work: (channel: Channel) => Promise<unknown>): Promise<void> => {
    const refusal = await onChannel(broker, async (channel) => {
      await channel.assertQueue(name, { durable: false, autoDelete: false, exclusive: true });
      await work(channel);
      await channel.deleteQueue(name);
    });
    // A broker with an alarm reads nothing after a publish: that is no refusal, and told as what it is.
    if (refusal === undefined || NOT_SENT.test(refusal) || broker.isBlocked) return;
    trials.push({ what, refusal: explainRefusal(refusal) });
  };
  await attempt(`declare a queue of the name ${topic}_fanout_…`, async () => {});
  if (trials.length > 0) return trials;
  await attempt('consume from a queue', async (channel) => {
    const { consumerTag } = await channel.consume(name, () => {}, { noAck: true });
    await channel.cancel(consumerTag);
  });
  const publish = (exchange: string, key: string) => async (channel: Channel) => {
    channel.publish(exchange, key, Buffer.alloc(0), { userId: NOBODY });
    // A publish is not answered; what comes after it on the channel is, unless the channel is closed first.
    await channel.checkQueue(name);
  };
  await attempt('publish to queues (exchange amq.default)', publish('', name));
  for (const exchange of things.filter(({ kind, exists }) => kind === 'exchange' && exists)) {
    // An agent casts nothing to all agents.
    if (exchange.name === fanoutExchange(topic)) continue;
    if (broker.isBlocked) break;
    await attempt(`publish to exchange ${exchange.name}`, publish(exchange.name, name));
  }
  return trials;
}

/** Runs the work on a channel of its own; resolves with the broker's refusal, or undefined where there was none. */
async function onChannel(
  broker: BrokerConnection,
  work: (channel: Channel) => Promise<void>,
): Promise<string | undefined> {
  let refusal: string | undefined;
  const kept = await broker.keepChannel('doctor', async (channel) => {
    // Thrown from here it would be tried again.
    await Promise.race([work(channel), silence(ANSWER_DEADLINE_MS)]).catch((error: unknown) => {
      refusal = reasonOf(error);
    });
  });
  await kept.close();
  return refusal;
}

/** Rejects after the time. */
function silence(ms: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`the broker does not answer within ${ms} ms`)), ms).unref();
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
