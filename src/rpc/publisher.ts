// Publishing with the broker's word for it: one confirm channel for the whole connection, pipelined, and one channel
// for declarations, so that a refused declaration does not take the publishes in flight down with it.

import type { Channel, ConfirmChannel, Message, RecoveringChannelModel } from 'amqplib';
import { BrokerUnavailableError, type RpcError, UnroutableError } from './errors.ts';
import { isRefusal, KeptChannel, refused } from './kept_channel.ts';
import { reasonOf, type RpcLogger } from './logger.ts';
import { AdoptedError } from './refusals.ts';

export interface PublishOptions {
  /** Have the broker return the message, and `publish` reject with UnroutableError, if no queue would get it. */
  mandatory?: boolean;
  /** The broker drops the message from its queue after this time. */
  expirationMs?: number;
  /** Instead of the properties that every message has. */
  properties?: { contentType?: string; contentEncoding?: string; headers?: Record<string, unknown> };
}

// A refused declaration is not asked for again at each message: somebody has to act first.
const REFUSAL_HOLDS_MS = 10_000;
// Exchange and queue of one declaration may both have to be taken as they are.
const MAX_ADOPTIONS = 8;
// A refusal has ended the channel for all that was declared on it: the next one is there at once, or a little later.
const CHANNEL_WAIT_MS = 10_000;

/** The publishing side of a broker connection. */
export class Publisher {
  readonly #confirms: KeptChannel<ConfirmChannel>;
  readonly #declarations: KeptChannel;
  readonly #logger: RpcLogger;
  readonly #declared: Map<string, Promise<void>>;
  readonly #refusals: Map<string, { error: RpcError; until: number }>;
  readonly #returned: Set<string>;
  #mandatoryCount = 0;

  private constructor(
    channels: { confirms: KeptChannel<ConfirmChannel>; declarations: KeptChannel },
    logger: RpcLogger,
    known: {
      declared: Map<string, Promise<void>>;
      refusals: Map<string, { error: RpcError; until: number }>;
      returned: Set<string>;
    },
  ) {
    this.#confirms = channels.confirms;
    this.#declarations = channels.declarations;
    this.#logger = logger;
    this.#declared = known.declared;
    this.#refusals = known.refusals;
    this.#returned = known.returned;
  }

  static async open(model: RecoveringChannelModel, logger: RpcLogger, brokerClosed: AbortSignal): Promise<Publisher> {
    const declared = new Map<string, Promise<void>>();
    const refusals = new Map<string, { error: RpcError; until: number }>();
    const returned = new Set<string>();
    const confirms = await KeptChannel.open(model, {
      purpose: 'publish',
      create: (connection) => connection.createConfirmChannel(),
      setup: async (channel) => {
        // A publish to an exchange that went away closes this channel: declare anew before the next one.
        declared.clear();
        refusals.clear();
        returned.clear();
        await roundTrip(channel);
        channel.on('return', (message: Message) => returned.add(String(message.properties.messageId)));
      },
      logger,
      brokerClosed,
    });
    const declarations = await KeptChannel.open(model, {
      purpose: 'declare for publishing',
      create: (connection) => connection.createChannel(),
      setup: async (channel) => {
        declared.clear();
        await roundTrip(channel);
      },
      logger,
      brokerClosed,
    });
    return new Publisher({ confirms, declarations }, logger, { declared, refusals, returned });
  }

