/**
 * The message broker of the integration tests, and the ways a test can hurt it.
 *
 *   Broker      a RabbitMQ in a container of its own: started, restarted, frozen, stopped
 *   BrokerApi   what can be asked of one by its two ports alone (test files get those from setup.ts)
 *   Link        a TCP hop with a port that never changes, to be cut or silenced between a client and a broker
 *
 * Nothing here skips a test: a missing engine or image fails with the command that provides it.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { RabbitMQContainer, type StartedRabbitMQContainer } from '@testcontainers/rabbitmq';
import { getContainerRuntimeClient, PullPolicy, type StartedNetwork } from 'testcontainers';
import { z } from 'zod';

export const BROKER_IMAGE = process.env['HUGENODE_RABBITMQ_IMAGE'] ?? 'hugenode-rabbitmq:3-local';

/** Says on which process a container depends, so that those of dead runs can be told from those in use. */
const OWNER = 'hugenode.integration.owner-pid';

const AMQP = 5672;
const MANAGEMENT = 15672;
const HTTP_TIMEOUT_MS = 10_000;

export interface BrokerPorts {
  readonly amqpPort: number;
  readonly managementPort: number;
}

const queueSchema = z.object({
  name: z.string(),
  durable: z.boolean(),
  auto_delete: z.boolean(),
  // Absent until the queue's first statistics arrive.
  messages: z.number().default(0),
  messages_ready: z.number().default(0),
  messages_unacknowledged: z.number().default(0),
});

/**
 * A queue as the management API tells it; its numbers lag by up to a second while messages flow. Consumers are not
 * among them: the API knows a new one only after five seconds, AMQP (`checkQueue`) at once.
 */
export type Queue = z.infer<typeof queueSchema>;

/** A broker seen through its ports: virtual hosts, queues, connections. */
export class BrokerApi {
  readonly #ports: () => BrokerPorts;

  /** Takes a function where the ports may change (a restarted container gets new ones). */
  constructor(ports: BrokerPorts | (() => BrokerPorts)) {
    this.#ports = typeof ports === 'function' ? ports : () => ports;
  }

  get amqpPort(): number {
    return this.#ports().amqpPort;
  }

  get managementPort(): number {
    return this.#ports().managementPort;
  }

  /** The AMQP address of a virtual host; `port` to go through a `Link`. */
  url(vhost = '/', port = this.amqpPort): string {
    return `amqp://guest:guest@127.0.0.1:${port}/${encodeURIComponent(vhost)}`;
  }

  /** An empty virtual host for one test file, whatever a run before left in it; returns its address. */
  async vhost(name: string): Promise<string> {
    await this.deleteVhost(name);
    await this.#call('PUT', ['vhosts', name]);
    return this.url(name);
  }

  async deleteVhost(name: string): Promise<void> {
    await this.#call('DELETE', ['vhosts', name], { absentIsFine: true });
  }

