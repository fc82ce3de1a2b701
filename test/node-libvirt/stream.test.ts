/** Streams against a fake daemon: data and its end in both directions, back-pressure, refusal, abort, loss. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/node-libvirt/connection/connect.ts';
import type { Connection } from '../../src/node-libvirt/connection/connection.ts';
import { ErrorCode } from '../../src/node-libvirt/error_codes.ts';
import { ConnectionClosedError, LibvirtError } from '../../src/node-libvirt/errors.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import { FakeLibvirtd, type FakeStream } from '../../src/node-libvirt/testing/index.ts';
import { errorOf } from './errors_of.ts';

const {
  STORAGE_VOL_DOWNLOAD: DOWNLOAD,
  STORAGE_VOL_UPLOAD: UPLOAD,
  DOMAIN_OPEN_CONSOLE: CONSOLE,
  DOMAIN_SCREENSHOT: SCREENSHOT,
  CONNECT_GET_HOSTNAME: HOSTNAME,
} = Procedures;

const MIB = 1024 * 1024;
const vol = { pool: 'default', name: 'disk', key: '/disk' };
const part = { vol, offsetBytes: 0, lengthBytes: 0, flags: 0 };
const guest = { name: 'guest', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 3 };
const console = { domain: guest, device: null, flags: 0 };

let daemon: FakeLibvirtd;
let connection: Connection;

beforeEach(async () => {
  daemon = await FakeLibvirtd.open();
  daemon.answer(HOSTNAME, () => ({ hostname: 'h' }));
  connection = await connect({ socketPath: daemon.socketPath });
});

afterEach(async () => {
  await connection.close();
  await daemon[Symbol.asyncDispose]();
});

async function opened(what: Promise<{ readonly stream: Duplex }>): Promise<[Duplex, FakeStream]> {
  const call = await daemon.next();
  const procedure = [DOWNLOAD, UPLOAD, CONSOLE].find(({ name }) => name === call.name);
  if (procedure === undefined) throw new Error(`${call.name} is not for this`);
  const theirs = call.replyWithStream(procedure, {});
  return [(await what).stream, theirs];
}

/** Bytes that differ, so that a piece in the wrong place shows. */
function data(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32BE(at, at);
  return bytes;
}

function* endless(): Generator<Buffer> {
  for (;;) yield data(100_000);
}

/** What a counter stands at once it has stopped. */
async function stalled(count: () => number): Promise<number> {
  for (let before = -1; before !== count(); await sleep(50)) before = count();
  return count();
}

/** The stream's connection is given back. */
async function alone(): Promise<void> {
  await daemon.until(() => daemon.clients.length === 1);
}

