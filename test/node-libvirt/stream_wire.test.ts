/** Streams without a socket: their packets word by word, and when the transport is paused. */
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import type { RemoteStream } from '../../src/node-libvirt/session/remote_stream.ts';
import { Session } from '../../src/node-libvirt/session/session.ts';
import { encodePacket, PacketStatus, PacketType } from '../../src/node-libvirt/wire/packet.ts';
import { errorOf } from './errors_of.ts';
import { MemoryTransport } from './memory_transport.ts';

const { STORAGE_VOL_DOWNLOAD: DOWNLOAD, STORAGE_VOL_UPLOAD: UPLOAD } = Procedures;
const vol = { pool: 'p', name: 'v', key: 'k' };
const part = { vol, offsetBytes: 0, lengthBytes: 0, flags: 0 };

let transport: MemoryTransport;
let session: Session;

beforeEach(() => {
  transport = new MemoryTransport();
  session = new Session(transport, { maxInFlight: 4, callTimeoutMs: 1000 });
});
afterEach(() => session.destroy());

async function open(procedure: typeof DOWNLOAD | typeof UPLOAD): Promise<RemoteStream> {
  const opening = procedure === DOWNLOAD ? session.openStream(DOWNLOAD, part) : session.openStream(UPLOAD, part);
  await Promise.resolve();
  feed(procedure.number, PacketType.REPLY, PacketStatus.OK);
  const { stream } = await opening;
  // Some tests leave theirs to the end of the session, which is an error for it.
  stream.on('error', () => undefined);
  transport.writes.length = 0;
  return stream;
}

function feed(procedure: number, type: number, status: number, payload = Buffer.alloc(0)): void {
  transport.feed(encodePacket({ program: 0x20008086, version: 1, procedure, type, serial: 1, status }, payload));
}

const data = (size: number) => feed(DOWNLOAD.number, PacketType.STREAM, PacketStatus.CONTINUE, Buffer.alloc(size, 7));

/** Length, status and payload of each packet written; all of the stream's own kind. */
function written(): unknown[] {
  return transport.writes.map((packet) => {
    expect(packet.subarray(4, 24).toString('hex')).toMatch(/^2000808600000001000000(d0|d1)0000000300000001$/);
    return [packet.readInt32BE(24), packet.subarray(28).toString()];
  });
}

