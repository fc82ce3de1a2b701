import { expect, test } from 'vitest';
import { Teller, type LifecycleMessage, type TellerOptions } from '../../src/notifications/teller.ts';
import { Spool } from '../../src/spool/spool.ts';
import { IN_MEMORY, SpoolFile, type SpoolMessage } from '../../src/spool/spool_file.ts';
import { UUID } from '../domain/instances.ts';
import { quietLog } from '../quiet_log.ts';
import { EVENTS } from './events.ts';

function tellerOf(over: Partial<TellerOptions> = {}) {
  const log = quietLog();
  const sent: SpoolMessage[] = [];
  const spool = new Spool({
    openFile: () => SpoolFile.open(IN_MEMORY, log),
    deliver: async (message) => void sent.push(message),
    isAbsence: () => false,
    bound: { messages: 100, bytes: 1_000_000 },
    memoryBound: { messages: 100, bytes: 1_000_000 },
    retryDelayMs: 1,
    isDurable: false,
    log,
  });
  spool.start();
  const prepared: LifecycleMessage[] = [];
  const teller = new Teller({
    host: 'cmp1',
    domainPrefix: 'hugenode-',
    formats: ['unversioned', 'versioned'],
    auditUnit: 'month',
    prepare: (message) => {
      prepared.push(message);
      return { exchange: 'nova', queue: message.format, body: message.eventType };
    },
    safeContext: ({ request_id }) => ({ request_id }),
    spool,
    log,
    ...over,
  });
  return { teller, sent, prepared, log };
}

test('an event becomes a notification of each format, in a lane of its own', async () => {
  const { teller, sent, prepared } = tellerOf();
  teller.tell(EVENTS['create.error']);
  await expect.poll(() => sent).toHaveLength(2);
  expect(sent.map(({ lane, body }) => [lane, body])).toEqual([
    ['notifications', 'compute.instance.create.error'],
    ['versioned notifications', 'instance.create.error'],
  ]);
  expect(prepared.map(({ publisherId, priority }) => [publisherId, priority])).toEqual([
    ['compute.cmp1', 'error'],
    ['nova-compute:cmp1', 'error'],
  ]);
});

test('an intent is kept without secrets until its event is told', () => {
  const { teller } = tellerOf();
  const context = { requestId: 'req-1', attributes: { auth_token: 'secret', request_id: 'req-1' } };
  teller.intend({ ...EVENTS['delete.end'], context });
  expect(teller.of('delete.end', UUID)).toEqual({
    ...EVENTS['delete.end'],
    context: { requestId: 'req-1', attributes: { request_id: 'req-1' } },
  });
  expect(teller.of('create.end', UUID)).toBeUndefined();
  expect(teller.all()).toHaveLength(1);
  teller.tell(EVENTS['delete.start']);
  expect(teller.all()).toHaveLength(1);
  teller.tell(EVENTS['delete.end']);
  expect(teller.all()).toEqual([]);
  teller.intend(EVENTS['create.end']);
  teller.drop('create.end', UUID);
  expect(teller.all()).toEqual([]);
});

test('an event that cannot be written is lost alone, and said', async () => {
  const { teller, sent, log } = tellerOf({
    prepare: ({ format }) => {
      if (format === 'versioned') throw new Error('not encodable');
      return { exchange: 'nova', queue: 'q', body: 'b' };
    },
  });
  teller.tell(EVENTS['create.start']);
  await expect.poll(() => sent).toHaveLength(1);
  expect(log.lines).toEqual([['error', 'a notification is lost: it cannot be written']]);
});

test('an audit is told with the note of how far it went', () => {
  const { teller } = tellerOf({ formats: [] });
  expect(teller.auditedUntil).toBeUndefined();
  teller.tellAudit([EVENTS.exists], '2026-11-01T00:00:00.000Z');
  expect(teller.auditedUntil).toBe('2026-11-01T00:00:00.000Z');
});
