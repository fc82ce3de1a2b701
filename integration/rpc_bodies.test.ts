// Bodies as nobody should send them, and some that only Python can write, against our server on a real broker: each is
// answered by name where its caller can be read, refused where not, and the server serves on.

import { gzipSync, deflateSync } from 'node:zlib';
import type { Channel } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RpcClient, RpcServer } from '../src/rpc/index.ts';
import { PythonProgram } from './oslo/python.ts';
import { Calls, EXCHANGE, sealed, Stage, unsealed, until } from './oslo/stage.ts';

const TOPIC = 'bodies';
const MAX_BYTES = 100_000;

let stage: Stage;
let server: RpcServer;
let client: RpcClient;
const calls = new Calls();

beforeAll(async () => {
  stage = await Stage.set('rpc-bodies');
  server = await RpcServer.start(stage.broker, {
    exchange: EXCHANGE,
    topic: TOPIC,
    server: 'host1',
    endpoints: calls.endpoints,
    maxMessageBytes: MAX_BYTES,
    logger: stage.logger,
  });
  client = await RpcClient.open(stage.broker, { exchange: EXCHANGE, topic: TOPIC, logger: stage.logger });
});

afterAll(async () => {
  await client?.close();
  await server?.stop(1_000);
  await stage?.clear();
});

const bytes = (text: string): Buffer => Buffer.from(text);
const envelope = (inner: string, version = '2.0'): Buffer =>
  bytes(JSON.stringify({ 'oslo.version': version, 'oslo.message': inner }));
const good = { method: 'echo', args: { value: 1 } };

type Body = (to: { _msg_id: string; _reply_q: string }) => Buffer;
type Properties = { contentType?: string; contentEncoding?: string; headers?: Record<string, unknown> };

const JSON_TYPE: Properties = { contentType: 'application/json', contentEncoding: 'utf-8' };

/** Refused in silence: nobody can be told. */
const SILENT: [string, string, Body, Properties?][] = [
  ['nothing', 'not-json', () => bytes('')],
  ['one brace', 'not-json', () => bytes('{')],
  ['words', 'not-json', () => bytes('hello')],
  ['bytes that are no UTF-8', 'not-utf8', () => Buffer.from([0xff, 0xfe, 0x7b])],
  ['UTF-16', 'not-utf8', () => Buffer.from('\ufeff{"method": "echo"}', 'utf16le')],
  ['zeros', 'not-json', () => Buffer.alloc(1000)],
  ['msgpack', 'not-utf8', () => Buffer.from('81a66d6574686f64a46563686f', 'hex')],
  ['a list', 'not-an-object', () => bytes('[]')],
  ['a number', 'not-an-object', () => bytes('1')],
  ['null', 'not-an-object', () => bytes('null')],
  ['NaN', 'not-an-object', () => bytes('NaN')],
  ['an empty object', 'method', () => bytes('{}')],
  ['half an envelope', 'method', () => bytes('{"oslo.version": "2.0"}')],
  ['an envelope with nothing in it', 'not-json', () => envelope('')],
  ['an envelope with a list in it', 'not-an-object', () => envelope('[]')],
  ['an envelope in an envelope', 'method', (to) => envelope(String(sealed({ ...good, ...to })))],
  ['a message that is no text', 'envelope-message', () => bytes('{"oslo.version": "2.0", "oslo.message": {}}')],
  ['a message cut short', 'not-json', (to) => envelope(JSON.stringify({ ...to, ...good }).slice(0, -5))],
  ['a hundred thousand brackets', 'not-an-object', () => bytes('['.repeat(40_000) + ']'.repeat(40_000))],
  ['a message without method', 'method', () => sealed({ args: {} })],
  ['a caller that is no name', 'msg-id', (to) => sealed({ ...good, ...to, _msg_id: 7 })],
  ['a caller without queue', 'reply-queue', ({ _msg_id }) => sealed({ ...good, _msg_id })],
  ['a queue that is no name', 'reply-queue', ({ _msg_id }) => sealed({ ...good, _msg_id, _reply_q: ['q'] })],
  [
    'a queue with a name too long',
    'reply-queue',
    ({ _msg_id }) => sealed({ ...good, _msg_id, _reply_q: 'q'.repeat(256) }),
  ],
  ['too large, without a caller', 'too-large', () => sealed({ ...good, x: 'x'.repeat(MAX_BYTES) })],
  ['compressed and cut', 'compressed', () => deflateSync('{"method": "echo"}').subarray(0, 9), gzip()],
  ['compressed a thousandfold', 'too-large', () => deflateSync(Buffer.alloc(50 * MAX_BYTES, 'x')), gzip()],
];

