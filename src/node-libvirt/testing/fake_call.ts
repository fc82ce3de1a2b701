/** A call that reached the fake daemon: what was asked, and the means to answer it with anything, or not at all. */
import type { Procedure } from '../procedures/procedure.ts';
import { encodePacket, PacketStatus, PacketType, type Packet, type PacketHeader } from '../wire/packet.ts';
import { remoteError, type RemoteError } from '../wire/remote_error.ts';
import { decode, encode } from '../wire/xdr.ts';
import type { FakeClient } from './fake_client.ts';
import type { FakeStream } from './fake_stream.ts';
import { remoteErrorOf } from './refusal.ts';

export class FakeCall {
  /** Who called. */
  readonly client: FakeClient;
  /** The procedure's name, e.g. DOMAIN_GET_INFO; `procedure 7` where the table does not have it. */
  readonly name: string;
  readonly header: PacketHeader;
  /** The arguments as they came. */
  readonly payload: Buffer;
  #deliver: (packet: Buffer) => void;

  /** @internal */
  constructor(client: FakeClient, name: string, packet: Packet, deliver: (packet: Buffer) => void) {
    this.client = client;
    this.name = name;
    this.header = packet.header;
    this.payload = packet.payload;
    this.#deliver = deliver;
  }

  /** @throws {ProtocolError} where they are not the arguments of this procedure. */
  args<A>(procedure: Procedure<A>): A {
    return decode(procedure.args, this.payload);
  }

  reply<R>(procedure: Procedure<unknown, R>, result: R): void {
    this.replyWith(encode(procedure.result, result));
  }

  /** Replies and goes on with a stream under the call's serial. */
  replyWithStream<R>(procedure: Procedure<unknown, R>, result: R): FakeStream {
    const stream = this.client.openStream(this.header);
    this.reply(procedure, result);
    return stream;
  }

  /** Refuses; what is left out is that of an internal error. */
  fail(error: Partial<RemoteError>): void {
    this.replyWith(encode(remoteError, remoteErrorOf(error)), { status: PacketStatus.ERROR });
  }

  /** Any payload, under a header that is the right one as far as it is not told otherwise. */
  replyWith(payload: Buffer, header: Partial<PacketHeader> = {}): void {
    this.#deliver(encodePacket({ ...this.header, type: PacketType.REPLY, ...header }, payload));
  }

  /** @internal for faults: `deliver` decides what becomes of the reply. */
  intercept(deliver: (packet: Buffer, goOn: (packet: Buffer) => void) => void): void {
    const goOn = this.#deliver;
    this.#deliver = (packet) => deliver(packet, goOn);
  }
}