describe('download', () => {
  test('brings all data, and ends as libvirt wants it', async () => {
    const [ours, theirs] = await opened(connection.openStream(DOWNLOAD, part));
    const sent = data(3 * MIB + 1);
    const sending = theirs.download([sent]);
    expect(sent.equals(await buffer(ours))).toBe(true);
    await sending;
    expect(await theirs.ended).toBe('finish');
    await alone();
  });

  test('data in one chunk with the reply is not lost', async () => {
    daemon.script(
      SCREENSHOT,
      (call) => void call.replyWithStream(SCREENSHOT, { mime: 'image/png' }).download([data(10)]),
    );
    const { result, stream } = await connection.openStream(SCREENSHOT, { domain: guest, screen: 0, flags: 0 });
    expect(result).toEqual({ mime: 'image/png' });
    await sleep(5);
    expect(await buffer(stream)).toEqual(data(10));
  });

  test('closing the connection ahead of the confirmation is not taken for it', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    let isFinished = false;
    ours.once('finish', () => (isFinished = true));
    const error = errorOf(finished(ours));
    ours.end(data(100));
    for await (const chunk of theirs) expect(chunk).toHaveLength(100);
    await connection.close();
    expect(await error).toMatchObject({ name: 'ConnectionClosedError', requestSent: true });
    expect(isFinished).toBe(false);
  });

  test('of nothing', async () => {
    const [ours, theirs] = await opened(connection.openStream(DOWNLOAD, part));
    void theirs.download([]);
    expect(await buffer(ours)).toEqual(Buffer.alloc(0));
    await alone();
  });

  test('while nobody reads nothing more comes, and everything else goes on', async () => {
    const [ours, theirs] = await opened(connection.openStream(DOWNLOAD, part));
    const piece = data(262_120);
    let sent = 0;
    const source = function* () {
      for (; sent < 200; sent += 1) yield piece;
    };
    const sending = theirs.download(source());
    // 50 MiB are there to be had; the sockets' buffers and one packet or two are what may be under way.
    expect((await stalled(() => sent)) * piece.length).toBeLessThan(4 * MIB);
    expect(ours.readableLength).toBeLessThan(2 * MIB);
    expect(await connection.getHostname()).toBe('h');
    expect((await buffer(ours)).length).toBe(200 * piece.length);
    await sending;
    expect(sent).toBe(200);
  });

  test('an error on the way is the stream’s', async () => {
    const [ours, theirs] = await opened(connection.openStream(DOWNLOAD, part));
    await theirs.send(data(1000));
    theirs.fail({ code: ErrorCode.SYSTEM_ERROR, message: 'disk gone', int1: 5 });
    const error = await errorOf(buffer(ours));
    expect(error).toBeInstanceOf(LibvirtError);
    expect(error).toMatchObject({ code: ErrorCode.SYSTEM_ERROR, int1: 5, procedure: 'STORAGE_VOL_DOWNLOAD' });
    await alone();
  });

  test.each([
    ['an error', (theirs: FakeStream) => theirs.fail({ code: ErrorCode.NO_STORAGE_VOL })],
    ['the end of the connection', () => daemon.end()],
    ['garbage', () => daemon.clients[1]?.raw(Buffer.from('HTTP/1.1 400 Bad Request'))],
  ])('%s in one chunk with the reply waits until somebody can listen', async (_, fail) => {
    daemon.script(DOWNLOAD, (call) => fail(call.replyWithStream(DOWNLOAD, {})));
    const { stream } = await connection.openStream(DOWNLOAD, part);
    expect(await errorOf(buffer(stream))).toBeInstanceOf(Error);
  });

  test('an error that nobody reads does not disturb the process, and is there when somebody looks', async () => {
    const [ours, theirs] = await opened(connection.openStream(DOWNLOAD, part));
    const failed = once(ours, 'error');
    theirs.fail({ code: ErrorCode.SYSTEM_ERROR });
    expect((await failed)[0]).toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
    expect(ours.errored).toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
  });

  test('leaving a loop early aborts', async () => {
    const [ours, theirs] = await opened(connection.openStream(DOWNLOAD, part));
    const sending = theirs.download(endless());
    for await (const chunk of ours) {
      expect(Buffer.isBuffer(chunk)).toBe(true);
      break;
    }
    expect(await theirs.ended).toBe('abort');
    await sending;
    await alone();
  });

  test('destroy() while paused in the middle of much data: the confirmation behind it is found', async () => {
    const [ours, theirs] = await opened(connection.openStream(DOWNLOAD, part));
    let sent = 0;
    const source = function* () {
      for (; sent < 200; sent += 1) yield data(262_120);
    };
    const sending = theirs.download(source());
    await stalled(() => sent);
    const start = performance.now();
    ours.destroy();
    await once(ours, 'close');
    expect(performance.now() - start).toBeLessThan(900);
    expect(await theirs.ended).toBe('abort');
    await sending;
    expect(sent).toBeLessThan(200);
    await alone();
  });

  test('a daemon killed in the middle', async () => {
    const [ours, theirs] = await opened(connection.openStream(DOWNLOAD, part));
    await theirs.send(data(100));
    daemon.drop();
    expect(await errorOf(buffer(ours))).toMatchObject({ name: 'ConnectionClosedError', requestSent: true });
    expect(await theirs.ended).toBe('gone');
  });

  test('the data is whole with its end, whether or not the daemon confirms ours', async () => {
    const [ours, theirs] = await opened(connection.openStream(DOWNLOAD, part));
    await theirs.send(data(100));
    await theirs.sendEnd();
    expect(await buffer(ours)).toEqual(data(100));
    expect(await theirs.ended).toBe('finish');
  });

  test('closing the connection breaks it off: not an error by itself, but no end of the data either', async () => {
    const [ours] = await opened(connection.openStream(DOWNLOAD, part));
    const error = errorOf(buffer(ours));
    await connection.close();
    expect(await error).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    await daemon.until(() => daemon.clients.length === 0);
  });
});

