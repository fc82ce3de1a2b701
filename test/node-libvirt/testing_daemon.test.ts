/** The fake daemon itself: that it behaves as libvirtd was seen to, and that each fault is what it says. */
import { createConnection, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect, ErrorCode, LibvirtError, Procedures, type Connection } from '../../src/node-libvirt/index.ts';
import { duplexTransport } from '../../src/node-libvirt/transport/duplex.ts';
import { Session } from '../../src/node-libvirt/session/session.ts';
import { FakeLibvirtd, FakeRefusal, type FakeLibvirtdOptions } from '../../src/node-libvirt/testing/index.ts';
import { encodePacket } from '../../src/node-libvirt/wire/packet.ts';
import { errorOf } from './errors_of.ts';

const { CONNECT_GET_CAPABILITIES: SLOW, CONNECT_GET_HOSTNAME: HOSTNAME, AUTH_LIST, CONNECT_OPEN } = Procedures;

let daemon: FakeLibvirtd;
let connection: Connection;

async function open(options: FakeLibvirtdOptions = {}): Promise<void> {
  daemon = await FakeLibvirtd.open(options);
  daemon.answer(HOSTNAME, () => ({ hostname: 'h' }));
  connection = await connect({ socketPath: daemon.socketPath, callTimeoutMs: 2000, maxInFlight: 4 });
}

afterEach(async () => {
  await connection.close();
  await daemon[Symbol.asyncDispose]();
});

/** A client without the handshake. */
async function bare(maxInFlight = 10): Promise<{ readonly session: Session; readonly socket: Socket }> {
  const socket = createConnection(daemon.socketPath);
  const session = new Session(duplexTransport(socket, 'bare'), { maxInFlight, callTimeoutMs: 2000 });
  return { session, socket };
}

/** Which of forty calls a fault strikes. */
async function struck(seed: number): Promise<boolean[]> {
  using fault = daemon.faults.add('any', { kind: 'refuse', error: {} }, { probability: 0.3, seed });
  const outcomes: boolean[] = [];
  for (let nth = 0; nth < 40; nth += 1)
    outcomes.push(
      await connection.getHostname().then(
        () => false,
        () => true,
      ),
    );
  expect(outcomes.filter(Boolean)).toHaveLength(fault.hits);
  return outcomes;
}

