/** The session without a socket: the bytes that it writes and when, the time that calls have, what it holds on to. */
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CallTimeoutError } from '../../src/node-libvirt/errors.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import { Session, type SessionSettings } from '../../src/node-libvirt/session/session.ts';
import { errorOf } from './errors_of.ts';
import { MemoryTransport } from './memory_transport.ts';

const {
  DOMAIN_LOOKUP_BY_NAME: LOOKUP,
  CONNECT_GET_LIB_VERSION: VERSION,
  DOMAIN_SHUTDOWN_FLAGS: SHUTDOWN,
  CONNECT_CLOSE,
} = Procedures;

let transport: MemoryTransport;
let session: Session;

function open(settings: Partial<SessionSettings> = {}): void {
  transport = new MemoryTransport();
  session = new Session(transport, { maxInFlight: 4, callTimeoutMs: 1000, ...settings });
}

beforeEach(() => open());
afterEach(() => session.destroy());

/** Bytes as people write them down: hexadecimal words, what they mean after a #. */
function bytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''), 'hex');
}

/** The reply to VERSION under a serial: 9.0.0. */
function version(serial: number): Buffer {
  return bytes(`
    00000024                   # length: 36
    20008086 00000001 0000009d # remote program, version 1, procedure 157
    00000001                   # REPLY
    ${serial.toString(16).padStart(8, '0')}
    00000000                   # OK
    00000000 00895440          # 9000000`);
}

/** Timers that keep the process alive. */
function timersInForce(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}

describe('on the wire', () => {
  test('a call and its reply, word by word', async () => {
    const found = session.call(LOOKUP, { name: 'guest' });
    await Promise.resolve();
    expect(transport.writes).toEqual([
      bytes(`
        00000028          # length: 40
        20008086 00000001 # remote program, version 1
        00000017          # procedure 23
        00000000          # CALL
        00000001          # serial: the first
        00000000          # OK
        00000005 67756573 74000000 # «guest», padded`),
    ]);
    transport.feed(
      bytes(`
        0000003c
        20008086 00000001 00000017
        00000001          # REPLY
        00000001          # to the first
        00000000          # OK
        00000005 67756573 74000000
        6695eb01 f6a48304 79aa97f2 502e193f # uuid
        ffffffff          # id -1: it does not run`),
    );
    expect(await found).toEqual({
      domain: { name: 'guest', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: -1 },
    });
  });

  test('a ping is answered with a pong', () => {
    transport.feed(
      bytes(`
        0000001c
        6b656570 00000001 # «keep», version 1
        00000001          # PING
        00000002          # MESSAGE
        00000000 00000000 # no serial, OK`),
    );
    expect(transport.writes).toEqual([bytes('0000001c 6b656570 00000001 00000002 00000002 00000000 00000000')]);
  });

  test('a peer that pings and reads nothing gets no more pongs', () => {
    transport.needsDrain = true;
    const ping = bytes('0000001c 6b656570 00000001 00000001 00000002 00000000 00000000');
    transport.feed(Buffer.concat([ping, ping, ping]));
    expect(transport.writes).toEqual([]);
    transport.drain();
    transport.feed(ping);
    expect(transport.writes).toHaveLength(1);
  });

  test('calls of one turn are one write, a later call another', async () => {
    const calls = [1, 2, 3].map(() => session.call(VERSION, {}));
    expect(transport.writes).toEqual([]);
    await Promise.resolve();
    expect(transport.writes.map(({ length }) => length)).toEqual([3 * 28]);
    calls.push(session.call(VERSION, {}));
    await Promise.resolve();
    expect(transport.writes.map(({ length }) => length)).toEqual([3 * 28, 28]);
    for (const serial of [1, 2, 3, 4]) transport.feed(version(serial));
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 4 }, () => ({ version: 9_000_000 })));
  });

  test('replies of one chunk free their places for one write', async () => {
    const calls = Array.from({ length: 8 }, () => session.call(VERSION, {}));
    await Promise.resolve();
    transport.feed(Buffer.concat([1, 2, 3, 4].map(version)));
    await Promise.resolve();
    expect(transport.writes.map(({ length }) => length)).toEqual([4 * 28, 4 * 28]);
    transport.feed(Buffer.concat([5, 6, 7, 8].map(version)));
    await Promise.all(calls);
  });

  test('a reply to a call that is still to be written ends the connection', async () => {
    const error = errorOf(session.call(VERSION, {}));
    transport.feed(version(1));
    expect(await error).toMatchObject({ name: 'ConnectionClosedError', requestSent: false });
    expect(await session.closed).toMatchObject({ kind: 'protocol' });
  });

  test('bytes in any portions', async () => {
    const call = session.call(VERSION, {});
    await Promise.resolve();
    for (const byte of version(1)) transport.feed(Buffer.from([byte]));
    expect(await call).toEqual({ version: 9_000_000 });
  });

  test('a buffer that its owner uses again for the next bytes', async () => {
    const calls = [session.call(LOOKUP, { name: 'a' }), session.call(VERSION, {})];
    await Promise.resolve();
    const reply = bytes(`0000003c 20008086 00000001 00000017 00000001 00000001 00000000
      00000005 67756573 74000000 6695eb01f6a4830479aa97f2502e193f 00000003`);
    // Cut in the middle of the name; the buffer is overwritten between the portions, as a socket's is.
    const shared = Buffer.alloc(64);
    for (const part of [reply.subarray(0, 34), reply.subarray(34), version(2)]) {
      shared.fill(0xff);
      part.copy(shared);
      transport.feed(shared.subarray(0, part.length));
    }
    shared.fill(0xff);
    expect(await Promise.all(calls)).toMatchObject([{ domain: { name: 'guest', id: 3 } }, { version: 9_000_000 }]);
  });
});

