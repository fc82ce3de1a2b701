import { describe as suite, expect, test } from 'vitest';
import { connectOptions, describe, loginOf, parseTransportUrl, shuffled } from '../../src/rpc/transport_url.ts';

const HOST = { hostname: 'h', port: 5672, username: 'u', password: 'p' };

suite('virtual hosts', () => {
  // As oslo.messaging 14.0.3 reads them.
  test.each([
    ['rabbit://u:p@h:5672', '/'],
    ['rabbit://u:p@h:5672/', '/'],
    ['rabbit://u:p@h:5672//', '/'],
    ['rabbit://u:p@h:5672/%2F', '/'],
    ['rabbit://u:p@h:5672/nova', 'nova'],
    ['rabbit://u:p@h:5672//nova', '/nova'],
    ['rabbit://u:p@h:5672/%2Fnova', '/nova'],
    ['rabbit://u:p@h:5672/a/b', 'a/b'],
    ['rabbit://u:p@h:5672/nova?ssl=0', 'nova'],
    ['kombu://u:p@h:5672/nova', 'nova'],
    ['amqp://u:p@h:5672/nova', 'nova'],
  ])('%s is %s', (text, virtualHost) => {
    expect(parseTransportUrl(text)).toMatchObject({ protocol: 'amqp', hosts: [HOST], virtualHost });
  });

  test('goes percent-encoded to amqplib, which decodes it', () => {
    const url = parseTransportUrl('rabbit://u:p@h//nova');
    expect(connectOptions(url, 0, 30)).toEqual({
      protocol: 'amqp',
      hostname: 'h',
      port: 5672,
      username: 'u',
      password: 'p',
      vhost: '%2Fnova',
      heartbeat: 30,
    });
  });
});

suite('hosts', () => {
  test('several are kept in order and taken in turn', () => {
    const url = parseTransportUrl('rabbit://u:p@h1:5673,u2:p2@h2/v');
    expect(url.hosts).toEqual([
      { hostname: 'h1', port: 5673, username: 'u', password: 'p' },
      { hostname: 'h2', port: 5672, username: 'u2', password: 'p2' },
    ]);
    expect([0, 1, 2].map((index) => connectOptions(url, index, 0).hostname)).toEqual(['h1', 'h2', 'h1']);
  });

  test.each([
    ['amqps://h', 5671],
    ['rabbits://h', 5671],
    ['rabbit://h/?ssl=no', 5672],
    ['rabbit://h/?ssl=True', 5671],
    ['rabbit://h', 5672],
    ['rabbit://h:', 5672],
  ])('%s has port %i', (text, port) => {
    expect(parseTransportUrl(text).hosts[0]?.port).toBe(port);
  });

  test('IPv6 in brackets', () => {
    const url = parseTransportUrl('rabbit://u:p@[::1]:5673/v');
    expect(url.hosts[0]).toMatchObject({ hostname: '::1', port: 5673 });
    expect(describe(url)).toBe('amqp://[::1]:5673/v');
  });

  test('credentials may be encoded, hold an @, or be missing', () => {
    expect(parseTransportUrl('rabbit://a%40b:c%3Ad%2F@h').hosts[0]).toMatchObject({
      username: 'a@b',
      password: 'c:d/',
    });
    expect(parseTransportUrl('rabbit://u:p@ss@h').hosts[0]).toMatchObject({ username: 'u', password: 'p@ss' });
    expect(parseTransportUrl('rabbit://h').hosts[0]).toMatchObject({ username: 'guest', password: 'guest' });
  });

  test('are shuffled once, none lost', () => {
    const url = parseTransportUrl('rabbit://u:p@h1,h2,h3/v');
    const draws = [0.9, 0.1, 0.5];
    const { hosts } = shuffled(url, () => draws.shift() ?? 0);
    expect(hosts.map(({ hostname }) => hostname)).toEqual(['h2', 'h3', 'h1']);
    const firsts = Array.from({ length: 100 }, () => shuffled(url, Math.random).hosts[0]?.hostname);
    expect(new Set(firsts)).toEqual(new Set(['h1', 'h2', 'h3']));
  });
});

