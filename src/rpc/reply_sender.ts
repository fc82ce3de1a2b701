// Gets answers back to callers: the one final reply of a call, and the heartbeats before it. Knows no methods.
//
// A reply that the broker returns (the caller's queue is gone, or not yet back after an outage) is tried again in the
// background; a reply without connection waits for the connection. oslo.messaging 14 holds a worker for 60 s instead.

import { setTimeout as delay } from 'node:timers/promises';
import type { BrokerConnection } from './broker.ts';
import { encodeFailure, encodeHeartbeat, encodeResult } from './envelope.ts';
import { BrokerUnavailableError, UnroutableError, type Failure } from './errors.ts';
import { reasonOf, type RpcLogger } from './logger.ts';
import { hexId } from './topology.ts';

/** Where an answer goes: queue and message id, both from the request. */
export interface ReturnAddress {
  msgId: string;
  replyQueue: string;
}

export type Outcome = { result: unknown } | { failure: Failure };

// 64 s in all: after an outage oslo.messaging's clients come back within half a minute, with their queue.
const RETRY_DELAYS_MS = [250, 500, 1_000, 2_000, 4_000, ...Array<number>(7).fill(8_000)];
const LOSS_DELAY_MS = 250;
// Each holds a body: beyond this many, a reply to a vanished caller is dropped at once.
const MAX_BACKGROUND_RETRIES = 256;
// A body that the broker refuses time and again is not tried for ever.
const MAX_LOSSES = 10;

/** Sends replies and heartbeats over a broker connection. */
export class ReplySender {
  readonly #broker: BrokerConnection;
  readonly #logger: RpcLogger;
  readonly #retries = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(broker: BrokerConnection, logger: RpcLogger) {
    this.#broker = broker;
    this.#logger = logger;
  }

  /**
   * Resolves when the broker has the reply, or when nobody is there to get it (it is then tried again in the
   * background for about a minute). Throws RpcError `not-encodable` before anything was sent.
   */
  async send(to: ReturnAddress, outcome: Outcome): Promise<void> {
    // One unique id for all tries: a caller that got the reply although its confirmation was lost knows it again.
    const uniqueId = hexId();
    const body =
      'failure' in outcome
        ? encodeFailure(to.msgId, uniqueId, outcome.failure)
        : encodeResult(to.msgId, uniqueId, outcome.result);
    if (await this.#publish(to, body)) return;
    if (this.#retries.size >= MAX_BACKGROUND_RETRIES) {
      this.#logger.warn('reply dropped: too many callers are gone', { msgId: to.msgId, queue: to.replyQueue });
      return;
    }
    const retry = this.#retry(to, body);
    this.#retries.add(retry);
    void retry.finally(() => this.#retries.delete(retry));
  }

  /** Starts heartbeats every `_timeout`/2 seconds; call what it returns before the final reply is sent. */
  heartbeats(to: ReturnAddress, monitorTimeoutSeconds: number | null): () => void {
    // oslo.messaging 14: int(_timeout) / 2, and none at all below one second.
    const intervalSeconds = Math.trunc(monitorTimeoutSeconds ?? 0) / 2;
    if (intervalSeconds < 1) return () => {};

    const beat = (): void => {
      const sent = this.#broker.publish('', to.replyQueue, encodeHeartbeat(to.msgId, hexId()), { mandatory: true });
      // Lost ones are not repeated: the next is on its way.
      sent.catch((error: unknown) =>
        this.#logger.debug('heartbeat not delivered', { msgId: to.msgId, reason: reasonOf(error) }),
      );
    };
    // setInterval cannot hold more than 2^31 - 1 ms; nobody bears three weeks of silence.
    const timer = setInterval(beat, Math.min(intervalSeconds * 1_000, 2 ** 31 - 1));
    return () => clearInterval(timer);
  }

  /** Gives up what is still waiting to be sent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#retries);
  }

  async #retry(to: ReturnAddress, body: string): Promise<void> {
    for (const delayMs of RETRY_DELAYS_MS) {
      await delay(delayMs, undefined, { signal: this.#stop.signal }).catch(() => {});
      if (this.#stop.signal.aborted) break;
      if (await this.#publish(to, body)) return;
    }
    this.#logger.warn('reply dropped: its caller is gone', { msgId: to.msgId, queue: to.replyQueue });
  }

  /** True when sent (or given up with a log line), false when the caller's queue is not there. */
  async #publish(to: ReturnAddress, body: string): Promise<boolean> {
    for (let losses = 0; losses < MAX_LOSSES; losses++) {
      try {
        await this.#broker.whenReady(this.#stop.signal);
        await this.#broker.publish('', to.replyQueue, body, { mandatory: true });
        return true;
      } catch (error) {
        if (error instanceof UnroutableError) return false;
        const isLoss = error instanceof BrokerUnavailableError && !this.#stop.signal.aborted;
        this.#logger.debug('reply not sent', { msgId: to.msgId, reason: reasonOf(error), isLoss });
        if (!isLoss) break;
        await delay(LOSS_DELAY_MS, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
    this.#logger.error('reply lost', { msgId: to.msgId, queue: to.replyQueue });
    return true;
  }
}
