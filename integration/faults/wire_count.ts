/**
 * Every request that leaves a caller and every reply that reaches it, counted on the wire before any client of
 * oslo.messaging's kind may drop one: by the hop that the caller's connections pass.
 */
import { z } from 'zod';
import type { LinkHook, Way } from '../broker.ts';
import { FrameReader, MessageReader } from './amqp_frames.ts';

const envelope = z.object({ 'oslo.message': z.string() });
const inner = z.object({
  _msg_id: z.string().nullish(),
  _unique_id: z.string().nullish(),
  method: z.string().optional(),
  args: z.record(z.string(), z.unknown()).optional(),
  result: z.unknown().optional(),
  failure: z.unknown().optional(),
  ending: z.boolean().optional(),
});

/** One call as it was seen to leave. */
export type WireCall = {
  readonly method: string;
  readonly uuid: string;
  /** Of the final replies that came, the text of result and failure, each with its unique id. */
  readonly finals: { readonly text: string; readonly uniqueId: string }[];
};

export class WireCount {
  readonly #readers = new Map<string, { frames: FrameReader; messages: MessageReader }>();
  readonly #calls = new Map<string, WireCall>();
  #strays = 0;

  /** The hook of a link of the caller's. */
  hookOf(link: number): LinkHook {
    return (bytes, way, connection) => {
      this.#read(`${link} ${way} ${connection}`, bytes, way);
      return bytes;
    };
  }

  #read(key: string, bytes: Buffer, way: Way): void {
    const reader = this.#readers.get(key) ?? { frames: new FrameReader(), messages: new MessageReader() };
    this.#readers.set(key, reader);
    for (const frame of reader.frames.read(bytes).frames) {
      const body = reader.messages.take(frame);
      if (body !== undefined) this.#take(body, way);
    }
  }

  /** The calls of one method on one instance, in the order in which they left. */
  callsOf(method: string, uuid: string): readonly WireCall[] {
    return [...this.#calls.values()].filter((call) => call.method === method && call.uuid === uuid);
  }

  get calls(): readonly WireCall[] {
    return [...this.#calls.values()];
  }

  /** Replies to nothing that was asked through here. */
  get strays(): number {
    return this.#strays;
  }

  clear(): void {
    this.#calls.clear();
  }

  #take(body: Buffer, way: Way): void {
    const { _msg_id: msgId, _unique_id: uniqueId, method, args, result, failure, ending } = unsealed(body);
    if (typeof msgId !== 'string') return;
    if (way === 'to-broker') {
      // One that a client publishes again after a loss keeps its id.
      if (this.#calls.has(msgId) || method === undefined) return;
      this.#calls.set(msgId, { method, uuid: String(args?.['uuid']), finals: [] });
      return;
    }
    if (ending !== true) return;
    const call = this.#calls.get(msgId);
    if (call === undefined) this.#strays += 1;
    else call.finals.push({ text: JSON.stringify([result, failure]), uniqueId: String(uniqueId) });
  }
}

function unsealed(body: Buffer): z.output<typeof inner> {
  try {
    return inner.parse(JSON.parse(envelope.parse(JSON.parse(body.toString('utf8')))['oslo.message']));
  } catch {
    // What is no message of ours: login, declarations, heartbeats of the client.
    return {};
  }
}