/** Answered: the reason is in the failure. */
const ANSWERED: [string, string, Body, Properties?][] = [
  ['no method', 'method', (to) => sealed(to)],
  ['method null', 'method', (to) => sealed({ ...to, method: null })],
  ['method a number', 'method', (to) => sealed({ ...to, method: 1 })],
  ['method empty', 'method', (to) => sealed({ ...to, method: '' })],
  ['args a list', 'args', (to) => sealed({ ...good, ...to, args: [] })],
  ['args null', 'args', (to) => sealed({ ...good, ...to, args: null })],
  ['args a text', 'args', (to) => sealed({ ...good, ...to, args: '{}' })],
  ['namespace a number', 'namespace', (to) => sealed({ ...good, ...to, namespace: 1 })],
  ['version a number', 'version', (to) => sealed({ ...good, ...to, version: 1.1 })],
  ['version a list', 'version', (to) => sealed({ ...good, ...to, version: [1, 1] })],
  ['_timeout a text', 'timeout', (to) => sealed({ ...good, ...to, _timeout: 'soon' })],
  ['_unique_id a number', 'unique-id', (to) => sealed({ ...good, ...to, _unique_id: 1 })],
  ['envelope 1.0', 'envelope-version', (to) => envelope(JSON.stringify({ ...good, ...to }), '1.0')],
  ['envelope 2.1', 'envelope-version', (to) => envelope(JSON.stringify({ ...good, ...to }), '2.1')],
  ['envelope 3.0', 'envelope-version', (to) => envelope(JSON.stringify({ ...good, ...to }), '3.0')],
  ['NaN in args', 'not-finite', (to) => envelope(JSON.stringify({ ...good, ...to }).replace('1', 'NaN'))],
  ['1e999 in args', 'not-finite', (to) => envelope(JSON.stringify({ ...good, ...to }).replace('1', '1e999'))],
  [
    '-Infinity, without envelope',
    'not-finite',
    (to) => bytes(JSON.stringify({ ...good, ...to }).replace('1', '-Infinity')),
  ],
  ['2^53 + 1', 'unsafe-integer', (to) => envelope(JSON.stringify({ ...good, ...to }).replace('1', '9007199254740993'))],
  [
    'ten thousand digits',
    'unsafe-integer',
    (to) => envelope(JSON.stringify({ ...good, ...to }).replace('1', '9'.repeat(10_000))),
  ],
  ['too large', 'too-large', (to) => sealed({ method: 'echo', args: { value: 'x'.repeat(MAX_BYTES) }, ...to })],
  ['too large, without envelope', 'too-large', (to) => bytes(JSON.stringify({ ...to, args: 'x'.repeat(MAX_BYTES) }))],
  [
    'another content type',
    'content-type',
    (to) => sealed({ ...good, ...to }),
    { contentType: 'application/x-msgpack' },
  ],
  ['another encoding', 'content-type', (to) => sealed({ ...good, ...to }), { ...JSON_TYPE, contentEncoding: 'utf-16' }],
  [
    'bz2 by its name',
    'compressed',
    (to) => sealed({ ...good, ...to }),
    { ...JSON_TYPE, headers: { compression: 'application/x-bz2' } },
  ],
];

