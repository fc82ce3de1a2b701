/** What the wire brings that is no proper request: each gets a clear answer where one is possible, and nothing breaks. */
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AgentStage, createArgs, flavorOf } from './agent.ts';
import { poolCount } from './page_pool.ts';

let stage: AgentStage;
let connection: ChannelModel;
let channel: Channel;

beforeAll(async () => {
  stage = await AgentStage.set('bad');
  connection = await connect(stage.api.url(stage.vhost));
  channel = await connection.createChannel();
});

afterAll(async () => {
  await connection?.close();
  await stage?.clear();
});

const JSON_PROPERTIES = { contentType: 'application/json', contentEncoding: 'utf-8' };
const sealed = (message: unknown) => JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) });

test.each([
  ['not JSON', '{{{', JSON_PROPERTIES],
  ['JSON that is no object', '[1, 2]', JSON_PROPERTIES],
  ['an envelope of another version', JSON.stringify({ 'oslo.version': '3.0', 'oslo.message': '{}' }), JSON_PROPERTIES],
  ['an envelope around no JSON', JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': '{' }), JSON_PROPERTIES],
  ['a content type that is not JSON', sealed({ method: 'get_host', args: {} }), { contentType: 'text/plain' }],
  ['no method', sealed({ args: {} }), JSON_PROPERTIES],
  ['nothing at all', '', JSON_PROPERTIES],
])('%s is rejected in the log, and the agent goes on', async (_what, body, properties) => {
  const seen = stage.logged.length;
  channel.publish('hugenode', `hugenode.${stage.host}`, Buffer.from(body), properties);
  await expect
    .poll(() => stage.logged.slice(seen).some((entry) => entry['level'] === 'warn' || entry['level'] === 'error'), {
      timeout: 5000,
    })
    .toBe(true);
  expect(await stage.call('get_host')).toMatchObject({ host: stage.host });
  expect(stage.isRunning).toBe(true);
});

const flavor = (over: object) => ({ flavor: { ...flavorOf(16), ...over } });

test.each([
  ['an unknown method', 'make_coffee', {}, 'NoSuchMethod'],
  ['a method of every object', 'constructor', {}, 'NoSuchMethod'],
  ['missing fields', 'create_instance', {}, 'InvalidRequest'],
  ['extra fields', 'create_instance', createArgs({ nova: true }), 'InvalidRequest'],
  ['no memory', 'create_instance', createArgs(flavor({ memory_mb: 0 })), 'InvalidRequest'],
  ['negative memory', 'create_instance', createArgs(flavor({ memory_mb: -2 })), 'InvalidRequest'],
  ['memory of 2^53', 'create_instance', createArgs(flavor({ memory_mb: 2 ** 53 })), 'InvalidRequest'],
  ['a pebibyte', 'create_instance', createArgs(flavor({ memory_mb: 2 ** 30 })), 'ComputeResourcesUnavailable'],
  ['no whole number of pages', 'create_instance', createArgs(flavor({ memory_mb: 33 })), 'MemoryNotWholePages'],
  [
    'an unknown page size',
    'create_instance',
    createArgs(flavor({ extra_specs: { 'hw:mem_page_size': '64KB' } })),
    'MemoryPageSizeNotSupported',
  ],
  [
    'a page size that is none',
    'create_instance',
    createArgs(flavor({ extra_specs: { 'hw:mem_page_size': 'huge' } })),
    'MemoryPageSizeInvalid',
  ],
  [
    'more guest cells than nodes',
    'create_instance',
    createArgs(flavor({ vcpus: 8, extra_specs: { 'hw:numa_nodes': '8' } })),
    'ComputeResourcesUnavailable',
  ],
  [
    'a spec that is not implemented',
    'create_instance',
    createArgs(flavor({ extra_specs: { 'quota:cpu_shares': '1' } })),
    'UnsupportedExtraSpec',
  ],
  ['control characters', 'create_instance', createArgs({ name: 'a\u0007b' }), 'InvalidRequest'],
  ['256 characters', 'create_instance', createArgs({ name: 'x'.repeat(256) }), 'InvalidRequest'],
  ['a path for an image', 'create_instance', createArgs({ image: '../tiny' }), 'InvalidRequest'],
  ['an image that is not there', 'create_instance', createArgs({ image: 'nope' }), 'ImageNotFound'],
  ['an instance that is not there', 'get_instance', { uuid: createArgs()['uuid'] }, 'InstanceNotFound'],
  ['deleting what is not there', 'delete_instance', { uuid: createArgs()['uuid'] }, 'InstanceNotFound'],
])('%s: a clear error of a documented class', async (_what, method, args, className) => {
  const free = await poolCount('free_hugepages');
  await expect(stage.call(method, args)).rejects.toMatchObject({ className });
  expect(await stage.domains()).toEqual([]);
  expect(await poolCount('free_hugepages')).toBe(free);
});

test('a version that is not served', async () => {
  await expect(stage.client.call('get_host', {}, { server: stage.host, version: '2.0' })).rejects.toMatchObject({
    className: 'UnsupportedVersion',
  });
  await expect(stage.client.call('get_host', {}, { server: stage.host, version: '1.99' })).rejects.toMatchObject({
    className: 'UnsupportedVersion',
  });
});
