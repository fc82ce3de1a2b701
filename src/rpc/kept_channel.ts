// A channel that is there again after every loss: amqplib's recovery brings back the connection, never its channels.
//
//   open() -> [create, setup] -> ready --- broker closed the channel ---> back-off -+
//                  ^                  \--- connection lost: create waits for it ----+
//                  +----------------------------------------------------------------+
//   close(), or the end of the connection's own life: from anywhere, for good
//
// Setup (declare, consume) runs on each new channel before anybody may use it. A first setup refused by the broker
// (406 other flags, 403 not allowed) is an error of the opener; a later one is logged once and tried again, ever slower:
// somebody has to act first.

import { setTimeout as delay } from 'node:timers/promises';
import type { Channel, RecoveringChannelModel } from 'amqplib';
import { BrokerUnavailableError, RpcError } from './errors.ts';
import { reasonOf, type RpcLogger } from './logger.ts';
import { AdoptedError, explainRefusal } from './refusals.ts';
import { within } from './within.ts';

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;
const MAX_REFUSED_DELAY_MS = 30_000;
// A channel that lived this long was healthy: its loss starts the back-off afresh.
const HEALTHY_AFTER_MS = 10_000;
const CLOSE_DEADLINE_MS = 2_000;

export interface KeptChannelOptions<C extends Channel> {
  /** For logs: what the channel is for. */
  purpose: string;
  /** `model.createChannel` or `model.createConfirmChannel`. */
  create: (model: RecoveringChannelModel) => Promise<C>;
  setup: (channel: C) => Promise<void>;
  logger: RpcLogger;
  /** Aborts when the connection is closed for good. */
  brokerClosed: AbortSignal;
}

interface Life<C> {
  channel: C;
  ended: Promise<void>;
}

/** One channel of a recovering connection, made again after each loss. */
export class KeptChannel<C extends Channel = Channel> {
  readonly #model: RecoveringChannelModel;
  readonly #options: KeptChannelOptions<C>;
  readonly #closing = new AbortController();
  readonly #stop: AbortSignal;
  #life: Life<C> | null = null;
  #change = Promise.withResolvers<void>();
  /** The refusal that was told last: it is told once. */
  #refusal: string | null = null;

  private constructor(model: RecoveringChannelModel, options: KeptChannelOptions<C>) {
    this.#model = model;
    this.#options = options;
    this.#stop = AbortSignal.any([this.#closing.signal, options.brokerClosed]);
    this.#stop.addEventListener('abort', () => this.#become(null), { once: true });
  }

