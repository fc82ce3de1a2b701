/** One request to its end: what is kept of it, who is answered, and when the broker is told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Delivery } from '../../src/rpc/delivery.ts';
import type { HandlerRequest, Method } from '../../src/rpc/dispatch.ts';
import { encodeRequest } from '../../src/rpc/envelope.ts';
import { RemoteFault } from '../../src/rpc/errors.ts';
import type { Outcome, ReturnAddress } from '../../src/rpc/reply_sender.ts';
import { RequestDesk } from '../../src/rpc/request_desk.ts';
import { MemoryRequestStore, type RequestStore } from '../../src/rpc/request_store.ts';
import { SqliteRequestStore } from '../../src/rpc/sqlite_request_store.ts';
import { WorkLanes } from '../../src/rpc/work_lanes.ts';
import { quietLog } from '../quiet_log.ts';

type Handler = (request: HandlerRequest) => Promise<unknown>;

function deskOf(
  methods: Readonly<Record<string, Handler | Method>>,
  over: { store?: RequestStore; holdMs?: number } = {},
) {
  const answers: { to: ReturnAddress; outcome: Outcome }[] = [];
  /** Signs of life and answers, in their order. */
  const beating: string[] = [];
  const deadLetters: string[] = [];
  const logger = quietLog();
  const desk = new RequestDesk({
    endpoints: [{ namespace: null, version: '1.0', methods }],
    lanes: new WorkLanes({ build: 1 }),
    store: over.store ?? new MemoryRequestStore(100),
    replies: {
      send: async (to, outcome) => {
        answers.push({ to, outcome });
        beating.push(`${to.msgId} answered`);
      },
      heartbeats: ({ msgId }) => {
        beating.push(`${msgId} begins`);
        return () => beating.includes(`${msgId} ends`) || beating.push(`${msgId} ends`);
      },
    },
    deadLetters: { put: async (_delivery, reason) => void deadLetters.push(reason) },
    holdMs: over.holdMs ?? 60_000,
    maxMessageBytes: 1_000_000,
    errorModule: 'errors',
    logger,
    signal: new AbortController().signal,
  });
  return { desk, answers, beating, deadLetters, logger };
}

/** A request as the broker delivers it; `fate` tells what the broker was told. */
function delivered(method: string, over: { uniqueId?: string; expiration?: string; body?: string } = {}) {
  const fate: string[] = [];
  const uniqueId = over.uniqueId ?? 'u1';
  const body =
    over.body ??
    encodeRequest({
      method,
      args: {},
      namespace: null,
      version: '1.0',
      context: {},
      msgId: `m-${uniqueId}`,
      replyQueue: 'reply_q',
      monitorTimeoutSeconds: null,
      uniqueId,
    });
  const settlement = {
    acknowledge: () => void fate.push('acknowledged'),
    handBack: () => void fate.push('handed back'),
  };
  const message = {
    content: Buffer.from(body),
    properties: { contentType: 'application/json', ...(over.expiration && { expiration: over.expiration }) },
    fields: { exchange: 'x', routingKey: 'k', redelivered: false },
  };
  return { delivery: new Delivery(message, settlement), fate };
}

describe('a request that comes again', () => {
  test('while it is at work joins that run: one run, one answer, both acknowledged', async () => {
    const gate = Promise.withResolvers<void>();
    let runs = 0;
    const { desk, answers } = deskOf({
      create: async () => {
        runs += 1;
        await gate.promise;
        return 'made';
      },
    });
    const [first, second] = [delivered('create'), delivered('create')];
    const ends = [desk.take(first.delivery), desk.take(second.delivery)];
    await sleep(5);
    expect([first.fate, second.fate]).toEqual([[], []]);
    gate.resolve();
    await Promise.all(ends);
    expect([runs, answers.length, first.fate, second.fate]).toEqual([1, 1, ['acknowledged'], ['acknowledged']]);
  });

  test('after its end is answered with what was kept, a refusal too', async () => {
    let runs = 0;
    const { desk, answers } = deskOf({
      create: async () => {
        runs += 1;
        throw new RemoteFault({ className: 'NoRoom', module: 'errors', message: 'full', kwargs: { node: 0 } });
      },
    });
    for (let times = 0; times < 3; times += 1) await desk.take(delivered('create').delivery);
    expect(runs).toBe(1);
    expect(answers).toHaveLength(3);
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toHaveLength(1);
    expect(answers[0]?.outcome).toMatchObject({ failure: { className: 'NoRoom', kwargs: { node: 0 } } });
  });

  test('is asked anew where it changes nothing', async () => {
    let runs = 0;
    const { desk, answers } = deskOf({
      list: {
        readOnly: true,
        handler: async () => {
          runs += 1;
          return runs;
        },
      },
    });
    await desk.take(delivered('list').delivery);
    await desk.take(delivered('list').delivery);
    expect(answers.map(({ outcome }) => outcome)).toEqual([{ result: 1 }, { result: 2 }]);
  });

  test('cannot be known without an id', async () => {
    let runs = 0;
    const { desk } = deskOf({
      create: async () => {
        runs += 1;
      },
    });
    const body = JSON.stringify({ method: 'create', args: {} });
    for (let times = 0; times < 2; times += 1) await desk.take(delivered('create', { body }).delivery);
    expect(runs).toBe(2);
  });
});

