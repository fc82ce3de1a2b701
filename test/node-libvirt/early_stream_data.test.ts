/** Stream packets that overtake the reply of their own call, as libvirtd's now and then do. */
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { connect } from '../../src/node-libvirt/index.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import { FakeLibvirtd, type FakeCall } from '../../src/node-libvirt/testing/index.ts';
import { encodePacket, PacketStatus, PacketType } from '../../src/node-libvirt/wire/packet.ts';

const VOL = { pool: 'pool', name: 'vol', key: '/vol' };
const EMPTY = Buffer.alloc(0);
const { STORAGE_VOL_DOWNLOAD: DOWNLOAD } = Procedures;

function sendData(call: FakeCall, payload: Buffer): void {
  call.replyWith(payload, { type: PacketType.STREAM, status: PacketStatus.CONTINUE });
}

/** The end of the data, and the confirmation of our answer to it. */
function sendEnd(call: FakeCall): void {
  sendData(call, EMPTY);
  call.replyWith(EMPTY, { type: PacketType.STREAM, status: PacketStatus.OK });
}

test('not a byte is lost and none comes twice', async () => {
  await using daemon = await FakeLibvirtd.open();
  daemon.script(DOWNLOAD, (call) => {
    sendData(call, Buffer.from('early '));
    sendData(call, Buffer.from('too '));
    call.reply(DOWNLOAD, {});
    sendData(call, Buffer.from('late'));
    sendEnd(call);
  });
  await using connection = await connect(daemon.uri);
  const stream = await connection.storageVol.download(VOL, 0, 0);
  expect((await buffer(stream)).toString()).toBe('early too late');
});

test('a whole stream may come before its reply', async () => {
  await using daemon = await FakeLibvirtd.open();
  daemon.script(DOWNLOAD, (call) => {
    sendData(call, Buffer.from('all of it'));
    sendEnd(call);
    call.reply(DOWNLOAD, {});
  });
  await using connection = await connect(daemon.uri);
  expect((await buffer(await connection.storageVol.download(VOL, 0, 0))).toString()).toBe('all of it');
});

test('data ahead of a refusal is forgotten', async () => {
  await using daemon = await FakeLibvirtd.open();
  daemon.script(DOWNLOAD, (call) => {
    sendData(call, Buffer.from('early'));
    call.fail({ code: 50 });
  });
  await using connection = await connect(daemon.uri);
  await expect(connection.storageVol.download(VOL, 0, 0)).rejects.toMatchObject({ code: 50 });
});

test('a daemon that sends without end and never answers is given up', async () => {
  await using daemon = await FakeLibvirtd.open();
  daemon.script(DOWNLOAD, (call) => {
    for (let sent = 0; sent <= 17; sent += 1) sendData(call, Buffer.alloc(1024 * 1024));
  });
  await using connection = await connect(daemon.uri);
  await expect(connection.storageVol.download(VOL, 0, 0)).rejects.toMatchObject({
    name: 'ConnectionClosedError',
    message: expect.stringContaining('streams whose calls are not answered'),
  });
});

test('empty packets count too', async () => {
  await using daemon = await FakeLibvirtd.open();
  daemon.script(DOWNLOAD, (call) => {
    const packet = encodePacket({ ...call.header, type: PacketType.STREAM, status: PacketStatus.CONTINUE }, EMPTY);
    const many = Buffer.concat(Array.from({ length: 100_000 }, () => packet));
    for (let round = 0; round < 7; round += 1) daemon.raw(many);
  });
  await using connection = await connect(daemon.uri);
  await expect(connection.storageVol.download(VOL, 0, 0)).rejects.toThrow('streams whose calls are not answered');
});
