/** The friendly layer against a scripted daemon: what it sends, what it makes of the replies, events. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  connect,
  DomainMetadataType,
  GetAllDomainStatsFlags,
  type Connection,
  type DomainLifecycleEvent,
} from '../../src/node-libvirt/index.ts';
import { Messages, Procedures } from '../../src/node-libvirt/procedures.ts';
import { FakeLibvirtd } from './fake_libvirtd.ts';

const guest = { name: 'guest', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 3 };
const REGISTER = Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY;
const DEREGISTER = Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY;
const LIFECYCLE = Messages.DOMAIN_EVENT_CALLBACK_LIFECYCLE;

let daemon: FakeLibvirtd;
let connection: Connection;
let listenerErrors: unknown[];

beforeEach(async () => {
  daemon = await FakeLibvirtd.open();
  listenerErrors = [];
  connection = await connect({
    socketPath: daemon.socketPath,
    keepaliveIntervalMs: 0,
    onListenerError: (error) => listenerErrors.push(error),
  });
});

afterEach(async () => {
  await connection.close();
  await daemon[Symbol.asyncDispose]();
});

function emit(event: number, detail: number, callbackID = 11): void {
  daemon.emit(LIFECYCLE, { callbackID, dom: guest, event, detail });
}

/** All that was sent before has been read. */
async function settled(): Promise<void> {
  await connection.getHostname();
}

