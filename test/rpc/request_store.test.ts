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
  test('a request is new once, begun until its end, and then known with its outcome', async () => {
    const store = open();
    expect(await store.begin('a', 'create')).toEqual({ state: 'new' });
    expect(await store.begin('a', 'create')).toEqual({ state: 'begun' });
    await store.end('a', '{"result":{"uuid":"u"}}');
    expect(await store.begin('a', 'create')).toEqual({ state: 'ended', outcome: { result: { uuid: 'u' } } });
    expect(await store.begin('b', 'create')).toEqual({ state: 'new' });
    store.close();
  });

  test('beyond the limit the oldest that have ended go, and those at work never', async () => {
    const store = open(3);
    await store.begin('slow', 'm');
    for (let nth = 0; nth < 600; nth += 1) {
      await store.begin(`r${nth}`, 'm');
      await store.end(`r${nth}`, '{"result":null}');
    }
    expect(await store.begin('slow', 'm')).toEqual({ state: 'begun' });
    expect(await store.begin('r0', 'm')).toEqual({ state: 'new' });
    expect(await store.begin('r599', 'm')).toMatchObject({ state: 'ended' });
    store.close();
  });
});

describe('on disk', () => {
  test('what a process knew, the next one knows', async () => {
    const first = onDisk();
    await first.begin('ended', 'm');
    await first.end('ended', '{"failure":{"className":"Refused"}}');
    await first.begin('cut off', 'm');
    first.close();
    const second = onDisk();
    expect(await second.begin('ended', 'm')).toMatchObject({
      state: 'ended',
      outcome: { failure: { className: 'Refused' } },
    });
    expect(await second.begin('cut off', 'm')).toEqual({ state: 'begun' });
    second.close();
  });

  test('a request that was accepted is there, byte for byte, until it has ended', async () => {
    const first = onDisk();
    const body = Buffer.from([0, 1, 255, 34]);
    await first.begin('long', 'm');
    expect(await first.accept({ uniqueId: 'long', body, properties: { contentType: 'application/json' } })).toBe(true);
    first.close();
    const second = onDisk();
    const [request, ...others] = second.accepted();
    expect(others).toEqual([]);
    expect(request).toMatchObject({ uniqueId: 'long', properties: { contentType: 'application/json' } });
    expect(Buffer.from(request?.body ?? [])).toEqual(body);
    await second.end('long', '{"result":1}');
    expect(second.accepted()).toEqual([]);
    second.close();
  });

  test('after its time a request is forgotten', async () => {
    const first = onDisk();
    await first.begin('old', 'm');
    await first.end('old', '{"result":1}');
    first.close();
    const second = onDisk({ keepMs: -1000 });
    await second.begin('new', 'm');
    expect(await second.begin('old', 'm')).toEqual({ state: 'new' });
    second.close();
  });

  test('a file that is no database is moved aside, and said so', async () => {
    writeFileSync(path, 'this is no database, whatever its name is'.repeat(100));
    const logger = quietLog();
    const store = SqliteRequestStore.open({ path, keepMs: DAY_MS, limit: 10, logger });
    expect(await store.begin('a', 'm')).toEqual({ state: 'new' });
    store.close();
    expect(logger.lines).toContainEqual(['error', 'the file of requests is no database; starting with a new one']);
    expect(readdirSync(folder).some((name) => name.startsWith('requests.sqlite.broken-'))).toBe(true);
  });

  test('its folder is made, and the file for this user alone; what is no folder is told', async () => {
    const options = { keepMs: 1, limit: 1, logger: quietLog() };
    const made = join(folder, 'made', 'x');
    SqliteRequestStore.open({ ...options, path: made }).close();
    expect(statSync(made).mode & 0o777).toBe(0o600);
    // QEMU has to get through to what else is below it.
    expect(statSync(dirname(made)).mode & 0o005).toBe(0o005);
    expect(() => SqliteRequestStore.open({ ...options, path: join(made, 'x') })).toThrow(/EEXIST/);
  });
});
