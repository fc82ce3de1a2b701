import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Keepalive } from '../../src/node-libvirt/session/keepalive.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watch() {
  const ping = vi.fn<() => void>();
  const onDead = vi.fn<(silentMs: number) => void>();
  return { ping, onDead, keepalive: new Keepalive({ intervalMs: 5000, count: 5, ping, onDead }) };
}

test('pings after each silent interval and gives up one interval after the fifth', () => {
  const { ping, onDead } = watch();
  vi.advanceTimersByTime(4900);
  expect(ping).not.toHaveBeenCalled();
  vi.advanceTimersByTime(25_000);
  expect(ping).toHaveBeenCalledTimes(5);
  expect(onDead).not.toHaveBeenCalled();
  vi.advanceTimersByTime(200);
  expect(onDead).toHaveBeenCalledExactlyOnceWith(expect.closeTo(30_000, -2));
});

test('any byte is life', () => {
  const { ping, onDead, keepalive } = watch();
  for (let second = 0; second < 120; second += 4) {
    vi.advanceTimersByTime(4000);
    keepalive.heard();
  }
  expect(ping).not.toHaveBeenCalled();
  vi.advanceTimersByTime(29_000);
  keepalive.heard();
  vi.advanceTimersByTime(29_000);
  expect(onDead).not.toHaveBeenCalled();
});

test('says nothing after it was stopped', () => {
  const { ping, onDead, keepalive } = watch();
  keepalive.stop();
  vi.advanceTimersByTime(60_000);
  expect(ping).not.toHaveBeenCalled();
  expect(onDead).not.toHaveBeenCalled();
});

test('suspended it says nothing; resumed it begins anew', () => {
  const { ping, onDead, keepalive } = watch();
  vi.advanceTimersByTime(22_000);
  expect(ping).toHaveBeenCalledTimes(4);
  keepalive.suspend();
  vi.advanceTimersByTime(600_000);
  expect(ping).toHaveBeenCalledTimes(4);
  keepalive.resume();
  vi.advanceTimersByTime(4900);
  expect(ping).toHaveBeenCalledTimes(4);
  vi.advanceTimersByTime(24_000);
  expect(onDead).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1200);
  expect(ping).toHaveBeenCalledTimes(9);
  expect(onDead).toHaveBeenCalledOnce();
});

test('stopped it does not resume', () => {
  const { ping, keepalive } = watch();
  keepalive.suspend();
  keepalive.stop();
  keepalive.resume();
  vi.advanceTimersByTime(60_000);
  expect(ping).not.toHaveBeenCalled();
});
