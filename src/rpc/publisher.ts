// Publishing with the broker's word for it: one confirm channel for the whole connection, pipelined, and one channel
// for declarations, so that a refused declaration does not take the publishes in flight down with it.

import type { Channel, ConfirmChannel, Message, RecoveringChannelModel } from 'amqplib';
import { BrokerUnavailableError, RpcError, UnroutableError } from './errors.ts';
import { isRefusal, KeptChannel } from './kept_channel.ts';
import { reasonOf, type RpcLogger } from './logger.ts';

export interface PublishOptions {
  /** Have the broker return the message, and `publish` reject with UnroutableError, if no queue would get it. */
  mandatory?: boolean;
  /** The broker drops the message from its queue after this time. */
  expirationMs?: number;
}

/** The publishing side of a broker connection. */
export class Publisher {
  readonly #confirms: KeptChannel<ConfirmChannel>;
  readonly #declarations: KeptChannel;
  readonly #declared: Map<string, Promise<void>>;
  readonly #returned: Set<string>;
  #mandatoryCount = 0;

  private constructor(
    confirms: KeptChannel<ConfirmChannel>,
    declarations: KeptChannel,
    declared: Map<string, Promise<void>>,
    returned: Set<string>,
  ) {
    this.#confirms = confirms;
    this.#declarations = declarations;
    this.#declared = declared;
    this.#returned = returned;
  }

  static async open(model: RecoveringChannelModel, logger: RpcLogger, brokerClosed: AbortSignal): Promise<Publisher> {
    const declared = new Map<string, Promise<void>>();
    const returned = new Set<string>();
    const confirms = await KeptChannel.open(model, {
      purpose: 'publish',
      create: (connection) => connection.createConfirmChannel(),
      setup: async (channel) => {
        // A publish to an exchange that went away closes this channel: declare anew before the next one.
        declared.clear();
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
    return new Publisher(confirms, declarations, declared, returned);
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
    const channel = this.#declarations.current;
    if (!channel) throw new BrokerUnavailableError(`declare ${key}: not connected`);
    try {
      await declare(channel);
    } catch (error) {
      const message = `declare ${key}: ${reasonOf(error)}`;
      throw isRefusal(error)
        ? new RpcError('topology', message, { cause: error })
        : new BrokerUnavailableError(message, { cause: error });
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