describe('across the death of a process', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'desk-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const storeOf = () =>
    SqliteRequestStore.open({ path: join(folder, 'r'), keepMs: 3_600_000, limit: 100, logger: quietLog() });

  test('one that had ended is answered from the file; one that was cut off is told that it is resumed', async () => {
    const before = storeOf();
    const first = deskOf(
      { create: async () => ({ uuid: 'u' }), never: () => new Promise(() => {}) },
      { store: before },
    );
    await first.desk.take(delivered('create', { uniqueId: 'ended' }).delivery);
    void first.desk.take(delivered('never', { uniqueId: 'cut' }).delivery);
    await sleep(5);
    before.close();

    const after = storeOf();
    const seen: boolean[] = [];
    const handler: Handler = async ({ isResumed }) => seen.push(isResumed);
    const second = deskOf({ create: handler, never: handler }, { store: after });
    await second.desk.take(delivered('create', { uniqueId: 'ended' }).delivery);
    expect(second.answers).toEqual([
      { to: { msgId: 'm-ended', replyQueue: 'reply_q' }, outcome: { result: { uuid: 'u' } } },
    ]);
    await second.desk.take(delivered('never', { uniqueId: 'cut' }).delivery);
    await second.desk.take(delivered('create', { uniqueId: 'new' }).delivery);
    expect(seen).toEqual([true, false]);
    after.close();
  });

  test('one that takes longer than the broker waits is kept whole, and told to the broker', async () => {
    const store = storeOf();
    const gate = Promise.withResolvers<void>();
    const { desk, answers } = deskOf({ create: () => gate.promise }, { store, holdMs: 10 });
    const { delivery, fate } = delivered('create');
    const end = desk.take(delivery);
    await expect.poll(() => fate).toEqual(['acknowledged']);
    const [kept] = store.accepted();
    expect(Buffer.from(kept?.body ?? [])).toEqual(delivery.body);
    // As the next process would take it up, had this one died here.
    expect(Delivery.accepted(delivery.body, kept?.properties ?? {}).patienceMs).toBe(Infinity);
    gate.resolve();
    await end;
    expect([answers.length, fate, store.accepted()]).toEqual([1, ['acknowledged'], []]);
    store.close();
  });
});

describe('places', () => {
  test('a question passes a row of builds; a build whose caller waits no longer is not begun', async () => {
    const gate = Promise.withResolvers<void>();
    const begun: string[] = [];
    const build = (name: string): Method => ({
      lane: 'build',
      handler: async () => {
        begun.push(name);
        await gate.promise;
      },
    });
    const { desk, answers } = deskOf({ one: build('one'), two: build('two'), get: async () => 'here' });
    const one = desk.take(delivered('one', { uniqueId: '1' }).delivery);
    const two = delivered('two', { uniqueId: '2', expiration: '10' });
    await Promise.all([desk.take(two.delivery), desk.take(delivered('get', { uniqueId: '3' }).delivery)]);
    expect([begun, two.fate]).toEqual([['one'], ['acknowledged']]);
    expect(answers.map(({ to }) => to.msgId)).toEqual(['m-3']);
    gate.resolve();
    await one;
  });

  test('a caller that listens for signs of life hears them while it waits for a place, and none after its answer', async () => {
    const gate = Promise.withResolvers<void>();
    const build: Method = { lane: 'build', handler: () => gate.promise };
    const { desk, beating } = deskOf({ build });
    const ends = ['1', '2'].map((uniqueId) => desk.take(delivered('build', { uniqueId }).delivery));
    await sleep(5);
    expect(beating).toEqual(['m-1 begins', 'm-2 begins']);
    gate.resolve();
    await Promise.all(ends);
    // The same request again: from what was kept.
    await desk.take(delivered('build', { uniqueId: '1' }).delivery);
    const own = (msgId: string) => beating.filter((line) => line.startsWith(msgId));
    expect(own('m-1').slice(0, 3)).toEqual(['m-1 begins', 'm-1 ends', 'm-1 answered']);
    expect(own('m-2')).toEqual(['m-2 begins', 'm-2 ends', 'm-2 answered']);
  });

  test('what waits too long for the broker is handed back, and is new when it comes again', async () => {
    const gate = Promise.withResolvers<void>();
    const build: Method = { lane: 'build', handler: () => gate.promise };
    const { desk } = deskOf({ build }, { holdMs: 20 });
    const one = desk.take(delivered('build', { uniqueId: '1' }).delivery);
    const two = delivered('build', { uniqueId: '2' });
    await desk.take(two.delivery);
    expect(two.fate).toEqual(['handed back']);
    gate.resolve();
    await one;
    const again = delivered('build', { uniqueId: '2' });
    await desk.take(again.delivery);
    expect(again.fate).toEqual(['acknowledged']);
  });
});

describe('what is no request', () => {
  test.each([
    ['no JSON', '{', 'not-json'],
    ['no method', JSON.stringify({ args: {}, _msg_id: 'm', _reply_q: 'q' }), 'method'],
  ])('%s is a dead letter, and told to a caller that can be read', async (_, body, reason) => {
    const { desk, answers, deadLetters } = deskOf({});
    const { delivery, fate } = delivered('', { body });
    await desk.take(delivery);
    expect([deadLetters, fate]).toEqual([[reason], ['acknowledged']]);
    expect(answers.map(({ to }) => to)).toEqual(body.includes('_msg_id') ? [{ msgId: 'm', replyQueue: 'q' }] : []);
  });
});

test('a store that cannot write is told, and requests are served all the same', async () => {
  const broken: RequestStore = {
    begin: () => Promise.reject(new Error('disk full')),
    end: () => Promise.reject(new Error('disk full')),
    accept: () => Promise.resolve(false),
    accepted: () => [],
    close: () => {},
  };
  const { desk, answers, logger } = deskOf({ delete: async () => null }, { store: broken });
  await desk.take(delivered('delete').delivery);
  expect(answers).toHaveLength(1);
  expect(desk.storeProblem).toBe('disk full');
  expect(logger.lines).toContainEqual(['error', 'requests cannot be kept']);
});
