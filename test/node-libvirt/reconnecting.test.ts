/** The loop around connections: what comes back, what is told, what is not repeated. */
import { expect, test } from 'vitest';
import { connect, reconnecting, type ConnectionUp, type ReconnectingOptions } from '../../src/node-libvirt/index.ts';
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

function fail(): never {
  throw new Error('there is no domain');
}
