import { expect, test } from 'vitest';
import { redact } from '../src/log.ts';

test.each([
  ['transport_url', 'rabbit://u:p@h/', '***'],
  ['telemetry_secret', 'x', '***'],
  ['_context_auth_token', 'gAAAA', '***'],
  ['tls_key', 'x', '***'],
  ['reason', 'connect to amqp://user:pass@broker:5672/ failed', 'connect to amqp://***@broker:5672/ failed'],
  ['reason', 'rabbit://u:p1@h1,u2:p2@h2/vhost', 'rabbit://***@h2/vhost'],
  ['reason', 'rabbit://:secret@h', 'rabbit://***@h'],
  ['reason', 'rabbit://u:pa@ss@h:5672', 'rabbit://***@h:5672'],
  ['reason', 'plain text with a@b.c', 'plain text with a@b.c'],
  ['pages', 5, 5],
])('%s', (key, value, expected) => {
  expect(redact(key, value)).toEqual(expected);
});

test('inside objects, lists and errors', () => {
  expect(redact('context', { auth_token: 'x', user_id: 'u', more: [{ password: 'y' }, 'amqp://a:b@c'] })).toEqual({
    auth_token: '***',
    user_id: 'u',
    more: [{ password: '***' }, 'amqp://***@c'],
  });
  expect(redact('error', new Error('amqp://a:b@c'))).toMatchObject({ message: 'amqp://***@c' });
});
