/** Quorum queues: all faults of one broker, then a cluster of three whose leader is killed under load, time and again. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FakeBed } from '../beds.ts';
import { BROKER_FAULTS, type BrokerFault } from '../broker_faults.ts';
import { buildsUnder } from '../builds_under.ts';
import { BrokerCluster } from '../cluster.ts';
import { FaultStage } from '../fault_stage.ts';
import { rounds } from '../rounds.ts';

const BUILDS = 100;
const DELETES = 26;
const QUORUM = { overrides: { 'rpc.queues': 'quorum' }, flags: { quorum: true } };

describe('one broker, quorum queues', () => {
  let stage: FaultStage;

  beforeAll(async () => {
    stage = await FaultStage.set({ bed: await FakeBed.make(), ...QUORUM });
  });

  afterAll(() => stage?.clear());

  describe.each(rounds(2))('round %i', (round) => {
    test.each(BROKER_FAULTS)('$name', async (fault) => {
      const tally = await buildsUnder(stage, fault, BUILDS);
      expect(tally.calls).toBe(BUILDS + DELETES);
      process.stderr.write(`round ${round}, quorum queues, ${fault.name}: ${JSON.stringify(tally)}\n`);
    });
  });
});

describe('three brokers in a cluster, quorum queues', () => {
  let cluster: BrokerCluster;
  let stage: FaultStage;

  beforeAll(async () => {
    cluster = await BrokerCluster.start();
    stage = await FaultStage.set({ bed: await FakeBed.make(), brokers: cluster.brokers, ...QUORUM });
  });

  afterAll(async () => {
    await stage?.clear();
    await cluster?.stop();
  });

  test.each(rounds(10))(
    'round %i: the leader of the queue is killed, and all builds are accounted for',
    async (round) => {
      const queue = `hugenode.${stage.host}`;
      const dead = await cluster.leaderOf(stage.vhost, queue);
      const fault: BrokerFault = {
        name: 'the leader is killed',
        isUnready: false,
        mayRepeat: true,
        // A client's publish that was under way to the dead one.
        mayLose: true,
        patienceS: 20,
        async happen() {
          await dead.kill();
          // Two of three go on, under another leader, before the third is back.
          await expect
            .poll(
              () =>
                cluster.leaderOf(stage.vhost, queue, dead).then(
                  (leader) => leader !== dead,
                  () => false,
                ),
              {
                timeout: 60_000,
              },
            )
            .toBe(true);
          await stage.untilReady();
          expect((await stage.caller(0).call('get_host', {}, 30)).is).toBe('answered');
          await cluster.revive(dead);
        },
      };
      const tally = await buildsUnder(stage, fault, BUILDS);
      expect(tally.calls).toBe(BUILDS + DELETES);
      process.stderr.write(`round ${round}, cluster, ${fault.name}: ${JSON.stringify(tally)}\n`);
    },
  );
});