describe('upload', () => {
  test('brings all data; it is finished when the daemon confirms, not before', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    const sent = data(3 * MIB + 1);
    let isFinished = false;
    ours.once('finish', () => (isFinished = true));
    ours.end(sent);
    const chunks: Buffer[] = [];
    for await (const chunk of theirs) chunks.push(chunk);
    expect(Math.max(...chunks.map(({ length }) => length))).toBe(262_120);
    expect(sent.equals(Buffer.concat(chunks))).toBe(true);
    // A round trip on the other connection: what was to come has come.
    await connection.getHostname();
    expect(isFinished).toBe(false);
    theirs.confirm();
    await finished(ours);
    expect(isFinished).toBe(true);
    await alone();
  });

  test('of nothing', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    ours.end();
    expect(await theirs.upload()).toEqual(Buffer.alloc(0));
    await finished(ours);
  });

  test('a daemon that takes nothing makes the writer wait', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    const piece = data(262_120);
    let written = 0;
    const writing = (async () => {
      for (; written < 200; written += 1) if (!ours.write(piece)) await once(ours, 'drain');
      ours.end();
    })();
    // Five packets that nobody takes, and the daemon does not read on.
    expect((await stalled(() => written)) * piece.length).toBeLessThan(6 * MIB);
    expect(daemon.clients.some((client) => client.isDeaf)).toBe(true);
    expect(await connection.getHostname()).toBe('h');
    expect((await theirs.upload())?.length).toBe(200 * piece.length);
    await writing;
    await finished(ours);
  });

  test('an error on the way is the stream’s', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    const error = errorOf(finished(ours));
    ours.write(data(1000));
    await theirs.read();
    theirs.fail({ code: ErrorCode.SYSTEM_ERROR, message: 'disk full', int1: 28 });
    expect(await error).toMatchObject({ code: ErrorCode.SYSTEM_ERROR, int1: 28 });
    await alone();
  });

  test('an error while the writer waits for room is told as it is', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    const error = errorOf(finished(ours));
    let written = 0;
    const writing = setInterval(() => {
      written += 1;
      if (!ours.writableNeedDrain) ours.write(data(262_120));
    }, 1);
    await daemon.until(() => daemon.clients.some((client) => client.isDeaf));
    await stalled(() => (ours.writableNeedDrain ? 0 : written));
    clearInterval(writing);
    theirs.fail({ code: ErrorCode.SYSTEM_ERROR, message: 'disk full', int1: 28 });
    expect(await error).toMatchObject({ code: ErrorCode.SYSTEM_ERROR, int1: 28 });
  });

  test('an error instead of the confirmation', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    const error = errorOf(finished(ours));
    ours.end(data(1000));
    expect(await theirs.read()).toHaveLength(1000);
    expect(await theirs.read()).toBeUndefined();
    theirs.fail({ code: ErrorCode.SYSTEM_ERROR, message: 'flush failed' });
    expect(await error).toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
  });

  test('a daemon killed before it confirms', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    const error = errorOf(finished(ours));
    ours.end(data(1000));
    await theirs.ended;
    daemon.drop();
    expect(await error).toMatchObject({ name: 'ConnectionClosedError', requestSent: true });
  });

  test('a daemon that ends it by itself while there is data left is an error', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    const error = errorOf(finished(ours));
    ours.write(data(10));
    await theirs.read();
    theirs.confirm();
    const writing = setInterval(() => ours.write(data(10)), 1);
    expect(String(await error)).toContain('the daemon has ended the stream before all data was written');
    clearInterval(writing);
  });

  test('destroy() aborts, and close comes with the confirmation', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    theirs.confirmsAborts = false;
    ours.write(data(10));
    ours.destroy();
    expect(await theirs.ended).toBe('abort');
    await connection.getHostname();
    expect(ours.closed).toBe(false);
    theirs.confirm();
    await once(ours, 'close');
    await alone();
  });

  test('destroy(error) keeps its error', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    const error = errorOf(finished(ours));
    ours.destroy(new Error('source failed'));
    expect(await error).toEqual(new Error('source failed'));
    expect(await theirs.ended).toBe('abort');
  });

  test('an abort that is never confirmed is given up', async () => {
    const [ours, theirs] = await opened(connection.openStream(UPLOAD, part));
    theirs.confirmsAborts = false;
    const start = performance.now();
    ours.destroy();
    await once(ours, 'close');
    expect(performance.now() - start).toBeGreaterThan(900);
    expect(performance.now() - start).toBeLessThan(3000);
    await alone();
  });
});

