/** AMQP's frames out of the bytes of one direction of one connection, whole and in order. */
const EMPTY: Buffer = Buffer.alloc(0);
const PROTOCOL_HEADER_BYTES = 8;
const HEAD_BYTES = 7;

export const METHOD = 1;
const CONTENT_HEADER = 2;
const CONTENT_BODY = 3;

const FRAME_END = 0xce;
const BASIC = 60;
const BASIC_PUBLISH = 40;
const BASIC_DELIVER = 60;
const CHANNEL = 20;
const CHANNEL_CLOSE = 40;

export type Frame = {
  readonly type: number;
  readonly channel: number;
  readonly payload: Buffer;
  /** The frame as it came. */
  readonly bytes: Buffer;
};

export class FrameReader {
  #rest = EMPTY;
  #isGreeted = false;

  /** What was completed by these bytes; `greeting` is the header that a client begins with. */
  read(bytes: Buffer): { readonly greeting: Buffer; readonly frames: readonly Frame[] } {
    let greeting = EMPTY;
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (!this.#isGreeted && this.#rest.length >= PROTOCOL_HEADER_BYTES) {
      this.#isGreeted = true;
      if (this.#rest.subarray(0, 4).toString('latin1') === 'AMQP') {
        greeting = this.#rest.subarray(0, PROTOCOL_HEADER_BYTES);
        this.#rest = this.#rest.subarray(PROTOCOL_HEADER_BYTES);
      }
    }
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return { greeting, frames };
  }

  #next(): Frame | undefined {
    if (!this.#isGreeted || this.#rest.length < HEAD_BYTES) return undefined;
    const size = HEAD_BYTES + this.#rest.readUInt32BE(3) + 1;
    if (this.#rest.length < size) return undefined;
    const bytes = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return {
      type: bytes.readUInt8(0),
      channel: bytes.readUInt16BE(1),
      payload: bytes.subarray(HEAD_BYTES, size - 1),
      bytes,
    };
  }
}

/** Puts messages together again from their frames; of both kinds, published and delivered. */
export class MessageReader {
  readonly #open = new Map<number, { missing: number; parts: Buffer[] }>();

  /** The body of a message that ends with this frame. */
  take({ type, channel, payload }: Frame): Buffer | undefined {
    if (type === CONTENT_HEADER) {
      const message = { missing: Number(payload.readBigUInt64BE(4)), parts: [] };
      this.#open.set(channel, message);
      return this.#ended(channel);
    }
    const message = this.#open.get(channel);
    if (type !== CONTENT_BODY || message === undefined) return undefined;
    message.parts.push(payload);
    message.missing -= payload.length;
    return this.#ended(channel);
  }

  #ended(channel: number): Buffer | undefined {
    const message = this.#open.get(channel);
    if (message === undefined || message.missing > 0) return undefined;
    this.#open.delete(channel);
    return Buffer.concat(message.parts);
  }
}

export const isPublish = (frame: Frame): boolean => isMethod(frame, BASIC, BASIC_PUBLISH);
export const isDeliver = (frame: Frame): boolean => isMethod(frame, BASIC, BASIC_DELIVER);
export const isChannelClose = (frame: Frame): boolean => isMethod(frame, CHANNEL, CHANNEL_CLOSE);
export const isContent = ({ type }: Frame): boolean => type === CONTENT_HEADER || type === CONTENT_BODY;

function isMethod({ type, payload }: Frame, classId: number, methodId: number): boolean {
  return type === METHOD && payload.readUInt16BE(0) === classId && payload.readUInt16BE(2) === methodId;
}

/** basic.ack of a delivery that never was: the broker closes the channel for it (406). */
export function ackOfNothing(channel: number): Buffer {
  const payload = Buffer.alloc(13);
  payload.writeUInt16BE(BASIC, 0);
  payload.writeUInt16BE(80, 2);
  payload.writeBigUInt64BE(2n ** 40n, 4);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(METHOD, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([FRAME_END])]);
}