describe('calls', () => {
  test('free pages come as a row per cell', async () => {
    let asked: unknown;
    daemon.answer(Procedures.NODE_GET_FREE_PAGES, (args) => {
      asked = args;
      return { counts: [1n, 2n, 3n, 4n] };
    });
    expect(await connection.getFreePages([2048, 1_048_576], 0, 2)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(asked).toEqual({ pages: [2048, 1_048_576], startCell: 0, cellCount: 2, flags: 0 });
  });

  test.each([
    ['counts that make no rows', [1n, 2n, 3n]],
    ['more rows than cells', [1n, 2n, 3n, 4n, 5n, 6n]],
    ['a count that no host has', [1n, 2n ** 60n]],
  ])('%s are a ProtocolError', async (_, counts) => {
    daemon.answer(Procedures.NODE_GET_FREE_PAGES, () => ({ counts }));
    await expect(connection.getFreePages([4, 2048], 0, 2)).rejects.toMatchObject({ name: 'ProtocolError' });
  });

  test('node info', async () => {
    const { memory, ...info } = {
      model: 'x86_64',
      memory: 24n,
      cpus: 2,
      mhz: 2600,
      nodes: 1,
      sockets: 1,
      cores: 2,
      threads: 1,
    };
    daemon.answer(Procedures.NODE_GET_INFO, () => ({ ...info, memory }));
    expect(await connection.getNodeInfo()).toEqual({ ...info, memoryKib: 24 });
  });

  test('domain info keeps CPU time exact', async () => {
    daemon.answer(Procedures.DOMAIN_GET_INFO, () => ({
      state: 1,
      maxMem: 4n,
      memory: 2n,
      nrVirtCpu: 8,
      cpuTime: 2n ** 60n,
    }));
    expect(await connection.getDomainInfo(guest)).toEqual({
      state: 1,
      maxMemKib: 4,
      memoryKib: 2,
      nrVirtCpu: 8,
      cpuTimeNs: 2n ** 60n,
    });
  });

  test('bulk statistics', async () => {
    let asked: unknown;
    daemon.answer(Procedures.CONNECT_GET_ALL_DOMAIN_STATS, (args) => {
      asked = args;
      return { records: [{ dom: guest, params: [{ field: 'balloon.current', type: 'ullong' as const, value: 7n }] }] };
    });
    const flags = GetAllDomainStatsFlags.NOWAIT | GetAllDomainStatsFlags.ENFORCE_STATS;
    expect(await connection.getAllDomainStats([], 5, flags)).toEqual([
      { domain: guest, params: { 'balloon.current': 7 } },
    ]);
    expect(asked).toEqual({ doms: [], stats: 5, flags: 0xa0000000 });
  });

  test('memory statistics by name, those of a newer libvirt too', async () => {
    const stats = [
      { tag: 6, val: 1024n },
      { tag: 99, val: 1n },
    ];
    daemon.answer(Procedures.DOMAIN_MEMORY_STATS, () => ({ stats }));
    expect(await connection.getDomainMemoryStats(guest)).toEqual({ actual_balloon: 1024, unknown_99: 1 });
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
    await connection.setDomainMetadata(guest, { type: DomainMetadataType.TITLE, metadata: null, flags: 2 });
    expect(await connection.getDomainCapabilities({ virttype: 'kvm' })).toBe('<domainCapabilities/>');
    expect(asked).toEqual([
      { dom: guest, type: 1, metadata: null, key: null, uri: null, flags: 2 },
      { emulatorbin: null, arch: null, machine: null, virttype: 'kvm', flags: 0 },
    ]);
  });
});

describe('lifecycle events', () => {
  let registered: number;
  let deregistered: number[];

  beforeEach(() => {
    registered = 0;
    deregistered = [];
    daemon.answer(REGISTER, () => {
      registered += 1;
      return { callbackID: 10 + registered };
    });
    daemon.answer(DEREGISTER, ({ callbackID }) => {
      deregistered.push(callbackID);
      return {};
    });
    daemon.answer(Procedures.CONNECT_GET_HOSTNAME, () => ({ hostname: 'h' }));
  });

  test('one registration serves all listeners and ends with the last', async () => {
    const seen: string[] = [];
    const [first, second] = await Promise.all(
      ['a', 'b'].map((name) => connection.onDomainLifecycle(({ event }) => void seen.push(`${name} ${event}`))),
    );
    emit(2, 0);
    await settled();
    expect(seen).toEqual(['a STARTED', 'b STARTED']);
    await first?.close();
    await first?.close();
    emit(5, 1);
    await settled();
    expect(seen).toEqual(['a STARTED', 'b STARTED', 'b STOPPED']);
    expect(deregistered).toEqual([]);
    await second?.[Symbol.asyncDispose]();
    expect([registered, deregistered]).toEqual([1, [11]]);
    await connection.onDomainLifecycle(() => undefined);
    expect(registered).toBe(2);
  });

  test('an event tells names and numbers, also of kinds that are not known here', async () => {
    const seen: DomainLifecycleEvent[] = [];
    await connection.onDomainLifecycle((event) => void seen.push(event));
    emit(5, 5);
    emit(77, 1);
    await settled();
    expect(seen).toEqual([
      { domain: guest, event: 'STOPPED', detail: 'FAILED', eventNumber: 5, detailNumber: 5 },
      { domain: guest, event: 'UNKNOWN_77', detail: 'UNKNOWN_1', eventNumber: 77, detailNumber: 1 },
    ]);
  });

  test('events may precede the reply of the call that caused them, and of their own registration', async () => {
    const seen: string[] = [];
    daemon.script(REGISTER, (call) => {
      emit(0, 0);
      call.reply(REGISTER, { callbackID: 11 });
    });
    await connection.onDomainLifecycle(({ event }) => void seen.push(event));
    daemon.script(Procedures.DOMAIN_CREATE_WITH_FLAGS, (call) => {
      emit(4, 0);
      emit(2, 0);
      call.reply(Procedures.DOMAIN_CREATE_WITH_FLAGS, { dom: guest });
    });
    await connection.createDomain({ ...guest, id: -1 }, 0);
    expect(seen).toEqual(['DEFINED', 'RESUMED', 'STARTED']);
  });

  test('a listener that throws or rejects hurts nobody and is reported', async () => {
    const seen: string[] = [];
    await connection.onDomainLifecycle(() => {
      throw new Error('thrown');
    });
    await connection.onDomainLifecycle(async () => Promise.reject(new Error('rejected')));
    await connection.onDomainLifecycle(({ event }) => void seen.push(event));
    emit(2, 0);
    await settled();
    expect(seen).toEqual(['STARTED']);
    expect(listenerErrors).toEqual([new Error('thrown'), new Error('rejected')]);
  });

  test('events of a registration that is not in use are dropped', async () => {
    const seen: string[] = [];
    await connection.onDomainLifecycle(({ event }) => void seen.push(event));
    emit(2, 0, 99);
    emit(5, 0);
    await settled();
    expect(seen).toEqual(['STOPPED']);
  });

  test('a subscription that fails leaves nothing behind', async () => {
    daemon.script(REGISTER, (call) => call.fail({ code: 3 }));
    await expect(connection.onDomainLifecycle(() => undefined)).rejects.toMatchObject({ code: 3 });
    await settled();
    expect(deregistered).toEqual([]);
  });

  test('an aborted subscription is taken back', async () => {
    const controller = new AbortController();
    const subscribing = connection.onDomainLifecycle(() => undefined, { signal: controller.signal });
    controller.abort(new Error('changed my mind'));
    await expect(subscribing).rejects.toThrow('changed my mind');
    await daemon.until(() => deregistered.length === 1);
    expect(deregistered).toEqual([11]);
  });

  test('closing a subscription after the connection is gone is no error', async () => {
    const subscription = await connection.onDomainLifecycle(() => undefined);
    daemon.drop();
    await connection.closed;
    await expect(subscription.close()).resolves.toBeUndefined();
  });
});
