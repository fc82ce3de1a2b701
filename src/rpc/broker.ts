// The connection to RabbitMQ: opened once, there again after every loss, closed once.
//
//   open() -> connecting -> connected <-> lost (back-off 0.2 to 5 s, the next host each time) -> close()
//
// amqplib's own recovery makes the connection anew; channels are ours to make again (kept_channel.ts). Nothing here
// ends the process: every amqplib object that may emit `error` has a listener from its first moment.

import { readFileSync } from 'node:fs';
import { connect, type Channel, type ChannelModel, type RecoveringChannelModel } from 'amqplib';
import { explainConnectFailure } from './connect_failures.ts';
import { BrokerUnavailableError, RpcError } from './errors.ts';
import { KeptChannel } from './kept_channel.ts';
import { reasonOf, type RpcLogger } from './logger.ts';
import { Publisher, type PublishOptions } from './publisher.ts';
import {
  connectOptions,
  describe,
  describeHost,
  loginOf,
  parseTransportUrl,
  shuffled,
  type BrokerHost,
  type TransportUrl,
} from './transport_url.ts';
import type { LoginMethod } from './url_options.ts';
import { within } from './within.ts';

export interface BrokerOptions {
  /** oslo's `rabbit://user:pass@host:port[,more]/vhost?options`, or an amqp(s) URL; its options win over these. */
  transportUrl: string;
  /** Silence after which a connection counts as lost is two to three of these. Default 60. */
  heartbeatSeconds?: number;
  /** For one attempt to connect to one host. Default 10,000. */
  connectTimeoutMs?: number;
  /** Attempts after the first before `open` gives up, each host once at least. Default 10. */
  initialRetries?: number;
  /** How long `open` tries instead, however often; 0: for ever. */
  startTimeoutMs?: number;
  /** SASL mechanism. Default: the URL's, else PLAIN, which every broker takes. */
  loginMethod?: LoginMethod;
  /** For amqps and rabbits URLs (PEM): who is trusted instead of the system's list, and who we are. */
  tls?: { ca?: Buffer; cert?: Buffer; key?: Buffer };
  /** Shown by the broker's tools as the connection's name. */
  clientName: string;
  logger: RpcLogger;
}

const DEFAULT_HEARTBEAT_SECONDS = 60;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_INITIAL_RETRIES = 10;
const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 5_000;
const REMINDER_MS = 60_000;
const CLOSE_DEADLINE_MS = 5_000;

/** A recovering connection to one of the brokers of a transport URL. */
export class BrokerConnection {
  readonly #model: RecoveringChannelModel;
  readonly #url: TransportUrl;
  readonly #logger: RpcLogger;
  readonly #closed: AbortController;
  readonly #isConnected: () => boolean;
  readonly #isBlocked: () => boolean;
  readonly #publisher: Publisher;

  private constructor(parts: {
    model: RecoveringChannelModel;
    url: TransportUrl;
    logger: RpcLogger;
    closed: AbortController;
    isConnected: () => boolean;
    isBlocked: () => boolean;
    publisher: Publisher;
  }) {
    this.#model = parts.model;
    this.#url = parts.url;
    this.#logger = parts.logger;
    this.#closed = parts.closed;
    this.#isConnected = parts.isConnected;
    this.#isBlocked = parts.isBlocked;
    this.#publisher = parts.publisher;
  }

  /** Resolves when connected; rejects with RpcError `invalid-url`, or BrokerUnavailableError when it gives up. */
  static async open(options: BrokerOptions): Promise<BrokerConnection> {
    const url = shuffled(parseTransportUrl(options.transportUrl), Math.random);
    const { logger } = options;
    tellUnusedOptions(url, logger);
    const { model, isConnected, isBlocked, failures } = await recoveringModel(url, options);
    const closed = new AbortController();
    try {
      await firstConnection(model, options);
      const publisher = await Publisher.open(model, logger, closed.signal);
      return new BrokerConnection({ model, url, logger, closed, isConnected, isBlocked, publisher });
    } catch (error) {
      closed.abort();
      await model.close().catch(() => {});
      const reasons = [...failures].map(([host, reason]) => `${host}: ${reason}`).join('; ') || reasonOf(error);
      const after = error instanceof GaveUpError ? ` (${error.message})` : '';
      throw new BrokerUnavailableError(`no connection to ${describe(url)}${after}: ${reasons}`, { cause: error });
    }
  }

