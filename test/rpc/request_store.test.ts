/** What is remembered of requests, in memory and on disk. */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MemoryRequestStore, type RequestStore } from '../../src/rpc/request_store.ts';
import { SqliteRequestStore } from '../../src/rpc/sqlite_request_store.ts';
import { quietLog } from '../quiet_log.ts';

const DAY_MS = 86_400_000;

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'requests-'));
  path = join(folder, 'requests.sqlite');
});

afterEach(() => rmSync(folder, { recursive: true }));

const onDisk = (over: { keepMs?: number; limit?: number } = {}) =>
  SqliteRequestStore.open({ path, keepMs: DAY_MS, limit: 1000, logger: quietLog(), ...over });

describe.each<[string, (limit?: number) => RequestStore]>([
  ['in memory', (limit = 1000) => new MemoryRequestStore(limit)],
  ['on disk', (limit = 1000) => onDisk({ limit })],
])('%s', (_, open) => {
  test('a request is new once, begun until its end, and then known with its outcome', () => {
    const store = open();
    expect(store.begin('a', 'create')).toEqual({ state: 'new' });
    expect(store.begin('a', 'create')).toEqual({ state: 'begun' });
    store.end('a', '{"result":{"uuid":"u"}}');
    expect(store.begin('a', 'create')).toEqual({ state: 'ended', outcome: { result: { uuid: 'u' } } });
    expect(store.begin('b', 'create')).toEqual({ state: 'new' });
    store.close();
  });

  test('beyond the limit the oldest that have ended go, and those at work never', () => {
    const store = open(3);
    store.begin('slow', 'm');
    for (let nth = 0; nth < 600; nth += 1) {
      store.begin(`r${nth}`, 'm');
      store.end(`r${nth}`, '{"result":null}');
    }
    expect(store.begin('slow', 'm')).toEqual({ state: 'begun' });
    expect(store.begin('r0', 'm')).toEqual({ state: 'new' });
    expect(store.begin('r599', 'm')).toMatchObject({ state: 'ended' });
    store.close();
  });
});

describe('on disk', () => {
  test('what a process knew, the next one knows', () => {
    const first = onDisk();
    first.begin('ended', 'm');
    first.end('ended', '{"failure":{"className":"Refused"}}');
    first.begin('cut off', 'm');
    first.close();
    const second = onDisk();
    expect(second.begin('ended', 'm')).toMatchObject({
      state: 'ended',
      outcome: { failure: { className: 'Refused' } },
    });
    expect(second.begin('cut off', 'm')).toEqual({ state: 'begun' });
    second.close();
  });

  test('a request that was accepted is there, byte for byte, until it has ended', () => {
    const first = onDisk();
    const body = Buffer.from([0, 1, 255, 34]);
    first.begin('long', 'm');
    expect(first.accept({ uniqueId: 'long', body, properties: { contentType: 'application/json' } })).toBe(true);
    first.close();
    const second = onDisk();
    const [request, ...others] = second.accepted();
    expect(others).toEqual([]);
    expect(request).toMatchObject({ uniqueId: 'long', properties: { contentType: 'application/json' } });
    expect(Buffer.from(request?.body ?? [])).toEqual(body);
    second.end('long', '{"result":1}');
    expect(second.accepted()).toEqual([]);
    second.close();
  });

  test('after its time a request is forgotten', () => {
    const first = onDisk();
    first.begin('old', 'm');
    first.end('old', '{"result":1}');
    first.close();
    const second = onDisk({ keepMs: -1000 });
    second.begin('new', 'm');
    expect(second.begin('old', 'm')).toEqual({ state: 'new' });
    second.close();
  });

  test('a file that is no database is moved aside, and said so', () => {
    writeFileSync(path, 'this is no database, whatever its name is'.repeat(100));
    const logger = quietLog();
    const store = SqliteRequestStore.open({ path, keepMs: DAY_MS, limit: 10, logger });
    expect(store.begin('a', 'm')).toEqual({ state: 'new' });
    store.close();
    expect(logger.lines).toContainEqual(['error', 'the file of requests is no database; starting with a new one']);
    expect(readdirSync(folder).some((name) => name.startsWith('requests.sqlite.broken-'))).toBe(true);
  });

  test('its folder is made, for this user alone; what is no folder is told', () => {
    const options = { keepMs: 1, limit: 1, logger: quietLog() };
    const made = join(folder, 'made', 'x');
    SqliteRequestStore.open({ ...options, path: made }).close();
    expect(statSync(made).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(made)).mode & 0o777).toBe(0o700);
    expect(() => SqliteRequestStore.open({ ...options, path: join(made, 'x') })).toThrow(/EEXIST/);
  });
});
