// Serves RPC methods on oslo.messaging's three queues of a topic: any one server, this server, every server. What comes
// in goes to the desk (request_desk.ts); this is about hearing it at all, and about an orderly end.
//
// Each queue delivers at most `prefetch` requests that are not acknowledged yet: the window. Within it requests wait for
// a place in their lane; a full window stops the queue, and the broker keeps the rest.

import type { Channel, ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from './broker.ts';
import { DeadLetters } from './dead_letters.ts';
import { Delivery } from './delivery.ts';
import type { Endpoint } from './dispatch.ts';
import { Hearing } from './hearing.ts';
import { DEFAULT_MAX_BYTES } from './envelope.ts';
import type { KeptChannel } from './kept_channel.ts';
import { reasonOf, type RpcLogger } from './logger.ts';
import { ReplySender } from './reply_sender.ts';
import { RequestDesk } from './request_desk.ts';
import { MemoryRequestStore, type AcceptedRequest, type RequestStore } from './request_store.ts';
import {
  declareBoundQueue,
  declareFanoutQueue,
  fanoutQueue,
  hexId,
  serverQueue,
  type TopologyFlags,
} from './topology.ts';
import { within } from './within.ts';
import { WorkLanes } from './work_lanes.ts';

export interface RpcServerOptions {
  /** The control exchange, `nova` for Nova's services. */
  exchange: string;
  topic: string;
  /** This server's name within the topic: the host, for Nova. */
  server: string;
  endpoints: readonly Endpoint[];
  /** Requests taken per queue and not yet answered. Default 64, oslo's `executor_thread_pool_size`. */
  prefetch?: number;
  /** How many requests of a lane are at work at the same time; lanes that are not named have no limit. */
  lanes?: Readonly<Record<string, number>>;
  /** What is known of requests; default: the last 10,000, as long as the process lives. The caller closes it. */
  store?: RequestStore;
  /**
   * Longest time that a request waits, or is at work, before its acknowledgement; then it is handed back, or kept in the
   * store. Twice this must be less than the broker's consumer_timeout (30 min by default). Default 14 min.
   */
  holdMs?: number;
  /** How often the server proves that it hears; 0 for never. Default 10 s. */
  hearingIntervalMs?: number;
  /** Whether messages that cannot be read are kept in a queue of their own. Default true. */
  deadLetters?: boolean;
  /** Larger requests are refused unread. Default 16 MiB. */
  maxMessageBytes?: number;
  /** Must be those of everybody else on the topic. */
  flags?: TopologyFlags;
  /** Module of the class InternalError, as which errors of unknown kind reach the caller. Default `rpc.errors`. */
  errorModule?: string;
  logger: RpcLogger;
}

/** Whether requests are heard and answered now, and why not. */
export interface Readiness {
  ready: boolean;
  reasons: string[];
}

export interface RequestCounts {
  /** Taken and not yet acknowledged; those that wait are among them. */
  taken: number;
  /** For a place in their lane. */
  waiting: number;
  /** That could not be read, since the start. */
  unreadable: number;
}

const DEFAULT_PREFETCH = 64;
const DEFAULT_HOLD_MS = 14 * 60_000;
const DEFAULT_HEARING_INTERVAL_MS = 10_000;
const REMEMBERED_REQUESTS = 10_000;
const DEFAULT_STOP_DEADLINE_MS = 30_000;
// After its abort signal a handler has this long to end.
const ABORT_GRACE_MS = 1_000;
// A broker in a memory or disk alarm reads nothing from a connection that publishes: no cancel is answered then.
const CANCEL_DEADLINE_MS = 5_000;

type DeclareQueue = (channel: Channel) => Promise<void>;

/** A server on one topic of one broker connection. */
export class RpcServer {
  readonly #broker: BrokerConnection;
  readonly #options: RpcServerOptions;
  readonly #logger: RpcLogger;
  readonly #replies: ReplySender;
  readonly #lanes: WorkLanes;
  readonly #deadLetters: DeadLetters | null;
  readonly #desk: RequestDesk;
  readonly #hearing: Hearing | null;
  readonly #running = new Set<Promise<void>>();
  /** Requests of each queue that are not acknowledged. */
  readonly #window = new Map<string, number>();
  readonly #abort = new AbortController();
  readonly #fanoutQueue: string;
  #consumerTags = new Map<string, string>();
  #channel: KeptChannel | null = null;
  #isStopping = false;

  private constructor(broker: BrokerConnection, options: RpcServerOptions) {
    const { logger, topic, server, hearingIntervalMs: intervalMs = DEFAULT_HEARING_INTERVAL_MS } = options;
    this.#broker = broker;
    this.#options = options;
    this.#logger = logger;
    this.#replies = new ReplySender(broker, logger);
    this.#lanes = new WorkLanes(options.lanes ?? {});
    this.#deadLetters = options.deadLetters === false ? null : new DeadLetters(broker, topic, logger);
    this.#fanoutQueue = fanoutQueue(topic, hexId());
    this.#desk = new RequestDesk({
      endpoints: options.endpoints,
      lanes: this.#lanes,
      store: options.store ?? new MemoryRequestStore(REMEMBERED_REQUESTS),
      replies: this.#replies,
      deadLetters: this.#deadLetters,
      holdMs: options.holdMs ?? DEFAULT_HOLD_MS,
      maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_BYTES,
      errorModule: options.errorModule ?? 'rpc.errors',
      logger,
      signal: this.#abort.signal,
    });
    const queues = [serverQueue(topic, server), this.#fanoutQueue];
    const canHear = () => this.#canHear(queues);
    const onDeaf = () => void this.#consumeAnew();
    this.#hearing = intervalMs === 0 ? null : new Hearing({ broker, queues, intervalMs, canHear, onDeaf, logger });
  }

  /**
   * Resolves when all three queues are declared and consumed, and what an earlier server had accepted is at work again;
   * RpcError `topology` if the broker refuses a queue.
   */
  static async start(broker: BrokerConnection, options: RpcServerOptions): Promise<RpcServer> {
    const server = new RpcServer(broker, options);
    try {
      server.#channel = await broker.keepChannel(`serve ${options.topic}`, (channel) => server.#listen(channel));
    } catch (error) {
      server.#hearing?.stop();
      throw error;
    }
    for (const request of options.store?.accepted() ?? []) server.#resume(request);
    return server;
  }

  get requestCounts(): RequestCounts {
    const { unreadable } = this.#desk;
    return { taken: this.#running.size, waiting: this.#lanes.waitingCount, unreadable };
  }

  get readiness(): Readiness {
    const reasons: string[] = [];
    const { storeProblem } = this.#desk;
    if (this.#isStopping) reasons.push('the server is stopping');
    if (!this.#broker.isConnected) reasons.push('the broker is not connected');
    else if (this.#broker.isBlocked) reasons.push('the broker takes no publishes (a memory or disk alarm)');
    else if (!this.#channel?.current) reasons.push('the queues are not consumed');
    for (const queue of this.#hearing?.deafQueues ?? []) reasons.push(`nothing is heard from queue ${queue}`);
    if (storeProblem !== null) reasons.push(`requests cannot be kept: ${storeProblem}`);
    return { ready: reasons.length === 0, reasons };
  }

  /**
   * Takes no more requests, hands back those that wait, lets the running ones end up to `deadlineMs`, then aborts their
   * signals; what is still at work a second later is left to be delivered again. Deletes the own fanout queue. Never
   * rejects.
   */
  async stop(deadlineMs = DEFAULT_STOP_DEADLINE_MS): Promise<void> {
    this.#isStopping = true;
    this.#hearing?.stop();
    const channel = this.#channel?.current ?? null;
    if (channel) await within(CANCEL_DEADLINE_MS, this.#cancelAll(channel));
    this.#lanes.stop();

    await this.#drained(deadlineMs);
    this.#abort.abort();
    if (this.#running.size > 0) await this.#drained(ABORT_GRACE_MS);
    if (this.#running.size > 0) {
      this.#logger.warn('requests left unfinished', { topic: this.#options.topic, count: this.#running.size });
    }
    await this.#replies.stop();
    await this.#channel?.close();
  }

  #queues(): Map<string, DeclareQueue> {
    const { exchange, topic, server, flags = {} } = this.#options;
    const bound = (queue: string): [string, DeclareQueue] => [
      queue,
      (channel) => declareBoundQueue(channel, exchange, queue, flags),
    ];
    return new Map([
      bound(topic),
      bound(serverQueue(topic, server)),
      [this.#fanoutQueue, (channel) => declareFanoutQueue(channel, topic, this.#fanoutQueue, flags)],
    ]);
  }

  async #listen(channel: Channel): Promise<void> {
    if (this.#isStopping) return;
    const queues = this.#queues();
    this.#consumerTags = new Map();
    await channel.prefetch(this.#options.prefetch ?? DEFAULT_PREFETCH);
    // All are declared before the first delivery, in oslo's order.
    for (const declare of queues.values()) await declare(channel);
    for (const queue of queues.keys()) await this.#consume(channel, queue);
    // Told to stop meanwhile: what was just begun is ended, or each delivery would be handed back and come again.
    if (this.#isStopping) await this.#cancelAll(channel);
  }

  async #consume(channel: Channel, queue: string): Promise<void> {
    const { consumerTag } = await channel.consume(queue, (message) => {
      if (message) this.#take(channel, queue, message);
      else this.#listenAgain(channel, queue);
    });
    this.#consumerTags.set(queue, consumerTag);
  }

  /** Somebody deleted the queue: this one alone is declared and consumed again, on the same channel. */
  #listenAgain(channel: Channel, queue: string): void {
    this.#logger.warn('consumer cancelled by the broker', { queue });
    if (this.#isStopping) return;
    const again = async (): Promise<void> => {
      await this.#queues().get(queue)?.(channel);
      await this.#consume(channel, queue);
      if (this.#isStopping) await this.#cancelAll(channel);
      this.#logger.info('queue consumed again', { queue });
    };
    again().catch(async (error: unknown) => {
      this.#logger.warn('queue not consumed again', { queue, reason: reasonOf(error) });
      // A new channel starts from the beginning.
      await channel.close().catch(() => {});
    });
  }

  /** A new channel declares and consumes all queues; what is at work on the old one is delivered again and joins. */
  async #consumeAnew(): Promise<void> {
    await this.#channel?.current?.close().catch(() => {});
  }

  async #cancelAll(channel: Channel): Promise<void> {
    try {
      for (const tag of this.#consumerTags.values()) await channel.cancel(tag);
      await channel.deleteQueue(this.#fanoutQueue);
    } catch (error) {
      this.#logger.warn('listening not ended in order', { reason: reasonOf(error) });
    }
  }

  /** Never throws: amqplib calls it from its reader. */
  #take(channel: Channel, queue: string, message: ConsumeMessage): void {
    const delivery = new Delivery(message, {
      acknowledge: () => channel.ack(message),
      handBack: () => channel.nack(message, false, true),
    });
    if (this.#hearing?.take(message.content, queue) === true) delivery.acknowledge();
    // Another server of the topic may have it at once.
    else if (this.#isStopping) delivery.handBack();
    else this.#work(delivery, queue);
  }

  #resume({ uniqueId, body, properties }: AcceptedRequest): void {
    this.#logger.info('taking up a request that an earlier process had accepted', { uniqueId });
    this.#work(Delivery.accepted(Buffer.from(body), properties), null);
  }

  #work(delivery: Delivery, queue: string | null): void {
    const count = (change: number) => {
      if (queue !== null) this.#window.set(queue, (this.#window.get(queue) ?? 0) + change);
    };
    count(1);
    const work = this.#desk.take(delivery).catch((error: unknown) => {
      this.#logger.error('request failed outside of its handler', { stack: stackOf(error) });
      delivery.acknowledge();
    });
    this.#running.add(work);
    void work.finally(() => {
      count(-1);
      this.#running.delete(work);
    });
  }

  /** Whether a message to these queues can be expected to come: a full window lets nothing in. */
  #canHear(queues: readonly string[]): boolean {
    const prefetch = this.#options.prefetch ?? DEFAULT_PREFETCH;
    const isOpen = queues.every((queue) => (this.#window.get(queue) ?? 0) < prefetch);
    return isOpen && this.#broker.isConnected && !this.#broker.isBlocked && this.#channel?.current != null;
  }

  async #drained(deadlineMs: number): Promise<void> {
    const expired = Promise.withResolvers<void>();
    const timer = setTimeout(expired.resolve, deadlineMs);
    await Promise.race([Promise.allSettled(this.#running), expired.promise]);
    clearTimeout(timer);
  }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : String(error);
}