describe('as libvirtd', () => {
  beforeEach(() => open());

  test('serves many clients at once, each with its own replies', async () => {
    daemon.answer(SLOW, (_, { client }) => ({ capabilities: String(client.id) }));
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(daemon.uri)));
    const answers = await Promise.all(clients.map((client) => client.getCapabilities()));
    expect(new Set(answers).size).toBe(20);
    expect([daemon.accepted, daemon.clients.length]).toEqual([21, 21]);
    await Promise.all(clients.map((client) => client.close()));
    await daemon.until(() => daemon.clients.length === 1);
  });

  test('nothing goes without authentication, and little without an open connection', async () => {
    const { session } = await bare();
    expect(await errorOf(session.call(CONNECT_OPEN, { name: null, flags: 0 }))).toMatchObject({
      code: ErrorCode.RPC,
      domain: 7,
      message: expect.stringContaining('authentication required'),
    });
    expect(await session.call(AUTH_LIST, {})).toEqual({ types: [0] });
    expect(await errorOf(session.call(HOSTNAME, {}))).toMatchObject({ code: ErrorCode.INTERNAL_ERROR, domain: 7 });
    await session.call(CONNECT_OPEN, { name: null, flags: 0 });
    expect(await session.call(HOSTNAME, {})).toEqual({ hostname: 'h' });
    session.destroy();
  });

  test('polkit has to say yes', async () => {
    daemon.answer(AUTH_LIST, () => ({ types: [2] }));
    daemon.answer(Procedures.AUTH_POLKIT, () => ({ complete: 1 }));
    const { session } = await bare();
    await session.call(AUTH_LIST, {});
    expect(await errorOf(session.call(CONNECT_OPEN, { name: null, flags: 0 }))).toBeInstanceOf(LibvirtError);
    await session.call(Procedures.AUTH_POLKIT, {});
    await session.call(CONNECT_OPEN, { name: null, flags: 0 });
    session.destroy();
  });

  test('refuses procedures and programs that it does not know, and the connection goes on', async () => {
    const unknown = { ...HOSTNAME, number: 9999 };
    expect(await errorOf(connection.call(unknown, {}))).toMatchObject({
      code: ErrorCode.NO_SUPPORT,
      message: expect.stringContaining('unknown procedure: 9999'),
    });
    expect(await errorOf(connection.call({ ...HOSTNAME, program: 1 }, {}))).toMatchObject({ code: ErrorCode.RPC });
    expect(await connection.getHostname()).toBe('h');
  });

  test('arguments that it cannot read are refused', async () => {
    daemon.answer(Procedures.DOMAIN_LOOKUP_BY_ID, () => ({ domain: { name: '', uuid: '', id: 1 } }));
    const empty = { ...Procedures.DOMAIN_LOOKUP_BY_ID, args: HOSTNAME.args };
    expect(await errorOf(connection.call(empty, {}))).toMatchObject({
      code: ErrorCode.RPC,
      message: expect.stringContaining('Unable to decode message payload'),
    });
  });

  test('a length that no packet has closes the connection', async () => {
    const { socket, session } = await bare();
    socket.write(Buffer.from('02000005', 'hex'));
    expect(await session.closed).toMatchObject({ kind: 'server' });
    expect(await connection.getHostname()).toBe('h');
  });

  test('read-only clients read, and change nothing', async () => {
    daemon.answer(Procedures.DOMAIN_DEFINE_XML_FLAGS, () => expect.fail('it was let through'));
    daemon.answer(Procedures.DOMAIN_GET_XML_DESC, () => ({ xml: '<domain/>' }));
    const guest = { name: 'g', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 3 };
    for (const options of [
      { socketPath: daemon.socketPath, readonly: true },
      { socketPath: daemon.readonlySocketPath },
    ]) {
      await using reader = await connect(options);
      expect(await reader.getHostname()).toBe('h');
      expect(await reader.domain.getXMLDesc(guest)).toBe('<domain/>');
      const denied = { code: ErrorCode.OPERATION_DENIED, domain: 20 };
      expect(await errorOf(reader.domain.defineXMLFlags('<domain/>'))).toMatchObject(denied);
      expect(await errorOf(reader.domain.getXMLDesc(guest, 1))).toMatchObject(denied);
      await (await reader.subscribe('domainLifecycle', () => undefined)).close();
    }
  });

  test('says goodbye and closes', async () => {
    const { session } = await bare();
    await session.call(AUTH_LIST, {});
    await session.call(Procedures.CONNECT_CLOSE, {});
    expect(await session.closed).toMatchObject({ kind: 'server' });
  });

  test('listens on a port, too', async () => {
    await using other = await FakeLibvirtd.open({ tcp: true });
    other.answer(HOSTNAME, () => ({ hostname: 'tcp' }));
    await using its = await connect(`qemu+tcp://127.0.0.1:${other.port}/system`);
    expect(await its.getHostname()).toBe('tcp');
    expect(() => daemon.port).toThrow('{ tcp: true }');
  });

  test('a script may take its time, refuse, and fail', async () => {
    daemon.answer(SLOW, async () => Promise.resolve({ capabilities: 'later' }));
    expect(await connection.getCapabilities()).toBe('later');
    daemon.answer(SLOW, async () => Promise.reject(new FakeRefusal({ code: ErrorCode.NO_DOMAIN })));
    expect(await errorOf(connection.getCapabilities())).toMatchObject({ code: ErrorCode.NO_DOMAIN });
    daemon.answer(SLOW, () => {
      throw new Error('a slip');
    });
    expect(String(await errorOf(connection.getCapabilities()))).toContain(
      'the script for CONNECT_GET_CAPABILITIES threw',
    );
  });

  test('without a host, calls without a script are the test’s', async () => {
    const calls = [connection.getCapabilities(), connection.getCapabilities()];
    const [first, second] = await daemon.take(2);
    expect([first?.name, daemon.untaken]).toEqual([SLOW.name, []]);
    second?.reply(SLOW, { capabilities: '2' });
    first?.reply(SLOW, { capabilities: '1' });
    expect(await Promise.all(calls)).toEqual(['1', '2']);
  });
});

