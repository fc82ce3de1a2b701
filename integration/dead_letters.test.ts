/** Requests that nobody can read: kept by a real agent on a real broker, and put right from the command line. */
import { connect, type ChannelModel } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { AgentStage } from './agent.ts';

const letterView = z.array(z.looseObject({ number: z.number(), reason: z.string(), body: z.string() }));

let stage: AgentStage;
let model: ChannelModel;

beforeAll(async () => {
  stage = await AgentStage.set('dead-letters');
  model = await connect(stage.api.url(stage.vhost).replace(/^rabbit:/, 'amqp:'));
});

afterAll(async () => {
  await model?.close();
  await stage?.clear();
});

async function send(body: string, contentType = 'application/json'): Promise<void> {
  const channel = await model.createConfirmChannel();
  channel.publish('hugenode', `hugenode.${stage.host}`, Buffer.from(body), { contentType });
  await channel.waitForConfirms();
  await channel.close();
}

const listed = async () => letterView.parse(JSON.parse((await stage.cli('--json', 'dead-letters', 'list')).stdout));

test('they are listed in the order they came, with the reason, and stay there for being looked at', async () => {
  await send('{"method":');
  await send(JSON.stringify({ method: 'get_host', args: [], _context_auth_token: 'gAAAA-secret' }));
  await send('{}', 'text/plain');
  await expect.poll(listed, { timeout: 10_000 }).toHaveLength(3);
  expect((await listed()).map(({ number, reason }) => [number, reason])).toEqual([
    [1, 'not-json'],
    [2, 'args'],
    [3, 'content-type'],
  ]);
  const { stdout } = await stage.cli('dead-letters', 'list');
  expect(stdout).toMatch(new RegExp(`1 .*not-json .*hugenode.${stage.host} .*10 `));
});

test('one is shown with its body, and without the token in it', async () => {
  const { stdout } = await stage.cli('dead-letters', 'show', '2');
  expect(stdout).toContain(`to exchange hugenode, key hugenode.${stage.host}`);
  expect(stdout).toContain('"method":"get_host"');
  expect(stdout).not.toContain('gAAAA-secret');
});

test('one that is not there is a wrong argument', async () => {
  expect(await stage.cli('dead-letters', 'show', '9')).toMatchObject({
    code: 2,
    stderr: 'hugenode: no dead letter 9; there were 3\n',
  });
});

test('replayed, it comes back for the same reason; dropped, it is gone', async () => {
  expect(await stage.cli('dead-letters', 'replay', '1')).toMatchObject({ code: 0, stdout: '1 replayed, 2 left\n' });
  await expect
    .poll(async () => (await listed()).map(({ reason }) => reason), { timeout: 10_000 })
    .toEqual(['args', 'content-type', 'not-json']);
  expect(await stage.cli('dead-letters', 'drop', '2', '3')).toMatchObject({ code: 0, stdout: '2 dropped, 1 left\n' });
  expect((await listed()).map(({ reason }) => reason)).toEqual(['args']);
  expect(await stage.cli('dead-letters', 'drop', '--all')).toMatchObject({ stdout: '1 dropped, 0 left\n' });
  expect(await stage.cli('dead-letters', 'list')).toMatchObject({ code: 0, stdout: 'no dead letters\n' });
});

test('switched off, nothing is kept', async () => {
  await stage.end();
  await stage.start({ 'rpc.dead_letters': false });
  await send('{');
  await expect.poll(() => stage.logged.some((line) => line['reason'] === 'not-json' && line['bytes'] === 1)).toBe(true);
  expect(await listed()).toEqual([]);
});
