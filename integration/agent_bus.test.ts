// The agent's settings of the bus, from the command line to the broker: queues, notifications, and what it says where
// something else exists.

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { afterEach, expect, inject, onTestFinished, test } from 'vitest';
import { AgentStage } from './agent.ts';
import { runLauncher, settingsArgs } from './agent_process.ts';
import { BrokerApi } from './broker.ts';
import { declarations } from './oslo/declarations.ts';

let stage: AgentStage | undefined;

afterEach(async () => {
  await stage?.clear();
  stage = undefined;
});

test.each<[string, Record<string, string | number | boolean>, object]>([
  ['quorum', { 'rpc.queues': 'quorum' }, { durable: true, arguments: { 'x-queue-type': 'quorum' } }],
  ['vanishing', { 'rpc.queues': 'durable', 'rpc.auto_delete_queues': true }, { durable: true, auto_delete: true }],
])('%s queues, for the agent and the command line', async (name, settings, expected) => {
  stage = await AgentStage.set(`bus-${name}`, settings);
  const { code, stderr } = await stage.cli('host');
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const { queues, exchanges } = await declarations(stage.vhost);
  for (const queue of ['hugenode', `hugenode.${stage.host}`]) {
    expect(queues.find((one) => one.name === queue)).toMatchObject(expected);
  }
  expect(exchanges.find((one) => one.name === 'hugenode')).toMatchObject({ durable: true });
});

test('with adopt_existing_queues the agent takes what an earlier one has left, and so does the command line', async () => {
  stage = await AgentStage.set('bus-adopted', { 'rpc.durable_queues': true });
  await stage.end();
  await stage.start({ 'rpc.adopt_existing_queues': true });
  const { code } = await stage.cli('host');
  expect(code).toBe(0);
  const told = stage.logged
    .map(({ message }) => String(message))
    .filter((message) => message.includes('used as it is'));
  expect(told).toContainEqual(expect.stringContaining('queue hugenode in virtual host bus-adopted has durable true'));
});

test('where a queue exists with other flags the agent ends and says what to do', async () => {
  const api = new BrokerApi({ amqpPort: inject('amqpPort'), managementPort: inject('managementPort') });
  const url = await api.vhost('bus-taken');
  onTestFinished(() => api.deleteVhost('bus-taken'));
  const other = await connect(url);
  onTestFinished(() => other.close());
  const channel = await other.createChannel();
  await channel.assertQueue('hugenode', { durable: true });

  const folder = await mkdtemp('/var/tmp/hugenode-bus-');
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { code, stderr } = await runLauncher([
    ...settingsArgs({
      'rpc.transport_url': url,
      'rpc.journal_path': '',
      'instances.path': join(folder, 'instances'),
      'instances.domain_prefix': 'hnt-bus-taken-',
    }),
    'serve',
  ]);
  expect(code).not.toBe(0);
  expect(stderr).toContain(
    'queue hugenode in virtual host bus-taken exists with durable true, and durable false is wanted: set rpc.queues to durable',
  );
});