  /** False from the loss of the connection until it is there again. */
  get isConnected(): boolean {
    return this.#isConnected();
  }

  /** Whether the broker reads no publishes now, because of an alarm of its own. */
  get isBlocked(): boolean {
    return this.#isBlocked();
  }

  /** Hosts and virtual host, without credentials. */
  describe(): string {
    return describe(this.#url);
  }

  /** A channel that is set up by `setup` now and after every loss; see KeptChannel. */
  keepChannel(purpose: string, setup: (channel: Channel) => Promise<void>): Promise<KeptChannel> {
    return KeptChannel.open(this.#model, {
      purpose,
      create: (model) => model.createChannel(),
      setup,
      logger: this.#logger,
      brokerClosed: this.#closed.signal,
    });
  }

  /** See Publisher.publish: resolves at the broker's ack; UnroutableError or BrokerUnavailableError otherwise. */
  publish(exchange: string, routingKey: string, body: string | Buffer, options: PublishOptions = {}): Promise<void> {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    return this.#publisher.publish(exchange, routingKey, bytes, options);
  }

  /** See Publisher.declareOnce. */
  declareOnce(key: string, declare: (channel: Channel) => Promise<void>): Promise<void> {
    return this.#publisher.declareOnce(key, declare);
  }

  /** See Publisher.declare. */
  declare(key: string, declare: (channel: Channel) => Promise<void>): Promise<void> {
    return this.#publisher.declare(key, declare);
  }

  /** Resolves when publishing is possible; rejects with BrokerUnavailableError when `signal` ends the wait. */
  whenReady(signal: AbortSignal): Promise<void> {
    return this.#publisher.ready(signal);
  }

  /** Closes every channel and the connection, for good; never rejects and takes at most 5 s. */
  async close(): Promise<void> {
    this.#closed.abort();
    await within(
      CLOSE_DEADLINE_MS,
      this.#model.close().catch(() => {}),
    );
  }
}

/**
 * One round trip on a new connection. A broker that is going down can close it in the same breath as it opens it; amqplib
 * 2.3 then keeps the dead connection and never hears of it. Rejecting here makes it connect again.
 */
async function proveAlive(model: ChannelModel): Promise<void> {
  const lost = Promise.withResolvers<never>();
  // amqplib has no listener of its own yet, and an `error` without one ends the process.
  const onError = (error: Error): void => lost.reject(error);
  model.once('error', onError);
  model.once('close', () => lost.reject(new Error('closed while it was opened')));
  lost.promise.catch(() => {});
  const probe = await Promise.race([model.createChannel(), lost.promise]);
  probe.on('error', () => {});
  probe.close().catch(() => {});
}

/** `open` was told to wait no longer. */
class GaveUpError extends Error {}

