/** Ends of streams that are none, or that hide behind data. */
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { connect, ErrorCode, Procedures } from '../../src/node-libvirt/index.ts';
import { FakeLibvirtd } from '../../src/node-libvirt/testing/index.ts';
import { PacketStatus, PacketType } from '../../src/node-libvirt/wire/packet.ts';
import { errorOf } from './errors_of.ts';

const VOL = { pool: 'default', name: 'disk', key: '/disk' };
const GUEST = { name: 'guest', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 3 };
const { STORAGE_VOL_DOWNLOAD: DOWNLOAD, STORAGE_VOL_UPLOAD: UPLOAD, DOMAIN_OPEN_CONSOLE: CONSOLE } = Procedures;

test('an end that comes with more data than is being read is found', async () => {
  await using daemon = await FakeLibvirtd.open();
  daemon.script(CONSOLE, (call) => {
    const packet = { type: PacketType.STREAM, status: PacketStatus.CONTINUE };
    // In one go, so that one read has them all: the data pauses the connection, and behind it is the end.
    call.reply(CONSOLE, {});
    call.replyWith(Buffer.alloc(200_000), packet);
    call.replyWith(Buffer.alloc(0), packet);
    call.replyWith(Buffer.alloc(0), { ...packet, status: PacketStatus.OK });
  });
  await using connection = await connect(daemon.uri);
  const stream = await connection.domain.openConsole(GUEST);
  expect((await buffer(stream)).length).toBe(200_000);
  await finished(stream);
});

test('a refusal behind the last data is an error: what came may be part of it', async () => {
  await using daemon = await FakeLibvirtd.open();
  await using connection = await connect(daemon.uri);
  const opening = connection.storageVol.download(VOL);
  const theirs = (await daemon.next()).replyWithStream(DOWNLOAD, {});
  const ours = await opening;
  await theirs.send(Buffer.alloc(100));
  await theirs.sendEnd();
  theirs.fail({ code: ErrorCode.SYSTEM_ERROR, message: 'cannot read volume' });
  const failed = once(ours, 'error');
  ours.resume();
  expect((await failed)[0]).toMatchObject({ code: ErrorCode.SYSTEM_ERROR });
});

test('a daemon that says it has all before it has all', async () => {
  await using daemon = await FakeLibvirtd.open();
  await using connection = await connect(daemon.uri);
  const opening = connection.storageVol.upload(VOL);
  const theirs = (await daemon.next()).replyWithStream(UPLOAD, {});
  const ours = await opening;
  const error = errorOf(finished(ours));
  ours.write(Buffer.alloc(100));
  await theirs.read();
  theirs.confirm();
  expect(String(await error)).toContain('has ended the stream before all data was written');
});
