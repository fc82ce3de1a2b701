import { expect, test } from 'vitest';
import { naiveUtc, safeContext } from '../../src/rpc/notifier.ts';

test('a context keeps known keys alone, and never the token', () => {
  expect(safeContext({ user_id: 'u', request_id: 'req-1', auth_token: 'secret', service_catalog: [], x: 1 })).toEqual({
    user_id: 'u',
    request_id: 'req-1',
  });
});

test('times are written as Python writes naive UTC', () => {
  expect(naiveUtc(new Date(Date.UTC(2026, 10, 22, 1, 38, 20, 666)))).toBe('2026-11-22 01:38:20.666000');
});
