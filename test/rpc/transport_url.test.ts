import { describe as suite, expect, test } from 'vitest';
import { connectOptions, describe, parseTransportUrl } from '../../src/rpc/transport_url.ts';

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

  test('query options are kept', () => {
    expect(parseTransportUrl('rabbit://h/v?heartbeat_timeout_threshold=15').options).toEqual({
      heartbeat_timeout_threshold: '15',
    });
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