describe('five requests', () => {
  beforeEach(() => open({ keepalive: { intervalMs: 20, count: 2 } }));

  test('five stuck calls make it deaf to that client, pings included, and to nobody else', async () => {
    const { session } = await bare();
    await session.call(AUTH_LIST, {});
    await session.call(CONNECT_OPEN, { name: null, flags: 0 });
    const stuck = Array.from({ length: 5 }, () => session.call(SLOW, {}));
    const calls = await daemon.take(5);
    const [, client] = daemon.clients;
    expect([client?.requests, client?.isDeaf]).toEqual([5, true]);
    const more = session.call(HOSTNAME, {});
    const pings = () => [client?.pings, daemon.clients[0]?.isDeaf];
    session.startKeepalive(10, 1000);
    await sleep(60);
    expect(pings()).toEqual([0, false]);
    expect(await connection.getHostname()).toBe('h');
    calls[0]?.reply(SLOW, { capabilities: '' });
    expect(await more).toEqual({ hostname: 'h' });
    await daemon.until(() => (client?.pings ?? 0) > 0);
    for (const call of calls.slice(1)) call.reply(SLOW, { capabilities: '' });
    await Promise.all(stuck);
    session.destroy();
  });

  test('a client that asked to be pinged and cannot be heard is closed', async () => {
    const { session } = await bare();
    await session.call(AUTH_LIST, {});
    await session.call(Procedures.CONNECT_SUPPORTS_FEATURE, { feature: 10 });
    await session.call(CONNECT_OPEN, { name: null, flags: 0 });
    // It answers pings while four are under way ...
    const stuck = Array.from({ length: 4 }, () => errorOf(session.call(SLOW, {})));
    await daemon.take(4);
    await daemon.until(() => (daemon.clients[1]?.pongs ?? 0) > 4);
    // ... and is not heard any more with five.
    stuck.push(errorOf(session.call(SLOW, {})));
    expect(await Promise.all(stuck)).toMatchObject(Array.from({ length: 5 }, () => ({ requestSent: true })));
    expect(await session.closed).toMatchObject({ kind: expect.stringMatching(/server|transport/) });
  });
});

