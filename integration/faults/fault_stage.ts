/**
 * A broker of its own that a test may hurt, an agent behind a hop, and two callers behind hops of theirs. One agent for
 * all faults of a file: what the last one left behind, the next one meets.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { connect, type ConfirmChannel } from 'amqplib';
import type { TopologyFlags } from '../../src/rpc/index.ts';
import { AgentProcess, settingsArgs, type LogLine, type Overrides } from '../agent_process.ts';
import { Broker, Link } from '../broker.ts';
import { until } from '../oslo/stage.ts';
import type { Bed } from './beds.ts';
import { osloCaller, ourCaller, type Caller } from './callers.ts';
import { WireTricks } from './wire_tricks.ts';

const VHOST = 'faults';
const HOST = 'host-faults';
/** After the worst of it: the longest back-off of a connection, and of a channel after it. */
const RECOVERY_MS = 40_000;

export type FaultStageOptions = {
  readonly bed: Bed;
  readonly overrides?: Overrides;
  /** How the callers declare what they share with the agent. */
  readonly flags?: TopologyFlags;
  /** Members of one cluster; default: one broker, made for the stage. */
  readonly brokers?: readonly Broker[];
};

export class FaultStage {
  readonly bed: Bed;
  readonly broker: Broker;
  readonly vhost = VHOST;
  readonly host = HOST;
  /** Everything the agents have logged, and each change of their readiness. */
  readonly logged: LogLine[] = [];
  readonly tricks: WireTricks;
  readonly agentLink: Link;
  readonly #agentLinks: readonly Link[];
  #callers: readonly Caller[] = [];
  readonly #folder: string;
  readonly #options: FaultStageOptions;
  #agent: AgentProcess | undefined;

  private constructor(
    parts: Pick<FaultStage, 'broker' | 'tricks' | 'agentLink'> & { readonly links: readonly Link[] },
    folder: string,
    options: FaultStageOptions,
  ) {
    this.bed = options.bed;
    this.broker = parts.broker;
    this.tricks = parts.tricks;
    this.agentLink = parts.agentLink;
    this.#agentLinks = parts.links;
    this.#folder = folder;
    this.#options = options;
  }

  /** Broker, agent and callers, all at rest. */
  static async set(options: FaultStageOptions): Promise<FaultStage> {
    const brokers = options.brokers ?? [await Broker.start()];
    const [broker] = brokers;
    if (broker === undefined) throw new Error('a stage needs a broker');
    await broker.vhost(VHOST);
    const ports = brokers.map((one) => () => one.amqpPort);
    const tricks = new WireTricks();
    const links = await Promise.all(ports.map((port, nth) => Link.to(port, nth === 0 ? tricks.hook : undefined)));
    const [agentLink] = links;
    if (agentLink === undefined) throw new Error('a stage needs a link');
    const folder = await mkdtemp('/var/tmp/hugenode-faults-');
    // QEMU runs as another user and has to get through.
    await chmod(folder, 0o755);
    const stage = new FaultStage({ broker, tricks, agentLink, links }, folder, options);
    await stage.startAgent();
    const place = { host: HOST, ports, url: urlOf, flags: options.flags ?? {} };
    stage.#callers = [await ourCaller(place), await osloCaller(place)];
    return stage;
  }

  get callers(): readonly Caller[] {
    return this.#callers;
  }

  /** The one whose turn it is. */
  caller(nth: number): Caller {
    const caller = this.#callers[nth % this.#callers.length];
    if (caller === undefined) throw new Error('the stage has no callers');
    return caller;
  }

  get agent(): AgentProcess {
    if (this.#agent === undefined) throw new Error('no agent was started');
    return this.#agent;
  }

  /** Resolves when it takes requests. */
  async startAgent(overrides: Overrides = {}): Promise<void> {
    const settings: Overrides = {
      host: HOST,
      'rpc.transport_url': urlOf(this.#agentLinks.map(({ port }) => port)),
      'rpc.heartbeat_ms': 2_000,
      'rpc.connect_timeout_ms': 3_000,
      'rpc.journal_path': join(this.#folder, 'requests.sqlite'),
      'spool.path': join(this.#folder, 'spool.sqlite'),
      'usage.path': join(this.#folder, 'usage.sqlite'),
      'metrics.listen': '127.0.0.1:0',
      'instances.path': join(this.#folder, 'instances'),
      'images.path': join(this.#folder, 'images'),
      'log.level': 'debug',
      ...this.bed.settings,
      ...this.#options.overrides,
      ...overrides,
    };
    const module = pathToFileURL(join(import.meta.dirname, 'tell_readiness.ts'));
    const env = { NODE_OPTIONS: `--import=${module.href}` };
    this.#agent = await AgentProcess.start(settingsArgs(settings), (line) => this.logged.push(line), env);
  }

  /** A place in the log, to look from. */
  get mark(): number {
    return this.logged.length;
  }

  /** What it logged since then with that message. */
  loggedSince(mark: number, message: string): readonly LogLine[] {
    return this.logged.slice(mark).filter((line) => line['message'] === message);
  }

  isReady(): boolean {
    return this.logged.findLast(({ message }) => message === 'readiness')?.['ready'] === true;
  }

  wasUnreadySince(mark: number): boolean {
    return this.loggedSince(mark, 'readiness').some(({ ready }) => ready === false);
  }

  async untilUnready(mark: number): Promise<void> {
    await until(() => this.wasUnreadySince(mark), RECOVERY_MS);
  }

  async untilReady(): Promise<void> {
    await until(() => this.isReady(), RECOVERY_MS);
  }

  /** Names of the queues that begin like this. */
  async queues(prefix: string): Promise<string[]> {
    return (await this.broker.queues(VHOST)).map(({ name }) => name).filter((name) => name.startsWith(prefix));
  }

  /** Reply queues that are not their client's alone. */
  async sharedReplyQueues(): Promise<string[]> {
    const shared: string[] = [];
    for (const queue of await this.queues('reply_')) {
      // The broker closes the channel of whoever only looks at another's exclusive queue.
      const isShared = await this.onChannel(async (channel) => {
        channel.on('error', () => {});
        return channel.checkQueue(queue).then(
          () => true,
          () => false,
        );
      });
      if (isShared) shared.push(queue);
    }
    return shared;
  }

  /** Does something on a bare channel of its own, past all hops. */
  async onChannel<T>(work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
    const connection = await connect(this.broker.url(VHOST));
    try {
      return await work(await connection.createConfirmChannel());
    } finally {
      await connection.close();
    }
  }

  async clear(): Promise<void> {
    for (const caller of this.#callers) await caller.close();
    await this.#agent?.end('SIGKILL');
    await this.bed.clear();
    for (const link of this.#agentLinks) await link.close();
    // Those that were given belong to whoever gave them.
    if (this.#options.brokers === undefined) await this.broker.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The transport URL of brokers at these ports, as our side takes it and oslo.messaging's. */
function urlOf(ports: readonly number[]): string {
  return `rabbit://${ports.map((port) => `guest:guest@127.0.0.1:${port}`).join(',')}/${VHOST}`;
}
