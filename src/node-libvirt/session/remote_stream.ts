/**
 * The data that follows a call, as a Node stream. Up: packets with status CONTINUE, then an empty one with OK, which the
 * daemon confirms with another. Down: the same with an empty CONTINUE as the end, which we answer with OK and the daemon
 * confirms. An empty ERROR aborts, confirmed too; an ERROR with a payload is a refusal.
 *
 *   open --end() or end of data--> finishing --OK--> over
 *     '-----destroy()-----------> aborting --OK or ERROR--> over
 *
 * The protocol has no window: who does not want more data must stop reading the socket. A stream therefore has a
 * connection of its own, which is paused while nobody reads the stream.
 */
import { Duplex } from 'node:stream';
import { ProtocolError } from '../errors.ts';
import type { Procedure } from '../procedures/procedure.ts';
import { PacketStatus, PacketType, type PacketHeader } from '../wire/packet.ts';
import { remoteError, toLibvirtError } from '../wire/remote_error.ts';
import { decode } from '../wire/xdr.ts';

/** What a stream needs of its session. */
export type StreamPort = {
  /** False asks for a pause until {@link RemoteStream.onDrain}. */
  send(status: number, payload: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  /** No more packets are expected. */
  isOver(): void;
};

/** VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX minus the header: what every daemon takes and the most that one sends. */
export const STREAM_PACKET_MAX = 262_120;
/** How long an abort waits for its confirmation before it gives the stream up. */
const CONFIRM_TIMEOUT_MS = 1000;
const EMPTY = Buffer.alloc(0);

export class RemoteStream extends Duplex {
  readonly procedure: Procedure;
  readonly #port: StreamPort;
  #state: 'open' | 'finishing' | 'aborting' | 'over' = 'open';
  #isPaused = false;
  #isReadToEnd: boolean;
  #confirmTimer: NodeJS.Timeout | undefined;
  /**
   * Our caller has the stream, whose end may be in one chunk with the reply: an error that is emitted before anybody can
   * listen would end the process.
   */
  readonly #taken = new Promise<void>((resolve) => setImmediate(resolve));
  #afterDrain: (() => void) | undefined;
  #afterConfirm: ((error?: Error) => void) | undefined;

  constructor(procedure: Procedure, port: StreamPort) {
    const direction = procedure.stream ?? 'duplex';
    // Not half open: finishing ends both directions, libvirt knows no other way.
    const options = { readable: direction !== 'write', writable: direction !== 'read', allowHalfOpen: false };
    super(options);
    this.procedure = procedure;
    this.#port = port;
    this.#isReadToEnd = direction === 'write';
  }

  /** From the session: a packet of this stream. */
  onPacket({ type, status }: PacketHeader, payload: Buffer): void {
    if (this.#state === 'over') return;
    if (type === PacketType.STREAM_HOLE) {
      this.destroy(new ProtocolError(`${this.procedure.name}: the daemon sends holes; do not ask for SPARSE`));
      return;
    }
    if (status === PacketStatus.CONTINUE) this.#onData(payload);
    else if (status === PacketStatus.OK) this.#onConfirmed();
    else this.#onRefused(payload);
  }

  /** From the session: what was written has left. */
  onDrain(): void {
    const next = this.#afterDrain;
    this.#afterDrain = undefined;
    next?.();
  }

  /**
   * From the session: the connection is gone. Closed on purpose, that is no error of a console or a download, whose
   * reader sees a premature close; but an upload that was not confirmed may not be taken for a whole one.
   */
  onSessionEnd(error: Error, isOnPurpose: boolean): void {
    const isExpected = this.#state === 'over' || this.#state === 'aborting';
    this.#end(isExpected || (isOnPurpose && this.procedure.stream !== 'write') ? undefined : error);
    this.destroy();
  }

  override _read(): void {
    this.#resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#sendFrom(chunk, 0, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#state === 'over') return done();
    this.#afterConfirm = done;
    this.#finish();
  }

  override _destroy(error: Error | null, finish: (error?: Error | null) => void): void {
    const done = (cause: Error | null) => void this.#taken.then(() => finish(cause));
    if (this.#state === 'over') return done(error);
    this.#afterConfirm = (refused) => done(error ?? refused ?? null);
    // What is under way must be read to its end, or the confirmation behind it never comes.
    this.#resume();
    if (this.#state === 'open') {
      this.#state = 'aborting';
      this.#port.send(PacketStatus.ERROR, EMPTY);
    }
    this.#confirmTimer = setTimeout(() => this.#end(), CONFIRM_TIMEOUT_MS).unref();
  }

  #sendFrom(chunk: Buffer, start: number, done: (error?: Error | null) => void): void {
    let at = start;
    while (at < chunk.length) {
      if (this.#state !== 'open') return done(this.#lateWriteError());
      // A copy: the transport may keep it a while and the writer gets its chunk back.
      const hasRoom = this.#port.send(PacketStatus.CONTINUE, chunk.subarray(at, at + STREAM_PACKET_MAX));
      at += STREAM_PACKET_MAX;
      if (!hasRoom) {
        this.#afterDrain = () => this.#sendFrom(chunk, at, done);
        return;
      }
    }
    done();
  }

  /** What is typed to a guest that has just gone is lost, as on any terminal; data for a volume must not be. */
  #lateWriteError(): Error | null {
    return this.procedure.stream === 'duplex' ? null : this.#endedEarly();
  }

  #endedEarly(): Error {
    return new ProtocolError(`${this.procedure.name}: the daemon has ended the stream before all data was written`);
  }

  #onData(payload: Buffer): void {
    if (this.#state === 'aborting' || this.#isReadToEnd) return;
    if (payload.length === 0) {
      this.#endReading();
      this.#finish();
      return;
    }
    // A copy: the bytes are the transport's.
    if (this.push(Buffer.from(payload)) || this.#isPaused) return;
    this.#isPaused = true;
    this.#port.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#port.resume();
  }

  #finish(): void {
    if (this.#state !== 'open') return;
    this.#state = 'finishing';
    this.#port.send(PacketStatus.OK, EMPTY);
    // Only the confirmation is to come; Node reads a stream no more that has ended, so it would wait for ever.
    this.#resume();
  }

  #onConfirmed(): void {
    const wasAborting = this.#state === 'aborting';
    const isTooEarly = this.#state === 'open' && this.procedure.stream === 'write';
    this.#end(isTooEarly ? this.#endedEarly() : undefined);
    if (!wasAborting) this.#endReading();
  }

  #endReading(): void {
    if (this.#isReadToEnd) return;
    this.#isReadToEnd = true;
    this.push(null);
  }

  #onRefused(payload: Buffer): void {
    const wasAborting = this.#state === 'aborting';
    this.#end(wasAborting ? undefined : refusal(this.procedure, payload));
  }

  /** With an error nothing was confirmed: what waits for it must not take it for success. */
  #end(error?: Error): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    clearTimeout(this.#confirmTimer);
    this.#port.isOver();
    // First of all, so that this is the error and not what comes of it.
    if (error !== undefined) this.destroy(error);
    this.onDrain();
    const confirmed = this.#afterConfirm;
    this.#afterConfirm = undefined;
    confirmed?.(error);
  }
}

function refusal(procedure: Procedure, payload: Buffer): Error {
  try {
    return toLibvirtError(decode(remoteError, payload), procedure);
  } catch (error) {
    return new ProtocolError(`stream of ${procedure.name}: refused with a malformed error`, { cause: error });
  }
}
