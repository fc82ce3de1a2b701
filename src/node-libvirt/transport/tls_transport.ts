/**
 * Writes packet by packet, each in TLS records of its own. libvirtd takes a packet out of a record and waits for its
 * socket to become readable again, but the rest of the record lies in GnuTLS by then: a second packet in it stays there
 * until something else comes, a keepalive of five seconds later at best (seen with 9.0.0; virNetSocketHasCachedData asks
 * about SASL and libssh, not about TLS). libvirt's own client writes packet by packet too.
 */
import type { Socket } from 'node:net';
import { SocketTransport, type SocketReader } from './socket.ts';

const LENGTH_BYTES = 4;
/** As much as a Node stream keeps before it asks for a pause. */
const HIGH_WATER_BYTES = 64 * 1024;

export class TlsTransport extends SocketTransport {
  readonly #socket: Socket;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #isFull = false;

  constructor(socket: Socket, reader: SocketReader, peer: string) {
    super(socket, reader, peer);
    this.#socket = socket;
  }

  override get needsDrain(): boolean {
    return this.#isFull;
  }

  /** @param bytes whole packets */
  override write(bytes: Buffer): boolean {
    for (const packet of packetsOf(bytes)) this.#waiting.push(packet);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= HIGH_WATER_BYTES) this.#isFull = true;
    this.#writeNext();
    return !this.#isFull;
  }

  /** What the socket has taken is not what has been written. */
  protected override onSocketDrain(): void {
    return;
  }

  /** The next one when the last has gone: what waits in the socket would be put into one record. */
  #writeNext(): void {
    if (this.#isWriting) return;
    const packet = this.#waiting.shift();
    if (packet === undefined) return;
    this.#isWriting = true;
    this.#socket.write(packet, (error) => {
      // It comes as an event too.
      if (error !== null && error !== undefined) return;
      this.#isWriting = false;
      this.#waitingBytes -= packet.length;
      this.#writeNext();
      if (this.#waitingBytes > 0 || !this.#isFull) return;
      this.#isFull = false;
      this.drained();
    });
  }
}

/** By the length that each begins with, which counts itself. */
export function packetsOf(bytes: Buffer): readonly Buffer[] {
  const packets: Buffer[] = [];
  let begin = 0;
  while (begin < bytes.length) {
    const rest = bytes.length - begin;
    const length = rest < LENGTH_BYTES ? rest : bytes.readUInt32BE(begin);
    // What is no packet goes as it is.
    const end = begin + (length < LENGTH_BYTES ? rest : Math.min(length, rest));
    packets.push(bytes.subarray(begin, end));
    begin = end;
  }
  return packets;
}
