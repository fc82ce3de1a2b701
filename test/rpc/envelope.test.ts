import { readFileSync, readdirSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { assert, boolean, constantFrom, dictionary, jsonValue, property, uint8Array } from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeNotification,
  decodeReply,
  decodeRequest,
  encodeFailure,
  encodeHeartbeat,
  encodeNotification,
  encodeRequest,
  encodeResult,
} from '../../src/rpc/envelope.ts';
import { RpcError } from '../../src/rpc/errors.ts';

interface Captured {
  method?: string;
  routing_key: string;
  body: string;
}

// Messages recorded between oslo.messaging 14.0.3 processes (nova-*: Nova 26.2.2 compute) on a real broker.
const CAPTURES = new URL('captures/', import.meta.url);
const captured = readdirSync(CAPTURES).flatMap((file) => {
  const content: Captured | Captured[] = JSON.parse(readFileSync(new URL(file, CAPTURES), 'utf8'));
  return [content].flat().map((message, index) => ({ ...message, name: `${file} #${index}` }));
});
const isReply = ({ routing_key: key }: Captured): boolean => key.startsWith('reply_');
const isNotification = ({ routing_key: key }: Captured): boolean => key.startsWith('notifications.');

const bytes = (text: string): Buffer => Buffer.from(text);
const sealed = (inner: unknown): Buffer => bytes(seal(JSON.stringify(inner)));
const seal = (inner: string): string => JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': inner });

/** A body with both layers of JSON taken off, so that spacing and escapes do not count. */
function unsealed(body: string): Record<string, unknown> {
  const outer = JSON.parse(body);
  return 'oslo.message' in outer ? JSON.parse(outer['oslo.message']) : outer;
}

/** The failure of a reply, without the traceback: none of ours crosses the wire. */
function failureOf(fields: Record<string, unknown>): unknown {
  return typeof fields['failure'] === 'string' ? { ...JSON.parse(fields['failure']), tb: [] } : fields['failure'];
}

const withText = (extra: string): string =>
  `{"method": "echo", "args": {"n": ${extra}}, "_msg_id": "m", "_reply_q": "reply_x"}`;

function accepted<T>(decoded: { accepted: true; message: T } | { accepted: false; rejection: unknown }): T {
  if (!decoded.accepted) throw new Error(`rejected: ${JSON.stringify(decoded.rejection)}`);
  return decoded.message;
}

describe('captured messages', () => {
  test('there are all of them', () => {
    expect(captured.length).toBeGreaterThan(30);
  });

  test.each(captured.filter((one) => !isReply(one) && !isNotification(one)))('request of $name', ({ body }) => {
    const inner = unsealed(body);
    const request = accepted(decodeRequest(bytes(body)));
    expect(request).toMatchObject({
      method: inner['method'],
      args: inner['args'],
      namespace: inner['namespace'] ?? null,
      version: inner['version'] ?? '1.0',
      msgId: inner['_msg_id'] ?? null,
      replyQueue: inner['_reply_q'] ?? null,
      monitorTimeoutSeconds: inner['_timeout'] ?? null,
      uniqueId: inner['_unique_id'],
    });
    const version = 'version' in inner ? request.version : null;
    expect(unsealed(encodeRequest({ ...request, version }))).toEqual(inner);
  });

  test.each(captured.filter(isReply))('reply of $name', ({ body }) => {
    const inner = unsealed(body);
    const reply = accepted(decodeReply(bytes(body)));
    const uniqueId = String(inner['_unique_id']);
    const again = !reply.ending
      ? encodeHeartbeat(reply.msgId, uniqueId)
      : reply.failure
        ? encodeFailure(reply.msgId, uniqueId, reply.failure)
        : encodeResult(reply.msgId, uniqueId, reply.result);

    const out = unsealed(again);
    expect({ ...out, failure: failureOf(out) }).toEqual({ ...inner, failure: failureOf(inner) });
  });

  test.each(captured.filter(isNotification))('notification of $name', ({ body }) => {
    const notification = accepted(decodeNotification(bytes(body)));
    expect(unsealed(encodeNotification(notification))).toEqual(unsealed(body));
  });

  test('a failure keeps class, module, message and what made it', () => {
    const reply = captured.find((one) => one.name.startsWith('call-custom-exception-kwargs') && isReply(one));
    expect(accepted(decodeReply(bytes(reply?.body ?? ''))).failure).toEqual({
      className: 'CustomError',
      module: '__main__',
      message: 'cm',
      args: ['cm'],
      kwargs: { reason: 'no hugepages', code: 7 },
    });
  });
});

