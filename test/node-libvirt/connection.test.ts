/** The friendly layer against a scripted daemon: what it sends and makes of the replies, and several sessions as one. */
import { getEventListeners, once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSession } from '../../src/node-libvirt/connection/connect.ts';
import {
  connect,
  Connection,
  DomainMetadataType,
  GetAllDomainStatsFlags,
  Procedures,
} from '../../src/node-libvirt/index.ts';
import type { Session } from '../../src/node-libvirt/session/session.ts';
import { FakeLibvirtd, type FakeCall } from '../../src/node-libvirt/testing/index.ts';
import { errorOf } from './errors_of.ts';

const guest = { name: 'guest', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 3 };

let daemon: FakeLibvirtd;
let connection: Connection;

beforeEach(async () => {
  daemon = await FakeLibvirtd.open();
  connection = await connect({
    socketPath: daemon.socketPath,
    keepaliveIntervalMs: 0,
  });
});

afterEach(async () => {
  await connection.close();
  await daemon[Symbol.asyncDispose]();
});

describe('calls', () => {
  test('free pages come as a row per cell', async () => {
    let asked: unknown;
    daemon.answer(Procedures.NODE_GET_FREE_PAGES, (args) => {
      asked = args;
      return { counts: [1, 2, 3, 4] };
    });
    expect(await connection.node.getFreePages([2048, 1_048_576], 0, 2)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(asked).toEqual({ pagesKib: [2048, 1_048_576], startCell: 0, cellCount: 2, flags: 0 });
  });

  test.each([
    ['counts that make no rows', [1, 2, 3]],
    ['more rows than cells', [1, 2, 3, 4, 5, 6]],
  ])('%s are a ProtocolError', async (_, counts) => {
    daemon.answer(Procedures.NODE_GET_FREE_PAGES, () => ({ counts }));
    await expect(connection.node.getFreePages([4, 2048], 0, 2)).rejects.toMatchObject({ name: 'ProtocolError' });
    expect(connection.isClosed).toBe(false);
  });

  test('a count that no host has is a ProtocolError', async () => {
    daemon.script(Procedures.NODE_GET_FREE_PAGES, (call) =>
      // Two counts: 1, and 2^60.
      call.replyWith(Buffer.from('0000000200000000000000011000000000000000', 'hex')),
    );
    await expect(connection.node.getFreePages([4, 2048], 0, 1)).rejects.toMatchObject({ name: 'ProtocolError' });
  });

  test('node info', async () => {
    const info = {
      model: 'x86_64',
      memoryKib: 24,
      cpus: 2,
      mhz: 2600,
      nodes: 1,
      sockets: 1,
      cores: 2,
      threads: 1,
    };
    daemon.answer(Procedures.NODE_GET_INFO, () => info);
    expect(await connection.node.getInfo()).toEqual(info);
  });

  test('domain info keeps CPU time exact', async () => {
    const info = { state: 1, maxMemKib: 4, memoryKib: 2, nrVirtCpu: 8, cpuTimeNs: 2n ** 60n + 1n };
    daemon.answer(Procedures.DOMAIN_GET_INFO, () => info);
    expect(await connection.domain.getInfo(guest)).toEqual(info);
  });

  test('bulk statistics', async () => {
    let asked: unknown;
    daemon.answer(Procedures.CONNECT_GET_ALL_DOMAIN_STATS, (args) => {
      asked = args;
      return {
        records: [{ domain: guest, params: [{ field: 'balloon.current', type: 'ullong' as const, value: 7n }] }],
      };
    });
    const flags = GetAllDomainStatsFlags.NOWAIT | GetAllDomainStatsFlags.ENFORCE_STATS;
    expect(await connection.getAllDomainStats([], 5, flags)).toEqual([
      { domain: guest, params: { 'balloon.current': 7 } },
    ]);
    expect(asked).toEqual({ domains: [], stats: 5, flags: 0xa0000000 });
  });

  test('memory statistics by name, those of a newer libvirt too', async () => {
    const stats = [
      { tag: 6, value: 1024 },
      { tag: 99, value: 1 },
    ];
    daemon.answer(Procedures.DOMAIN_MEMORY_STATS, () => ({ stats }));
    expect(await connection.domain.memoryStats(guest)).toEqual({ actual_balloon: 1024, unknown_99: 1 });
  });

  test('counts are asked for first where libvirt wants it so', async () => {
    const asked: unknown[] = [];
    daemon.answer(Procedures.NODE_GET_MEMORY_STATS, ({ count, cell }) => {
      asked.push([cell, count]);
      return count === 0 ? { stats: [], count: 2 } : { stats: [{ field: 'total', value: 8 }], count: 2 };
    });
    expect(await connection.node.getMemoryStats(1)).toEqual({ total: 8 });
    expect(asked).toEqual([
      [1, 0],
      [1, 2],
    ]);
  });

  test('what is not given travels as absent', async () => {
    const asked: unknown[] = [];
    daemon.answer(Procedures.DOMAIN_SET_METADATA, (args) => {
      asked.push(args);
      return {};
    });
    daemon.answer(Procedures.CONNECT_GET_DOMAIN_CAPABILITIES, (args) => {
      asked.push(args);
      return { capabilities: '<domainCapabilities/>' };
    });
    await connection.domain.setMetadata(guest, DomainMetadataType.TITLE, null, undefined, undefined, 2);
    expect(await connection.getDomainCapabilities(null, null, null, 'kvm')).toBe('<domainCapabilities/>');
    expect(asked).toEqual([
      { domain: guest, type: 1, metadata: null, key: null, uri: null, flags: 2 },
      { emulatorbin: null, arch: null, machine: null, virttype: 'kvm', flags: 0 },
    ]);
  });
});

describe('several sessions', () => {
  let pool: Connection;
  let sessions: Session[];

  beforeEach(async () => {
    const options = { socketPath: daemon.socketPath, keepaliveIntervalMs: 0 };
    const one = await openSession(options, { asksForPings: true });
    const two = await openSession(options, { asksForPings: true });
    sessions = [one, two];
    pool = new Connection([one, two], {
      onListenerError: (error) => expect.fail(String(error)),
      openStreamSession: () => openSession(options, { asksForPings: false }),
    });
    await daemon.until(() => daemon.clients.length === 3);
  });
  afterEach(() => pool.close());

  const { CONNECT_GET_CAPABILITIES: SLOW } = Procedures;
  const answer = (call: FakeCall) => call.reply(SLOW, { capabilities: String(call.client.id) });

  test('a call goes where the fewest are', async () => {
    const calls = Array.from({ length: 9 }, () => pool.getCapabilities());
    const taken = await daemon.take(8);
    const [, first, second] = daemon.clients;
    expect([first?.requests, second?.requests]).toEqual([4, 4]);
    expect(sessions.map((session) => session.load)).toEqual([5, 4]);
    expect(pool.stats).toEqual({ inFlight: 8, queued: 1, droppedMessages: 0 });
    // The second becomes free and gets the next ones, though the first was made for them before.
    for (const call of taken) if (call.client === second) answer(call);
    await expect.poll(() => sessions.map((session) => session.load)).toEqual([5, 0]);
    const later = [pool.getCapabilities(), pool.getCapabilities()];
    expect(sessions.map((session) => session.load)).toEqual([5, 2]);
    for (const call of taken) if (call.client === first) answer(call);
    for (const call of await daemon.take(3)) answer(call);
    expect(await Promise.all([...calls, ...later])).toHaveLength(11);
  });

  test('more than five under way at once, and the daemon still reads', async () => {
    const calls = Array.from({ length: 8 }, () => pool.getCapabilities());
    const taken = await daemon.take(8);
    expect(daemon.clients.map((client) => client.isDeaf)).toEqual([false, false, false]);
    for (const call of taken) answer(call);
    await Promise.all(calls);
  });

  test('when one is lost they end as a whole', async () => {
    const errors = Array.from({ length: 9 }, () => errorOf(pool.getCapabilities()));
    await daemon.take(8);
    daemon.clients[2]?.drop();
    const ended = await Promise.all(errors);
    expect(ended.filter((error) => error instanceof Error && error.name !== 'ConnectionClosedError')).toEqual([]);
    // Eight were sent, one was queued: the fate of each is told.
    expect(ended.map((error) => error instanceof Object && 'requestSent' in error && error.requestSent)).toEqual([
      ...Array.from({ length: 8 }, () => true),
      false,
    ]);
    // Those of the other session, too, are told what happened, and not that somebody closed it.
    expect(ended.filter((error) => String(error).includes('close() was called'))).toEqual([]);
    expect((await pool.closed).kind).toMatch(/server|transport/);
    expect(pool.isClosed).toBe(true);
    await daemon.until(() => daemon.clients.length === 1);
  });

  test('events of one session end with an error when another is lost: some were missed', async () => {
    const events = await pool.events('domainLifecycle');
    const error = errorOf(events.next());
    daemon.clients[2]?.drop();
    expect(await error).toMatchObject({ name: 'ConnectionClosedError' });
  });

  test('close() says goodbye on each', async () => {
    let goodbyes = 0;
    daemon.answer(Procedures.CONNECT_CLOSE, () => {
      goodbyes += 1;
      return {};
    });
    await pool.close();
    expect(goodbyes).toBe(2);
    expect(await pool.closed).toEqual({ kind: 'requested' });
    await pool.close();
  });

  test('events come once, whichever session they are registered on', async () => {
    const seen: string[] = [];
    await pool.subscribe('domainLifecycle', ({ event }) => void seen.push(event));
    daemon.answer(Procedures.CONNECT_GET_HOSTNAME, () => ({ hostname: 'h' }));
    daemon.emitEvent('domainLifecycle', {
      domain: guest,
      event: 'STARTED',
      detail: 'BOOTED',
      eventNumber: 2,
      detailNumber: 0,
    });
    await Promise.all([pool.getHostname(), pool.getHostname()]);
    expect(seen).toEqual(['STARTED']);
  });
});

describe('the connection of a stream', () => {
  const { STORAGE_VOL_DOWNLOAD: DOWNLOAD, AUTH_LIST } = Procedures;
  const part = { vol: { pool: 'default', name: 'disk', key: '/disk' }, offsetBytes: 0, lengthBytes: 0, flags: 0 };
  const notSent = { requestSent: false, message: expect.stringContaining(DOWNLOAD.name) };

  /** The daemon answers no handshake any more. */
  function stick(): Promise<FakeCall> {
    const { promise, resolve } = Promise.withResolvers<FakeCall>();
    daemon.script(AUTH_LIST, resolve);
    return promise;
  }

  test('has the time-out of its call while it is made, and the call has not left then', async () => {
    void stick();
    await expect(connection.openStream(DOWNLOAD, part, { timeoutMs: 30 })).rejects.toMatchObject({
      ...notSent,
      name: 'CallTimeoutError',
      procedure: DOWNLOAD.name,
    });
    await expect(connection.openStream(DOWNLOAD, part, { timeoutMs: 0 })).rejects.toThrow(RangeError);
    await daemon.until(() => daemon.clients.length === 1);
  });

  test('and its call have one time-out together', async () => {
    daemon.faults.add(AUTH_LIST, { kind: 'delay', ms: 300 });
    const begin = performance.now();
    await expect(connection.openStream(DOWNLOAD, part, { timeoutMs: 400 })).rejects.toMatchObject({
      name: 'CallTimeoutError',
      requestSent: true,
      message: expect.stringContaining('within 400 ms'),
    });
    expect(performance.now() - begin).toBeLessThan(650);
  });

  test('gives up after the connection’s own time-out too, and says whose call it was for', async () => {
    await using hasty = await connect({ socketPath: daemon.socketPath, callTimeoutMs: 100 });
    void stick();
    for (const timeoutMs of [undefined, 5000])
      await expect(
        hasty.openStream(DOWNLOAD, part, timeoutMs === undefined ? {} : { timeoutMs }),
      ).rejects.toMatchObject({ ...notSent, name: 'CallTimeoutError', procedure: DOWNLOAD.name });
  });

  test('that is cut off while it is made is a call that has not left', async () => {
    daemon.script(AUTH_LIST, (call) => call.client.drop());
    await expect(connection.openStream(DOWNLOAD, part)).rejects.toMatchObject({
      ...notSent,
      name: 'ConnectError',
      code: 'ECONNRESET',
      peer: daemon.socketPath,
    });
  });

  test('goes with close() while it is made', async () => {
    const stuck = stick();
    const opening = errorOf(connection.openStream(DOWNLOAD, part));
    await stuck;
    await connection.close();
    expect(await opening).toMatchObject({ ...notSent, name: 'ConnectionClosedError' });
    await daemon.until(() => daemon.clients.length === 0);
  });

  test('goes with an abort, and leaves nothing on the signal', async () => {
    const stuck = stick();
    const controller = new AbortController();
    const { signal } = controller;
    const opening = errorOf(connection.openStream(DOWNLOAD, part, { signal }));
    await stuck;
    daemon.answer(AUTH_LIST, () => ({ types: [0] }));
    const second = connection.openStream(DOWNLOAD, part, { signal });
    const call = await daemon.next();
    call.replyWithStream(DOWNLOAD, {});
    const { stream } = await second;
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await opening).toBe(reason);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    stream.on('error', () => undefined).destroy();
    await once(stream, 'close');
    await daemon.until(() => daemon.clients.length === 1);
  });
});
