/** What happens to the bus while guests are built. */
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../oslo/stage.ts';
import type { FaultStage } from './fault_stage.ts';

export type BrokerFault = {
  readonly name: string;
  /** Whether the agent can neither hear nor answer meanwhile, and must say so. */
  readonly isUnready: boolean;
  /**
   * Whether a call may find its answer twice in its reply queue: where the broker's word for the answer, or the agent's
   * acknowledgement of the request, can be lost with a connection. Nothing but a second answer keeps a lost one from
   * being none.
   */
  readonly mayRepeat: boolean;
  /** Whether a request or an answer may be lost on its way, so that its caller hears that it is not known. */
  readonly mayLose: boolean;
  /** How long callers wait for an answer of a quick agent, in s. Where requests are lost with their queue this is what it costs. */
  readonly patienceS: number;
  /** From the first harm to the last repair. `mark` is where the log stood before. */
  readonly happen: (stage: FaultStage, mark: number) => Promise<void>;
};

/** A short outage, as a rebooting switch makes it. */
const OUTAGE_MS = 1_000;
const SLOW_MS = 30;
const SLOW_FOR_MS = 3_000;
/** Queues of oslo.messaging's default kind are gone with their broker. */
const DOWN = { isUnready: true, mayRepeat: true, mayLose: true, patienceS: 15 };
/** The broker and its queues stay; the agent is away. */
const AWAY = { ...DOWN, mayLose: false };
const HARMLESS = { isUnready: false, mayRepeat: false, mayLose: false, patienceS: 20 };

export const BROKER_FAULTS: readonly BrokerFault[] = [
  { name: 'the broker restarts', ...DOWN, happen: ({ broker }) => broker.restart('graceful') },
  { name: 'the broker is killed', ...DOWN, happen: ({ broker }) => broker.restart('killed') },
  {
    name: 'the broker stands still',
    ...DOWN,
    async happen(stage, mark) {
      await stage.broker.freeze();
      try {
        await stage.untilUnready(mark);
      } finally {
        await stage.broker.thaw();
      }
    },
  },
  {
    name: "the agent's connection is half open",
    ...AWAY,
    async happen(stage, mark) {
      stage.agentLink.silence();
      await stage.untilUnready(mark);
      stage.agentLink.heal();
    },
  },
  {
    name: 'the agent is cut off',
    ...AWAY,
    async happen(stage, mark) {
      stage.agentLink.cut();
      await stage.untilUnready(mark);
      await sleep(OUTAGE_MS);
      stage.agentLink.heal();
    },
  },
  {
    name: 'the callers are cut off',
    ...HARMLESS,
    mayRepeat: true,
    mayLose: true,
    async happen({ callers }) {
      const links = callers.flatMap((caller) => caller.links);
      for (const link of links) link.cut();
      await sleep(OUTAGE_MS);
      for (const link of links) link.heal();
    },
  },
  {
    name: 'the network is slow',
    ...HARMLESS,
    async happen({ agentLink, callers }) {
      const links = [agentLink, ...callers.flatMap((caller) => caller.links)];
      for (const link of links) link.slow(SLOW_MS);
      await sleep(SLOW_FOR_MS);
      for (const link of links) link.heal();
    },
  },
  { ...deletion('the queue of the agent is deleted', async ({ host }) => [`hugenode.${host}`]), mayLose: true },
  deletion('the queue of the topic is deleted', async () => ['hugenode']),
  deletion('the fanout queue of the agent is deleted', (stage) => stage.queues('hugenode_fanout_')),
  {
    // Ours is exclusive: nobody else can delete it.
    ...deletion('the reply queue of oslo.messaging is deleted', (stage) => stage.sharedReplyQueues()),
    mayLose: true,
  },
  {
    name: "the consumer's channel is closed by the broker",
    ...HARMLESS,
    isUnready: true,
    mayRepeat: true,
    async happen({ tricks }) {
      tricks.breakConsumer();
      await until(() => tricks.isBroken);
    },
  },
  {
    name: "the publisher's channel is closed by the broker",
    ...HARMLESS,
    mayRepeat: true,
    async happen(stage, mark) {
      // To an exchange that is gone nothing can be published, and the channel goes with it.
      await stage.broker.deleteExchange(stage.vhost, 'nova');
      await until(() => stage.loggedSince(mark, 'channel closed by the broker').length > 0);
    },
  },
  {
    name: 'the broker has a memory alarm',
    ...HARMLESS,
    isUnready: true,
    async happen(stage, mark) {
      await stage.broker.ctl('set_vm_memory_high_watermark', '0.00001');
      try {
        await stage.untilUnready(mark);
      } finally {
        await stage.broker.ctl('set_vm_memory_high_watermark', '0.4');
      }
    },
  },
];

function deletion(name: string, queuesOf: (stage: FaultStage) => Promise<string[]>): BrokerFault {
  return {
    name,
    ...HARMLESS,
    patienceS: 6,
    async happen(stage) {
      for (const queue of await queuesOf(stage)) await stage.broker.deleteQueue(stage.vhost, queue);
    },
  };
}

/** Some of them. @throws {Error} where there is none of that name. */
export function faultsNamed(...names: readonly string[]): BrokerFault[] {
  return names.map((name) => {
    const fault = BROKER_FAULTS.find((one) => one.name === name);
    if (fault === undefined) throw new Error(`there is no fault «${name}»`);
    return fault;
  });
}
