/** Three brokers in one cluster on one network of this machine: what is kept by two of them outlives the third. */
import { Network, type StartedNetwork } from 'testcontainers';
import { z } from 'zod';
import { Broker } from '../broker.ts';

const NAMES = ['hugenode-rabbit-1', 'hugenode-rabbit-2', 'hugenode-rabbit-3'] as const;

const leaders = z.array(z.object({ name: z.string(), leader: z.string() }));

export class BrokerCluster {
  readonly brokers: readonly Broker[];
  readonly #network: StartedNetwork;

  private constructor(network: StartedNetwork, brokers: readonly Broker[]) {
    this.#network = network;
    this.brokers = brokers;
  }

  static async start(): Promise<BrokerCluster> {
    // Without the reaper's image, which would come from a registry.
    process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
    const network = await new Network().start();
    const brokers: Broker[] = [];
    try {
      // One after the other: two processors are here, and three brokers that start take minutes side by side.
      for (const hostname of NAMES) brokers.push(await Broker.start({ network, hostname }));
      for (const broker of brokers.slice(1)) {
        await broker.ctl('stop_app');
        await broker.ctl('reset');
        await broker.ctl('join_cluster', `rabbit@${NAMES[0]}`);
        await broker.ctl('start_app');
      }
      return new BrokerCluster(network, brokers);
    } catch (error) {
      for (const broker of brokers) await broker.stop();
      await network.stop();
      throw error;
    }
  }

  /** The member that leads a quorum queue, asked of another one than `except`. */
  async leaderOf(vhost: string, queue: string, except?: Broker): Promise<Broker> {
    const asked = this.brokers.find((broker) => broker !== except);
    const answer = await asked?.ctl('list_queues', '-p', vhost, 'name', 'leader', '--quiet', '--formatter', 'json');
    const found = leaders.parse(JSON.parse(answer ?? '[]')).find(({ name }) => name === queue)?.leader;
    const broker = this.brokers[NAMES.findIndex((name) => `rabbit@${name}` === found)];
    if (broker === undefined) throw new Error(`no member leads ${queue}: ${answer}`);
    return broker;
  }

  /** Brings a killed member back; resolves when it takes part again. */
  async revive(broker: Broker): Promise<void> {
    await broker.restart('killed');
    await broker.ctl('await_startup');
  }

  async stop(): Promise<void> {
    for (const broker of this.brokers) await broker.stop();
    await this.#network.stop();
  }
}
