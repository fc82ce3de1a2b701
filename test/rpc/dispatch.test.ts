import { describe, expect, test } from 'vitest';
import { isCompatible, resolve, type Endpoint } from '../../src/rpc/dispatch.ts';

const handler = (name: string) => async (): Promise<string> => name;

const ENDPOINTS: Endpoint[] = [
  { namespace: null, version: '6.1', methods: { start: handler('start 6.1'), _secret: handler('secret') } },
  { namespace: 'baseapi', version: '1.1', methods: new Map([['ping', handler('ping')]]) },
  { namespace: null, version: '5.13', methods: { start: handler('start 5.13'), legacy: handler('legacy') } },
];

/** What is called, or the failure's class. */
async function answered(method: string, version: string, namespace: string | null = null): Promise<unknown> {
  const resolution = resolve(ENDPOINTS, { method, version, namespace });
  if (!resolution.found) return resolution.failure.className;
  return resolution.method.handler({ method, args: {}, context: {}, isResumed: false, signal: AbortSignal.abort() });
}

describe('versions', () => {
  test.each([
    ['1.0', '1.0', true],
    ['6.1', '6.0', true],
    ['6.1', '6.1', true],
    ['6.1', '6.2', false],
    ['6.1', '5.1', false],
    ['6.1', '7.0', false],
    ['1.10', '1.9', true],
    ['1.2', '1.2.1', false],
    ['1.2.1', '1.2.1', true],
    ['1.2.1', '1.2', true],
    ['1.2', '1.1.9', true],
    ['1.0', '1', false],
    ['1.0', 'x.y', false],
    ['1.0', '', false],
    ['1.0', '1.0.0.0', false],
    ['1.0', '1.-1', false],
  ])('%s serves %s: %s', (offered, requested, expected) => {
    expect(isCompatible(offered, requested)).toBe(expected);
  });
});

describe('resolution', () => {
  test.each([
    ['start', '6.0', null, 'start 6.1'],
    ['start', '5.0', null, 'start 5.13'],
    ['legacy', '5.13', null, 'legacy'],
    ['ping', '1.0', 'baseapi', 'ping'],
    ['legacy', '6.0', null, 'NoSuchMethod'],
    ['ping', '6.0', null, 'NoSuchMethod'],
    ['_secret', '6.0', null, 'NoSuchMethod'],
    ['constructor', '6.0', null, 'NoSuchMethod'],
    ['__proto__', '6.0', null, 'NoSuchMethod'],
    ['toString', '1.0', 'baseapi', 'NoSuchMethod'],
    ['start', '7.0', null, 'UnsupportedVersion'],
    ['start', 'nonsense', null, 'UnsupportedVersion'],
    ['start', '6.0', 'elsewhere', 'UnsupportedVersion'],
  ])('%s %s in %s: %s', async (method, version, namespace, expected) => {
    expect(await answered(method, version, namespace)).toBe(expected);
  });

  // As captured from oslo.messaging 14.0.3.
  test('failures carry the words of oslo', () => {
    expect(resolve(ENDPOINTS, { method: 'echo', version: '1.1', namespace: null })).toEqual({
      found: false,
      failure: {
        className: 'UnsupportedVersion',
        module: 'oslo_messaging.rpc.dispatcher',
        message: 'Endpoint does not support RPC version 1.1. Attempted method: echo',
        args: ['Endpoint does not support RPC version 1.1. Attempted method: echo'],
        kwargs: {},
      },
    });
    expect(resolve(ENDPOINTS, { method: 'nope', version: '6.0', namespace: null })).toMatchObject({
      failure: { className: 'NoSuchMethod', message: 'Endpoint does not support RPC method nope' },
    });
  });
});
