/**
 * The transport of net and tls sockets. They read into one buffer for the life of the connection (`onread`), which Node
 * offers for both; a stream's fresh buffer per read is a good part of what a small call costs.
 */
import type { OnReadOpts, Socket } from 'node:net';
import { settled } from './attempt.ts';
import type { Transport, TransportHandlers } from './transport.ts';

const READ_BUFFER_BYTES = 64 * 1024;

/** What a socket has to be made with, since `onread` is taken at its creation and the transport comes to be later. */
export class SocketReader {
  readonly onread: OnReadOpts;
  /** Takes what comes. Nothing may come before it is set: the socket is made paused. */
  sink: (bytes: Buffer) => void = () => undefined;

  constructor() {
    const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
    const callback = (count: number) => {
      this.sink(buffer.subarray(0, count));
      return true;
    };
    this.onread = { buffer, callback };
  }
}

export class SocketTransport implements Transport {
  readonly peer: string;
  readonly #socket: Socket;
  readonly #reader: SocketReader;
  #handlers: TransportHandlers | undefined;
  /** Of the time between the connection and start(). A paused TLS socket still hands out what it has deciphered. */
  #earlyBytes: Buffer[] = [];
  #earlyError: Error | undefined;
  #isEnded = false;
  #isPaused = false;

  /** @param socket connected and paused */
  constructor(socket: Socket, reader: SocketReader, peer: string) {
    this.#socket = socket;
    this.#reader = reader;
    this.peer = peer;
    reader.sink = (bytes) => void this.#earlyBytes.push(Buffer.from(bytes));
    socket.on('error', (error) => {
      if (this.#handlers === undefined) this.#earlyError ??= error;
      else this.#handlers.onError(error);
    });
    const onEnd = () => {
      this.#isEnded = true;
      this.#handlers?.onEnd();
    };
    socket.on('end', onEnd);
    socket.on('close', onEnd);
    socket.on('drain', () => this.onSocketDrain());
  }

  get needsDrain(): boolean {
    return this.#socket.writableNeedDrain;
  }

  start(handlers: TransportHandlers): void {
    // Not from inside of start(): its caller has not finished being made.
    process.nextTick(() => {
      this.#handlers = handlers;
      this.#reader.sink = (bytes) => handlers.onBytes(bytes);
      for (const bytes of this.#earlyBytes) handlers.onBytes(bytes);
      this.#earlyBytes = [];
      if (this.#earlyError !== undefined) handlers.onError(this.#earlyError);
      if (this.#isEnded) handlers.onEnd();
      else if (!this.#isPaused) this.#socket.resume();
    });
  }

  write(bytes: Buffer): boolean {
    return this.#socket.write(bytes);
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** For one that keeps what the socket does not take yet. */
  protected onSocketDrain(): void {
    this.drained();
  }

  protected drained(): void {
    this.#handlers?.onDrain();
  }
}

/** Waits for a socket of net or tls that was just made; `toError` says what its error means. */
export async function connected(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  toError: (error: NodeJS.ErrnoException) => Error,
  signal: AbortSignal,
): Promise<void> {
  await settled<void>(signal, (resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(toError(error));
    socket.once(event, resolve).once('error', onError);
    return () => socket.off(event, resolve).off('error', onError);
  });
}

/** Destroys a socket of which nobody wants to hear any more. */
export function discard(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.destroy();
}
