// What the RPC tests share: a virtual host with our connection, a Python client and a bare AMQP channel on it, and
// servers and clients of ours that end with their test.

import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { inject, onTestFinished } from 'vitest';
import {
  BrokerConnection,
  RemoteFault,
  RpcClient,
  RpcServer,
  type Endpoint,
  type HandlerRequest,
  type RpcLogger,
} from '../../src/rpc/index.ts';
import { BrokerApi, Link } from '../broker.ts';
import { PythonProgram } from './python.ts';

export const EXCHANGE = 'conformance';

/** What a server of these tests was asked, and its methods. */
export class Calls {
  readonly seen: HandlerRequest[] = [];
  readonly endpoints: Endpoint[] = [
    {
      namespace: null,
      version: '1.2',
      methods: {
        echo: async (request) => {
          this.seen.push(request);
          return request.args['value'];
        },
        sleep: async (request) => {
          this.seen.push(request);
          await sleep(Number(request.args['ms']), undefined, { signal: request.signal });
          return 'slept';
        },
        noPages: async () => {
          const message = 'no hugepages on node 1';
          throw new RemoteFault({ className: 'NoPages', module: 'some.exception', message, kwargs: { node: 1 } });
        },
        badValue: async () => {
          throw new RemoteFault({ className: 'ValueError', module: 'builtins', message: 'not a number' });
        },
        broken: async () => {
          throw new Error('the password is 1234');
        },
        big: async () => [2n ** 64n, -(2n ** 63n) - 1n, 2 ** 60],
        unwritable: async () => Number.NaN,
      },
    },
    { namespace: 'admin', version: '2.0', methods: new Map([['ping', async () => 'pong']]) },
  ];
}

export class Stage {
  readonly api: BrokerApi;
  readonly vhost: string;
  readonly broker: BrokerConnection;
  readonly python: PythonProgram;
  /** Everything our side has logged, one text a line. */
  readonly logged: string[];
  readonly logger: RpcLogger;
  readonly #raw: ChannelModel;

  private constructor(
    parts: Pick<Stage, 'api' | 'vhost' | 'broker' | 'python' | 'logged' | 'logger'>,
    raw: ChannelModel,
  ) {
    this.api = parts.api;
    this.vhost = parts.vhost;
    this.broker = parts.broker;
    this.python = parts.python;
    this.logged = parts.logged;
    this.logger = parts.logger;
    this.#raw = raw;
  }

  static async set(vhost: string): Promise<Stage> {
    const api = new BrokerApi({ amqpPort: inject('amqpPort'), managementPort: inject('managementPort') });
    const url = await api.vhost(vhost);
    const logged: string[] = [];
    const logger = loggerInto(logged);
    const python = PythonProgram.start('client.py', osloUrl(url), EXCHANGE);
    return new Stage({ api, vhost, broker: await open(url, logger), python, logged, logger }, await connect(url));
  }

  async clear(): Promise<void> {
    await this.python.stop();
    await this.broker.close();
    await this.#raw.close();
    await this.api.deleteVhost(this.vhost);
  }

  /** The transport URL as oslo.messaging takes it. */
  get osloUrl(): string {
    return osloUrl(this.api.url(this.vhost));
  }

  async serving(topic: string, on = this.broker): Promise<{ calls: Calls; server: RpcServer }> {
    const calls = new Calls();
    const options = { exchange: EXCHANGE, topic, server: 'host1', endpoints: calls.endpoints, logger: this.logger };
    const server = await RpcServer.start(on, options);
    onTestFinished(() => server.stop(1_000));
    return { calls, server };
  }

  async client(topic: string, on = this.broker): Promise<RpcClient> {
    const client = await RpcClient.open(on, { exchange: EXCHANGE, topic, logger: this.logger });
    onTestFinished(() => client.close());
    return client;
  }

  /** A bare channel for as long as the stage stands. */
  rawConnectionChannel(): Promise<Channel> {
    return this.#raw.createChannel();
  }

  async rawChannel(): Promise<Channel> {
    const channel = await this.#raw.createChannel();
    onTestFinished(() => channel.close());
    return channel;
  }

  /** A second connection of ours that a test can cut. */
  async linked(): Promise<{ link: Link; far: BrokerConnection }> {
    const link = await Link.to(() => this.api.amqpPort);
    const far = await open(this.api.url(this.vhost, link.port), this.logger);
    onTestFinished(async () => {
      await far.close();
      await link.close();
    });
    return { link, far };
  }
}

/** An enveloped message. */
export function sealed(inner: unknown): Buffer {
  return Buffer.from(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(inner) }));
}

/** The inner message of an envelope. */
export function unsealed(body: Buffer | undefined): Record<string, unknown> {
  return JSON.parse(JSON.parse(String(body))['oslo.message']);
}

export async function until(holds: () => boolean | Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`it did not happen: ${holds.toString()}`);
    await sleep(20);
  }
}

function open(transportUrl: string, logger: RpcLogger): Promise<BrokerConnection> {
  return BrokerConnection.open({ transportUrl, clientName: 'conformance', heartbeatSeconds: 5, logger });
}

function osloUrl(amqpUrl: string): string {
  return amqpUrl.replace('amqp://', 'rabbit://');
}

function loggerInto(lines: string[]): RpcLogger {
  const to =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) => {
      lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    };
  return { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') };
}
