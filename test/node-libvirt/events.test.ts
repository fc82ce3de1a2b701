/** Events: registering once for all who listen, order, iteration, bounds, and every way in which they end. */
import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Events, type EventName } from '../../src/node-libvirt/events/definitions.ts';
import { connect, Procedures, type Connection, type DomainLifecycleEvent } from '../../src/node-libvirt/index.ts';
import { FakeLibvirtd } from '../../src/node-libvirt/testing/index.ts';
import { errorOf } from './errors_of.ts';

const guest = { name: 'guest', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 3 };
const other = { name: 'other', uuid: '11111111-2222-4333-8444-555555555555', id: 4 };
const REGISTER = Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY;
const DEREGISTER = Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY;

let daemon: FakeLibvirtd;
let connection: Connection;
let listenerErrors: unknown[];
let registered: number;
let deregistered: number[];

beforeEach(async () => {
  daemon = await FakeLibvirtd.open();
  listenerErrors = [];
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

function emit(eventNumber: number, detailNumber = 0, callbackID = 11, domain = guest): void {
  // The names do not travel.
  const event: DomainLifecycleEvent = { domain, event: 'UNKNOWN_0', detail: '', eventNumber, detailNumber };
  daemon.emit(Events.domainLifecycle.message, { callbackID, event });
}

/** All that was sent before has been read. */
async function settled(): Promise<void> {
  await connection.getHostname();
}

describe('subscribe', () => {
  test('one registration serves all listeners and ends with the last', async () => {
    const seen: string[] = [];
    const [first, second] = await Promise.all(
      ['a', 'b'].map((name) =>
        connection.subscribe('domainLifecycle', ({ event }) => void seen.push(`${name} ${event}`)),
      ),
    );
    emit(2);
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
    await connection.subscribe('domainLifecycle', () => undefined);
    expect(registered).toBe(2);
  });

  test('an event tells names and numbers, also of kinds that are not known here', async () => {
    const seen: DomainLifecycleEvent[] = [];
    await connection.subscribe('domainLifecycle', (event) => void seen.push(event));
    emit(5, 5);
    emit(77, 1);
    await settled();
    expect(seen).toEqual([
      { domain: guest, event: 'STOPPED', detail: 'FAILED', eventNumber: 5, detailNumber: 5 },
      { domain: guest, event: 'UNKNOWN_77', detail: 'UNKNOWN_1', eventNumber: 77, detailNumber: 1 },
    ]);
  });

  test('events may precede the reply of the call that caused them, and of their own registration; each comes once', async () => {
    const seen: string[] = [];
    daemon.script(REGISTER, (call) => {
      emit(0);
      emit(1, 0, 99); // Somebody else's.
      call.reply(REGISTER, { callbackID: 11 });
    });
    await connection.subscribe('domainLifecycle', ({ event }) => void seen.push(event));
    daemon.script(Procedures.DOMAIN_CREATE_WITH_FLAGS, (call) => {
      emit(4);
      emit(2);
      call.reply(Procedures.DOMAIN_CREATE_WITH_FLAGS, { domain: guest });
    });
    await connection.domain.createWithFlags({ ...guest, id: -1 });
    expect(seen).toEqual(['DEFINED', 'RESUMED', 'STARTED']);
  });

  test('early events are kept up to a bound', async () => {
    let seen = 0;
    daemon.script(REGISTER, (call) => {
      for (let count = 0; count < 2000; count += 1) emit(2);
      call.reply(REGISTER, { callbackID: 11 });
    });
    await connection.subscribe('domainLifecycle', () => (seen += 1));
    expect(seen).toBe(1024);
  });

  test('a listener that throws or rejects hurts nobody and is reported', async () => {
    const seen: string[] = [];
    await connection.subscribe('domainLifecycle', () => {
      throw new Error('thrown');
    });
    await connection.subscribe('domainLifecycle', async () => Promise.reject(new Error('rejected')));
    await connection.subscribe('domainLifecycle', ({ event }) => void seen.push(event));
    emit(2);
    await settled();
    expect(seen).toEqual(['STARTED']);
    expect(listenerErrors).toEqual([new Error('thrown'), new Error('rejected')]);
    expect(connection.isClosed).toBe(false);
  });

  test('a listener that is told of an error, and throws itself, hurts nobody either', async () => {
    await connection.close();
    connection = await connect({
      socketPath: daemon.socketPath,
      onListenerError: () => {
        throw new Error('cannot report');
      },
    });
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await connection.subscribe('domainLifecycle', () => {
      throw new Error('thrown');
    });
    emit(2);
    await settled();
    expect(warn.mock.calls.map(String)).toEqual([expect.stringContaining('cannot report')]);
    warn.mockRestore();
  });

  test('a listener may close its own subscription, and the connection', async () => {
    let seen = 0;
    const subscription = await connection.subscribe('domainLifecycle', () => {
      seen += 1;
      void subscription.close();
    });
    emit(2);
    emit(2);
    await daemon.until(() => deregistered.length === 1);
    await settled();
    expect(seen).toBe(1);
    await connection.subscribe('domainLifecycle', () => void connection.close());
    emit(2, 0, 12);
    expect(await connection.closed).toEqual({ kind: 'requested' });
  });

  test('events of a registration that is not in use are dropped', async () => {
    const seen: string[] = [];
    await connection.subscribe('domainLifecycle', ({ event }) => void seen.push(event));
    emit(2, 0, 99);
    emit(5);
    await settled();
    expect(seen).toEqual(['STOPPED']);
  });

  test('events of one domain', async () => {
    const seen: string[] = [];
    await connection.subscribe('domainLifecycle', ({ domain, event }) => void seen.push(`${domain.name} ${event}`), {
      domain: other,
    });
    emit(2);
    emit(5, 0, 11, other);
    await settled();
    expect(seen).toEqual(['other STOPPED']);
  });

  test('a subscription that fails leaves nothing behind', async () => {
    daemon.script(REGISTER, (call) => call.fail({ code: 3 }));
    await expect(connection.subscribe('domainLifecycle', () => undefined)).rejects.toMatchObject({ code: 3 });
    await settled();
    expect(deregistered).toEqual([]);
    daemon.answer(REGISTER, () => ({ callbackID: 11 }));
    let seen = 0;
    await connection.subscribe('domainLifecycle', () => (seen += 1));
    emit(2);
    await settled();
    expect(seen).toBe(1);
  });

  test('an aborted subscription is taken back', async () => {
    const controller = new AbortController();
    const subscribing = connection.subscribe('domainLifecycle', () => undefined, { signal: controller.signal });
    controller.abort(new Error('changed my mind'));
    await expect(subscribing).rejects.toThrow('changed my mind');
    await daemon.until(() => deregistered.length === 1);
    expect(deregistered).toEqual([11]);
  });

  test('a signal ends a subscription that stands; closing leaves nothing on the signal', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const seen: string[] = [];
    await connection.subscribe('domainLifecycle', ({ event }) => void seen.push(event), { signal });
    const closed = await connection.subscribe('domainLifecycle', () => undefined, { signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(2);
    await closed.close();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    controller.abort();
    emit(2);
    await daemon.until(() => deregistered.length === 1);
    await settled();
    expect(seen).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('closing a subscription after the connection is gone is no error', async () => {
    const subscription = await connection.subscribe('domainLifecycle', () => undefined);
    daemon.drop();
    await connection.closed;
    await expect(subscription.close()).resolves.toBeUndefined();
  });

  test('every event of the table registers, comes and is told apart from the others', async () => {
    await using faithful = await FakeLibvirtd.open();
    await using its = await connect({ socketPath: faithful.socketPath });
    faithful.answer(Procedures.CONNECT_GET_HOSTNAME, () => ({ hostname: 'h' }));
    // Object.keys() forgets what the keys of a constant are.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const names = Object.keys(Events) as EventName[];
    const seen: string[] = [];
    const subscriptions = await Promise.all(names.map((name) => its.subscribe(name, () => void seen.push(name))));
    faithful.emitEvent('domainReboot', { domain: guest });
    faithful.emitEvent('domainDeviceAdded', { domain: guest, device: 'net1' });
    faithful.emitEvent('connectClose', { reason: 'ERROR' });
    faithful.emitEvent('secretValueChanged', { secret: { uuid: guest.uuid, usageType: 2, usageID: 'ceph' } });
    await its.getHostname();
    expect(seen).toEqual(['domainReboot', 'domainDeviceAdded', 'connectClose', 'secretValueChanged']);
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
    faithful.emitEvent('domainReboot', { domain: guest });
    await its.getHostname();
    expect(seen).toHaveLength(4);
    expect(its.stats.droppedMessages).toBe(0);
  });

  test('QEMU’s events are filtered by the daemon: each wish is a registration', async () => {
    const asked: unknown[] = [];
    daemon.answer(Procedures.QEMU_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, (args) => {
      asked.push(args);
      return { callbackID: 20 + asked.length };
    });
    const seen: string[] = [];
    await connection.subscribe('qemuMonitorEvent', ({ event }) => void seen.push(`guest ${event}`), { domain: guest });
    await connection.subscribe('qemuMonitorEvent', ({ event }) => void seen.push(`all ${event}`), { event: 'STOP' });
    expect(asked).toEqual([
      { domain: guest, event: null, flags: 0 },
      { domain: null, event: 'STOP', flags: 0 },
    ]);
    const event = { domain: guest, event: 'STOP', seconds: 1, micros: 2, details: null };
    daemon.emit(Events.qemuMonitorEvent.message, { callbackID: 21, event });
    daemon.emit(Events.qemuMonitorEvent.message, { callbackID: 22, event });
    await settled();
    expect(seen).toEqual(['guest STOP', 'all STOP']);
  });
});

describe('iteration', () => {
  test('brings events in order, those that wait and those to come, and leaving it closes it', async () => {
    const events = await connection.events('domainLifecycle');
    emit(4);
    emit(2);
    await settled();
    expect(events.buffered).toBe(2);
    const seen: string[] = [];
    for await (const { event } of events) {
      seen.push(event);
      if (event === 'STARTED') emit(5, 1);
      if (event === 'STOPPED') break;
    }
    expect(seen).toEqual(['RESUMED', 'STARTED', 'STOPPED']);
    expect(deregistered).toEqual([11]);
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  test('a consumer that is slow loses the oldest and is told how many', async () => {
    const events = await connection.events('domainLifecycle', { bufferSize: 3 });
    for (let detail = 0; detail < 10; detail += 1) emit(2, detail);
    await settled();
    expect([events.dropped, events.buffered]).toEqual([7, 3]);
    expect((await events.next()).value?.detailNumber).toBe(7);
    emit(2, 10);
    await settled();
    expect([events.dropped, events.buffered]).toEqual([7, 3]);
    await events.close();
  });

  test.each([0, -1, 1.5, NaN])('a buffer of %s is a RangeError, and nothing is registered', async (bufferSize) => {
    await expect(connection.events('domainLifecycle', { bufferSize })).rejects.toThrow(RangeError);
    expect(registered).toBe(0);
  });

  test('several may wait at once, in order', async () => {
    const events = await connection.events('domainLifecycle');
    const waiting = [events.next(), events.next(), events.next()];
    emit(4);
    emit(2);
    expect((await Promise.all(waiting.slice(0, 2))).map(({ value }) => value?.event)).toEqual(['RESUMED', 'STARTED']);
    await events.close();
    expect(await waiting[2]).toEqual({ done: true, value: undefined });
  });

  test('ends with the connection: what came is there, then the loss is told, once', async () => {
    const events = await connection.events('domainLifecycle');
    emit(2);
    await settled();
    daemon.drop();
    await connection.closed;
    expect((await events.next()).value?.event).toBe('STARTED');
    const error = await errorOf(events.next());
    expect(error).toMatchObject({ name: 'ConnectionClosedError' });
    expect(String(error)).toContain('events are missing from here on');
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  test('who waits when the connection is lost is told', async () => {
    const events = await connection.events('domainLifecycle');
    const error = errorOf(events.next());
    daemon.drop();
    expect(await error).toMatchObject({ name: 'ConnectionClosedError' });
  });

  test('close() of the connection ends it quietly', async () => {
    const events = await connection.events('domainLifecycle');
    const waiting = events.next();
    emit(2);
    expect((await waiting).value?.event).toBe('STARTED');
    const last = events.next();
    await connection.close();
    expect(await last).toEqual({ done: true, value: undefined });
  });

  test('a signal ends it with its reason', async () => {
    const controller = new AbortController();
    const events = await connection.events('domainLifecycle', { signal: controller.signal });
    const error = errorOf(events.next());
    controller.abort(new Error('enough'));
    expect(await error).toEqual(new Error('enough'));
    await daemon.until(() => deregistered.length === 1);
  });

  test('closed, it leaves nothing on its signal', async () => {
    const { signal } = new AbortController();
    const events = await connection.events('domainLifecycle', { signal });
    await events.close();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('await using closes it', async () => {
    {
      await using events = await connection.events('domainLifecycle');
      expect(events.buffered).toBe(0);
    }
    expect(deregistered).toEqual([11]);
  });
});

describe('what is left behind', () => {
  test('an option that would be ignored is refused', async () => {
    await expect(connection.subscribe('networkLifecycle', () => undefined, { domain: guest })).rejects.toThrow(
      RangeError,
    );
    await expect(connection.subscribe('domainReboot', () => undefined, { event: 'STOP' })).rejects.toThrow(RangeError);
    expect(registered).toBe(0);
  });

  test('closing a subscription while the connection goes is no error', async () => {
    const subscription = await connection.subscribe('domainLifecycle', () => undefined);
    daemon.script(DEREGISTER, () => daemon.drop());
    await subscription.close();
    expect(await connection.closed).toMatchObject({ kind: 'server' });
  });

  test('an iteration that was aborted holds nothing on the connection', async () => {
    const controller = new AbortController();
    const events = await connection.events('domainLifecycle', { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(events.next()).rejects.toThrow('enough');
    await expect.poll(() => deregistered).toEqual([11]);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });
});
