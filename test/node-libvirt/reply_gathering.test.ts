/** When many calls are under way, the event loop sleeps between looks at the sockets; and when it must not. */
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ReplyGathering, sleeperOf } from '../../src/node-libvirt/connection/reply_gathering.ts';
import { connect, Procedures } from '../../src/node-libvirt/index.ts';
import { FakeLibvirtd } from '../../src/node-libvirt/testing/index.ts';

describe('the sleeps', () => {
  const busy = { load: 4, answered: 0 };
  const idle = { load: 0, answered: 0 };

  test('begin where eight calls are under way', async () => {
    const sleep = vi.fn<() => void>();
    const seven = new ReplyGathering([busy, { load: 3, answered: 0 }], sleep);
    seven.onCall();
    await turn();
    expect(sleep).not.toHaveBeenCalled();
    new ReplyGathering([busy, busy, idle], sleep).onCall();
    await turn();
    expect(sleep).toHaveBeenCalledTimes(1);
  });

  test('go on while replies come and end with the calls', async () => {
    const session = { load: 16, answered: 0 };
    let sleeps = 0;
    const gathering = new ReplyGathering([session], () => {
      sleeps += 1;
      session.answered += 1;
      session.load -= 1;
    });
    gathering.onCall();
    // Told of more calls meanwhile, it does not begin twice.
    gathering.onCall();
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(sleeps).toBe(9);
    expect(session.load).toBe(7);
  });

  test('end where replies do not come, so that slow calls cost nothing, and begin again with a call', async () => {
    const sleep = vi.fn<() => void>();
    const gathering = new ReplyGathering([{ load: 16, answered: 5 }], sleep);
    gathering.onCall();
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(sleep).toHaveBeenCalledTimes(3);
    gathering.onCall();
    for (let turns = 0; turns < 20; turns += 1) await turn();
    expect(sleep).toHaveBeenCalledTimes(6);
  });

  test('last as long as they were set', () => {
    const sleep = sleeperOf(20_000);
    const began = performance.now();
    sleep();
    expect(performance.now() - began).toBeGreaterThanOrEqual(19);
  });
});

describe('a connection that gathers', () => {
  let daemon: FakeLibvirtd;
  beforeEach(async () => {
    daemon = await FakeLibvirtd.open();
  });
  afterEach(() => daemon[Symbol.asyncDispose]());

  test('answers every call, more than have a place too', async () => {
    const options = { socketPath: daemon.socketPath, keepaliveIntervalMs: 0, pool: 4, gatherRepliesUs: 100 };
    await using connection = await connect(options);
    let answered = 0;
    daemon.answer(Procedures.CONNECT_GET_LIB_VERSION, () => {
      answered += 1;
      return { version: answered };
    });
    const versions = await Promise.all(Array.from({ length: 200 }, () => connection.getLibVersion()));
    expect(new Set(versions).size).toBe(200);
    expect(connection.stats).toMatchObject({ inFlight: 0, queued: 0 });
  });

  test.each([-1, 1001, Number.NaN])('does not sleep for %d us', async (gatherRepliesUs) => {
    const connecting = connect({ socketPath: daemon.socketPath, gatherRepliesUs });
    await expect(connecting).rejects.toThrow(`gatherRepliesUs must be from 0 to 1000, not ${gatherRepliesUs}`);
  });
});
