import { describe, expect, test } from 'vitest';
import { brokerOptions, prefetchOf, topologyFlags } from '../../src/settings/broker_options.ts';
import { loadSettings } from '../../src/settings/load.ts';

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const withRpc = (...pairs: string[]) => loadSettings({ overrides: pairs.map((pair) => `rpc.${pair}`) });
const flags = (...pairs: string[]) => topologyFlags(withRpc(...pairs));

const DEFAULTS = {
  durable: false,
  quorum: false,
  autoDelete: false,
  deliveryLimit: 0,
  maxMemoryLength: 0,
  maxMemoryBytes: 0,
  transientQuorum: false,
  transientExpiresMs: 1_800_000,
  adoptExisting: false,
};

describe('how queues are declared', () => {
  test.each<[string[], object]>([
    [[], {}],
    [['durable_queues=true'], { durable: true }],
    [['queues=durable'], { durable: true }],
    [['queues=quorum', 'quorum_delivery_limit=3'], { quorum: true, deliveryLimit: 3 }],
    [['quorum_max_memory_length=5', 'quorum_max_memory_bytes=6'], { maxMemoryLength: 5, maxMemoryBytes: 6 }],
    [['auto_delete_queues=true'], { autoDelete: true }],
    [
      ['transient_queues=quorum', 'transient_queues_ttl_ms=60000'],
      { transientQuorum: true, transientExpiresMs: 60_000 },
    ],
    [['adopt_existing_queues=true'], { adoptExisting: true }],
  ])('%s', (pairs, expected) => {
    expect(flags(...pairs)).toEqual({ ...DEFAULTS, ...expected });
  });

  test('the URL wins, both ways', () => {
    const url =
      'transport_url=rabbit://h/?amqp_durable_queues=false&rabbit_quorum_queue=true&rabbit_transient_queues_ttl=9';
    const expected = { ...DEFAULTS, quorum: true, transientExpiresMs: 9_000 };
    expect(flags(url, 'queues=durable', 'transient_queues_ttl_ms=60000')).toEqual(expected);
  });
});

test('the prefetch count of the URL wins; 0 there, any number, is none', () => {
  const url = 'transport_url=rabbit://h/?rabbit_qos_prefetch_count=';
  expect(prefetchOf(withRpc('prefetch=7'))).toBe(7);
  expect(prefetchOf(withRpc('prefetch=7', `${url}3`))).toBe(3);
  expect(prefetchOf(withRpc('prefetch=7', `${url}0`))).toBe(7);
});

test('the connection has the way of login', () => {
  expect(brokerOptions(withRpc('login_method=AMQPLAIN'), 'test', QUIET)).toMatchObject({ loginMethod: 'AMQPLAIN' });
});

test.each([
  'queues=mirrored',
  'login_method=plain',
  'transient_queues_ttl_ms=0',
  'max_message_bytes=1',
  'start_timeout_ms=-1',
])('%s is refused by name', (pair) => {
  expect(() => withRpc(pair)).toThrow(`rpc.${pair.split('=')[0]}`);
});
