// Serves RPC methods on oslo.messaging's three queues of a topic: any one server, this server, every server.
//
//   delivery -> decoded -> not seen before -> handler at work -> answered -> acknowledged
//                 |            | seen: joins the first run ------------------^
//                 | no message: answered if it names a caller, then rejected
//
// The acknowledgement comes last, so a request whose process dies is delivered again; oslo.messaging 14 acknowledges
// first and loses it. Each queue delivers at most `prefetch` requests that are not acknowledged yet. A call gets exactly
// one reply with ending=true; what the handler threw is told in its class name, never in its stack.

import type { Channel, ConsumeMessage } from 'amqplib';
import type { BrokerConnection } from './broker.ts';
import { resolve, type Endpoint, type HandlerRequest } from './dispatch.ts';
import { decodeRequest, type Rejection, type RequestMessage } from './envelope.ts';
import { RemoteFault, RpcError, type Failure } from './errors.ts';
import type { KeptChannel } from './kept_channel.ts';
import { reasonOf, type RpcLogger } from './logger.ts';
import { RecentRequests } from './recent_requests.ts';
import { ReplySender, type Outcome, type ReturnAddress } from './reply_sender.ts';
import {
  declareBoundQueue,
  declareFanoutQueue,
  fanoutQueue,
  hexId,
  serverQueue,
  type TopologyFlags,
} from './topology.ts';
import { within } from './within.ts';

export interface RpcServerOptions {
  /** The control exchange, `nova` for Nova's services. */
  exchange: string;
  topic: string;
  /** This server's name within the topic: the host, for Nova. */
  server: string;
  endpoints: readonly Endpoint[];
  /** Requests at work per queue. Default 64, oslo's `executor_thread_pool_size`. */
  prefetch?: number;
  /** Must be those of everybody else on the topic. */
  flags?: TopologyFlags;
  /** Module of the class InternalError, as which errors of unknown kind reach the caller. Default `rpc.errors`. */
  errorModule?: string;
  logger: RpcLogger;
}

const DEFAULT_PREFETCH = 64;
const REMEMBERED_REQUESTS = 10_000;
const DEFAULT_STOP_DEADLINE_MS = 30_000;
// After its abort signal a handler has this long to end.
const ABORT_GRACE_MS = 1_000;
// A broker in a memory or disk alarm reads nothing from a connection that publishes: no cancel is answered then.
const CANCEL_DEADLINE_MS = 5_000;

type DeclareQueue = (channel: Channel) => Promise<void>;

