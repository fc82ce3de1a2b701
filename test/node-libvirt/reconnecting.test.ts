/** The loop around connections: what comes back, what is told, what is not repeated. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  connect,
  reconnecting,
  type Connection,
  type ConnectionUp,
  type Reconnecting,
  type ReconnectingOptions,
} from '../../src/node-libvirt/index.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import { FakeHost, FakeLibvirtd } from '../../src/node-libvirt/testing/index.ts';

const HOST = { cells: [{ cpus: [0], memoryKib: 1024, pools: [] }] };
const QUICK = { minDelayMs: 1, maxDelayMs: 4 } satisfies ReconnectingOptions;
const XML = '<domain type="qemu"><name>guest</name><memory unit="KiB">64</memory></domain>';

test('a lost connection is opened again, and its subscriptions with it', async () => {
  await using daemon = await FakeLibvirtd.open({ host: new FakeHost(HOST) });
  const ups: ConnectionUp[] = [];
  const downs: string[] = [];
  await using link = reconnecting(() => connect(daemon.uri), {
    ...QUICK,
    onUp: (_, up) => void ups.push(up),
    onDown: (error) => void downs.push(error.message),
  });
  const seen: string[] = [];
  await link.subscribe('domainLifecycle', ({ domain, event }) => void seen.push(`${domain.name} ${event}`));
  const first = await link.connection();
  await first.domain.defineXMLFlags(XML);
  await expect.poll(() => seen).toEqual(['guest DEFINED']);

  daemon.drop();
  await first.closed;
  const second = await link.connection();
  expect(second).not.toBe(first);
  await second.domain.undefineFlags((await second.listAllDomains())[0] ?? fail());
  await expect.poll(() => seen).toEqual(['guest DEFINED', 'guest UNDEFINED']);
  expect(ups).toEqual([
    { attempts: 1, lost: undefined },
    {
      attempts: 1,
      lost: {
        reason: { kind: 'server', error: expect.any(Error) },
        gapMs: expect.any(Number),
        subscriptions: ['domainLifecycle'],
      },
    },
  ]);
  expect(downs).toEqual([expect.stringContaining('closed the connection')]);
});

test('calls that were under way fail and are not made again', async () => {
  await using daemon = await FakeLibvirtd.open();
  await using link = reconnecting(() => connect(daemon.uri), QUICK);
  const connection = await link.connection();
  const call = connection.getHostname();
  await daemon.next();
  daemon.drop();
  await expect(call).rejects.toMatchObject({ name: 'ConnectionClosedError', requestSent: true });
  await link.connection();
  await (await link.connection()).close();
  expect(daemon.untaken).toEqual([]);
});

test('attempts go on, further and further apart, until the daemon is there', async () => {
  await using daemon = await FakeLibvirtd.open();
  const delays: number[] = [];
  let attempts = 0;
  const open = async () => {
    attempts += 1;
    if (attempts <= 6) throw new Error('not yet');
    return connect(daemon.uri);
  };
  const ups: ConnectionUp[] = [];
  await using link = reconnecting(open, {
    minDelayMs: 1,
    maxDelayMs: 8,
    onDown: (_, retryInMs) => void delays.push(retryInMs),
    onUp: (_, up) => void ups.push(up),
  });
  expect(link.current).toBeUndefined();
  expect(await link.connection()).toBe(link.current);
  expect(ups).toEqual([{ attempts: 7, lost: undefined }]);
  expect(delays).toHaveLength(6);
  for (const [index, most] of [1, 2, 4, 8, 8, 8].entries()) {
    expect(delays[index]).toBeGreaterThanOrEqual(most / 2);
    expect(delays[index]).toBeLessThanOrEqual(most);
  }
});

test('a connection that onUp cannot use is closed and another one opened', async () => {
  await using daemon = await FakeLibvirtd.open();
  let isFirst = true;
  await using link = reconnecting(() => connect(daemon.uri), {
    ...QUICK,
    onUp: async (connection) => {
      if (isFirst) {
        isFirst = false;
        throw new Error(`cannot use ${connection.isClosed ? 'a closed one' : 'it'}`);
      }
    },
  });
  await link.connection();
  await daemon.until(() => daemon.clients.length === 1);
  expect(daemon.accepted).toBe(2);
});

test('a subscription that comes while a connection is being made is made on it', async () => {
  await using daemon = await FakeLibvirtd.open({ host: new FakeHost(HOST) });
  const seen: string[] = [];
  await using link = reconnecting(() => connect(daemon.uri), {
    ...QUICK,
    onUp: async () => {
      await link.subscribe('domainLifecycle', ({ event }) => void seen.push(event));
    },
  });
  const connection = await link.connection();
  await connection.domain.defineXMLFlags(XML);
  await expect.poll(() => seen).toEqual(['DEFINED']);
});

test('a closed subscription is not made again', async () => {
  await using daemon = await FakeLibvirtd.open({ host: new FakeHost(HOST) });
  await using link = reconnecting(() => connect(daemon.uri), QUICK);
  const first = await link.connection();
  const seen: string[] = [];
  const subscription = await link.subscribe('domainLifecycle', ({ event }) => void seen.push(event));
  await subscription.close();
  daemon.drop();
  await first.closed;
  const connection = await link.connection();
  await using other = await connection.subscribe('domainLifecycle', ({ event }) => void seen.push(`other ${event}`));
  await connection.domain.defineXMLFlags(XML);
  await expect.poll(() => seen).toEqual(['other DEFINED']);
  await other.close();
});

test('what the daemon refuses is the subscriber’s to know', async () => {
  await using daemon = await FakeLibvirtd.open();
  daemon.script(Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, (call) => call.fail({ code: 3 }));
  await using link = reconnecting(() => connect(daemon.uri), QUICK);
  await link.connection();
  await expect(link.subscribe('domainLifecycle', () => undefined)).rejects.toMatchObject({ code: 3 });
});

test('close ends the waiting and the attempts; an abort ends one wait', async () => {
  const link = reconnecting(async () => Promise.reject(new Error('never')), QUICK);
  const reason = new Error('enough');
  const controller = new AbortController();
  const aborted = link.connection({ signal: controller.signal });
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  const waiting = link.connection().catch((error: unknown) => error);
  await link.close();
  expect(await waiting).toMatchObject({ name: 'ConnectionClosedError', requestSent: false });
  await expect(link.connection()).rejects.toMatchObject({ name: 'ConnectionClosedError' });
});

describe('pauses', () => {
  test('a connection that is lost soon is a failure: the pauses grow', async () => {
    await using daemon = await FakeLibvirtd.open();
    const delays: number[] = [];
    await using _ = reconnecting((signal) => connect(daemon.uri, { signal }), {
      minDelayMs: 10,
      maxDelayMs: 1000,
      onUp: () => void setTimeout(() => daemon.drop(), 1),
      onDown: (_error, retryInMs) => void delays.push(retryInMs),
    });
    await expect.poll(() => delays.length).toBeGreaterThanOrEqual(4);
    for (const [index, most] of [10, 20, 40, 80].entries()) {
      expect(delays[index]).toBeGreaterThanOrEqual(most / 2);
      expect(delays[index]).toBeLessThanOrEqual(most);
    }
  });

  test('after a long life the next attempt is at once', async () => {
    await using daemon = await FakeLibvirtd.open();
    const delays: number[] = [];
    let isFirst = true;
    const open = async (signal: AbortSignal) => {
      if (!isFirst) return connect(daemon.uri, { signal });
      isFirst = false;
      throw new Error('not yet');
    };
    await using link = reconnecting(open, {
      minDelayMs: 1,
      maxDelayMs: 30,
      onDown: (_, retryInMs) => void delays.push(retryInMs),
    });
    const connection = await link.connection();
    await sleep(60);
    daemon.drop();
    await connection.closed;
    await link.connection();
    expect(delays).toEqual([expect.any(Number), 0]);
    expect(delays[0]).toBeGreaterThan(0);
  });

  test('longer than any timer, they are as long as a timer can be', async () => {
    const delays: number[] = [];
    await using _ = reconnecting(async () => Promise.reject(new Error('never')), {
      minDelayMs: 2 ** 40,
      maxDelayMs: 2 ** 41,
      onDown: (_error, retryInMs) => void delays.push(retryInMs),
    });
    await sleep(30);
    expect(delays).toHaveLength(1);
    expect(delays[0]).toBeLessThan(2 ** 31);
  });
});

describe('subscriptions', () => {
  const nowhere = { name: 'guest', uuid: 'no uuid', id: -1 };
  const { CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: REGISTER } = Procedures;

  test('one that cannot be made is told and dropped, and the link comes up', async () => {
    await using daemon = await FakeLibvirtd.open({ host: new FakeHost(HOST) });
    daemon.faults.add(REGISTER, { kind: 'refuse', error: { code: 3 } }, { times: 1 });
    const errors: unknown[] = [];
    const downs: Error[] = [];
    await using link = reconnecting((signal) => connect(daemon.uri, { signal }), {
      ...QUICK,
      onDown: (error) => void downs.push(error),
      onSubscriptionError: (error, name) => void errors.push([name, error.name]),
    });
    const seen: string[] = [];
    const refused = await link.subscribe('domainReboot', () => undefined);
    await link.subscribe('qemuMonitorEvent', () => undefined, { domain: nowhere });
    await link.subscribe('domainLifecycle', ({ event }) => void seen.push(event));
    const connection = await link.connection();
    await connection.domain.defineXMLFlags(XML);
    await expect.poll(() => seen).toEqual(['DEFINED']);
    expect(errors).toEqual([
      ['domainReboot', 'LibvirtError'],
      ['qemuMonitorEvent', 'RangeError'],
    ]);
    expect(downs).toEqual([]);
    await refused.close();
  });

  test('by default it is a warning, and so is what onSubscriptionError throws', async () => {
    await using daemon = await FakeLibvirtd.open();
    daemon.script(REGISTER, (call) => call.fail({ code: 3 }));
    const warned = once(process, 'warning');
    await using one = reconnecting((signal) => connect(daemon.uri, { signal }), QUICK);
    await one.subscribe('domainReboot', () => undefined);
    await one.connection();
    expect(String(await warned)).toContain('the subscription to domainReboot is dropped');
    const warnedAgain = once(process, 'warning');
    await using other = reconnecting((signal) => connect(daemon.uri, { signal }), {
      ...QUICK,
      onSubscriptionError: () => {
        throw new Error('no log');
      },
    });
    await other.subscribe('domainReboot', () => undefined);
    await other.connection();
    expect(String(await warnedAgain)).toContain('onSubscriptionError of reconnecting() failed: no log');
  });

  test('a connection that goes while they are made is a failed attempt, and they are made on the next', async () => {
    await using daemon = await FakeLibvirtd.open({ host: new FakeHost(HOST) });
    daemon.faults.add(REGISTER, { kind: 'cut', afterBytes: 0 }, { times: 1 });
    const seen: string[] = [];
    await using link = reconnecting((signal) => connect(daemon.uri, { signal }), QUICK);
    await link.subscribe('domainLifecycle', ({ event }) => void seen.push(event));
    const connection = await link.connection();
    await connection.domain.defineXMLFlags(XML);
    await expect.poll(() => seen).toEqual(['DEFINED']);
    expect(daemon.accepted).toBe(2);
  });

  test('none is lost, in whichever moment of coming up it is made', async () => {
    await using daemon = await FakeLibvirtd.open({ host: new FakeHost(HOST) });
    for (let turns = 0; turns < 24; turns += 1) {
      const seen: string[] = [];
      let subscribing: Promise<unknown> = Promise.resolve();
      const subscribeLater = async (link: Reconnecting) => {
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
        return link.subscribe('domainLifecycle', ({ event }) => void seen.push(event));
      };
      await using link: Reconnecting = reconnecting((signal) => connect(daemon.uri, { signal }), {
        ...QUICK,
        onUp: () => {
          subscribing = subscribeLater(link);
        },
      });
      const connection = await link.connection();
      await subscribing;
      const domain = await connection.domain.defineXMLFlags(XML);
      await connection.domain.undefineFlags(domain);
      // Events come ahead of the reply of what follows them.
      await connection.getHostname();
      expect([turns, seen]).toEqual([turns, ['DEFINED', 'UNDEFINED']]);
    }
  });
});

describe('close', () => {
  test('settles where onUp calls it, and where onUp never ends', async () => {
    await using daemon = await FakeLibvirtd.open();
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const link: Reconnecting = reconnecting((signal) => connect(daemon.uri, { signal }), {
      ...QUICK,
      onUp: async () => {
        await link.close();
        resolve();
      },
    });
    await closed;
    await expect(link.connection()).rejects.toMatchObject({ name: 'ConnectionClosedError' });
    const { promise: isUp, resolve: up } = Promise.withResolvers<void>();
    const stuck = reconnecting((signal) => connect(daemon.uri, { signal }), {
      ...QUICK,
      onUp: () => {
        up();
        return new Promise(() => undefined);
      },
    });
    await isUp;
    await stuck.close();
    await daemon.until(() => daemon.clients.length === 0);
    expect(daemon.accepted).toBe(2);
  });

  test('breaks off an attempt, also one that does not heed it: what comes late is closed', async () => {
    await using daemon = await FakeLibvirtd.open();
    const { promise: answering, resolve: answer } = Promise.withResolvers<void>();
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    daemon.answer(Procedures.AUTH_LIST, async () => {
      ask();
      await answering;
      return { types: [0] };
    });
    const downs: Error[] = [];
    const options = { ...QUICK, onDown: (error: Error) => void downs.push(error) };
    const heedful = reconnecting((signal) => connect(daemon.uri, { signal }), options);
    const heedless = reconnecting(() => connect(daemon.uri), options);
    await asked;
    await Promise.all([heedful.close(), heedless.close()]);
    await daemon.until(() => daemon.clients.length === 1);
    answer();
    await daemon.until(() => daemon.clients.length === 0);
    expect(downs).toEqual([]);
  });

  test('breaks off subscribing on a daemon that does not answer', async () => {
    await using daemon = await FakeLibvirtd.open();
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    daemon.script(Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, () => ask());
    const link = reconnecting((signal) => connect(daemon.uri, { signal }), QUICK);
    await link.subscribe('domainLifecycle', () => undefined);
    await asked;
    await link.close();
    await expect.poll(() => daemon.clients).toEqual([]);
  });
});

describe('callbacks', () => {
  test('onUp may ask for the connection and gets its own; others wait until it is ready', async () => {
    await using daemon = await FakeLibvirtd.open();
    const { promise: isInside, resolve: inside } = Promise.withResolvers<Connection>();
    const { promise: goingOn, resolve: goOn } = Promise.withResolvers<void>();
    let given: Connection | undefined;
    await using link: Reconnecting = reconnecting((signal) => connect(daemon.uri, { signal }), {
      ...QUICK,
      onUp: async (connection) => {
        given = connection;
        inside(await link.connection());
        await goingOn;
      },
    });
    expect(await isInside).toBe(given);
    let isOut = false;
    const waiting = link.connection().finally(() => {
      isOut = true;
    });
    await sleep(10);
    expect(isOut).toBe(false);
    goOn();
    expect(await waiting).toBe(given);
  });

  test('an onDown that throws ends nothing', async () => {
    await using daemon = await FakeLibvirtd.open();
    const warned = once(process, 'warning');
    let attempts = 0;
    const open = async (signal: AbortSignal) => {
      attempts += 1;
      if (attempts === 1) throw new Error('not yet');
      return connect(daemon.uri, { signal });
    };
    await using link = reconnecting(open, {
      ...QUICK,
      onDown: () => {
        throw new Error('no log');
      },
    });
    const first = await link.connection();
    daemon.drop();
    await first.closed;
    await link.connection();
    expect(String(await warned)).toContain('onDown of reconnecting() failed: no log');
  });
});

function fail(): never {
  throw new Error('there is no domain');
}