  /** Resolves once the first setup is done; rejects with RpcError `topology` if the broker refused it. */
  static async open<C extends Channel>(
    model: RecoveringChannelModel,
    options: KeptChannelOptions<C>,
  ): Promise<KeptChannel<C>> {
    const kept = new KeptChannel(model, options);
    const first = Promise.withResolvers<void>();
    kept.#keep(first.resolve).then(
      () => first.reject(new BrokerUnavailableError(`${options.purpose}: the connection was closed`)),
      (error: unknown) => first.reject(error),
    );
    await first.promise;
    return kept;
  }

  /** The channel now, or null between a loss and the next setup's end. */
  get current(): C | null {
    return this.#life?.channel ?? null;
  }

  /** Resolves with a channel that is set up, waiting out losses; rejects when `signal` or `close()` ends the wait. */
  async ready(signal: AbortSignal): Promise<C> {
    while (!this.#life) {
      if (this.#stop.aborted || signal.aborted) {
        throw new BrokerUnavailableError(`${this.#options.purpose}: no channel`);
      }
      await untilAborted(this.#change.promise, signal);
    }
    return this.#life.channel;
  }

  /** Closes the channel for good; never rejects. */
  async close(): Promise<void> {
    const life = this.#life;
    this.#closing.abort();
    if (life) await endLife(life);
  }

  async #keep(onFirst: () => void): Promise<void> {
    const { purpose, logger } = this.#options;
    let delayMs = FIRST_DELAY_MS;
    let isFirst = true;
    while (!this.#stop.aborted) {
      const bornAt = performance.now();
      try {
        const life = await this.#begin();
        this.#become(life);
        if (isFirst) onFirst();
        else logger.info('channel set up again', { purpose });
        isFirst = false;
        this.#refusal = null;
        await life.ended;
        // Again: it may have ended between its setup and its announcement.
        this.#become(null);
        if (performance.now() - bornAt > HEALTHY_AFTER_MS) delayMs = FIRST_DELAY_MS;
      } catch (error) {
        if (error instanceof AdoptedError) {
          logger.warn(error.message, { purpose });
          continue;
        }
        if (isFirst && isRefusal(error)) throw refused(purpose, error);
        if (!this.#stop.aborted) this.#tell(error, delayMs);
      }
      await delay(delayMs, undefined, { signal: this.#stop }).catch(() => {});
      delayMs = Math.min(delayMs * 2, this.#refusal === null ? MAX_DELAY_MS : MAX_REFUSED_DELAY_MS);
    }
  }

  #tell(error: unknown, retryInMs: number): void {
    const { purpose, logger } = this.#options;
    if (!isRefusal(error)) {
      this.#refusal = null;
      logger.warn('channel setup failed', { purpose, reason: reasonOf(error), retryInMs });
      return;
    }
    const reason = explainRefusal(reasonOf(error));
    const isKnown = reason === this.#refusal;
    this.#refusal = reason;
    if (isKnown) logger.debug('still refused by the broker', { purpose, reason, retryInMs });
    else logger.error('refused by the broker, tried again until it is put right', { purpose, reason });
  }

  async #begin(): Promise<Life<C>> {
    const channel = await this.#options.create(this.#model);
    const state = { isSetUp: false };
    const life = { channel, ended: this.#watch(channel, state) };
    try {
      this.#stop.throwIfAborted();
      await this.#options.setup(channel);
      this.#stop.throwIfAborted();
      state.isSetUp = true;
      return life;
    } catch (error) {
      await endLife(life);
      throw error;
    }
  }

  #become(life: Life<C> | null): void {
    this.#life = life;
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }

  /** Resolves when the channel has ended, whoever ended it. Without these listeners amqplib would end the process. */
  #watch(channel: C, state: { isSetUp: boolean }): Promise<void> {
    const { purpose, logger } = this.#options;
    channel.on('error', (error: Error) => {
      const fields = { purpose, reason: reasonOf(error) };
      if (state.isSetUp) logger.warn('channel closed by the broker', fields);
      // A setup that fails is told with its reason.
      else logger.debug('channel closed by the broker', fields);
    });
    channel.on('handler-error', (error: Error, event: string) =>
      logger.error('listener failed', { purpose, event, stack: error.stack }),
    );
    return new Promise((resolve) => {
      channel.on('close', () => {
        if (this.#life?.channel === channel) this.#become(null);
        resolve();
      });
    });
  }
}

// amqplib 2.3 settles channel.close() only at the broker's answer: never, if the connection dies meanwhile.
async function endLife(life: Life<Channel>): Promise<void> {
  await within(CLOSE_DEADLINE_MS, Promise.race([life.channel.close().catch(() => {}), life.ended]));
}

async function untilAborted(event: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const onAbort = (): void => aborted.resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  if (!signal.aborted) await Promise.race([event, aborted.promise]);
  signal.removeEventListener('abort', onAbort);
}

/** Whether the broker itself refused, by a channel.close with an AMQP reply code (300 and above). */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code >= 300;
}

/** The refusal as the opener's error, in words. */
export function refused(what: string, error: unknown): RpcError {
  return new RpcError('topology', `${what}: ${explainRefusal(reasonOf(error))}`, { cause: error });
}
