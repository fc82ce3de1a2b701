/** A control plane's way to the agents of all hosts of one broker. */
import {
  BrokerConnection,
  parseTransportUrl,
  RpcClient,
  type BrokerOptions,
  type RpcLogger,
  type TopologyFlags,
} from '../rpc/index.ts';
import { setUpError } from './errors.ts';
import { HugenodeHost, type AskDefaults } from './host.ts';
import { NotificationStream, type NotificationSource, type WatchOptions } from './notification_stream.ts';

/** Where the agents are and how they are asked. What is left out has the default of the agents' own settings. */
export type HugenodeClientOptions = Omit<BrokerOptions, 'clientName' | 'logger'> & {
  /** Default `hugenode`. */
  readonly exchange?: string;
  /** Default `hugenode`. */
  readonly topic?: string;
  /** As the agents have them, such as `{ quorum: true }`; what the transport URL says about it wins. Default: none. */
  readonly flags?: TopologyFlags;
  /** Where lifecycle notifications are. Default: exchange `nova`, topic `notifications`, the flags above. */
  readonly notifications?: Partial<NotificationSource>;
  /** Patience for an answer. Default 60,000. */
  readonly timeoutMs?: number;
  /** The same for create_instance, which takes as long as the kernel needs to clear its pages. Default 600,000. */
  readonly createTimeoutMs?: number;
  /** Seconds without a sign of life from the host after which a create is given up; 0: none. Default 60. */
  readonly callMonitorTimeoutS?: number;
  /** Sent with each request: `user_id`, `project_id` and the like, which the agent's notifications repeat. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** Shown by the broker's tools as the connection's name. Default `hugenode client`. */
  readonly clientName?: string;
  /** Default: nothing is logged. */
  readonly logger?: RpcLogger;
};

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_CREATE_TIMEOUT_MS = 600_000;
const DEFAULT_CALL_MONITOR_TIMEOUT_S = 60;
const SILENT: RpcLogger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** One connection to the broker, for any number of hosts, calls and streams at a time. */
export class HugenodeClient implements AsyncDisposable {
  readonly #broker: BrokerConnection;
  readonly #rpc: RpcClient;
  readonly #defaults: AskDefaults;
  readonly #source: NotificationSource;
  readonly #logger: RpcLogger;
  readonly #streams = new Set<NotificationStream>();

  private constructor(
    {
      broker,
      rpc,
      flags,
      logger,
    }: { broker: BrokerConnection; rpc: RpcClient; flags: TopologyFlags; logger: RpcLogger },
    options: HugenodeClientOptions,
  ) {
    this.#broker = broker;
    this.#rpc = rpc;
    this.#logger = logger;
    this.#defaults = {
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      createTimeoutMs: options.createTimeoutMs ?? DEFAULT_CREATE_TIMEOUT_MS,
      callMonitorTimeoutS: options.callMonitorTimeoutS ?? DEFAULT_CALL_MONITOR_TIMEOUT_S,
      context: options.context ?? {},
    };
    this.#source = {
      exchange: 'nova',
      topic: 'notifications',
      flags,
      ...options.notifications,
    };
  }

  /**
   * Resolves when connected; from then on the connection comes back by itself after each loss.
   * @throws {BrokerAwayError} after `initialRetries` (10) further attempts.
   * @throws {HugenodeError} where the URL is none, or the broker has the exchange with other flags.
   */
  static async connect(options: HugenodeClientOptions): Promise<HugenodeClient> {
    const { exchange = 'hugenode', topic = 'hugenode', logger = SILENT } = options;
    let broker: BrokerConnection | undefined;
    try {
      const flags = { ...options.flags, ...parseTransportUrl(options.transportUrl).options.flags };
      broker = await BrokerConnection.open({ ...options, clientName: options.clientName ?? 'hugenode client', logger });
      const rpc = await RpcClient.open(broker, { exchange, topic, flags, logger });
      return new HugenodeClient({ broker, rpc, flags, logger }, options);
    } catch (error) {
      await broker?.close();
      throw setUpError(error);
    }
  }

  /** The agent of that host. Asks nothing by itself: whether it is there, its first answer tells. */
  host(name: string): HugenodeHost {
    return new HugenodeHost(name, this.#rpc, this.#defaults);
  }

  /**
   * What becomes of instances from now on, of all hosts: resolves when nothing that is sent from then on is missed.
   * Leaving a `for await` over it, `close()` or `await using` ends it.
   * @throws {BrokerAwayError} where the client was closed.
   * @throws {HugenodeError} where the broker has the exchange or the queue of the pool with other flags.
   */
  async notifications(options: WatchOptions = {}): Promise<NotificationStream> {
    const stream = await NotificationStream.open(this.#broker, this.#source, options, {
      logger: this.#logger,
      onClose: (closed) => this.#streams.delete(closed),
    });
    this.#streams.add(stream);
    return stream;
  }

  /** Whether the broker is reached at this moment. */
  get isConnected(): boolean {
    return this.#broker.isConnected;
  }

  /** Ends all streams and waiting calls (BrokerAwayError), and the connection. Never rejects. */
  async close(): Promise<void> {
    await Promise.all([...this.#streams].map((stream) => stream.close()));
    await this.#rpc.close();
    await this.#broker.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