  async queues(vhost: string): Promise<readonly Queue[]> {
    // Totals alone come straight from the queues; with statistics they are up to five seconds old (RabbitMQ 3.10).
    const query = '?disable_stats=true&enable_queue_totals=true';
    return z.array(queueSchema).parse(await this.#call('GET', ['queues', vhost], { query }));
  }

  /** Messages in a queue, ready or unacknowledged; `undefined` where there is no such queue. */
  async messageCount(vhost: string, queue: string): Promise<number | undefined> {
    return (await this.queues(vhost)).find(({ name }) => name === queue)?.messages;
  }

  async deleteQueue(vhost: string, queue: string): Promise<void> {
    await this.#call('DELETE', ['queues', vhost, queue], { absentIsFine: true });
  }

  async deleteExchange(vhost: string, exchange: string): Promise<void> {
    await this.#call('DELETE', ['exchanges', vhost, exchange], { absentIsFine: true });
  }

  async purgeQueue(vhost: string, queue: string): Promise<void> {
    await this.#call('DELETE', ['queues', vhost, queue, 'contents']);
  }

  async exchanges(vhost: string): Promise<readonly { name: string; type: string; durable: boolean }[]> {
    const schema = z.object({ name: z.string(), type: z.string(), durable: z.boolean() });
    return z.array(schema).parse(await this.#call('GET', ['exchanges', vhost]));
  }

  /**
   * The broker closes every connection to a virtual host (clients see 320 CONNECTION_FORCED); returns how many it knew.
   * It knows a new one only after some seconds: call it until the number is right.
   */
  async closeConnections(vhost: string, reason = 'closed by a test'): Promise<number> {
    const answer = await this.#call('GET', ['vhosts', vhost, 'connections']);
    const connections = z.array(z.object({ name: z.string() })).parse(answer);
    for (const { name } of connections) {
      await this.#call('DELETE', ['connections', name], { absentIsFine: true, headers: { 'x-reason': reason } });
    }
    return connections.length;
  }

  async #call(
    method: 'GET' | 'PUT' | 'DELETE',
    path: readonly string[],
    options: { absentIsFine?: boolean; headers?: Record<string, string>; query?: string } = {},
  ): Promise<unknown> {
    const address = `/api/${path.map(encodeURIComponent).join('/')}${options.query ?? ''}`;
    const answer = await fetch(`http://127.0.0.1:${this.managementPort}${address}`, {
      method,
      headers: { ...options.headers, authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` },
      signal: AbortSignal.timeout(HTTP_TIMEOUT_MS),
    });
    const text = await answer.text();
    if (answer.status === 404 && options.absentIsFine) return undefined;
    if (!answer.ok) throw new Error(`broker: ${method} ${address} answered ${answer.status}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}

/** One broker in a container, and the ways a test can hurt it. */
export class Broker extends BrokerApi {
  readonly #container: StartedRabbitMQContainer;

  private constructor(container: StartedRabbitMQContainer) {
    super(() => ({ amqpPort: container.getMappedPort(AMQP), managementPort: container.getMappedPort(MANAGEMENT) }));
    this.#container = container;
  }

  /** `member`: where other brokers have to find it, under that name. */
  static async start(member?: { readonly network: StartedNetwork; readonly hostname: string }): Promise<Broker> {
    const lacking = await lackingForBroker();
    if (lacking.length > 0) throw new Error(lacking.join('\n'));
    await removeOrphans();
    const container = new RabbitMQContainer(BROKER_IMAGE)
      .withPullPolicy(PullPolicy.neverPull())
      .withLabels({ [OWNER]: String(process.pid) })
      // Five seconds on a quiet machine, thirteen on a busy one.
      .withStartupTimeout(90_000);
    if (member !== undefined) {
      container.withNetwork(member.network).withHostname(member.hostname).withNetworkAliases(member.hostname);
    }
    return new Broker(await container.start());
  }

  /** Both kinds of restart give the broker new host ports: reach it through a `Link`. */
  restart(how: 'graceful' | 'killed'): Promise<void> {
    return this.#container.restart({ timeout: how === 'graceful' ? 20_000 : 0 });
  }

  /** As by a power failure; `restart` brings it back. */
  async kill(): Promise<void> {
    await (await this.#raw()).kill();
  }

  /** Its processes stand still and its ports stay open: what a client takes for a very slow broker. */
  async freeze(): Promise<void> {
    await (await this.#raw()).pause();
  }

  async thaw(): Promise<void> {
    await (await this.#raw()).unpause();
  }

  /** Runs `rabbitmqctl` in the container, for what the management API does not offer (`stop_app`, `start_app`). */
  async ctl(...args: readonly string[]): Promise<string> {
    const { output, exitCode } = await this.#container.exec(['rabbitmqctl', ...args]);
    if (exitCode !== 0) throw new Error(`rabbitmqctl ${args.join(' ')} ended with ${exitCode}: ${output}`);
    return output;
  }

  async stop(): Promise<void> {
    await this.#container.stop();
  }

  async #raw() {
    return (await engine()).getContainer(this.#container.getId());
  }
}

/** What `Broker.start` would miss on this machine, each with the command that provides it. */
export async function lackingForBroker(): Promise<readonly string[]> {
  const mend = 'sh integration/provision.sh test';
  let docker: Awaited<ReturnType<typeof engine>>;
  try {
    docker = await engine();
  } catch (error) {
    return [`container engine: ${error instanceof Error ? error.message : String(error)}: ${mend}`];
  }
  try {
    await docker.getImage(BROKER_IMAGE).inspect();
    return [];
  } catch (error) {
    if (!isGone(error)) throw error;
    return [`broker image: ${BROKER_IMAGE} is not there: ${mend}`];
  }
}

async function engine() {
  // The reaper would be one more image from a registry; what a dead run left is removed by removeOrphans instead.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
  return (await getContainerRuntimeClient()).container.dockerode;
}

async function removeOrphans(): Promise<void> {
  const docker = await engine();
  for (const orphan of await docker.listContainers({ all: true, filters: { label: [OWNER] } })) {
    if (isAlive(Number(orphan.Labels[OWNER]))) continue;
    try {
      await docker.getContainer(orphan.Id).remove({ force: true, v: true });
    } catch (error) {
      // Another run that starts now may be quicker.
      if (!isGone(error)) throw error;
    }
  }
}

/** Not there, or just being removed by somebody else. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'statusCode' in error && (error.statusCode === 404 || error.statusCode === 409);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

export type Way = 'to-broker' | 'from-broker';

/** Sees all that passes a link, by connection (numbered from 1), and says what goes on in its place. */
export type LinkHook = (bytes: Buffer, way: Way, connection: number) => Buffer;

/** A TCP hop with a port that never changes, in front of a broker whose port does. */
export class Link {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: () => number;
  readonly #hook: LinkHook;
  #mode: 'open' | 'cut' | 'silent' = 'open';
  #delayMs = 0;
  #connections = 0;

  private constructor(server: Server, target: () => number, hook: LinkHook) {
    this.#server = server;
    this.#target = target;
    this.#hook = hook;
  }

  /** `target` is asked at each connection, so that the hop follows a broker that restarts. */
  static async to(target: () => number, hook: LinkHook = (bytes) => bytes): Promise<Link> {
    const server = createServer();
    const link = new Link(server, target, hook);
    server.on('connection', (client) => link.#join(client));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return link;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the link is closed');
    return address.port;
  }

  /** Both ends see the connection end at once; new ones are dropped. */
  cut(): void {
    this.#mode = 'cut';
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing passes and nobody is told: the half-open connection heartbeats exist for. */
  silence(): void {
    this.#mode = 'silent';
    for (const socket of this.#sockets) socket.pause();
  }

  /** What is read at once passes so much later, each way, and what comes behind it waits. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  heal(): void {
    this.#mode = 'open';
    this.#delayMs = 0;
    for (const socket of this.#sockets) socket.resume();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    if (this.#mode === 'cut') {
      client.destroy();
      return;
    }
    const broker = connect(this.#target(), '127.0.0.1');
    const connection = (this.#connections += 1);
    for (const [from, to, way] of [
      [client, broker, 'to-broker'],
      [broker, client, 'from-broker'],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (bytes) => this.#pass(from, to, this.#hook(bytes, way, connection)));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    if (this.#mode === 'silent') for (const socket of [client, broker]) socket.pause();
  }

  /** Not read on meanwhile where it is slow: nothing overtakes. */
  #pass(from: Socket, to: Socket, bytes: Buffer): void {
    if (this.#delayMs === 0) {
      to.write(bytes);
      return;
    }
    from.pause();
    setTimeout(() => {
      to.write(bytes);
      if (this.#mode !== 'silent') from.resume();
    }, this.#delayMs);
  }
}
