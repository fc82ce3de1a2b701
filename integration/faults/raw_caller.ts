/** A caller without a client: it writes its messages itself, may send one twice, and keeps every reply. */
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { until, sealed, unsealed } from '../oslo/stage.ts';

export type RawRequest = {
  readonly id: string;
  readonly method: string;
  readonly args: Record<string, unknown>;
  readonly expirationMs?: number;
};

export class RawCaller {
  /** Final replies by the id of their request, in order. */
  readonly replies = new Map<string, { result: unknown; failure: unknown }[]>();
  readonly channel: Channel;
  readonly #connection: ChannelModel;
  readonly #queue: string;
  readonly #host: string;

  private constructor(connection: ChannelModel, channel: Channel, queue: string, host: string) {
    this.#connection = connection;
    this.channel = channel;
    this.#queue = queue;
    this.#host = host;
  }

  static async open(url: string, host: string): Promise<RawCaller> {
    const connection = await connect(url);
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const caller = new RawCaller(connection, channel, queue, host);
    await channel.consume(queue, (message) => caller.#take(unsealed(message?.content)), { noAck: true });
    return caller;
  }

  /** Sends it to the agent; the same request again has the same message id and unique id. */
  send({ id, method, args, expirationMs }: RawRequest): void {
    const body = { method, args, _msg_id: `m-${id}`, _unique_id: `u-${id}`, _reply_q: this.#queue };
    this.channel.publish('hugenode', `hugenode.${this.#host}`, sealed(body), {
      contentType: 'application/json',
      ...(expirationMs !== undefined && { expiration: String(expirationMs) }),
    });
  }

  answersOf(id: string): readonly { result: unknown; failure: unknown }[] {
    return this.replies.get(`m-${id}`) ?? [];
  }

  async answered(id: string, times = 1): Promise<void> {
    await until(() => this.answersOf(id).length >= times, 30_000);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  #take({ _msg_id: id, result, failure, ending }: Record<string, unknown>): void {
    if (ending !== true) return;
    this.replies.set(String(id), [...(this.replies.get(String(id)) ?? []), { result, failure }]);
  }
}
