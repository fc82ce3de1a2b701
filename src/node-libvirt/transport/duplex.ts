/** The transport of any pair of Node streams: an ssh process's stdio, or what a user brings. */
import type { Duplex, Readable, Writable } from 'node:stream';
import type { Transport, TransportHandlers } from './transport.ts';

/** A connected stream of one's own as a transport; it is destroyed with the connection. */
export function duplexTransport(stream: Duplex, peer: string): Transport {
  return new StreamTransport(stream, stream, peer);
}

export class StreamTransport implements Transport {
  readonly peer: string;
  readonly #readable: Readable;
  readonly #writable: Writable;
  #handlers: TransportHandlers | undefined;
  #earlyError: Error | undefined;
  #isEnded = false;
  #isPaused = false;

  constructor(readable: Readable, writable: Writable, peer: string) {
    this.#readable = readable;
    this.#writable = writable;
    this.peer = peer;
    readable.pause();
    // Of a duplex stream the two are one, and it says everything once.
    const onError = (error: Error) => this.onStreamError(error);
    readable.on('error', onError);
    if (!Object.is(readable, writable)) writable.on('error', onError);
    const onEnd = () => this.onStreamEnd();
    readable.on('end', onEnd);
    readable.on('close', onEnd);
    writable.on('drain', () => this.#handlers?.onDrain());
  }

  get needsDrain(): boolean {
    return this.#writable.writableNeedDrain;
  }

  start(handlers: TransportHandlers): void {
    // Not from inside of start(): its caller has not finished being made.
    process.nextTick(() => {
      this.#handlers = handlers;
      this.#readable.on('data', (chunk: Buffer) => handlers.onBytes(chunk));
      if (this.#earlyError !== undefined) handlers.onError(this.#earlyError);
      if (this.#isEnded) handlers.onEnd();
      else if (!this.#isPaused) this.#readable.resume();
    });
  }

  write(bytes: Buffer): boolean {
    return this.#writable.write(bytes);
  }

  pause(): void {
    this.#isPaused = true;
    this.#readable.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#readable.resume();
  }

  destroy(): void {
    this.#readable.destroy();
    this.#writable.destroy();
  }

  /** For transports made of more than streams: a failure seen elsewhere. */
  protected fail(error: Error): void {
    if (this.#handlers === undefined) this.#earlyError ??= error;
    else this.#handlers.onError(error);
  }

  /** For those that want to know first why a stream broke or ended. */
  protected onStreamError(error: Error): void {
    this.fail(error);
  }

  protected onStreamEnd(): void {
    this.end();
  }

  protected end(): void {
    this.#isEnded = true;
    this.#handlers?.onEnd();
  }
}