describe('hostile requests', () => {
  const call = { _msg_id: 'm', _reply_q: 'reply_x' };
  const answerable = { msgId: 'm', replyQueue: 'reply_x' };
  const good = { method: 'echo', args: {}, ...call };

  test.each<[string, Buffer, object]>([
    ['nothing', bytes(''), { reason: 'not-json' }],
    ['not UTF-8', Buffer.from([0xff, 0xfe, 0x00]), { reason: 'not-utf8' }],
    ['UTF-8 cut short', Buffer.from([0x22, 0xc3]), { reason: 'not-utf8' }],
    ['words', bytes('hello'), { reason: 'not-json' }],
    ['JSON cut short', bytes('{"oslo.version": "2.0", "oslo.mess'), { reason: 'not-json' }],
    ['JSON and more', bytes('{} {}'), { reason: 'not-json' }],
    ['null', bytes('null'), { reason: 'not-an-object' }],
    ['a list', bytes('[]'), { reason: 'not-an-object' }],
    ['a text', bytes('"x"'), { reason: 'not-an-object' }],
    ['bare NaN alone', bytes('NaN'), { reason: 'not-an-object' }],
    ['no method, no envelope', bytes('{}'), { reason: 'method' }],
    ['half an envelope', bytes('{"oslo.version": "2.0"}'), { reason: 'method' }],
    [
      'envelope 1.0',
      bytes(seal(JSON.stringify(good)).replace('2.0', '1.0')),
      { reason: 'envelope-version', ...answerable },
    ],
    [
      'envelope 2.1',
      bytes(seal(JSON.stringify(good)).replace('2.0', '2.1')),
      { reason: 'envelope-version', ...answerable },
    ],
    ['envelope 3.0', bytes(seal('{}').replace('2.0', '3.0')), { reason: 'envelope-version' }],
    ['envelope version a number', bytes('{"oslo.version": 2.0, "oslo.message": "{}"}'), { reason: 'envelope-version' }],
    ['message not a text', bytes('{"oslo.version": "2.0", "oslo.message": {}}'), { reason: 'envelope-message' }],
    ['message null', bytes('{"oslo.version": "2.0", "oslo.message": null}'), { reason: 'envelope-message' }],
    ['message not JSON', bytes(seal('{"method": ')), { reason: 'not-json' }],
    ['message a list', bytes(seal('[1]')), { reason: 'not-an-object' }],
    ['message null as JSON', bytes(seal('null')), { reason: 'not-an-object' }],
    ['no method', sealed({ args: {}, ...call }), { reason: 'method', ...answerable }],
    ['method null', sealed({ ...good, method: null }), { reason: 'method', ...answerable }],
    ['method a number', sealed({ ...good, method: 7 }), { reason: 'method', ...answerable }],
    ['method empty', sealed({ ...good, method: '' }), { reason: 'method', ...answerable }],
    ['args a list', sealed({ ...good, args: [] }), { reason: 'args', ...answerable }],
    ['args null', sealed({ ...good, args: null }), { reason: 'args', ...answerable }],
    ['args a text', sealed({ ...good, args: 'a=1' }), { reason: 'args', ...answerable }],
    ['namespace a number', sealed({ ...good, namespace: 1 }), { reason: 'namespace', ...answerable }],
    ['version a number', sealed({ ...good, version: 1.0 }), { reason: 'version', ...answerable }],
    ['version a list', sealed({ ...good, version: ['1.0'] }), { reason: 'version', ...answerable }],
    ['_msg_id a number', sealed({ ...good, _msg_id: 5 }), { reason: 'msg-id', replyQueue: 'reply_x' }],
    ['_msg_id an object', sealed({ ...good, _msg_id: {} }), { reason: 'msg-id', replyQueue: 'reply_x' }],
    ['no _reply_q', sealed({ ...good, _reply_q: undefined }), { reason: 'reply-queue', msgId: 'm' }],
    ['_reply_q a number', sealed({ ...good, _reply_q: 5 }), { reason: 'reply-queue', msgId: 'm' }],
    ['_reply_q empty', sealed({ ...good, _reply_q: '' }), { reason: 'reply-queue', msgId: 'm' }],
    [
      '_reply_q beyond 255 bytes',
      sealed({ ...good, _reply_q: 'é'.repeat(128) }),
      { reason: 'reply-queue', msgId: 'm' },
    ],
    ['_timeout a text', sealed({ ...good, _timeout: '60' }), { reason: 'timeout', ...answerable }],
    ['_timeout true', sealed({ ...good, _timeout: true }), { reason: 'timeout', ...answerable }],
    ['_unique_id a number', sealed({ ...good, _unique_id: 1 }), { reason: 'unique-id', ...answerable }],
    ['bare NaN inside', bytes(seal(withText('NaN'))), { reason: 'not-finite', detail: 'NaN', ...answerable }],
    [
      'bare Infinity inside',
      bytes(seal(withText('[Infinity, NaN]'))),
      { reason: 'not-finite', detail: 'Infinity', ...answerable },
    ],
    [
      'bare -Infinity inside',
      bytes(seal(withText('-Infinity'))),
      { reason: 'not-finite', detail: '-Infinity', ...answerable },
    ],
    [
      'a float beyond all floats',
      bytes(seal(withText('1e400'))),
      { reason: 'not-finite', detail: '1e400', ...answerable },
    ],
    ['bare NaN in the outer layer', bytes('{"method": "echo", "x": NaN}'), { reason: 'not-finite', detail: 'NaN' }],
    [
      'an integer beyond 2^53',
      bytes(seal(withText('-9007199254740993'))),
      { reason: 'unsafe-integer', detail: '-9007199254740993', ...answerable },
    ],
    [
      'an integer beyond all floats',
      bytes(seal(withText('9'.repeat(5000)))),
      { reason: 'unsafe-integer', detail: `${'9'.repeat(40)}...`, ...answerable },
    ],
    ['NaN and a string without end', bytes(seal('{"a": NaN, "b": "\\')), { reason: 'not-json' }],
  ])('%s', (_name, body, rejection) => {
    expect(decodeRequest(body)).toEqual({ accepted: false, rejection });
  });

  test.each<[string, object, string]>([
    ['another content type', { contentType: 'application/x-msgpack' }, 'content-type'],
    ['another encoding', { contentType: 'application/json', contentEncoding: 'binary' }, 'content-type'],
    ['compression', { headers: { compression: 'application/x-gzip' } }, 'compressed'],
  ])('%s is refused and its caller told', (_name, properties, reason) => {
    expect(decodeRequest(sealed(good), properties)).toEqual({ accepted: false, rejection: { reason, ...answerable } });
  });

  test('quotes and words inside of strings stay what they are', () => {
    const inner = String.raw`{"method": "e", "args": {"s": "a \"NaN\" \\", "n": NaN}, "_msg_id": "NaN", "_reply_q": "q"}`;
    expect(decodeRequest(bytes(seal(inner)))).toMatchObject({
      rejection: { reason: 'not-finite', msgId: 'NaN', detail: 'NaN' },
    });
  });

  test('a megabyte of quotes before a NaN is read in no time', () => {
    const startedAt = performance.now();
    decodeRequest(bytes(`{"a": NaN, "b": "${String.raw`\"`.repeat(500_000)}`));
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test('keys of the prototype stay plain keys', () => {
    const request = accepted(decodeRequest(bytes(seal('{"method": "m", "_context___proto__": {"isAdmin": true}}'))));
    expect(Object.getPrototypeOf(request.context)).toBe(Object.prototype);
    expect(Object.keys(request.context)).toEqual(['__proto__']);
  });

  test('never throws, whatever the bytes', () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (body) => {
        for (const decode of [decodeRequest, decodeReply, decodeNotification]) {
          expect(decode(body).accepted).toBeTypeOf('boolean');
        }
      }),
    );
  });

  test('never throws, whatever the fields', () => {
    const field = constantFrom(
      'method',
      'args',
      'namespace',
      'version',
      '_msg_id',
      '_reply_q',
      '_timeout',
      '_unique_id',
      '_context_x',
      'result',
      'failure',
      'ending',
      'event_type',
      'priority',
      'oslo.version',
      'oslo.message',
    );
    assert(
      property(dictionary(field, jsonValue()), boolean(), (fields, isSealed) => {
        const body = isSealed ? sealed(fields) : bytes(JSON.stringify(fields));
        for (const decode of [decodeRequest, decodeReply, decodeNotification]) {
          expect(decode(body).accepted).toBeTypeOf('boolean');
        }
      }),
    );
  });
});

describe('what is lenient', () => {
  test('args, version and ids may be missing', () => {
    expect(accepted(decodeRequest(sealed({ method: 'm' })))).toEqual({
      method: 'm',
      args: {},
      namespace: null,
      version: '1.0',
      msgId: null,
      replyQueue: null,
      monitorTimeoutSeconds: null,
      uniqueId: null,
      context: {},
    });
  });

  test.each([
    ['no failure key', { _msg_id: 'm', ending: true, result: 1 }, null],
    ['a minimal failure', { _msg_id: 'm', ending: true, failure: '{"class": "E", "module": "x"}' }, 'E'],
    ['a failure that is an object', { _msg_id: 'm', ending: true, failure: { class: 'E' } }, 'E'],
  ])('a reply with %s', (_name, inner, className) => {
    expect(accepted(decodeReply(sealed(inner))).failure?.className ?? null).toBe(className);
  });

  test.each([
    ['no _msg_id', { ending: true }, 'msg-id'],
    ['no ending', { _msg_id: 'm' }, 'ending'],
    ['a failure that is no JSON', { _msg_id: 'm', ending: true, failure: 'boom' }, 'failure'],
  ])('not a reply with %s', (_name, inner, reason) => {
    expect(decodeReply(sealed(inner))).toMatchObject({ accepted: false, rejection: { reason } });
  });
});

const decode = (body: Buffer, properties = {}) => decodeRequest(body, properties, 1_000);

describe('what is too large', () => {
  const args = { value: 'x'.repeat(100_000), fake: '"_msg_id": "n", "_reply_q": "q"' };
  const call = { _msg_id: 'm', _reply_q: 'reply_x' };

  test.each([
    ['enveloped, ids at the end', sealed({ method: 'echo', args, ...call })],
    ['enveloped, ids at the beginning', sealed({ ...call, args })],
    ['bare', bytes(JSON.stringify({ args, ...call }))],
    ["as Python's json writes it", bytes(seal(JSON.stringify({ args, ...call }).replaceAll(':"', ': "')))],
  ])('%s: refused unread, its caller found', (_name, body) => {
    const detail = `${body.length} bytes, 1000 at most`;
    const rejection = { reason: 'too-large', detail, msgId: 'm', replyQueue: 'reply_x' };
    expect(decode(body)).toEqual({ accepted: false, rejection });
  });

  test('a caller that is only text in an argument is none', () => {
    expect(decode(sealed({ args }))).toMatchObject({ rejection: { reason: 'too-large' } });
    expect(decode(sealed({ args }))).not.toHaveProperty('rejection.msgId');
  });

  test('a compressed body counts as what it becomes', () => {
    const headers = { compression: 'application/x-gzip' };
    expect(decode(deflateSync(sealed({ args, ...call })), { headers })).toEqual({
      accepted: false,
      rejection: { reason: 'too-large' },
    });
    expect(decode(deflateSync(sealed({ method: 'echo', ...call })), { headers })).toMatchObject({ accepted: true });
  });

  test('refusing 100 MB takes no time', () => {
    const body = Buffer.alloc(100 * 2 ** 20, '"');
    const startedAt = performance.now();
    expect(decodeRequest(body)).toMatchObject({ rejection: { reason: 'too-large' } });
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

const read = (numbers: string): unknown =>
  accepted(decodeReply(bytes(seal(`{"_msg_id": "m", "ending": true, "failure": null, "result": ${numbers}}`)))).result;

describe('numbers that JavaScript cannot hold', () => {
  test('are what they were in a reply', () => {
    expect(read('[9007199254740993, -123456789012345678901234567890, 9007199254740992, 1e300]')).toEqual([
      9007199254740993n,
      -123456789012345678901234567890n,
      2 ** 53,
      1e300,
    ]);
    expect(read('{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN 12345678901234567890"}')).toEqual({
      a: Number.NaN,
      b: [Infinity, -Infinity],
      c: 'NaN 12345678901234567890',
    });
  });

  test('are written with all their digits', () => {
    const body = encodeResult('m', 'u', [2n ** 64n, 2 ** 60, -(2 ** 53), 1e21, 0.1]);
    expect(JSON.parse(body)['oslo.message']).toContain(
      '[18446744073709551616,1152921504606846976,-9007199254740992,1e+21,0.1]',
    );
  });

  test('a megabyte of digits is read in no time', () => {
    const startedAt = performance.now();
    expect(() => read(`[NaN, ${'9'.repeat(1_000_000)}]`)).toThrow('unsafe-integer');
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

test('the old notification format is the message alone', () => {
  const notification = captured.find(({ name }) => name.startsWith('notify-info-v1'));
  const message = accepted(decodeNotification(bytes(notification?.body ?? '')));
  expect(JSON.parse(encodeNotification(message, 'messaging'))).toEqual(JSON.parse(notification?.body ?? ''));
});

/** Large integers with all their digits, whichever type they have. */
const digits = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' || (Number.isInteger(value) && Math.abs(Number(value)) < 1e21)
    ? `${BigInt(Number(value))}`
    : value;

describe('what JSON cannot hold', () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);

  test.each([
    ['NaN', Number.NaN],
    ['an infinity', [-Infinity]],
    ['a cycle', cycle],
  ])('%s is a typed error', (_name, result) => {
    expect(() => encodeResult('m', 'u', result)).toThrow(RpcError);
    expect(() => encodeResult('m', 'u', result)).toThrow(expect.objectContaining({ code: 'not-encodable' }));
  });

  test('undefined crosses as null', () => {
    expect(unsealed(encodeResult('m', 'u', undefined))['result']).toBe(null);
  });

  test('any JSON value crosses unchanged', () => {
    assert(
      property(jsonValue(), (result) => {
        const reply = accepted(decodeReply(bytes(encodeResult('m', 'u', result))));
        expect(JSON.stringify(reply.result, digits)).toBe(JSON.stringify(result, digits));
      }),
    );
  });
});
