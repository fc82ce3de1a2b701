/** One host's API as the command line uses it: the answers are checked like anything that comes from outside. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { planView, type PlanView } from '../api/plan_views.ts';
import { hostView, instanceView, type HostView, type InstanceView } from '../api/views.ts';
import { createLogger } from '../log.ts';
import { BrokerConnection, RpcClient } from '../rpc/index.ts';
import { brokerOptions } from '../settings/broker_options.ts';
import type { Settings } from '../settings/schema.ts';

export class HostClient {
  readonly #broker: BrokerConnection;
  readonly #client: RpcClient;
  readonly #host: string;
  readonly #timeoutMs: number;

  private constructor(broker: BrokerConnection, client: RpcClient, host: string, timeoutMs: number) {
    this.#broker = broker;
    this.#client = client;
    this.#host = host;
    this.#timeoutMs = timeoutMs;
  }

  static async open(settings: Settings, host: string): Promise<HostClient> {
    // The command line reports errors itself; what the connection logs on its way there is noise.
    const logger = createLogger({ level: 'error', host: settings.host });
    const broker = await BrokerConnection.open({
      ...brokerOptions(settings, 'hugenode cli', logger),
      initialRetries: 0,
    });
    const client = await RpcClient.open(broker, {
      exchange: settings.rpc.exchange,
      topic: settings.rpc.topic,
      flags: { durable: settings.rpc.durable_queues },
      logger,
    });
    return new HostClient(broker, client, host, settings.rpc.response_timeout_ms);
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#broker.close();
  }

  async createInstance(args: Record<string, unknown>): Promise<InstanceView> {
    return instanceView.parse(await this.#call('create_instance', args));
  }

  async deleteInstance(uuid: string): Promise<void> {
    await this.#call('delete_instance', { uuid });
  }

  async getInstance(uuid: string): Promise<InstanceView> {
    return instanceView.parse(await this.#call('get_instance', { uuid }));
  }

  async listInstances(): Promise<InstanceView[]> {
    return z.array(instanceView).parse(await this.#call('list_instances', {}));
  }

  async getHost(): Promise<HostView> {
    return hostView.parse(await this.#call('get_host', {}));
  }

  /** As {@link getHost}, with who holds the pages. */
  async getHostWithHolders(): Promise<HostView> {
    return hostView.parse(await this.#call('get_host', { holders: true }, '1.1'));
  }

  async planInstance(args: Record<string, unknown>): Promise<PlanView> {
    return planView.parse(await this.#call('plan_instance', args, '1.1'));
  }

  /** Asks for the oldest minor that has what is asked, so that agents of an older release answer too. */
  #call(method: string, args: Record<string, unknown>, version = '1.0'): Promise<unknown> {
    return this.#client.call(method, args, {
      server: this.#host,
      version,
      timeoutMs: this.#timeoutMs,
      context: { request_id: `req-${randomUUID()}` },
    });
  }
}