/** A server on one topic of one broker connection. */
export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #logger: RpcLogger;
  readonly #replies: ReplySender;
  readonly #recent = new RecentRequests(REMEMBERED_REQUESTS);
  readonly #running = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  readonly #fanoutQueue: string;
  #consumerTags = new Map<string, string>();
  #channel: KeptChannel | null = null;
  #isStopping = false;

  private constructor(broker: BrokerConnection, options: RpcServerOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#replies = new ReplySender(broker, options.logger);
    this.#fanoutQueue = fanoutQueue(options.topic, hexId());
  }

  /** Resolves when all three queues are declared and consumed; RpcError `topology` if the broker refuses one. */
  static async start(broker: BrokerConnection, options: RpcServerOptions): Promise<RpcServer> {
    const server = new RpcServer(broker, options);
    server.#channel = await broker.keepChannel(`serve ${options.topic}`, (channel) => server.#listen(channel));
    return server;
  }

  /** Requests taken and not yet acknowledged. */
  get runningCount(): number {
    return this.#running.size;
  }

  /**
   * Takes no more requests, waits for the running ones up to `deadlineMs`, then aborts their signals; what is still at
   * work a second later is left to be delivered again. Deletes the own fanout queue. Never rejects.
   */
  async stop(deadlineMs = DEFAULT_STOP_DEADLINE_MS): Promise<void> {
    this.#isStopping = true;
    const channel = this.#channel?.current ?? null;
    if (channel) await within(CANCEL_DEADLINE_MS, this.#cancelAll(channel));

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
      [this.#fanoutQueue, (channel) => declareFanoutQueue(channel, topic, this.#fanoutQueue)],
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
      if (message) this.#take(channel, message);
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

  async #cancelAll(channel: Channel): Promise<void> {
    try {
      for (const tag of this.#consumerTags.values()) await channel.cancel(tag);
      await channel.deleteQueue(this.#fanoutQueue);
    } catch (error) {
      this.#logger.warn('listening not ended in order', { reason: reasonOf(error) });
    }
  }

  /** Never throws: amqplib calls it from its reader. */
  #take(channel: Channel, message: ConsumeMessage): void {
    if (this.#isStopping) {
      // Another server of the topic may have it at once.
      settle(() => channel.nack(message, false, true));
      return;
    }
    const work = this.#process(message).then(
      (verdict) => settle(() => (verdict === 'done' ? channel.ack(message) : channel.reject(message, false))),
      (error: unknown) => {
        this.#logger.error('request failed outside of its handler', { stack: stackOf(error) });
        settle(() => channel.reject(message, false));
      },
    );
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  async #process(message: ConsumeMessage): Promise<'done' | 'refused'> {
    const decoded = decodeRequest(message.content, message.properties);
    if (!decoded.accepted) {
      await this.#refuse(decoded.rejection, message);
      return 'refused';
    }

    const request = decoded.message;
    if (request.uniqueId === null) {
      await this.#answer(request);
      return 'done';
    }
    const run = await this.#recent.once(request.uniqueId, () => this.#answer(request));
    if (run === 'duplicate') {
      const { fields } = message;
      this.#logger.info('duplicate request', { method: request.method, redelivered: fields.redelivered });
    }
    return 'done';
  }

  async #refuse({ reason, msgId, replyQueue }: Rejection, message: ConsumeMessage): Promise<void> {
    const isAnswered = msgId !== undefined && replyQueue !== undefined;
    const { routingKey } = message.fields;
    this.#logger.warn('request refused', { reason, routingKey, bytes: message.content.length, msgId, isAnswered });
    if (!isAnswered) return;
    const failure = this.#internalError(`The request cannot be read: ${reason}`);
    await this.#replies.send({ msgId, replyQueue }, { failure });
  }

  /** Runs the request to its end and tells its caller, if it has one. */
  async #answer(request: RequestMessage): Promise<void> {
    const to = returnAddress(request);
    const stopHeartbeats = to ? this.#replies.heartbeats(to, request.monitorTimeoutSeconds) : () => {};
    let outcome: Outcome;
    try {
      outcome = await this.#run(request);
    } finally {
      // Before the final reply: oslo.messaging 14 forgets to, and its heartbeats never end.
      stopHeartbeats();
    }
    if (!to) return;

    try {
      await this.#replies.send(to, outcome);
    } catch (error) {
      if (!(error instanceof RpcError && error.code === 'not-encodable')) throw error;
      this.#logger.error('outcome cannot be sent', { method: request.method, stack: stackOf(error.cause) });
      const failure = this.#internalError(`The outcome of ${request.method} cannot be written as JSON`);
      await this.#replies.send(to, { failure });
    }
  }

  async #run(request: RequestMessage): Promise<Outcome> {
    const { method, namespace, args, context } = request;
    const version = request.version ?? '1.0';
    const requestId = typeof context['request_id'] === 'string' ? context['request_id'] : undefined;
    const fields = { method, namespace, version, requestId, msgId: request.msgId };

    const resolution = resolve(this.#options.endpoints, { method, namespace, version });
    if (!resolution.found) {
      this.#logger.warn('method refused', { ...fields, reason: resolution.failure.className });
      return { failure: resolution.failure };
    }

    const startedAt = performance.now();
    const handled: HandlerRequest = { method, args, context, signal: this.#abort.signal };
    if (requestId !== undefined) handled.requestId = requestId;
    try {
      const result = await resolution.handler(handled);
      this.#logger.debug('method done', { ...fields, ms: Math.round(performance.now() - startedAt) });
      return { result };
    } catch (error) {
      if (error instanceof RemoteFault) {
        this.#logger.info('method failed', { ...fields, class: error.className, reason: error.message });
        const { className, module, message, args: faultArgs, kwargs } = error;
        return { failure: { className, module, message, args: faultArgs, kwargs } };
      }
      this.#logger.error('method broke', { ...fields, stack: stackOf(error) });
      return { failure: this.#internalError(`Internal error (request ${requestId ?? request.msgId ?? 'unknown'})`) };
    }
  }

  #internalError(message: string): Failure {
    const module = this.#options.errorModule ?? 'rpc.errors';
    return { className: 'InternalError', module, message, args: [message], kwargs: {} };
  }

  async #drained(deadlineMs: number): Promise<void> {
    const expired = Promise.withResolvers<void>();
    const timer = setTimeout(expired.resolve, deadlineMs);
    await Promise.race([Promise.allSettled(this.#running), expired.promise]);
    clearTimeout(timer);
  }
}

function returnAddress(request: RequestMessage): ReturnAddress | null {
  const { msgId, replyQueue } = request;
  return msgId !== null && replyQueue !== null ? { msgId, replyQueue } : null;
}

// A channel that is gone took its delivery tags along: the broker delivers the message again, as a duplicate.
function settle(acknowledge: () => void): void {
  try {
    acknowledge();
  } catch {
    // See above.
  }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : String(error);
}
