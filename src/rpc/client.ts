// Calls methods of other servers and waits for their answers, as oslo.messaging's RPCClient does.
//
// One exclusive reply queue per client. The broker drops it with the connection and it is declared again under the same
// name afterwards, so an answer sent meanwhile is returned to its server, which may try again; oslo's reply queue would
// have kept it, and is left behind for half an hour by every process that ends.

import type { Channel } from 'amqplib';
import type { BrokerConnection } from './broker.ts';
import { decodeReply, encodeRequest, type ReplyMessage } from './envelope.ts';
import { BrokerUnavailableError, MessagingTimeout, RemoteError, RpcError } from './errors.ts';
import type { KeptChannel } from './kept_channel.ts';
import type { RpcLogger } from './logger.ts';
import {
  declareControlExchange,
  declareFanoutExchange,
  declareReplyQueue,
  fanoutExchange,
  hexId,
  replyQueue,
  serverQueue,
  type TopologyFlags,
} from './topology.ts';

export interface RpcClientOptions {
  /** The control exchange of the servers called. */
  exchange: string;
  topic: string;
  /** Must be those of everybody else on the exchange. */
  flags?: TopologyFlags;
  logger: RpcLogger;
}

export interface CastOptions {
  /** One server of the topic; any one of them if absent. */
  server?: string;
  /** The method's version, `1.0` if absent. */
  version?: string;
  namespace?: string;
  context?: Record<string, unknown>;
  /** Fail at once with UnroutableError when no queue is there. Default: only with `server`. */
  mandatory?: boolean;
}

export interface CallOptions extends CastOptions {
  /** Patience for the whole call; also the request's expiration in its queue. Default 60,000. */
  timeoutMs?: number;
  /** Asks the server for heartbeats and gives up after so many seconds without any. At least 2 to have an effect. */
  callMonitorTimeoutS?: number;
  signal?: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 60_000;

interface Waiter {
  onReply: (reply: ReplyMessage) => void;
  onEnd: (error: Error) => void;
}

/** A client of one topic. */
export class RpcClient {
  readonly #broker: BrokerConnection;
  readonly #options: RpcClientOptions;
  readonly #replyQueue = replyQueue(hexId());
  readonly #waiters = new Map<string, Waiter>();
  #channel: KeptChannel | null = null;

  private constructor(broker: BrokerConnection, options: RpcClientOptions) {
    this.#broker = broker;
    this.#options = options;
  }

  /** Resolves when the reply queue is consumed; RpcError `topology` if the broker refuses it. */
  static async open(broker: BrokerConnection, options: RpcClientOptions): Promise<RpcClient> {
    const client = new RpcClient(broker, options);
    client.#channel = await broker.keepChannel(`replies for ${options.topic}`, (channel) => client.#listen(channel));
    return client;
  }

