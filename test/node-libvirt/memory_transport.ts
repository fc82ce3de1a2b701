/** A transport without a socket: what is written is kept, what comes is fed in. Nothing waits, so order is exact. */
import type { Transport, TransportHandlers } from '../../src/node-libvirt/transport/transport.ts';

export class MemoryTransport implements Transport {
  readonly peer = 'memory';
  /** Each write as it was made. */
  readonly writes: Buffer[] = [];
  isPaused = false;
  isDestroyed = false;
  needsDrain = false;
  #handlers: TransportHandlers | undefined;

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
  }

  write(bytes: Buffer): boolean {
    this.writes.push(bytes);
    return !this.needsDrain;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  /** Bytes of the peer. */
  feed(bytes: Buffer): void {
    if (!this.isDestroyed) this.#handlers?.onBytes(bytes);
  }

  drain(): void {
    this.needsDrain = false;
    this.#handlers?.onDrain();
  }

  /** The peer closes. */
  end(): void {
    if (!this.isDestroyed) this.#handlers?.onEnd();
  }
}