const read = (query: string) => parseTransportUrl(`rabbit://h/v?${query}`).options;

suite('options of the query', () => {
  test.each<[string, object]>([
    ['heartbeat_timeout_threshold=15', { heartbeatSeconds: 15 }],
    ['heartbeat_timeout_threshold=0', { heartbeatSeconds: 0 }],
    ['amqp_durable_queues=True&amqp_auto_delete=on', { flags: { durable: true, autoDelete: true } }],
    ['amqp_durable_queues=false', { flags: { durable: false } }],
    [
      'rabbit_quorum_queue=1&rabbit_quorum_delivery_limit=3&rabbit_quroum_max_memory_length=9&rabbit_quroum_max_memory_bytes=99',
      { flags: { quorum: true, deliveryLimit: 3, maxMemoryLength: 9, maxMemoryBytes: 99 } },
    ],
    ['rabbit_transient_quorum_queue=yes', { flags: { transientQuorum: true } }],
    ['rabbit_transient_queues_ttl=60', { flags: { transientExpiresMs: 60_000 } }],
    ['rabbit_login_method=AMQPLAIN', { loginMethod: 'AMQPLAIN' }],
    ['rabbit_qos_prefetch_count=10', { prefetch: 10 }],
    ['rabbit_qos_prefetch_count=0', {}],
    [
      'kombu_reconnect_delay=1.5&rabbit_retry_interval=1&rabbit_interval_max=30',
      { firstDelayMs: 1500, maxDelayMs: 30_000 },
    ],
    [
      'ssl_ca_file=/etc/ca.pem&ssl_cert_file=c&ssl_key_file=k',
      { tlsFiles: { ca: '/etc/ca.pem', cert: 'c', key: 'k' } },
    ],
    ['rpc_conn_pool_size=30&rabbit_durable=1', { unused: ['rpc_conn_pool_size'], unknown: ['rabbit_durable'] }],
  ])('%s', (query, expected) => {
    expect(read(query)).toEqual({ tlsFiles: {}, flags: {}, unused: [], unknown: [], ...expected });
  });

  test.each([
    'ssl=maybe',
    'amqp_durable_queues=',
    'heartbeat_timeout_threshold=soon',
    'heartbeat_timeout_threshold=-1',
    'rabbit_transient_queues_ttl=0',
    'rabbit_login_method=plain',
    'rabbit_qos_prefetch_count=1.5',
    'kombu_reconnect_delay=1s',
  ])('%s is an error that names the option', (query) => {
    expect(() => read(query)).toThrow(`option ${query.slice(0, query.indexOf('='))} is not`);
  });

  test('the login follows the host', () => {
    let host = { ...HOST, username: 'first' };
    const plain = loginOf('PLAIN', () => host);
    expect(plain.response().toString()).toBe('\0first\0p');
    host = { ...HOST, username: 'second' };
    expect(plain.response().toString()).toBe('\0second\0p');
    expect(
      loginOf('AMQPLAIN', () => host)
        .response()
        .toString('latin1'),
    ).toContain('LOGINS');
    expect(loginOf('EXTERNAL', () => host)).toMatchObject({ mechanism: 'EXTERNAL' });
  });
});

suite('secrets', () => {
  test('a description has none', () => {
    expect(describe(parseTransportUrl('rabbit://user:secret@h1,user:secret@h2:1/v'))).toBe('amqp://h1:5672,h2:1/v');
  });

  test.each([
    'user:secret@h',
    'redis://user:secret@h',
    'rabbit://user:secret%zz@h',
    'rabbit://user:secret@h:port',
    'rabbit://user:secret@h:0',
    'rabbit://user:secret@h:65536',
    'rabbit://user:secret@[::1',
    'rabbit:///v?password=secret',
    'rabbit://user:secret@h/%ff',
    '',
  ])('nor has the error for %s', (text) => {
    expect(() => parseTransportUrl(text)).toThrow(expect.objectContaining({ code: 'invalid-url' }));
    expect(() => parseTransportUrl(text)).not.toThrow(/secret/);
  });
});