  /**
   * Resolves when the broker has taken the message. Rejects with UnroutableError (mandatory, no queue) or
   * BrokerUnavailableError: no channel now, lost before the broker answered, or refused by it.
   */
  async publish(exchange: string, routingKey: string, body: Buffer, options: PublishOptions): Promise<void> {
    const channel = this.#confirms.current;
    const what = `publish to ${exchange === '' ? 'queue' : `exchange ${exchange}, key`} ${routingKey}`;
    if (!channel) throw new BrokerUnavailableError(`${what}: not connected`);

    // basic.return carries no number of its own; the message id is what finds its publish again. oslo.messaging 14
    // sets none and reads none, so only messages that may be returned have one.
    const messageId = options.mandatory ? String(++this.#mandatoryCount) : undefined;
    await new Promise<void>((resolve, reject) => {
      const onConfirm = (error: unknown): void => {
        // The broker sends basic.return before the basic.ack of the same message.
        const isReturned = messageId !== undefined && this.#returned.delete(messageId);
        if (error) reject(new BrokerUnavailableError(`${what}: ${reasonOf(error)}`, { cause: error }));
        else if (isReturned) reject(new UnroutableError(exchange, routingKey));
        else resolve();
      };
      try {
        channel.publish(exchange, routingKey, body, properties(options, messageId), onConfirm);
      } catch (error) {
        reject(new BrokerUnavailableError(`${what}: ${reasonOf(error)}`, { cause: error }));
      }
    });
  }

  /**
   * Runs `declare` once per life of the channels under `key`; rejects with RpcError `topology` when the broker
   * refuses, BrokerUnavailableError when there is no connection.
   */
  declareOnce(key: string, declare: (channel: Channel) => Promise<void>): Promise<void> {
    const known = this.#declared.get(key);
    if (known) return known;
    const running = this.declare(key, declare);
    this.#declared.set(key, running);
    running.catch(() => {
      if (this.#declared.get(key) === running) this.#declared.delete(key);
    });
    return running;
  }

  /** As `declareOnce`, each time anew: for what the broker may delete by itself. */
  async declare(key: string, declare: (channel: Channel) => Promise<void>): Promise<void> {
    const known = this.#refusals.get(key);
    if (known && performance.now() < known.until) throw known.error;
    try {
      await this.#declareOrAdopt(key, declare);
      this.#refusals.delete(key);
    } catch (error) {
      if (error instanceof BrokerUnavailableError) throw error;
      if (!isRefusal(error)) {
        throw new BrokerUnavailableError(`declare ${key}: ${reasonOf(error)}`, { cause: error });
      }
      const refusal = refused(`declare ${key}`, error);
      this.#refusals.set(key, { error: refusal, until: performance.now() + REFUSAL_HOLDS_MS });
      throw refusal;
    }
  }

  async #declareOrAdopt(key: string, declare: (channel: Channel) => Promise<void>): Promise<void> {
    for (let adoptions = 0; ; adoptions++) {
      if (!this.#confirms.current) throw new BrokerUnavailableError(`declare ${key}: not connected`);
      const channel = await this.#declarations.ready(AbortSignal.timeout(CHANNEL_WAIT_MS));
      try {
        return await declare(channel);
      } catch (error) {
        if (!(error instanceof AdoptedError) || adoptions >= MAX_ADOPTIONS) throw error;
        this.#logger.warn(error.message, { purpose: `declare ${key}` });
      }
    }
  }

  /** Resolves when publishing is possible; rejects with BrokerUnavailableError when `signal` ends the wait. */
  async ready(signal: AbortSignal): Promise<void> {
    await this.#confirms.ready(signal);
  }
}

/** oslo.messaging 14's properties of every message (captured), and the two that some have. */
function properties(options: PublishOptions, messageId: string | undefined) {
  return {
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    headers: {},
    ...options.properties,
    deliveryMode: 2,
    priority: 0,
    mandatory: options.mandatory ?? false,
    ...(options.expirationMs !== undefined && { expiration: String(Math.max(0, Math.round(options.expirationMs))) }),
    ...(messageId !== undefined && { messageId }),
  };
}

/**
 * Fails on a channel that died while it was being opened: its `close` may have come before anyone listened for it, and
 * it would be kept for ever. These channels consume nothing, so the prefetch count means nothing to them.
 */
async function roundTrip(channel: Channel): Promise<void> {
  await channel.prefetch(0);
}