/** Strange, and served all the same. */
const SERVED: [string, Body, Properties?][] = [
  ['no envelope', (to) => bytes(JSON.stringify({ ...good, ...to }))],
  ['no content type', (to) => sealed({ ...good, ...to }), {}],
  ['keys that nobody knows', (to) => sealed({ ...good, ...to, x: [{}], _y: null })],
  [
    'keys of the prototype',
    (to) => envelope(JSON.stringify({ ...good, ...to }).replace('{', '{"__proto__": {"x": 1}, ')),
  ],
  ['the same key twice', (to) => envelope(JSON.stringify({ ...good, ...to }).replace('{', '{"method": "nope", '))],
  ['compressed as kombu does', (to) => deflateSync(sealed({ ...good, ...to })), gzip()],
  ['2^53', (to) => envelope(JSON.stringify({ ...good, ...to, x: 0 }).replace('"x":0', '"x":9007199254740992'))],
  ['a text that looks like numbers', (to) => sealed({ ...good, ...to, x: 'NaN 12345678901234567890 1e999' })],
  ['all of Unicode', (to) => sealed({ ...good, ...to, x: '\u0000\ud83d\ude00\u2028\uffff' })],
];

function gzip(): Properties {
  return { ...JSON_TYPE, headers: { compression: 'application/x-gzip' } };
}

let channel: Channel;
let queue: string;
let lastId = 0;

beforeAll(async () => {
  channel = await stage.rawConnectionChannel();
  ({ queue } = await channel.assertQueue('', { exclusive: true }));
});

function send(body: Body, properties: Properties = JSON_TYPE): string {
  const msgId = `m${++lastId}`;
  channel.publish(EXCHANGE, TOPIC, body({ _msg_id: msgId, _reply_q: queue }), properties);
  return msgId;
}

async function answer(): Promise<Record<string, unknown>> {
  const end = performance.now() + 10_000;
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message) return unsealed(message.content);
    if (performance.now() > end) throw new Error('no answer');
  }
}

async function expectServing(): Promise<void> {
  expect(await client.call('echo', { value: lastId })).toBe(lastId);
  await until(() => server.requestCounts.taken === 0);
}

const refusals = (): string[] => stage.logged.filter((line) => line.includes('request refused'));

test('there are enough of them', () => {
  expect(SILENT.length + ANSWERED.length).toBeGreaterThanOrEqual(28);
});

test.each(SILENT)('refused: %s', async (_name, reason, body, properties) => {
  const before = refusals().length;
  send(body, properties);
  await until(() => refusals().length > before);
  expect(refusals().at(-1)).toContain(`"reason":"${reason}"`);
  expect(refusals().at(-1)).toContain('"isAnswered":false');
  await expectServing();
  expect((await channel.checkQueue(queue)).messageCount).toBe(0);
});

test.each(ANSWERED)('answered: %s', async (_name, reason, body, properties) => {
  const msgId = send(body, properties);
  const { failure, ...reply } = await answer();
  expect(reply).toMatchObject({ result: null, ending: true, _msg_id: msgId });
  expect(JSON.parse(String(failure))).toMatchObject({
    class: 'InternalError',
    message: expect.stringMatching(new RegExp(`^The request cannot be read: ${reason}: `)),
  });
  await expectServing();
});

test.each(SERVED)('served: %s', async (_name, body, properties) => {
  const msgId = send(body, properties);
  expect(await answer()).toMatchObject({ result: 1, failure: null, _msg_id: msgId });
  await expectServing();
});

