import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { Spool, type SpoolOptions } from '../../src/spool/spool.ts';
import { IN_MEMORY, SpoolFile, type SpoolMessage } from '../../src/spool/spool_file.ts';
import { quietLog } from '../quiet_log.ts';

class BrokerAway extends Error {}

const message = (body: number | string, lane = 'samples'): SpoolMessage => ({
  lane,
  exchange: 'e',
  queue: 'q',
  body: String(body),
  about: { body },
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'hugenode-spool-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

type Broker = { away: boolean; readonly taken: string[] };

function spoolOf(over: Partial<SpoolOptions> = {}, path = IN_MEMORY) {
  const log = quietLog();
  const broker: Broker = { away: false, taken: [] };
  const spool = new Spool({
    openFile: () => SpoolFile.open(path, log),
    deliver: async ({ body }) => {
      await nextTurn();
      if (broker.away) throw new BrokerAway();
      broker.taken.push(body);
    },
    isAbsence: (error) => error instanceof BrokerAway,
    bound: { messages: 100, bytes: 10_000 },
    memoryBound: { messages: 5, bytes: 10_000 },
    retryDelayMs: 2,
    isDurable: path !== IN_MEMORY,
    log,
    ...over,
  });
  spool.start();
  return { spool, broker, log };
}

async function stop(spool: Spool, drainMs: number): Promise<void> {
  await spool.drain(drainMs);
  spool.close();
}

const waiting = (spool: Spool, lane = 'samples') => spool.figures[lane]?.waiting;

test('sends in order and keeps nothing that the broker has', async () => {
  const { spool, broker } = spoolOf();
  spool.post([message(1), message(2)]);
  spool.post([message(3)]);
  await expect.poll(() => broker.taken).toEqual(['1', '2', '3']);
  await expect.poll(() => waiting(spool)).toBe(0);
  expect(spool.figures['samples']).toEqual({ waiting: 0, bytes: 0, sent: 3, lost: 0 });
  await stop(spool, 100);
});

test('what waits when the process ends is sent by the next one, in order, with what that one is told', async () => {
  const path = join(folder(), 'deep', 'spool.sqlite');
  const first = spoolOf({}, path);
  first.broker.away = true;
  first.spool.post([message(1), message(2)], { 'intent:a': 'x', gone: 'y' });
  first.spool.post([message(9, 'other')], { gone: undefined });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  // As kill -9 leaves it: nothing is closed.
  const second = spoolOf({}, path);
  expect(second.spool.note('intent:a')).toBe('x');
  expect(second.spool.notesUnder('')).toEqual([['intent:a', 'x']]);
  second.spool.post([message(3)]);
  await expect.poll(() => second.broker.taken.toSorted()).toEqual(['1', '2', '3', '9']);
  expect(second.broker.taken.filter((body) => body !== '9')).toEqual(['1', '2', '3']);
  await stop(second.spool, 100);
  await stop(first.spool, 0);
});

test('an orderly end waits a little, says what is kept, and what is not', async () => {
  const path = join(folder(), 'spool.sqlite');
  const { spool, broker, log } = spoolOf({}, path);
  broker.away = true;
  spool.post([message(1)]);
  await stop(spool, 20);
  expect(log.lines).toEqual([['info', 'messages wait for the next start']]);
  const inMemory = spoolOf();
  inMemory.broker.away = true;
  inMemory.spool.post([message(1)]);
  await stop(inMemory.spool, 20);
  expect(inMemory.log.lines).toEqual([['error', 'messages are lost: the agent ends']]);
});

test('the bound in messages drops the oldest of that lane, counted and logged', async () => {
  const { spool, broker, log } = spoolOf({ bound: { messages: 3, bytes: 10_000 } });
  broker.away = true;
  spool.post([message('n', 'notifications')]);
  for (const body of [1, 2, 3, 4, 5, 6]) spool.post([message(body)]);
  await sleep(10);
  broker.away = false;
  await expect.poll(() => waiting(spool)).toBe(0);
  const taken = broker.taken.filter((body) => body !== 'n');
  expect(taken.slice(-2)).toEqual(['5', '6']);
  expect(taken).toHaveLength(3);
  expect(spool.figures['samples']?.lost).toBe(3);
  expect(broker.taken).toContain('n');
  expect(log.lines).toContainEqual(['error', 'messages are lost: too many wait for the broker']);
  await stop(spool, 100);
});

test('the bound in bytes holds too', async () => {
  const { spool, broker } = spoolOf({ bound: { messages: 100, bytes: 25 } });
  broker.away = true;
  for (const body of ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc', 'dddddddddd']) spool.post([message(body)]);
  expect(spool.figures['samples']).toMatchObject({ waiting: 2, bytes: 20, lost: 2 });
  await stop(spool, 0);
});

test('nothing is sent before the start, and what is posted after the end of sending is kept', async () => {
  const path = join(folder(), 'spool.sqlite');
  const taken: string[] = [];
  const log = quietLog();
  const spoolAt = () =>
    new Spool({
      openFile: () => SpoolFile.open(path, log),
      deliver: async ({ body }) => void taken.push(body),
      isAbsence: () => false,
      bound: { messages: 100, bytes: 10_000 },
      memoryBound: { messages: 5, bytes: 10_000 },
      retryDelayMs: 2,
      isDurable: true,
      log,
    });
  const first = spoolAt();
  first.post([message(1)]);
  await sleep(10);
  expect(taken).toEqual([]);
  first.start();
  await first.drain(1000);
  first.post([message(2)]);
  await sleep(10);
  expect(taken).toEqual(['1']);
  first.close();
  const second = spoolAt();
  second.start();
  await second.drain(1000);
  second.close();
  expect(taken).toEqual(['1', '2']);
});

test('a broker that refuses is told of once, and as a problem until it takes', async () => {
  let refuses = true;
  const { spool, log } = spoolOf({
    deliver: async () => {
      if (refuses) throw new Error('406');
    },
  });
  spool.post([message(1)]);
  await expect.poll(() => spool.problems).toEqual(['samples are not taken: Error: 406']);
  await sleep(20);
  refuses = false;
  await expect.poll(() => waiting(spool)).toBe(0);
  expect(spool.problems).toEqual([]);
  expect(log.lines).toEqual([['error', 'messages are not taken by the broker, trying again']]);
  await stop(spool, 100);
});

test('a message posted in any turn around the end of the one before is sent', async () => {
  for (let turns = 0; turns < 8; turns += 1) {
    const { spool, broker } = spoolOf({ deliver: async ({ body }) => void broker.taken.push(body) });
    spool.post([message(1)]);
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    spool.post([message(2)]);
    await expect.poll(() => broker.taken).toEqual(['1', '2']);
    await stop(spool, 100);
  }
});

test('a file that is no database is moved aside', async () => {
  const path = join(folder(), 'spool.sqlite');
  writeFileSync(path, 'this is no database, and long enough to be looked at as one'.repeat(40));
  const { spool, log } = spoolOf({}, path);
  expect(log.lines).toEqual([['error', 'the spool is no database; starting with a new one']]);
  await stop(spool, 0);
});

const full = () => Object.assign(new Error('database or disk is full'), { errcode: 13 });

/** A disk that takes nothing while it is full. */
function fullDisk(path: string) {
  const disk = { isFull: false, opens: 0 };
  const openFile = () => {
    disk.opens += 1;
    if (disk.isFull) throw full();
    const file = SpoolFile.open(path, quietLog());
    const transact = file.transact.bind(file);
    file.transact = (work) => {
      if (disk.isFull) throw full();
      transact(work);
    };
    return file;
  };
  return { disk, openFile };
}

test('disk full: on in memory, said, and back on disk in order', async () => {
  const { disk, openFile } = fullDisk(join(folder(), 'spool.sqlite'));
  const { spool, broker, log } = spoolOf({ openFile, isDurable: true });
  broker.away = true;
  spool.post([message(1), message(2)]);
  disk.isFull = true;
  spool.post([message(3)], { kept: 'yes' });
  expect(spool.problems).toEqual(['the spool cannot be written: database or disk is full']);
  expect(spool.note('kept')).toBe('yes');
  broker.away = false;
  await expect.poll(() => broker.taken).toEqual(['1', '2', '3']);
  await sleep(20);
  // Not sent again, although the disk still has them.
  expect(broker.taken).toHaveLength(3);
  disk.isFull = false;
  spool.post([message(4)]);
  await expect.poll(() => broker.taken).toEqual(['1', '2', '3', '4']);
  expect(spool.problems).toEqual([]);
  expect(log.lines.map(([, line]) => line)).toEqual([
    'the spool cannot be written, messages wait in memory',
    'the spool can be written again',
  ]);
  await expect.poll(() => waiting(spool)).toBe(0);
  await stop(spool, 100);
});

test('disk full from the start, and for longer than memory holds: the oldest go', async () => {
  const { disk, openFile } = fullDisk(join(folder(), 'spool.sqlite'));
  disk.isFull = true;
  const { spool, broker } = spoolOf({ openFile, isDurable: true });
  broker.away = true;
  for (const body of [1, 2, 3, 4, 5, 6, 7]) spool.post([message(body)]);
  expect(spool.figures['samples']).toMatchObject({ waiting: 5, lost: 2 });
  disk.isFull = false;
  // The retry writes what it could not write before, without a new message.
  await expect.poll(() => spool.problems).toEqual([]);
  broker.away = false;
  await expect.poll(() => broker.taken).toEqual(['3', '4', '5', '6', '7']);
  await stop(spool, 100);
});

test('another trouble than a full disk keeps the agent from starting', () => {
  expect(() =>
    spoolOf({
      openFile: () => {
        throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
      },
    }),
  ).toThrow('EACCES');
});

test('whatever fails and whenever the process dies, each message comes, in order', async () => {
  const step = fc.constantFrom('post', 'post', 'away', 'back', 'full', 'room', 'kill', 'wait');
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const path = join(mkdtempSync(join(tmpdir(), 'hugenode-spool-')), 'spool.sqlite');
      const { disk, openFile } = fullDisk(path);
      const taken: string[] = [];
      const broker = { away: false };
      /** Told while the disk was full: lost with the process. */
      let unwritten: string[] = [];
      const excused = new Set<string>();
      let posted = 0;
      const start = () => {
        const own = { isDead: false };
        const { spool } = spoolOf({
          openFile,
          isDurable: true,
          memoryBound: { messages: 100, bytes: 10_000 },
          deliver: async ({ body }) => {
            await nextTurn();
            // A dead process sends nothing, and hears no confirmation.
            if (own.isDead) await new Promise(() => {});
            if (broker.away) throw new BrokerAway();
            taken.push(body);
            await nextTurn();
            if (own.isDead) await new Promise(() => {});
          },
        });
        return { spool, own };
      };
      let running = start();
      for (const one of steps) {
        if (one === 'post') {
          posted += 1;
          running.spool.post([message(posted)]);
          if (disk.isFull) unwritten.push(String(posted));
          else unwritten = [];
        } else if (one === 'away') broker.away = true;
        else if (one === 'back') broker.away = false;
        else if (one === 'full') disk.isFull = true;
        else if (one === 'room') disk.isFull = false;
        else if (one === 'wait') await sleep(3);
        else {
          running.own.isDead = true;
          for (const body of unwritten) excused.add(body);
          unwritten = [];
          const isFull = disk.isFull;
          disk.isFull = false;
          running = start();
          disk.isFull = isFull;
        }
      }
      broker.away = false;
      disk.isFull = false;
      running.spool.post([message('end')]);
      await expect.poll(() => taken.at(-1), { timeout: 5000, interval: 1 }).toBe('end');
      const wanted = Array.from({ length: posted }, (_, nth) => String(nth + 1));
      const first = taken.filter((body, at) => taken.indexOf(body) === at && body !== 'end');
      expect(first).toEqual(first.toSorted((a, b) => Number(a) - Number(b)));
      expect(wanted.filter((body) => !excused.has(body) && !first.includes(body))).toEqual([]);
      await stop(running.spool, 0);
    }),
    { numRuns: 60 },
  );
});
