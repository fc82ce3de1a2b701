/** What a hop can do to an agent's consumer between two frames: have its channel closed, or keep from it what it is sent. */
import type { Way } from '../broker.ts';
import { ackOfNothing, FrameReader, isChannelClose, isContent, isDeliver } from './amqp_frames.ts';

export class WireTricks {
  readonly #readers = new Map<string, FrameReader>();
  /** Where deliveries came last; connections of before are gone. */
  #consuming: { readonly connection: number; readonly channel: number } | undefined;
  #isBreaking = false;
  /** `CONNECTION CHANNEL` to which no delivery passes. */
  #deaf: string | undefined;
  #dropped = 0;

  /** The hook of the agent's link. Whole frames pass, or none of them. */
  readonly hook = (bytes: Buffer, way: Way, connection: number): Buffer => {
    const key = `${way} ${connection}`;
    const reader = this.#readers.get(key) ?? new FrameReader();
    this.#readers.set(key, reader);
    const { greeting, frames } = reader.read(bytes);
    const passed = [greeting];
    for (const frame of frames) {
      const channel = `${connection} ${frame.channel}`;
      if (way === 'from-broker' && isDeliver(frame)) this.#consuming = { connection, channel: frame.channel };
      // Its successor, which may have the same number, hears.
      if (way === 'to-broker' && isChannelClose(frame) && this.#deaf === channel) this.#deaf = undefined;
      const isDropped = way === 'from-broker' && this.#deaf === channel && (isDeliver(frame) || isContent(frame));
      if (!isDropped) passed.push(frame.bytes);
      else if (isDeliver(frame)) this.#dropped += 1;
    }
    const isTheirs = this.#consuming?.connection === connection;
    if (way === 'to-broker' && this.#isBreaking && isTheirs && frames.length > 0) {
      this.#isBreaking = false;
      passed.push(ackOfNothing(this.#consuming?.channel ?? 0));
    }
    return Buffer.concat(passed);
  };

  /** With the next bytes to the broker, its consumer's channel is closed by a 406. */
  breakConsumer(): void {
    this.#isBreaking = true;
  }

  /** Whether the channel that was to be closed has been. */
  get isBroken(): boolean {
    return !this.#isBreaking;
  }

  /** From now on no delivery reaches the channel that consumes now, until its end; everything else passes. */
  deafen(): void {
    if (this.#consuming === undefined) throw new Error('nothing was delivered yet');
    this.#deaf = `${this.#consuming.connection} ${this.#consuming.channel}`;
  }

  get isDeaf(): boolean {
    return this.#deaf !== undefined;
  }

  /** Deliveries that were kept back. */
  get dropped(): number {
    return this.#dropped;
  }
}
