import { expect, test } from 'vitest';
import { explainConnectFailure } from '../../src/rpc/connect_failures.ts';
import { explainRefusal, readInequivalence } from '../../src/rpc/refusals.ts';

const said = (text: string): string =>
  `Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - ${text}"`;

// RabbitMQ 3.10's words.
test.each<[string, object, string]>([
  [
    "inequivalent arg 'durable' for queue 'q.host1' in vhost '/nova': received 'false' but current is 'true'",
    { kind: 'queue', name: 'q.host1', virtualHost: '/nova', flag: 'durable', existing: 'true', wanted: 'false' },
    'queue q.host1 in virtual host /nova exists with durable true, and durable false is wanted: set rpc.queues to durable (or quorum) as the other side has it, or delete the queue (rabbitmqctl -p /nova delete_queue q.host1) once nobody uses it',
  ],
  [
    "inequivalent arg 'auto_delete' for exchange 'nova' in vhost '/': received 'false' but current is 'true'",
    { kind: 'exchange', name: 'nova', flag: 'auto_delete', existing: 'true', wanted: 'false' },
    'set rpc.auto_delete_queues to true, or delete the exchange',
  ],
  [
    "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received none but current is the value 'quorum' of type 'longstr'",
    { flag: 'x-queue-type', existing: 'quorum', wanted: 'none' },
    'exists with x-queue-type quorum, and no x-queue-type is wanted: set rpc.queues to quorum',
  ],
  [
    "inequivalent arg 'x-expires' for queue 'q' in vhost '/': received the value '60000' of type 'signedint' but current is none",
    { flag: 'x-expires', existing: 'none', wanted: '60000' },
    'exists with no x-expires, and x-expires 60000 is wanted',
  ],
  [
    "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'topic' but current is 'fanout'",
    { flag: 'type', existing: 'fanout', wanted: 'topic' },
    'use another name (rpc.exchange, rpc.topic)',
  ],
  [
    "inequivalent arg 'durable' for exchange 'compute_fanout' in vhost '/': received 'false' but current is 'true'",
    { kind: 'exchange', name: 'compute_fanout' },
    'set rpc.transient_queues to quorum, or delete the exchange',
  ],
])('%s', (text, found, words) => {
  expect(readInequivalence(said(text))).toMatchObject(found);
  expect(explainRefusal(said(text))).toContain(words);
});

test('what is not understood is told as the broker said it', () => {
  const text = said('a flag of RabbitMQ 9 does not fit');
  expect(readInequivalence(text)).toBe(undefined);
  expect(explainRefusal(text)).toBe(text);
});

test('a queue that another connection holds', () => {
  const text = "405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be";
  expect(explainRefusal(text)).toContain('queue q is held by another connection alone');
});

test.each([
  [new Error('Handshake terminated by server: 403 (ACCESS-REFUSED) with message "user \'hush\'"'), 'password'],
  [
    new Error('Handshake terminated by server: 530 (NOT_ALLOWED) with message "vhost v not found"'),
    'refuses virtual host v',
  ],
  [new Error("530 (NOT-ALLOWED) with message \"access to vhost 'v' refused for user 'hush'\""), 'may not use'],
  [new Error('Expected ConnectionOpenOk; got <ConnectionClose channel:0>'), 'refuses virtual host v'],
  [Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), 'nothing listens'],
  [new AggregateError([Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })]), 'nothing listens'],
  [Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'rpc.tls_ca_file'],
  [Object.assign(new Error('altnames'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }), 'another host name'],
  [new Error('something new'), 'something new'],
])('why there is no connection: %s', (error, words) => {
  const told = explainConnectFailure(error, 'v');
  expect(told).toContain(words);
  expect(told).not.toContain('hush');
});