describe('console', () => {
  test('goes both ways, until we end it', async () => {
    const [ours, theirs] = await opened(connection.openStream(CONSOLE, console));
    const echoing = theirs.echo();
    ours.write('login: ');
    expect(String((await once(ours, 'data'))[0])).toBe('login: ');
    ours.end('root\n');
    expect((await buffer(ours)).toString()).toBe('root\n');
    await echoing;
    await finished(ours);
    await alone();
  });

  test('a guest that goes ends it; what is typed then is lost and no error', async () => {
    const [ours, theirs] = await opened(connection.openStream(CONSOLE, console));
    await theirs.send(Buffer.from('bye'));
    await theirs.sendEnd();
    expect((await buffer(ours)).toString()).toBe('bye');
    expect(await theirs.ended).toBe('finish');
    theirs.confirm();
    await finished(ours);
    await alone();
  });

  test('waiting for a guest that says nothing is no silence to worry about', async () => {
    await connection.close();
    connection = await connect({ socketPath: daemon.socketPath, keepaliveIntervalMs: 20, keepaliveCount: 2 });
    const [ours, theirs] = await opened(connection.openStream(CONSOLE, console));
    await sleep(150);
    expect(connection.isClosed).toBe(false);
    await theirs.send(Buffer.from('still here'));
    expect(String((await once(ours, 'data'))[0])).toBe('still here');
    ours.destroy();
    await alone();
  });
});

describe('opening', () => {
  test('a refusal is the call’s, and its connection is given back', async () => {
    const error = errorOf(connection.openStream(CONSOLE, console));
    (await daemon.next()).fail({ code: ErrorCode.OPERATION_INVALID });
    expect(await error).toMatchObject({ code: ErrorCode.OPERATION_INVALID, procedure: 'DOMAIN_OPEN_CONSOLE' });
    await alone();
  });

  test('an abort while it opens', async () => {
    const controller = new AbortController();
    const error = errorOf(connection.openStream(CONSOLE, console, { signal: controller.signal }));
    await daemon.next();
    controller.abort(new Error('enough'));
    expect(await error).toEqual(new Error('enough'));
    await alone();
  });

  test('a daemon that is gone', async () => {
    await daemon[Symbol.asyncDispose]();
    const error = await errorOf(connection.openStream(CONSOLE, console));
    expect(error).toBeInstanceOf(ConnectionClosedError);
    expect(error).toMatchObject({ requestSent: false });
  });

  test('a connection that is closed opens no stream, nor does one that is closed meanwhile', async () => {
    daemon.script(CONSOLE, () => expect.fail('it was asked for'));
    const opening = errorOf(connection.openStream(CONSOLE, console));
    await connection.close();
    expect(await opening).toMatchObject({ name: 'ConnectionClosedError', requestSent: false });
    const { accepted } = daemon;
    expect(await errorOf(connection.openStream(CONSOLE, console))).toMatchObject({ requestSent: false });
    expect(daemon.accepted).toBe(accepted);
    await daemon.until(() => daemon.clients.length === 0);
  });

  test('many at once, each with its own data', async () => {
    daemon.answer(DOWNLOAD, () => ({}));
    daemon.script(DOWNLOAD, (call) => {
      const { offsetBytes } = call.args(DOWNLOAD);
      void call.replyWithStream(DOWNLOAD, {}).download([Buffer.alloc(100_000, offsetBytes)]);
    });
    const downloads = Array.from({ length: 8 }, async (_, nth) => {
      const { stream } = await connection.openStream(DOWNLOAD, { ...part, offsetBytes: nth });
      return (await buffer(stream)).equals(Buffer.alloc(100_000, nth));
    });
    expect(await Promise.all(downloads)).toEqual(Array.from({ length: 8 }, () => true));
    await alone();
  });
});