describe('download', () => {
  test('the transport is paused while nobody reads and resumed when somebody does', async () => {
    const stream = await open(DOWNLOAD);
    data(10_000);
    expect(transport.isPaused).toBe(false);
    data(1_000_000);
    expect(transport.isPaused).toBe(true);
    // What is in the transport's own hands comes all the same and is kept.
    data(5);
    stream.resume();
    let length = 0;
    stream.on('data', (chunk: Buffer) => (length += chunk.length));
    await vi.waitUntil(() => length === 1_010_005);
    expect(transport.isPaused).toBe(false);
  });

  test('data that overtakes the reply of its call is the stream’s, in order; other data is nobody’s', async () => {
    const opening = session.openStream(DOWNLOAD, part);
    await Promise.resolve();
    const header = { program: 0x20008086, version: 1, procedure: DOWNLOAD.number, type: PacketType.STREAM, serial: 1 };
    const early = encodePacket({ ...header, status: PacketStatus.CONTINUE }, Buffer.from('early '));
    transport.feed(early);
    early.fill(0);
    transport.feed(encodePacket({ ...header, serial: 2, status: PacketStatus.CONTINUE }, Buffer.from('whose?')));
    feed(DOWNLOAD.number, PacketType.REPLY, PacketStatus.OK);
    feed(DOWNLOAD.number, PacketType.STREAM, PacketStatus.CONTINUE, Buffer.from('late'));
    data(0);
    feed(DOWNLOAD.number, PacketType.STREAM, PacketStatus.OK);
    expect((await buffer((await opening).stream)).toString()).toBe('early late');
    expect(session.stats.droppedMessages).toBe(1);
  });

  test('data ahead of a reply that never comes is bounded', async () => {
    const error = errorOf(session.openStream(DOWNLOAD, part));
    await Promise.resolve();
    for (let count = 0; count < 20 && !session.isClosed; count += 1) data(1024 * 1024);
    expect(await error).toMatchObject({ name: 'ConnectionClosedError', cause: { name: 'ProtocolError' } });
  });

  test('data ahead of a refusal, or of a reply that nobody waits for any more, is forgotten', async () => {
    const controller = new AbortController();
    const opening = errorOf(session.openStream(DOWNLOAD, part, { signal: controller.signal }));
    await Promise.resolve();
    data(100);
    controller.abort(new Error('enough'));
    expect(await opening).toEqual(new Error('enough'));
    data(100);
    feed(DOWNLOAD.number, PacketType.REPLY, PacketStatus.OK);
    data(100);
    expect(session.stats).toEqual({ inFlight: 0, queued: 0, droppedMessages: 2 });
  });

  test('the empty packet is the end: it is answered, and then confirmed', async () => {
    const stream = await open(DOWNLOAD);
    stream.resume();
    data(3);
    data(0);
    expect(written()).toEqual([[PacketStatus.OK, '']]);
    expect(transport.writes).toEqual([Buffer.from('0000001c2000808600000001000000d1000000030000000100000000', 'hex')]);
    feed(DOWNLOAD.number, PacketType.STREAM, PacketStatus.OK);
    await once(stream, 'close');
    expect(stream.errored).toBeNull();
  });

  test('after an abort late data is dropped, and after its confirmation counted', async () => {
    const stream = await open(DOWNLOAD);
    stream.destroy();
    expect(written()).toEqual([[PacketStatus.ERROR, '']]);
    data(100);
    data(0);
    expect(stream.closed).toBe(false);
    feed(DOWNLOAD.number, PacketType.STREAM, PacketStatus.OK);
    await once(stream, 'close');
    expect(session.stats.droppedMessages).toBe(0);
    data(100);
    expect(session.stats.droppedMessages).toBe(1);
    expect(written()).toHaveLength(1);
    expect(session.isClosed).toBe(false);
  });

  test.each([
    ['another error', PacketStatus.ERROR],
    ['an end', PacketStatus.OK],
  ])('an abort is over with %s too', async (_, status) => {
    const stream = await open(DOWNLOAD);
    stream.destroy(new Error('ours'));
    feed(DOWNLOAD.number, PacketType.STREAM, status, status === PacketStatus.OK ? Buffer.alloc(0) : Buffer.alloc(3));
    await expect(once(stream, 'close')).rejects.toThrow('ours');
  });

  test('an abort that nobody confirms is given up after a second', async () => {
    const stream = await open(DOWNLOAD);
    vi.useFakeTimers();
    stream.destroy();
    await vi.advanceTimersByTimeAsync(999);
    expect(stream.closed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(stream.closed).toBe(true);
    vi.useRealTimers();
  });

  test('holes, which were not asked for, end the stream', async () => {
    const stream = await open(DOWNLOAD);
    feed(DOWNLOAD.number, PacketType.STREAM_HOLE, PacketStatus.CONTINUE, Buffer.alloc(12));
    expect(written()).toEqual([[PacketStatus.ERROR, '']]);
    feed(DOWNLOAD.number, PacketType.STREAM, PacketStatus.OK);
    await expect(once(stream, 'close')).rejects.toMatchObject({ name: 'ProtocolError' });
  });

  test('an error that cannot be decoded is one all the same', async () => {
    const stream = await open(DOWNLOAD);
    feed(DOWNLOAD.number, PacketType.STREAM, PacketStatus.ERROR, Buffer.alloc(3));
    await expect(once(stream, 'close')).rejects.toMatchObject({ name: 'ProtocolError' });
  });

  test('the bytes are the reader’s own: the transport uses its buffer again', async () => {
    const stream = await open(DOWNLOAD);
    const packet = encodePacket(
      {
        program: 0x20008086,
        version: 1,
        procedure: DOWNLOAD.number,
        type: PacketType.STREAM,
        serial: 1,
        status: PacketStatus.CONTINUE,
      },
      Buffer.from('data'),
    );
    transport.feed(packet);
    packet.fill(0);
    expect(String(stream.read())).toBe('data');
  });
});

describe('upload', () => {
  test('chunks are cut to what every daemon takes; the end is an empty packet', async () => {
    const stream = await open(UPLOAD);
    stream.end(Buffer.alloc(262_121, 'x'));
    await vi.waitUntil(() => transport.writes.length === 3);
    expect(transport.writes.map(({ length }) => length)).toEqual([262_148, 29, 28]);
    expect(transport.writes.map((packet) => packet.readInt32BE(24))).toEqual([
      PacketStatus.CONTINUE,
      PacketStatus.CONTINUE,
      PacketStatus.OK,
    ]);
    expect(stream.writableFinished).toBe(false);
    feed(UPLOAD.number, PacketType.STREAM, PacketStatus.OK);
    await once(stream, 'close');
    expect(stream.writableFinished).toBe(true);
  });

  test('a transport that is full is waited for', async () => {
    const stream = await open(UPLOAD);
    transport.needsDrain = true;
    stream.write(Buffer.alloc(3 * 262_120));
    expect(transport.writes).toHaveLength(1);
    transport.drain();
    expect(transport.writes).toHaveLength(3);
  });

  test('the written bytes are the writer’s again at once', async () => {
    const stream = await open(UPLOAD);
    const chunk = Buffer.from('data');
    stream.write(chunk);
    chunk.fill(0);
    expect(written()).toEqual([[PacketStatus.CONTINUE, 'data']]);
  });

  test('a peer that goes before it confirms leaves it unfinished', async () => {
    const stream = await open(UPLOAD);
    let isFinished = false;
    stream.on('finish', () => (isFinished = true));
    const error = errorOf(once(stream, 'close'));
    stream.end('data');
    await vi.waitUntil(() => transport.writes.length === 2);
    transport.end();
    expect(await error).toMatchObject({ name: 'ConnectionClosedError', requestSent: true });
    expect(isFinished).toBe(false);
  });
});
