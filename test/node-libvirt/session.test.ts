/** One connection against a scripted daemon: order, limits, giving up, silence, loss. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect, type ConnectOptions } from '../../src/node-libvirt/connection/connect.ts';
import type { Connection } from '../../src/node-libvirt/connection/connection.ts';
import { Feature } from '../../src/node-libvirt/constants/index.ts';
import { ErrorCode } from '../../src/node-libvirt/error_codes.ts';
import { CallTimeoutError, ConnectionClosedError, LibvirtError, ProtocolError } from '../../src/node-libvirt/errors.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import { KeepaliveProgram } from '../../src/node-libvirt/procedures/procedure.ts';
import { FakeLibvirtd, type FakeCall } from '../../src/node-libvirt/testing/index.ts';
import { PacketType } from '../../src/node-libvirt/wire/packet.ts';
import { errorOf } from './errors_of.ts';

const { CONNECT_GET_CAPABILITIES: SLOW, CONNECT_GET_HOSTNAME: URGENT } = Procedures;

let daemon: FakeLibvirtd;
let connection: Connection;

beforeEach(async () => {
  daemon = await FakeLibvirtd.open();
});

afterEach(async () => {
  await connection.close();
  await daemon[Symbol.asyncDispose]();
});

async function open(options: ConnectOptions = {}): Promise<void> {
  connection = await connect({ socketPath: daemon.socketPath, keepaliveIntervalMs: 0, ...options });
}

describe('calls in flight', () => {
  test('replies are matched by serial, in whatever order they come', async () => {
    await open();
    const calls = ['a', 'b', 'c'].map(() => connection.getCapabilities());
    const taken = await daemon.take(3);
    for (const [index, text] of [
      [2, 'third'],
      [0, 'first'],
      [1, 'second'],
    ] as const) {
      taken[index]?.reply(SLOW, { capabilities: text });
    }
    expect(await Promise.all(calls)).toEqual(['first', 'second', 'third']);
  });

  test('no more than four are sent; priority procedures overtake the others in the queue', async () => {
    await open();
    const slow = Array.from({ length: 6 }, () => connection.getCapabilities());
    const urgent = [connection.getHostname(), connection.getHostname()];
    const first = await daemon.take(4);
    await sleep(20);
    expect(daemon.untaken).toEqual([]);
    expect(connection.stats).toEqual({ inFlight: 4, queued: 4, droppedMessages: 0 });

    first[0]?.reply(SLOW, { capabilities: '' });
    const order: FakeCall[] = [];
    for (const answer of [
      () => order[0]?.reply(URGENT, { hostname: 'h' }),
      () => order[1]?.reply(URGENT, { hostname: 'h' }),
    ]) {
      order.push(await daemon.next());
      answer();
    }
    order.push(await daemon.next());
    expect(order.map(({ name }) => name)).toEqual([URGENT.name, URGENT.name, SLOW.name]);
    first[1]?.reply(SLOW, { capabilities: '' });
    for (const call of [first[2], first[3], order[2], await daemon.next()]) call?.reply(SLOW, { capabilities: '' });
    await Promise.all([...slow, ...urgent]);
  });

  test('the fifth call is never sent: the daemon would stop reading', async () => {
    await open();
    let most = 0;
    daemon.script(SLOW, (call) => {
      most = Math.max(most, call.client.requests);
      setImmediate(() => call.reply(SLOW, { capabilities: '' }));
    });
    daemon.answer(URGENT, (_, { client }) => {
      most = Math.max(most, client.requests);
      return { hostname: '' };
    });
    await Promise.all(
      Array.from({ length: 200 }, (_, nth) =>
        nth % 3 === 0 ? connection.getHostname() : connection.getCapabilities({ timeoutMs: 4000 }),
      ),
    );
    expect(most).toBe(4);
    expect(connection.stats).toMatchObject({ inFlight: 0, queued: 0 });
  });

  test('after eight urgent calls in a row an ordinary one goes', async () => {
    await open({ maxInFlight: 1 });
    const order: string[] = [];
    daemon.answer(SLOW, () => {
      order.push('ordinary');
      return { capabilities: '' };
    });
    daemon.answer(URGENT, () => {
      order.push('urgent');
      return { hostname: '' };
    });
    // The first takes the only place at once; the others wait.
    const calls: Promise<unknown>[] = [connection.getHostname(), connection.getCapabilities()];
    for (let nth = 0; nth < 20; nth += 1) calls.push(connection.getHostname());
    calls.push(connection.getCapabilities());
    await Promise.all(calls);
    const eight = Array.from({ length: 8 }, () => 'urgent');
    expect(order).toEqual([
      'urgent',
      ...eight,
      'ordinary',
      ...eight,
      'ordinary',
      ...Array.from({ length: 4 }, () => 'urgent'),
    ]);
  });

  test('the limit is the caller’s choice', async () => {
    await open({ maxInFlight: 1 });
    const calls = [connection.getCapabilities(), connection.getCapabilities()];
    const one = await daemon.next();
    expect(connection.stats).toMatchObject({ inFlight: 1, queued: 1 });
    one.reply(SLOW, { capabilities: '1' });
    (await daemon.next()).reply(SLOW, { capabilities: '2' });
    expect(await Promise.all(calls)).toEqual(['1', '2']);
  });

  test('an argument that does not fit fails its call and nothing else', async () => {
    await open();
    await expect(connection.domain.lookupByUUID('no uuid')).rejects.toThrow(
      new RangeError('DOMAIN_LOOKUP_BY_UUID: uuid must be a UUID with dashes, not "no uuid"'),
    );
    expect(connection.isClosed).toBe(false);
    expect(connection.stats).toMatchObject({ inFlight: 0, queued: 0 });
  });
});

describe('giving up', () => {
  test('a time-out frees the caller, keeps the place, and the late reply reaches nobody', async () => {
    await open({ maxInFlight: 1 });
    const error = await errorOf(connection.getCapabilities({ timeoutMs: 10 }));
    expect(error).toBeInstanceOf(CallTimeoutError);
    expect(error).toMatchObject({ requestSent: true, procedure: SLOW.name });
    expect(String(error)).toContain(`CONNECT_GET_CAPABILITIES on ${daemon.socketPath}: no reply within 10 ms`);
    expect(connection.stats.inFlight).toBe(1);

    const second = connection.getCapabilities();
    const [late] = await daemon.take(1);
    await sleep(10);
    expect(daemon.untaken).toEqual([]);
    late?.reply(SLOW, { capabilities: 'late' });
    (await daemon.next()).reply(SLOW, { capabilities: 'in time' });
    expect(await second).toBe('in time');
  });

  test('a late reply that cannot be decoded harms nobody either', async () => {
    await open();
    await errorOf(connection.getCapabilities({ timeoutMs: 10 }));
    (await daemon.next()).replyWith(Buffer.from([1]));
    daemon.answer(URGENT, () => ({ hostname: 'h' }));
    expect(await connection.getHostname()).toBe('h');
  });

  test('in the queue: the call is never sent', async () => {
    await open({ maxInFlight: 1 });
    const first = connection.getCapabilities();
    const error = await errorOf(connection.getCapabilities({ timeoutMs: 10 }));
    expect(error).toMatchObject({ name: 'CallTimeoutError', requestSent: false });
    expect(connection.stats).toMatchObject({ inFlight: 1, queued: 0 });
    (await daemon.next()).reply(SLOW, { capabilities: '' });
    await first;
    expect(daemon.untaken).toEqual([]);
  });

  test('an abort rejects with the signal’s reason, sent or queued or before the call', async () => {
    await open({ maxInFlight: 1 });
    const controller = new AbortController();
    const { signal } = controller;
    const errors = [connection.getCapabilities({ signal }), connection.getCapabilities({ signal })].map(errorOf);
    const sent = await daemon.next();
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    expect(await Promise.all(errors)).toEqual([reason, reason]);
    expect(await errorOf(connection.getCapabilities({ signal }))).toBe(reason);
    expect(connection.stats).toMatchObject({ inFlight: 1, queued: 0 });
    sent.reply(SLOW, { capabilities: 'late' });
    daemon.answer(URGENT, () => ({ hostname: 'h' }));
    expect(await connection.getHostname()).toBe('h');
  });

  test('the connection’s own time-out applies where a call brings none; Infinity is none', async () => {
    await open({ callTimeoutMs: 30 });
    const patient = connection.getCapabilities({ timeoutMs: Infinity });
    expect(await errorOf(connection.getCapabilities())).toMatchObject({ name: 'CallTimeoutError', requestSent: true });
    (await daemon.next()).reply(SLOW, { capabilities: 'at last' });
    expect(await patient).toBe('at last');
    await expect(connection.getCapabilities({ timeoutMs: 0 })).rejects.toThrow(RangeError);
  });
});

describe('refusals', () => {
  test('a refusal is a LibvirtError with all that the daemon said', async () => {
    await open();
    const error = errorOf(connection.getCapabilities());
    (await daemon.next()).fail({ code: 38, domain: 10, message: 'cannot open: Busy', str1: '%s', str2: 'x', int1: 16 });
    expect(await error).toBeInstanceOf(LibvirtError);
    expect(await error).toMatchObject({
      message: 'cannot open: Busy (SYSTEM_ERROR, CONNECT_GET_CAPABILITIES)',
      code: ErrorCode.SYSTEM_ERROR,
      domain: 10,
      level: 2,
      str1: '%s',
      str2: 'x',
      str3: null,
      int1: 16,
      int2: -1,
      procedure: 'CONNECT_GET_CAPABILITIES',
    });
  });

  test('a procedure that the daemon does not know is NO_SUPPORT; other faults of the protocol stay what they are', async () => {
    await open();
    const errors = [connection.getCapabilities(), connection.getCapabilities()].map(errorOf);
    const [first, second] = await daemon.take(2);
    first?.fail({ code: ErrorCode.RPC, domain: 7, message: 'unknown procedure: 7' });
    second?.fail({ code: ErrorCode.RPC, domain: 7, message: 'Unable to decode message payload' });
    expect(await Promise.all(errors)).toMatchObject([{ code: ErrorCode.NO_SUPPORT }, { code: ErrorCode.RPC }]);
  });

  test('a code that nobody knows yet passes through', async () => {
    await open();
    const error = errorOf(connection.getCapabilities());
    (await daemon.next()).fail({ code: 4711, message: null });
    expect(await error).toMatchObject({
      code: 4711,
      message: 'libvirt gave no message (UNKNOWN_4711, CONNECT_GET_CAPABILITIES)',
    });
  });
});

describe('keepalive', () => {
  test('pings are answered, also with all places taken', async () => {
    await open({ maxInFlight: 1 });
    const call = connection.getCapabilities();
    daemon.ping();
    daemon.ping();
    await daemon.until(() => daemon.pongs === 2);
    expect(connection.stats).toMatchObject({ inFlight: 1 });
    (await daemon.next()).reply(SLOW, { capabilities: '' });
    await call;
  });

  test('a silent daemon that answers pings stays connected', async () => {
    await open({ keepaliveIntervalMs: 10, keepaliveCount: 20 });
    await daemon.until(() => daemon.pings >= 4);
    expect(connection.isClosed).toBe(false);
  });

  test('a daemon that answers no ping is given up', async () => {
    daemon.answersPings = false;
    await open({ keepaliveIntervalMs: 10, keepaliveCount: 2 });
    const error = await errorOf(connection.getCapabilities());
    expect(error).toMatchObject({ name: 'ConnectionClosedError', requestSent: true });
    expect(await connection.closed).toMatchObject({ kind: 'keepalive' });
    expect(daemon.pings).toBe(2);
  });

  test('a daemon without keepalive is not pinged', async () => {
    daemon.answer(Procedures.CONNECT_SUPPORTS_FEATURE, ({ feature }) => ({
      supported: feature === Feature.PROGRAM_KEEPALIVE ? 0 : 1,
    }));
    await open({ keepaliveIntervalMs: 5 });
    await sleep(30);
    expect(daemon.pings).toBe(0);
  });
});

describe('loss', () => {
  test('tells which calls had been sent', async () => {
    await open({ maxInFlight: 1 });
    const errors = [connection.getCapabilities(), connection.getCapabilities()].map(errorOf);
    await daemon.next();
    daemon.drop();
    const [sent, queued] = await Promise.all(errors);
    expect(sent).toBeInstanceOf(ConnectionClosedError);
    expect(sent).toMatchObject({ requestSent: true });
    expect(String(sent)).toMatch(/the request was sent, so its outcome is unknown/);
    expect(queued).toMatchObject({ name: 'ConnectionClosedError', requestSent: false });
    expect(String(queued)).toMatch(/safe to repeat/);
    expect((await connection.closed).kind).toMatch(/server|transport/);
    expect(await errorOf(connection.getHostname())).toMatchObject({ requestSent: false });
  });

  test('in the middle of a packet', async () => {
    await open();
    const error = errorOf(connection.getCapabilities());
    await daemon.next();
    daemon.raw(Buffer.from('0000002c20008086', 'hex'));
    daemon.end();
    expect(String(await error)).toContain('in the middle of a packet');
    expect(await connection.closed).toMatchObject({ kind: 'server' });
  });

  test('close() says goodbye, is answered, and can be repeated', async () => {
    await open();
    let goodbyes = 0;
    daemon.answer(Procedures.CONNECT_CLOSE, () => {
      goodbyes += 1;
      return {};
    });
    const waiting = errorOf(connection.getCapabilities());
    await daemon.next();
    await Promise.all([connection.close(), connection.close()]);
    await connection.close();
    expect(goodbyes).toBe(1);
    expect(await waiting).toMatchObject({ name: 'ConnectionClosedError', requestSent: true });
    expect(await connection.closed).toEqual({ kind: 'requested' });
    expect(connection.isClosed).toBe(true);
    expect(await errorOf(connection.getHostname())).toMatchObject({ requestSent: false });
  });
});

describe('bytes that libvirt would not send', () => {
  const reply = { program: 0x20008086, version: 1, procedure: 7, type: PacketType.REPLY, serial: 1 };
  const { program, version } = KeepaliveProgram;
  const fatal: readonly (readonly [string, (daemon: FakeLibvirtd, serial: number) => void])[] = [
    ['garbage', (fake) => fake.raw(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))],
    ['a length above the limit', (fake) => fake.raw(Buffer.from('02000005', 'hex'))],
    ['a length below the limit', (fake) => fake.raw(Buffer.from('0000001b', 'hex'))],
    ['a reply to no call', (fake, serial) => fake.send({ ...reply, serial: serial + 1 }, Buffer.alloc(0))],
    ['a reply of another program', (fake, serial) => fake.send({ ...reply, serial, program: 1 }, Buffer.alloc(0))],
    ['a reply of another version', (fake, serial) => fake.send({ ...reply, serial, version: 2 }, Buffer.alloc(0))],
    ['a reply of another procedure', (fake, serial) => fake.send({ ...reply, serial, procedure: 8 }, Buffer.alloc(0))],
    ['a reply with an odd status', (fake, serial) => fake.send({ ...reply, serial, status: 2 }, Buffer.alloc(0))],
    ['a call', (fake, serial) => fake.send({ ...reply, serial, type: PacketType.CALL }, Buffer.alloc(0))],
    ['a type that does not exist', (fake, serial) => fake.send({ ...reply, serial, type: 99 }, Buffer.alloc(0))],
    ['a message of another program', (fake) => fake.send({ ...reply, program: 1, type: 2 }, Buffer.alloc(0))],
    ['an event that cannot be decoded', (fake) => fake.send({ ...reply, procedure: 318, type: 2 }, Buffer.alloc(3))],
    [
      'an event of another version',
      (fake) => fake.send({ ...reply, procedure: 318, type: 2, version: 9 }, Buffer.alloc(3)),
    ],
    ['odd keepalive', (fake) => fake.send({ program, version, procedure: 3, type: 2, serial: 0 }, Buffer.alloc(0))],
    [
      'keepalive of another version',
      (fake) => fake.send({ program, version: 2, procedure: 1, type: 2, serial: 0 }, Buffer.alloc(0)),
    ],
  ];

  test.each(fatal)('%s ends the connection', async (_, send) => {
    await open();
    await connection.subscribe('domainLifecycle', () => expect.fail('there was no event'));
    const error = errorOf(connection.getCapabilities());
    send(daemon, (await daemon.next()).header.serial);
    expect(await error).toMatchObject({
      name: 'ConnectionClosedError',
      requestSent: true,
      cause: { name: 'ProtocolError' },
    });
    expect(await connection.closed).toMatchObject({ kind: 'protocol', error: { name: 'ProtocolError' } });
  });

  test.each([
    ['result', 0],
    ['refusal', 1],
  ])('a %s that cannot be decoded rejects its call and the connection goes on', async (_, status) => {
    await open();
    const error = errorOf(connection.getCapabilities());
    (await daemon.next()).replyWith(Buffer.from('ffffffff', 'hex'), { status });
    expect(await error).toBeInstanceOf(ProtocolError);
    expect(String(await error)).toContain('reply to CONNECT_GET_CAPABILITIES: malformed payload at byte 4');
    daemon.answer(URGENT, () => ({ hostname: 'still here' }));
    expect(await connection.getHostname()).toBe('still here');
  });

  test('messages that nobody asked for are counted and dropped', async () => {
    await open();
    daemon.send({ ...reply, procedure: 319, type: PacketType.MESSAGE }, Buffer.alloc(0));
    daemon.answer(URGENT, () => ({ hostname: 'h' }));
    await connection.getHostname();
    expect(connection.stats.droppedMessages).toBe(1);
  });
});
