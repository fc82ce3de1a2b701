/**
 * Stream packets that came before the reply of the call that opens their stream. libvirtd 9.0.0 does so in one download
 * of twenty to two hundred: the thread that reads the volume is not the one that answers the call.
 */
import { ProtocolError } from '../errors.ts';
import { PACKET_MIN, type PacketHeader } from '../wire/packet.ts';

export type EarlyPacket = { readonly header: PacketHeader; readonly payload: Buffer };

/** Far more than a daemon gets out before its reply (a packet or two of 256 KiB); a flood is no libvirtd. */
const EARLY_BYTES_MAX = 16 * 1024 * 1024;

export class EarlyStreamData {
  readonly #packets = new Map<number, EarlyPacket[]>();
  #bytes = 0;

  /** @throws {ProtocolError} where there are too many */
  keep(header: PacketHeader, payload: Buffer): void {
    this.#bytes += PACKET_MIN + payload.length;
    if (this.#bytes > EARLY_BYTES_MAX)
      throw new ProtocolError(`more than ${EARLY_BYTES_MAX} bytes of streams whose calls are not answered`);
    const packets = this.#packets.get(header.serial) ?? [];
    // A copy: the bytes are the transport's.
    packets.push({ header, payload: Buffer.from(payload) });
    this.#packets.set(header.serial, packets);
  }

  /** Those of a stream, in order. */
  of(serial: number): readonly EarlyPacket[] {
    return this.#packets.get(serial) ?? [];
  }

  forget(serial: number): void {
    for (const { payload } of this.of(serial)) this.#bytes -= PACKET_MIN + payload.length;
    this.#packets.delete(serial);
  }
}