describe('faults', () => {
  beforeEach(async () => {
    await open();
    daemon.answer(SLOW, () => ({ capabilities: 'c' }));
  });

  test('delay', async () => {
    daemon.faults.add(SLOW, { kind: 'delay', ms: 30 }, { times: 1 });
    const start = performance.now();
    expect(await connection.getCapabilities()).toBe('c');
    expect(performance.now() - start).toBeGreaterThan(28);
  });

  test('refuse: the call does not take effect', async () => {
    let effects = 0;
    daemon.answer(SLOW, () => ({ capabilities: String((effects += 1)) }));
    const fault = daemon.faults.add(SLOW, { kind: 'refuse', error: { code: 38, int1: 16 } }, { times: 2 });
    for (const _ of [1, 2])
      expect(await errorOf(connection.getCapabilities())).toMatchObject({ code: ErrorCode.SYSTEM_ERROR, int1: 16 });
    expect(await connection.getCapabilities()).toBe('1');
    expect(fault.hits).toBe(2);
  });

  test('cut: the call takes effect, and its reply breaks off in the middle', async () => {
    let effects = 0;
    daemon.answer(SLOW, () => ({ capabilities: String((effects += 1)) }));
    daemon.faults.add(SLOW, { kind: 'cut', afterBytes: 30 });
    const error = await errorOf(connection.getCapabilities());
    expect(error).toMatchObject({ name: 'ConnectionClosedError', requestSent: true });
    expect(String(error)).toContain('in the middle of a packet');
    expect(effects).toBe(1);
  });

  test('cut before the reply', async () => {
    daemon.faults.add(SLOW, { kind: 'cut', afterBytes: 0 });
    expect(await errorOf(connection.getCapabilities())).toMatchObject({ name: 'ConnectionClosedError' });
    expect((await connection.closed).kind).toMatch(/server|transport/);
  });

  test.each([
    ['garbage', { kind: 'garbage', bytes: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') } as const],
    ['a wrong serial', { kind: 'wrongSerial' } as const],
  ])('%s ends the connection', async (_, fault) => {
    daemon.faults.add(SLOW, fault);
    expect(await errorOf(connection.getCapabilities())).toMatchObject({ cause: { name: 'ProtocolError' } });
  });

  test('duplicate: the call has its reply, and the second one ends the connection', async () => {
    daemon.faults.add(SLOW, { kind: 'duplicate' });
    expect(await connection.getCapabilities()).toBe('c');
    expect(await connection.closed).toMatchObject({ kind: 'protocol' });
  });

  test('hold: stuck until released', async () => {
    const fault = daemon.faults.add(SLOW, { kind: 'hold' });
    const calls = [1, 2, 3].map(() => connection.getCapabilities());
    await daemon.until(() => fault.held === 3);
    expect(await connection.getHostname()).toBe('h');
    fault.release();
    expect(await Promise.all(calls)).toEqual(['c', 'c', 'c']);
    const later = connection.getCapabilities();
    await daemon.until(() => fault.held === 1);
    fault.remove();
    expect(await later).toBe('c');
    expect(await connection.getCapabilities()).toBe('c');
  });

  test('reorder: collected and sent in reverse, those of each client', async () => {
    const order: number[] = [];
    daemon.answer(Procedures.DOMAIN_LOOKUP_BY_ID, ({ id }) => ({
      domain: { name: String(id), uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id },
    }));
    daemon.faults.add(Procedures.DOMAIN_LOOKUP_BY_ID, { kind: 'reorder', count: 4 });
    const lookups = [0, 1, 2, 3].map(async (id) => {
      expect((await connection.domain.lookupByID(id)).id).toBe(id);
      order.push(id);
    });
    await Promise.all(lookups);
    expect(order).toEqual([3, 2, 1, 0]);
    // One alone waits for others that do not come, but not for long.
    expect((await connection.domain.lookupByID(7)).id).toBe(7);
  });

  test('events first: ahead of the reply of the registration itself, too', async () => {
    daemon.faults.add(Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, { kind: 'eventsFirst', count: 2 });
    daemon.faults.add(SLOW, { kind: 'eventsFirst', count: 3 });
    let seen = 0;
    await connection.subscribe('domainLifecycle', () => (seen += 1));
    expect(seen).toBe(2);
    await connection.getCapabilities();
    expect(seen).toBe(5);
  });

  test('by chance: the same seed strikes the same calls', async () => {
    const first = await struck(7);
    expect(first.filter(Boolean).length).toBeGreaterThan(4);
    expect(first.filter(Boolean).length).toBeLessThan(24);
    expect(await struck(7)).toEqual(first);
    expect(await struck(8)).not.toEqual(first);
  });

  test('«any» spares opening and closing; clear() ends them all', async () => {
    daemon.faults.add('any', { kind: 'cut', afterBytes: 0 });
    await using second = await connect(daemon.uri);
    expect(await errorOf(second.getHostname())).toMatchObject({ name: 'ConnectionClosedError' });
    daemon.faults.clear();
    expect(await connection.getHostname()).toBe('h');
  });

  test('the first that was added strikes', async () => {
    daemon.faults.add(SLOW, { kind: 'refuse', error: { code: 38 } }, { times: 1 });
    daemon.faults.add('any', { kind: 'refuse', error: { code: 9 } });
    expect(await errorOf(connection.getCapabilities())).toMatchObject({ code: 38 });
    expect(await errorOf(connection.getCapabilities())).toMatchObject({ code: 9 });
  });
});

test('any bytes and any packets can be said', async () => {
  await open({ needsNoHandshake: true });
  const { session } = await bare();
  const call = session.call(SLOW, {});
  const taken = await daemon.next();
  const header = { ...taken.header, type: 1 };
  // The whole of a reply, in single bytes.
  for (const byte of encodePacket(header, Buffer.from('0000000178000000', 'hex')))
    taken.client.raw(Buffer.from([byte]));
  expect(await call).toEqual({ capabilities: 'x' });
  session.destroy();
});