  /**
   * Calls a method and resolves with its result. Rejects with RemoteError (the method raised), MessagingTimeout,
   * UnroutableError (mandatory and nobody there), BrokerUnavailableError (not sent, or not known to be), RpcError
   * `not-encodable`, or the signal's reason. Except for the first and third the method may still run.
   */
  async call(method: string, args: Record<string, unknown>, options: CallOptions = {}): Promise<unknown> {
    assertTimeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    options.signal?.throwIfAborted();
    const msgId = hexId();
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const answer = this.#wait(msgId, timeoutMs, options);
    try {
      await Promise.race([
        this.#send(method, args, options, {
          msgId,
          monitorTimeoutSeconds: options.callMonitorTimeoutS ?? null,
          expirationMs: timeoutMs,
        }),
        answer.promise,
      ]);
      return await answer.promise;
    } finally {
      answer.end();
    }
  }

  /** Sends a request nobody answers; resolves when the broker has it. Rejects as `call` does for sending. */
  async cast(method: string, args: Record<string, unknown>, options: CastOptions = {}): Promise<void> {
    await this.#send(method, args, options, { msgId: null, monitorTimeoutSeconds: null });
  }

  /** Casts to every server of the topic; resolves when the broker has it, even if there is no server. */
  async fanoutCast(
    method: string,
    args: Record<string, unknown>,
    options: Omit<CastOptions, 'server' | 'mandatory'> = {},
  ): Promise<void> {
    const { topic, flags } = this.#options;
    const body = this.#encode(method, args, options, null, null);
    // Each time: the broker deletes this exchange together with the last server's queue.
    const declare = (channel: Channel): Promise<void> => declareFanoutExchange(channel, topic, flags);
    await this.#broker.declare(`exchange ${fanoutExchange(topic)}`, declare);
    await this.#broker.publish(fanoutExchange(topic), '', body);
  }

  /** Ends all waiting calls with BrokerUnavailableError and drops the reply queue. */
  async close(): Promise<void> {
    for (const waiter of this.#waiters.values()) waiter.onEnd(new BrokerUnavailableError('the client was closed'));
    await this.#channel?.close();
  }

  async #listen(channel: Channel): Promise<void> {
    await declareReplyQueue(channel, this.#replyQueue);
    const onMessage = (message: Parameters<Parameters<Channel['consume']>[1]>[0]): void => {
      if (message) {
        this.#take(message.content, message.properties);
        return;
      }
      // The queue was deleted under us: a new channel declares it again.
      channel.close().catch(() => {});
    };
    await channel.consume(this.#replyQueue, onMessage, { noAck: true });
  }

  #take(body: Buffer, properties: Parameters<typeof decodeReply>[1]): void {
    const { logger } = this.#options;
    const decoded = decodeReply(body, properties);
    if (!decoded.accepted) {
      const { msgId, reason } = decoded.rejection;
      logger.warn('reply refused', { ...decoded.rejection });
      // Nothing else will come for it.
      const waiting = msgId === undefined ? undefined : this.#waiters.get(msgId);
      waiting?.onEnd(new RpcError('unreadable', `the reply to message ID ${msgId} cannot be read: ${reason}`));
      return;
    }
    const waiter = this.#waiters.get(decoded.message.msgId);
    // Late, repeated, or not for us.
    if (!waiter) logger.debug('reply dropped', { msgId: decoded.message.msgId });
    else waiter.onReply(decoded.message);
  }

  #wait(
    msgId: string,
    timeoutMs: number,
    { signal, callMonitorTimeoutS }: CallOptions,
  ): { promise: Promise<unknown>; end: () => void } {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    // Whoever waits hears of it through `promise`; if sending failed first, nobody does and that is right.
    promise.catch(() => {});

    const expire = (detail: string) => (): void => reject(new MessagingTimeout(msgId, detail));
    const overall = setTimeout(expire(`none within ${timeoutMs} ms`), timeoutMs);
    const monitorMs = (callMonitorTimeoutS ?? 0) * 1_000;
    const silence = monitorMs > 0 ? setTimeout(expire(`silent for ${monitorMs} ms`), monitorMs) : undefined;
    const onAbort = (): void => reject(abortReason(signal));
    signal?.addEventListener('abort', onAbort, { once: true });

    let early: unknown = null;
    this.#waiters.set(msgId, {
      onReply: ({ ending, failure, result }) => {
        silence?.refresh();
        if (failure) reject(new RemoteError(failure));
        else if (ending) resolve(result ?? early);
        // Servers of old send the result first and the ending alone after it.
        else early = result ?? early;
      },
      onEnd: reject,
    });
    const end = (): void => {
      clearTimeout(overall);
      clearTimeout(silence);
      signal?.removeEventListener('abort', onAbort);
      this.#waiters.delete(msgId);
    };
    return { promise, end };
  }

  async #send(
    method: string,
    args: Record<string, unknown>,
    options: CastOptions,
    call: { msgId: string | null; monitorTimeoutSeconds: number | null; expirationMs?: number },
  ): Promise<void> {
    const { exchange, topic, flags = {} } = this.#options;
    const body = this.#encode(method, args, options, call.msgId, call.monitorTimeoutSeconds);
    const declare = (channel: Channel): Promise<void> => declareControlExchange(channel, exchange, flags);
    // An auto-deleted exchange may be gone at any time.
    if (flags.autoDelete) await this.#broker.declare(`exchange ${exchange}`, declare);
    else await this.#broker.declareOnce(`exchange ${exchange}`, declare);

    const routingKey = options.server === undefined ? topic : serverQueue(topic, options.server);
    await this.#broker.publish(exchange, routingKey, body, {
      mandatory: options.mandatory ?? options.server !== undefined,
      ...(call.expirationMs !== undefined && { expirationMs: call.expirationMs }),
    });
  }

  #encode(
    method: string,
    args: Record<string, unknown>,
    options: CastOptions,
    msgId: string | null,
    monitorTimeoutSeconds: number | null,
  ): string {
    return encodeRequest({
      method,
      args,
      namespace: options.namespace ?? null,
      version: options.version ?? '1.0',
      msgId,
      replyQueue: msgId === null ? null : this.#replyQueue,
      monitorTimeoutSeconds,
      uniqueId: hexId(),
      context: options.context ?? {},
    });
  }
}

function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('the call was aborted');
}

/** Longer is more than a timer can, and what is no number of ms the broker refuses by closing the channel. */
function assertTimeout(timeoutMs: number): void {
  if (timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1) return;
  throw new RangeError(`timeoutMs must be above 0 and below 2^31, not ${timeoutMs}`);
}