describe('time', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('one timer serves all calls, sent and queued, and each has its own time', async () => {
    const ended: string[] = [];
    const call = (name: string, timeoutMs: number) => {
      session.call(VERSION, {}, { timeoutMs }).catch((error: unknown) => {
        ended.push(`${name} ${error instanceof CallTimeoutError && error.requestSent}`);
      });
    };
    call('sent, long', 900);
    for (const name of ['sent, short', 'sent as well', 'sent too']) call(name, 300);
    call('queued, short', 200);
    call('queued, long', 900);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(199);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toEqual(['queued, short false']);
    await vi.advanceTimersByTimeAsync(100);
    expect(ended.slice(1)).toEqual(['sent, short true', 'sent as well true', 'sent too true']);
    await vi.advanceTimersByTimeAsync(599);
    expect(ended).toHaveLength(4);
    await vi.advanceTimersByTimeAsync(1);
    expect(ended.slice(4)).toEqual(['sent, long true', 'queued, long false']);
    expect(vi.getTimerCount()).toBe(0);
    // Those that were sent keep their places: the daemon may be at them still.
    expect(session.stats).toMatchObject({ inFlight: 4, queued: 0 });
  });

  test('Infinity needs no timer, more than a timer can does not fire at once', async () => {
    const calls = [Infinity, 2 ** 40].map((timeoutMs) => session.call(VERSION, {}, { timeoutMs }));
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(2 ** 31);
    expect(session.stats).toMatchObject({ inFlight: 2 });
    transport.feed(Buffer.concat([version(1), version(2)]));
    expect(await Promise.all(calls)).toHaveLength(2);
  });

  test('a call made by the caller of one that expired has its time too', async () => {
    const second = session
      .call(VERSION, {}, { timeoutMs: 100 })
      .catch(() => session.call(VERSION, {}, { timeoutMs: 100 }));
    const error = errorOf(second);
    await vi.advanceTimersByTimeAsync(200);
    expect(await error).toBeInstanceOf(CallTimeoutError);
  });

  test('with the session its timer goes', async () => {
    const error = errorOf(session.call(VERSION, {}));
    session.destroy();
    expect(await error).toMatchObject({ name: 'ConnectionClosedError' });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('what it holds on to', () => {
  test('timers do not keep the process alive', async () => {
    const before = timersInForce();
    const error = errorOf(session.call(VERSION, {}));
    session.startKeepalive(60_000, 5);
    expect(timersInForce()).toBe(before);
    session.destroy();
    await error;
  });

  test('nothing on a signal once its call is settled, however that was', async () => {
    open({ maxInFlight: 1 });
    const { signal } = new AbortController();
    const listeners = () => getEventListeners(signal, 'abort').length;
    const answered = session.call(VERSION, {}, { signal });
    const expired = errorOf(session.call(VERSION, {}, { signal, timeoutMs: 1 }));
    const lost = errorOf(session.call(VERSION, {}, { signal }));
    await Promise.resolve();
    expect(listeners()).toBe(3);
    await expired;
    expect(listeners()).toBe(2);
    transport.feed(version(1));
    await answered;
    expect(listeners()).toBe(1);
    transport.end();
    await lost;
    expect(listeners()).toBe(0);
    await errorOf(session.call(VERSION, {}, { signal }));
    expect(listeners()).toBe(0);
  });

  test('an argument that does not fit leaves no trace: nothing on its signal, no byte among those of others', async () => {
    const { signal } = new AbortController();
    const before = session.call(VERSION, {});
    // The first of its fields fits and is written before the other is looked at.
    const error = errorOf(
      session.call(SHUTDOWN, { domain: { name: 'guest', uuid: 'none', id: 1 }, flags: 0 }, { signal }),
    );
    const after = session.call(VERSION, {});
    expect(await error).toBeInstanceOf(RangeError);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(Buffer.concat(transport.writes).toString('hex')).toMatch(
      /^0000001c.{32}00000001.{8}0000001c.{32}0000000[23].{8}$/,
    );
    const serials = Buffer.concat(transport.writes);
    transport.feed(Buffer.concat([version(serials.readUInt32BE(20)), version(serials.readUInt32BE(48))]));
    expect(await Promise.all([before, after])).toHaveLength(2);
  });

  test('closing says goodbye past the queue, and is done when nobody answers', async () => {
    vi.useFakeTimers();
    open({ maxInFlight: 1 });
    const errors = [1, 2].map(() => errorOf(session.call(VERSION, {})));
    const closing = session.close(CONNECT_CLOSE, {});
    await Promise.resolve();
    // The call that had its place and the goodbye, procedure 2.
    expect(transport.writes.map((write) => [write.length, write.readInt32BE(28 + 12)])).toEqual([[56, 2]]);
    expect(transport.isDestroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(1000);
    await closing;
    expect(transport.isDestroyed).toBe(true);
    expect(await Promise.all(errors)).toMatchObject([{ requestSent: true }, { requestSent: false }]);
    vi.useRealTimers();
  });

  test('bytes after the end are nobody’s', async () => {
    const error = errorOf(session.call(VERSION, {}));
    await Promise.resolve();
    transport.end();
    transport.feed(version(1));
    expect(await error).toMatchObject({ name: 'ConnectionClosedError' });
    expect(await session.closed).toMatchObject({ kind: 'server' });
  });
});
