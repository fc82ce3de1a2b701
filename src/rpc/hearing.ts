// Whether the server hears: a message to itself, through the broker and each of its own queues, must come back in time.
// A connection can be open, and its consumers registered, while nothing arrives any more (oslo.messaging's services then
// run on, deaf). What does not come back twice is made anew.

import type { BrokerConnection } from './broker.ts';
import { hexId } from './topology.ts';
import { reasonOf, type RpcLogger } from './logger.ts';

export interface HearingOptions {
  broker: Pick<BrokerConnection, 'publish'>;
  /** The queues that only this server consumes. */
  queues: readonly string[];
  intervalMs: number;
  /** Whether deliveries can be expected at all: not while the server's window is full, or its channel is being set up. */
  canHear: () => boolean;
  /** Told when a queue stays silent: consume anew. */
  onDeaf: (queue: string) => void;
  logger: RpcLogger;
}

const PREFIX = Buffer.from('hugenode-hearing ');
/** In a row; one may be lost with a connection. */
const DEAF_AFTER = 2;

export class Hearing {
  readonly #options: HearingOptions;
  readonly #timer: NodeJS.Timeout;
  /** What was sent and has not come back, by queue. */
  readonly #expected = new Map<string, string>();
  readonly #missed = new Map<string, number>();

  constructor(options: HearingOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#round(), options.intervalMs);
    this.#timer.unref();
  }

  /** Queues from which nothing comes back. */
  get deafQueues(): string[] {
    return [...this.#missed].filter(([, count]) => count >= DEAF_AFTER).map(([queue]) => queue);
  }

  /** Whether this is such a message, this server's or one that an earlier one left; it is for nobody else. */
  take(body: Buffer, queue: string): boolean {
    if (!body.subarray(0, PREFIX.length).equals(PREFIX)) return false;
    if (this.#expected.get(queue) === body.subarray(PREFIX.length).toString('latin1')) {
      this.#expected.delete(queue);
      this.#missed.delete(queue);
    }
    return true;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #round(): void {
    const { canHear, queues, onDeaf, logger } = this.#options;
    if (!canHear()) {
      this.#expected.clear();
      return;
    }
    for (const queue of queues) {
      if (this.#expected.has(queue)) {
        const missed = (this.#missed.get(queue) ?? 0) + 1;
        this.#missed.set(queue, missed);
        logger.warn('nothing heard from a queue of our own', { queue, missed });
        if (missed % DEAF_AFTER === 0) onDeaf(queue);
      }
      this.#send(queue);
    }
  }

  #send(queue: string): void {
    const { broker, intervalMs, logger } = this.#options;
    const id = hexId();
    this.#expected.set(queue, id);
    const body = Buffer.concat([PREFIX, Buffer.from(id, 'latin1')]);
    // Gone by the next round where nobody takes it.
    broker.publish('', queue, body, { expirationMs: intervalMs, mandatory: true }).catch((error: unknown) => {
      logger.debug('hearing not tested', { queue, reason: reasonOf(error) });
    });
  }
}
