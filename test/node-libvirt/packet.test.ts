import { array, assert, integer, nat, property, record, uint8Array } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/node-libvirt/errors.ts';
import { Events } from '../../src/node-libvirt/events/definitions.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import type { Procedure } from '../../src/node-libvirt/procedures/procedure.ts';
import {
  encodePacket,
  encodeValuePacket,
  PACKET_MAX,
  PACKET_MIN,
  PacketReader,
  writePacket,
  type Packet,
  type PacketHeader,
} from '../../src/node-libvirt/wire/packet.ts';
import { remoteError } from '../../src/node-libvirt/wire/remote_error.ts';
import { decode, encode, list, opaque, string, struct, Writer } from '../../src/node-libvirt/wire/xdr.ts';

const bytesOf = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');

function lengthWord(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

type Seen = { readonly header: PacketHeader; readonly payload: Buffer };

/** A payload is valid only while its consumer runs: here it is copied. */
function read(...chunks: Buffer[]): Seen[] {
  const reader = new PacketReader();
  const packets: Seen[] = [];
  for (const chunk of chunks)
    reader.push(chunk, (packet) => packets.push({ header: packet.header, payload: Buffer.from(packet.payload) }) > 0);
  return packets;
}

const header = { program: 0x20008086, version: 1, procedure: 157, type: 0, serial: 3, status: 0 };

describe('framing', () => {
  test('packets survive any cutting of the stream', () => {
    const packet = record({
      header: record({
        program: nat(0xffffffff),
        version: nat(0xffffffff),
        procedure: integer(),
        type: integer(),
        serial: nat(0xffffffff),
        status: integer(),
      }),
      payload: uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    });
    assert(
      property(array(packet, { maxLength: 6 }), array(nat(30), { maxLength: 40 }), (packets, sizes) => {
        const stream = Buffer.concat(packets.map((each) => encodePacket(each.header, each.payload)));
        const chunks: Buffer[] = [];
        let offset = 0;
        for (const size of sizes) {
          chunks.push(stream.subarray(offset, offset + size));
          offset += size;
        }
        expect(read(...chunks, stream.subarray(offset))).toEqual(packets);
      }),
    );
  });

  test('the largest packet passes, one byte more does not', () => {
    const largest = encodePacket(header, Buffer.alloc(PACKET_MAX - PACKET_MIN));
    expect(read(largest.subarray(0, 1000), largest.subarray(1000))).toHaveLength(1);
    expect(() => encodePacket(header, Buffer.alloc(PACKET_MAX - PACKET_MIN + 1))).toThrow(RangeError);
    expect(() => read(lengthWord(PACKET_MAX + 1))).toThrow(ProtocolError);
    expect(() => read(lengthWord(0xffffffff))).toThrow(ProtocolError);
  });

  test('the smallest packet passes, one byte less does not', () => {
    expect(read(encodePacket(header, Buffer.alloc(0)))).toEqual([{ header, payload: Buffer.alloc(0) }]);
    expect(() => read(lengthWord(PACKET_MIN - 1))).toThrow(ProtocolError);
    expect(() => read(lengthWord(0))).toThrow(ProtocolError);
  });

  test('packets ahead of a bad length are read', () => {
    const reader = new PacketReader();
    const good = encodePacket(header, Buffer.alloc(4));
    const seen: unknown[] = [];
    expect(() => {
      reader.push(Buffer.concat([good, lengthWord(1)]), (packet) => seen.push(packet) > 0);
    }).toThrow(ProtocolError);
    expect(seen).toHaveLength(1);
  });

  test('a consumer that wants no more gets no more', () => {
    const reader = new PacketReader();
    const packet = encodePacket(header, Buffer.alloc(4));
    let seen = 0;
    reader.push(Buffer.concat([packet, packet]), () => {
      seen += 1;
      return false;
    });
    expect(seen).toBe(1);
  });

  test('a chunk may be used again once it was pushed', () => {
    const reader = new PacketReader();
    const seen: string[] = [];
    const bytes = encodePacket(header, Buffer.from('good'));
    for (const cut of [3, 20]) {
      const chunk = bytes.subarray(cut === 3 ? 0 : 3, cut);
      const lent = Buffer.from(chunk);
      reader.push(lent, () => true);
      lent.fill(0xff);
    }
    reader.push(bytes.subarray(20), ({ payload }) => seen.push(payload.toString()) > 0);
    expect(seen).toEqual(['good']);
  });

  test('a packet made in one go has the bytes of one made of its parts', () => {
    const writer = new Writer();
    const type = struct({ text: string });
    const value = { text: 'abcde' };
    const packet = encodePacket(header, encode(type, value));
    writePacket(writer, header, type, value);
    expect(() => writePacket(writer, header, type, { text: 'a\0b' })).toThrow(RangeError);
    // What a refused value had written is not in the next packet.
    writePacket(writer, header, type, value);
    expect(writer.take()).toEqual(Buffer.concat([packet, packet]));
    const bytes = opaque(PACKET_MAX);
    const room = PACKET_MAX - PACKET_MIN - 4;
    writePacket(writer, header, bytes, Buffer.alloc(room));
    expect(writer.take()).toHaveLength(PACKET_MAX);
    expect(() => writePacket(writer, header, bytes, Buffer.alloc(room + 1))).toThrow(RangeError);
  });

  test('a packet decodes its own payload and nothing else', () => {
    const type = struct({ text: string });
    const good = encodePacket(header, encode(type, { text: 'abcde' }));
    const long = encodePacket(header, Buffer.concat([encode(type, { text: 'abcde' }), Buffer.alloc(4)]));
    const outcomes: unknown[] = [];
    new PacketReader().push(Buffer.concat([good, long, good]), (packet) => {
      try {
        outcomes.push(packet.decode(type));
      } catch (error) {
        outcomes.push(error instanceof ProtocolError);
      }
      return true;
    });
    expect(outcomes).toEqual([{ text: 'abcde' }, true, { text: 'abcde' }]);
  });
});

/** Bytes that libvirtd 9.0.0 and a client exchanged over test:///default. */
describe('recorded', () => {
  const test1 = { name: 'test', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1 };

  test('a call without arguments', () => {
    const { args, program, version, number } = Procedures.CONNECT_GET_LIB_VERSION;
    const call = { program, version, procedure: number, type: 0, serial: 3, status: 0 };
    //            length   program  version  procedure type    serial   status
    const bytes = '0000001c 20008086 00000001 0000009d 00000000 00000003 00000000';
    expect(encodePacket(call, encode(args, {}))).toEqual(bytesOf(bytes));
  });

  const args: readonly (readonly [string, Procedure, unknown, string])[] = [
    //                                                                      there    length   test:///default              flags
    [
      'CONNECT_OPEN',
      Procedures.CONNECT_OPEN,
      { name: 'test:///default', flags: 0 },
      '00000001 0000000f 746573743a2f2f2f64656661756c7400 00000000',
    ],
    //                                                                               length   test     uuid                              id
    [
      'DOMAIN_SUSPEND',
      Procedures.DOMAIN_SUSPEND,
      { domain: test1 },
      '00000004 74657374 6695eb01f6a4830479aa97f2502e193f 00000001',
    ],
    //                                                                               doms     stats    flags
    [
      'CONNECT_GET_ALL_DOMAIN_STATS',
      Procedures.CONNECT_GET_ALL_DOMAIN_STATS,
      { domains: [], stats: 1, flags: 0 },
      '00000000 00000001 00000000',
    ],
    //                                                                               eventID  no dom
    [
      'REGISTER_ANY',
      Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
      { eventID: 0, domain: null },
      '00000000 00000000',
    ],
  ];

  test.each(args)('arguments of %s', (_, procedure, value, hex) => {
    expect(encode(procedure.args, value)).toEqual(bytesOf(hex));
  });

  const results: readonly (readonly [string, Procedure, string, unknown])[] = [
    ['AUTH_LIST', Procedures.AUTH_LIST, '00000001 00000000', { types: [0] }],
    ['GET_LIB_VERSION', Procedures.CONNECT_GET_LIB_VERSION, '00000000 00895440', { version: 9_000_000 }],
    [
      'DOMAIN_LOOKUP_BY_NAME',
      Procedures.DOMAIN_LOOKUP_BY_NAME,
      '00000004 74657374 6695eb01f6a4830479aa97f2502e193f 00000001',
      { domain: test1 },
    ],
    [
      'CONNECT_GET_ALL_DOMAIN_STATS',
      Procedures.CONNECT_GET_ALL_DOMAIN_STATS,
      // one record: domain, two parameters, each with length, name, type int, value
      `00000001 00000004 74657374 6695eb01f6a4830479aa97f2502e193f 00000001 00000002
       0000000b 73746174652e737461746500 00000001 00000001
       0000000c 73746174652e726561736f6e 00000001 00000000`,
      {
        records: [
          {
            domain: test1,
            params: [
              { field: 'state.state', type: 'int', value: 1 },
              { field: 'state.reason', type: 'int', value: 0 },
            ],
          },
        ],
      },
    ],
  ];

  test.each(results)('result of %s', (_, procedure, hex, value) => {
    expect(decode(procedure.result, bytesOf(hex))).toEqual(value);
  });

  test('a lifecycle event', () => {
    //                     callbackID length  test     uuid                              id       event    detail
    const bytes = bytesOf('00000000 00000004 74657374 6695eb01f6a4830479aa97f2502e193f 00000001 00000003 00000000');
    const names = { event: 'SUSPENDED', detail: 'PAUSED' };
    const event = { domain: test1, eventNumber: 3, detailNumber: 0, ...names };
    expect(decode(Events.domainLifecycle.message.body, bytes)).toEqual({ callbackID: 0, event });
  });

  test('a refusal', () => {
    const bytes = bytesOf(
      // code    domain   message                                          level    no dom
      `0000002a 0000000c 00000001 00000010 446f6d61696e206e6f7420666f756e64 00000002 00000000
       00000001 00000010 446f6d61696e206e6f7420666f756e64 00000000 00000000 ffffffff ffffffff 00000000`,
      // str1                                             no str2  no str3  int1     int2     no net
    );
    expect(decode(remoteError, bytes)).toEqual({
      code: 42,
      domain: 12,
      message: 'Domain not found',
      level: 2,
      dom: null,
      str1: 'Domain not found',
      str2: null,
      str3: null,
      int1: -1,
      int2: -1,
      net: null,
    });
  });
});

test('a packet of many texts is held to the limit as one of a single text is', () => {
  const texts = list(string, 20);
  const nine = Array.from({ length: 9 }, () => 'x'.repeat(4_194_304));
  const writer = new Writer();
  expect(() => encodeValuePacket(writer, header, texts, nine)).toThrow(RangeError);
  expect(() => encode(texts, nine)).toThrow(RangeError);
  // The writer is as good as before.
  expect(encodeValuePacket(writer, header, texts, ['a'])).toHaveLength(28 + 12);
});

test('the limit is for each packet, however many are sent together', () => {
  const writer = new Writer();
  const large = Buffer.alloc(20 * 2 ** 20, 7);
  writePacket(writer, header, opaque(PACKET_MAX), large);
  writer.raw(large);
  writer.raw(large);
  expect(writer.take()).toHaveLength(PACKET_MIN + 4 + 3 * large.length);
});

test('bytes that drip in one at a time cost about what they are', () => {
  const reader = new PacketReader();
  const packet = encodePacket(header, Buffer.alloc(300_000, 7));
  const chunk = Buffer.alloc(1);
  const packets: number[] = [];
  const consume = (each: Packet) => packets.push(each.payload.length) > 0;
  const before = process.memoryUsage().heapUsed;
  for (const byte of packet.subarray(0, -1)) {
    chunk[0] = byte;
    reader.push(chunk, consume);
  }
  // An object per chunk would be 30 MiB and more.
  expect((process.memoryUsage().heapUsed - before) / 2 ** 20).toBeLessThan(20);
  reader.push(packet.subarray(-1), consume);
  expect(packets).toEqual([300_000]);
});
