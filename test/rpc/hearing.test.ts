/** Whether the server notices that it hears nothing: rounds by a clock that the test moves. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BrokerUnavailableError } from '../../src/rpc/errors.ts';
import { Hearing } from '../../src/rpc/hearing.ts';
import { quietLog } from '../quiet_log.ts';

const INTERVAL_MS = 1_000;
const QUEUES = ['t.host1', 't_fanout_1'];

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

type Sent = { readonly queue: string; readonly body: Buffer; readonly options: unknown };

function hearingOf(over: { canHear?: () => boolean; publish?: () => Promise<void> } = {}) {
  const sent: Sent[] = [];
  const deaf: string[] = [];
  const hearing = new Hearing({
    broker: {
      async publish(_exchange, queue, body, options) {
        sent.push({ queue, body: Buffer.from(body), options });
        await over.publish?.();
      },
    },
    queues: QUEUES,
    intervalMs: INTERVAL_MS,
    canHear: over.canHear ?? (() => true),
    onDeaf: (queue) => deaf.push(queue),
    logger: quietLog(),
  });
  const round = () => vi.advanceTimersByTime(INTERVAL_MS);
  /** What was sent last comes back from those queues. */
  const comeBack = (queues: readonly string[] = QUEUES) => {
    for (const { queue, body } of sent.slice(-QUEUES.length)) if (queues.includes(queue)) hearing.take(body, queue);
  };
  return { hearing, sent, deaf, round, comeBack };
}

test('each round sends one message to each own queue, which nobody finds later', () => {
  const { sent, round } = hearingOf();
  round();
  expect(sent.map(({ queue, options }) => [queue, options])).toEqual(
    QUEUES.map((queue) => [queue, { expirationMs: INTERVAL_MS, mandatory: true }]),
  );
});

test('what comes back in time is never deaf', () => {
  const { hearing, deaf, round, comeBack } = hearingOf();
  for (let nth = 0; nth < 10; nth += 1) {
    round();
    comeBack();
  }
  expect(hearing.deafQueues).toEqual([]);
  expect(deaf).toEqual([]);
});

test('one lost message is forgiven, two in a row are deaf, and the next that comes back ends it', () => {
  const { hearing, deaf, round, comeBack } = hearingOf();
  round();
  comeBack(['t_fanout_1']);
  round();
  expect([hearing.deafQueues, deaf]).toEqual([[], []]);
  comeBack(['t_fanout_1']);
  round();
  expect([hearing.deafQueues, deaf]).toEqual([['t.host1'], ['t.host1']]);
  comeBack();
  expect(hearing.deafQueues).toEqual([]);
});

test('a queue that stays silent is consumed anew time and again, every second round', () => {
  const { deaf, round, comeBack } = hearingOf();
  for (let nth = 0; nth < 7; nth += 1) {
    round();
    comeBack(['t.host1']);
  }
  expect(deaf).toEqual(['t_fanout_1', 't_fanout_1', 't_fanout_1']);
});

test('while nothing can be heard nothing is sent, and nothing of before is missed', () => {
  let canHear = true;
  const { sent, deaf, hearing, round } = hearingOf({ canHear: () => canHear });
  round();
  canHear = false;
  for (let nth = 0; nth < 5; nth += 1) round();
  expect(sent).toHaveLength(QUEUES.length);
  canHear = true;
  round();
  expect([hearing.deafQueues, deaf]).toEqual([[], []]);
});

test('a message of an earlier server is swallowed, and proves nothing', () => {
  const { hearing, deaf, round } = hearingOf();
  const earlier = Buffer.from('hugenode-hearing 0123456789abcdef0123456789abcdef');
  for (let nth = 0; nth < 3; nth += 1) {
    round();
    expect(hearing.take(earlier, 't.host1')).toBe(true);
  }
  expect(deaf).toContain('t.host1');
});

test('a request is none of its messages', () => {
  const { hearing } = hearingOf();
  expect(hearing.take(Buffer.from('{"oslo.version": "2.0"}'), 't.host1')).toBe(false);
  expect(hearing.take(Buffer.alloc(0), 't.host1')).toBe(false);
});

test('a message that could not be sent counts as one that did not come back', async () => {
  const { deaf, round } = hearingOf({
    publish: async () => {
      throw new BrokerUnavailableError('no channel');
    },
  });
  for (let nth = 0; nth < 3; nth += 1) {
    round();
    await vi.advanceTimersByTimeAsync(0);
  }
  expect(deaf).toEqual(QUEUES);
});

test('after its end there are no rounds', () => {
  const { hearing, sent, round } = hearingOf();
  hearing.stop();
  round();
  expect(sent).toEqual([]);
});