describe('numbers of Python', () => {
  let oslo: PythonProgram;

  beforeAll(async () => {
    oslo = PythonProgram.start('server.py', stage.osloUrl, EXCHANGE, 'numbers', 'py');
    await oslo.heard((line) => line['event'] === 'ready');
  });
  afterAll(() => oslo.stop());

  test('a caller of oslo.messaging is told that its request is too large', async () => {
    const asked = await stage.python.ask({
      op: 'call',
      topic: TOPIC,
      method: 'echo',
      python: { value: '"é" * 200000' },
    });
    expect(asked['error']).toMatchObject({ exc_type: 'InternalError', message: expect.stringContaining('too-large') });
    await expectServing();
  });

  // The expression is Python's: JSON lines would be rounded on the way there.
  test.each([
    ['float("nan")', 'not-finite: a number is neither finite nor JSON (NaN)'],
    ['[1, -float("inf")]', 'not-finite: a number is neither finite nor JSON (-Infinity)'],
    ['{"deep": [2**53 + 1]}', 'unsafe-integer: an integer is beyond 2^53 and would be rounded (9007199254740993)'],
    ['-2**80', 'unsafe-integer: an integer is beyond 2^53 and would be rounded (-1208925819614629174706176)'],
  ])('oslo.messaging asks us with %s: refused by name', async (expression, words) => {
    const asked = await stage.python.ask({ op: 'call', topic: TOPIC, method: 'echo', python: { value: expression } });
    expect(asked['error']).toMatchObject({
      exc_type: 'InternalError',
      message: `The request cannot be read: ${words}`,
    });
    await expectServing();
  });

  test.each(['2**53', '-2**53', '1e300', '0.1', '10**15', '-0.5e-300'])(
    'oslo.messaging asks us with %s: the same comes back',
    async (expression) => {
      const order = { op: 'call', topic: TOPIC, method: 'echo', python: { value: expression }, equals: expression };
      expect(await stage.python.ask(order)).toEqual({ result: true });
    },
  );

  test('we answer with integers of any size, exactly', async () => {
    const order = { op: 'call', topic: TOPIC, method: 'big', equals: '[2**64, -2**63 - 1, 2**60]' };
    expect(await stage.python.ask(order)).toEqual({ result: true });
  });

  test('we do not answer with NaN: the caller is told that the outcome cannot be written', async () => {
    expect(await stage.python.ask({ op: 'call', topic: TOPIC, method: 'unwritable' })).toMatchObject({
      error: { exc_type: 'InternalError', message: 'The outcome of unwritable cannot be written as JSON' },
    });
  });

  test('what oslo.messaging answers us is what it was', async () => {
    const ours = await stage.client('numbers');
    const value = [2n ** 64n, -(2n ** 53n) - 1n, 2 ** 53, 1e300];
    expect(await ours.call('echo', { value }, { version: '1.3' })).toEqual({ value, user: null });
    expect(await ours.call('odd', {}, { version: '1.3' })).toEqual([Number.NaN, Infinity, -Infinity, 2n ** 70n, 'NaN']);
  });

  test('we do not ask with NaN', async () => {
    const ours = await stage.client('numbers');
    await expect(ours.call('echo', { value: Number.NaN })).rejects.toMatchObject({ code: 'not-encodable' });
  });
});

describe('kombu_compression', () => {
  test('gzip, from a caller and from a server of oslo.messaging', async () => {
    const url = `${stage.osloUrl}?kombu_compression=gzip`;
    const caller = PythonProgram.start('client.py', url, EXCHANGE);
    const oslo = PythonProgram.start('server.py', url, EXCHANGE, 'squeezed', 'py');
    await oslo.heard((line) => line['event'] === 'ready');
    expect(await caller.ask({ op: 'call', topic: TOPIC, method: 'echo', args: { value: 'ü'.repeat(1000) } })).toEqual({
      result: 'ü'.repeat(1000),
    });
    const ours = await stage.client('squeezed');
    expect(await ours.call('echo', { value: 'ü' }, { version: '1.3' })).toMatchObject({ value: 'ü' });
    await caller.stop();
    await oslo.stop();
  });

  test("what is named gzip and is gzip's own format is refused: kombu writes zlib's", async () => {
    const before = refusals().length;
    send((to) => gzipSync(sealed({ ...good, ...to })), gzip());
    await until(() => refusals().length > before);
    expect(refusals().at(-1)).toContain('"reason":"compressed"');
    await expectServing();
  });
});