/** The first connection, or an error: the last attempt's after so many of them, GaveUpError after the time. */
async function firstConnection(model: RecoveringChannelModel, options: BrokerOptions): Promise<void> {
  const { startTimeoutMs = 0 } = options;
  const ended = Promise.withResolvers<never>();
  const timer =
    startTimeoutMs > 0
      ? setTimeout(() => ended.reject(new GaveUpError(`given up after ${startTimeoutMs} ms`)), startTimeoutMs)
      : undefined;
  try {
    await Promise.race([model.waitForConnect(), ended.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function tellUnusedOptions({ options }: TransportUrl, logger: RpcLogger): void {
  const { unknown, unused } = options;
  if (unknown.length > 0) logger.warn('transport URL: unknown options', { options: unknown.join(', ') });
  if (unused.length > 0) logger.warn('transport URL: options without a meaning here', { options: unused.join(', ') });
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new RpcError('invalid-url', `transport URL: ${reasonOf(error)}`, { cause: error });
  }
}

/** The files that the URL names win over what was read before. */
function tlsOf({ options }: TransportUrl, given: BrokerOptions['tls']): BrokerOptions['tls'] {
  const { ca, cert, key } = options.tlsFiles;
  return {
    ...given,
    ...(ca !== undefined && { ca: readPem(ca) }),
    ...(cert !== undefined && { cert: readPem(cert) }),
    ...(key !== undefined && { key: readPem(key) }),
  };
}

async function recoveringModel(
  url: TransportUrl,
  options: BrokerOptions,
): Promise<{
  model: RecoveringChannelModel;
  isConnected: () => boolean;
  isBlocked: () => boolean;
  /** Why each host could not be reached when it was tried last. */
  failures: ReadonlyMap<string, string>;
}> {
  const { logger, clientName } = options;
  const heartbeatSeconds = url.options.heartbeatSeconds ?? options.heartbeatSeconds ?? DEFAULT_HEARTBEAT_SECONDS;
  // amqplib reads this object again at each attempt, so the next host is tried by writing it into here.
  const target = connectOptions(url, 0, heartbeatSeconds);
  let hostIndex = 0;
  let connected = false;
  let blocked = false;
  const nextHost = (): void => {
    connected = false;
    blocked = false;
    hostIndex = (hostIndex + 1) % url.hosts.length;
    Object.assign(target, connectOptions(url, hostIndex, heartbeatSeconds));
  };
  const host = (): BrokerHost => url.hosts[hostIndex] ?? { hostname: '?', port: 0, username: '', password: '' };
  const hostNow = (): string => describeHost(host());
  const failures = new Map<string, string>();
  let toldAt = 0;
  const firstDelayMs = url.options.firstDelayMs ?? FIRST_DELAY_MS;

  const model = await connect(target, {
    // Without it Nagle holds back each reply behind an ack: 44 ms a call instead of 0.9 (measured).
    noDelay: true,
    keepAlive: true,
    keepAliveDelay: 30_000,
    timeout: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    clientProperties: { connection_name: clientName },
    // Verification stays on: Node checks chain and host name by itself.
    ...tlsOf(url, options.tls),
    credentials: loginOf(url.options.loginMethod ?? options.loginMethod ?? 'PLAIN', host),
    recovery: {
      initialDelay: firstDelayMs,
      maxDelay: Math.max(firstDelayMs, url.options.maxDelayMs ?? MAX_DELAY_MS),
      initialMaxRetries:
        options.startTimeoutMs === undefined
          ? Math.max(options.initialRetries ?? DEFAULT_INITIAL_RETRIES, url.hosts.length - 1)
          : Infinity,
      // Listeners first: the first attempt's events are wanted too.
      waitForConnect: false,
      setup: proveAlive,
    },
  });
  model.on('connect', () => {
    connected = true;
    failures.clear();
    logger.info('broker connected', { broker: hostNow(), virtualHost: url.virtualHost });
  });
  model.on('disconnect', (error) => {
    logger.warn('broker connection lost', { broker: hostNow(), reason: reasonOf(error) });
    nextHost();
  });
  model.on('connect-failed', (error) => {
    const reason = explainConnectFailure(error, url.virtualHost);
    // Each reason once, and again after a while: who waits for a broker should not fill the log.
    const isNews = failures.get(hostNow()) !== reason || performance.now() - toldAt > REMINDER_MS;
    failures.set(hostNow(), reason);
    if (isNews) {
      toldAt = performance.now();
      logger.warn('broker connection failed, tried again', { broker: hostNow(), reason });
    } else logger.debug('broker connection failed, tried again', { broker: hostNow(), reason });
    nextHost();
  });
  model.on('blocked', (reason) => {
    blocked = true;
    logger.warn('broker refuses publishes', { broker: hostNow(), reason });
  });
  model.on('unblocked', () => {
    blocked = false;
    logger.info('broker takes publishes again', { broker: hostNow() });
  });
  // Told again as `disconnect`; a listener there must be, or the event would end the process.
  model.on('error', (error) => logger.debug('broker connection error', { reason: reasonOf(error) }));
  model.on('handler-error', (error: Error, event: string) =>
    logger.error('listener failed', { purpose: 'connection', event, stack: error.stack }),
  );
  return { model, isConnected: () => connected, isBlocked: () => blocked, failures };
}
