/**
 * Our RPC server against oslo.messaging's, on one broker in one run, turn about. The queue is filled first and then
 * drained, so that the server alone is the limit; and calls one after the other, for what a caller waits.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Channel, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { addVhost, deleteVhost } from '../../../integration/host_vhost.ts';
import { quantile, type Figure } from '../figures.ts';
import { KINDS, Served, type Kind, type Place, type Report } from './served.ts';

const ROUNDS = 3;
const CALLS = 10_000;
const CASTS = 20_000;
const SERIAL_CALLS = 1_500;
const SERIAL_WARM_UP = 300;
const LONG_RUN = 1_000_000;
/** What is in the queue at most during the long run: it is about the server's memory, not the broker's. */
const LONG_RUN_AHEAD = 20_000;
const EXCHANGE = 'bench';
const DRAIN_TIMEOUT_MS = 120_000;

type Drained = { readonly perSecond: number; readonly cpuMs: number };

export async function benchRpc(): Promise<Figure[]> {
  const vhost = `hugenode-bench-rpc-${process.pid}`;
  const url = await addVhost(vhost);
  const folder = await mkdtemp(join(tmpdir(), 'bench-rpc-'));
  const model = await connect(url.replace(/^rabbit:/, 'amqp:'), { noDelay: true });
  try {
    const bench = new RpcBench(url, model, await model.createConfirmChannel(), folder);
    return await bench.figures();
  } finally {
    await model.close();
    await rm(folder, { recursive: true, force: true });
    await deleteVhost(vhost);
  }
}

class RpcBench {
  readonly #url: string;
  readonly #model: ChannelModel;
  readonly #channel: ConfirmChannel;
  readonly #folder: string;
  #topics = 0;

  constructor(url: string, model: ChannelModel, channel: ConfirmChannel, folder: string) {
    this.#url = url;
    this.#model = model;
    this.#channel = channel;
    this.#folder = folder;
  }

  async figures(): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const [what, count] of [
      ['call', CALLS],
      ['cast', CASTS],
    ] as const) {
      const results = new Map<Kind, Drained[]>();
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const kind of inTurn(round)) {
          const drained = await this.#drain(kind, what, count);
          results.set(kind, [...(results.get(kind) ?? []), drained]);
        }
      }
      figures.push(...drainFigures(what, results));
    }
    return [...figures, ...(await this.#serial()), await this.#longRun()];
  }

  /** Fills the queue of a topic, then lets the server at it. */
  async #drain(kind: Kind, what: 'call' | 'cast', count: number): Promise<Drained> {
    const place = await this.#place();
    const { queue: replies } = await this.#channel.assertQueue('', { exclusive: true });
    for (let sent = 0; sent < count; sent += 1) this.#publish(place, what === 'call' ? replies : null);
    await this.#channel.waitForConfirms();
    const served = await Served.of(kind, place, this.#storePath(place));
    const answered = what === 'call' ? await this.#counted(replies, count) : null;
    served.start();
    const spanMs = answered === null ? (await this.#doneBy(served, count)).spanMs : await answered.spanMs;
    const { cpuMs } = await served.report();
    await served.end();
    await this.#removed(place);
    await this.#channel.deleteQueue(replies);
    return { perSecond: (count * 1000) / spanMs, cpuMs: cpuMs / count };
  }

  async #doneBy(served: Served, count: number): Promise<Report> {
    const deadline = performance.now() + DRAIN_TIMEOUT_MS;
    for (;;) {
      const report = await served.report();
      if (report.done >= count) return report;
      if (performance.now() > deadline) throw new Error(`${report.done} of ${count} after ${DRAIN_TIMEOUT_MS} ms`);
      await sleep(10);
    }
  }

  /** Listens for answers from now on; `spanMs` is the time from the first to the last of them. */
  async #counted(queue: string, count: number): Promise<{ readonly spanMs: Promise<number> }> {
    const all = Promise.withResolvers<number>();
    let seen = 0;
    let firstMs = 0;
    const channel = await this.#model.createChannel();
    const onAnswer = () => {
      seen += 1;
      if (seen === 1) firstMs = performance.now();
      if (seen === count) all.resolve(performance.now() - firstMs);
    };
    await channel.consume(queue, onAnswer, { noAck: true });
    const timer = setTimeout(() => all.reject(new Error(`${seen} of ${count} replies`)), DRAIN_TIMEOUT_MS);
    return { spanMs: all.promise.finally(() => clearTimeout(timer)) };
  }

  /** One call after the other, by the same caller: what an answer takes. */
  async #serial(): Promise<Figure[]> {
    const p50s = new Map<Kind, number[]>();
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const kind of inTurn(round)) {
        const place = await this.#place();
        const served = await Served.of(kind, place, this.#storePath(place));
        served.start();
        const p50 = await this.#serialP50(place);
        p50s.set(kind, [...(p50s.get(kind) ?? []), p50]);
        await served.end();
        await this.#removed(place);
      }
    }
    const ours = quantile(p50s.get('ours with a journal') ?? [], 0.5);
    const theirs = Math.min(...PYTHON.map((kind) => quantile(p50s.get(kind) ?? [], 0.5)));
    return [
      {
        name: 'a call alone, p50, ours / python',
        value: ours / theirs,
        unit: 'x',
        atMost: 1,
        how: `medians of ${ROUNDS}: ${ours.toFixed(2)} ms (with a journal) and ${theirs.toFixed(2)} ms, by the same caller`,
      },
    ];
  }

  async #serialP50(place: Place): Promise<number> {
    const { queue } = await this.#channel.assertQueue('', { exclusive: true });
    const channel: Channel = await this.#model.createChannel();
    const answer = { arrived: Promise.withResolvers<void>() };
    await channel.consume(queue, () => answer.arrived.resolve(), { noAck: true });
    const times: number[] = [];
    for (let call = 0; call < SERIAL_WARM_UP + SERIAL_CALLS; call += 1) {
      answer.arrived = Promise.withResolvers();
      const began = performance.now();
      this.#publish(place, queue);
      await answer.arrived.promise;
      if (call >= SERIAL_WARM_UP) times.push(performance.now() - began);
    }
    await channel.close();
    return quantile(times, 0.5);
  }

  /** Resident memory after a fifth of a million messages and after all of them. */
  async #longRun(): Promise<Figure> {
    const place = await this.#place();
    const served = await Served.of('ours with a journal', place, this.#storePath(place));
    served.start();
    let early: Report | null = null;
    let report = await served.report();
    for (let sent = 0; report.done < LONG_RUN; ) {
      while (sent < LONG_RUN && sent - report.done < LONG_RUN_AHEAD) {
        this.#publish(place, null);
        sent += 1;
      }
      await this.#channel.waitForConfirms();
      report = await served.report();
      if (early === null && report.done >= LONG_RUN / 5) early = report;
      if (sent === LONG_RUN || sent - report.done >= LONG_RUN_AHEAD) await sleep(20);
    }
    await served.end();
    await this.#removed(place);
    const before = early?.rssMib ?? report.rssMib;
    return {
      name: `resident memory over ${LONG_RUN.toLocaleString('en')} messages`,
      value: report.rssMib / before,
      unit: 'x',
      atMost: 1.15,
      how: `${before.toFixed(0)} MiB after a fifth of them, ${report.rssMib.toFixed(0)} MiB after all; journal on`,
    };
  }

  async #place(): Promise<Place> {
    this.#topics += 1;
    const topic = `t${this.#topics}`;
    // As oslo.messaging declares them.
    await this.#channel.assertExchange(EXCHANGE, 'topic', { durable: false, autoDelete: false });
    await this.#channel.assertQueue(topic, { durable: false, autoDelete: false });
    await this.#channel.bindQueue(topic, EXCHANGE, topic);
    return { url: this.#url, exchange: EXCHANGE, topic };
  }

  async #removed({ topic }: Place): Promise<void> {
    for (const queue of [topic, `${topic}.bench`]) await this.#channel.deleteQueue(queue);
  }

  #storePath({ topic }: Place): string {
    return join(this.#folder, `${topic}.sqlite`);
  }

  #publish({ exchange, topic }: Place, replies: string | null): void {
    const properties = { contentType: 'application/json', contentEncoding: 'utf-8', deliveryMode: 2 as const };
    this.#channel.publish(exchange, topic, requestOf(replies), properties);
  }
}

const PYTHON = ['python threading', 'python eventlet'] as const;

/** Who goes first changes from round to round. */
function inTurn(round: number): readonly Kind[] {
  return [...KINDS.slice(round % KINDS.length), ...KINDS.slice(0, round % KINDS.length)];
}

function drainFigures(what: 'call' | 'cast', results: ReadonlyMap<Kind, readonly Drained[]>): Figure[] {
  const best = (kinds: readonly Kind[]) =>
    Math.max(...kinds.flatMap((kind) => (results.get(kind) ?? []).map(({ perSecond }) => perSecond)));
  const leastCpu = (kinds: readonly Kind[]) =>
    Math.min(...kinds.flatMap((kind) => (results.get(kind) ?? []).map(({ cpuMs }) => cpuMs)));
  const theirs = best(PYTHON);
  const rate = (kind: Kind): Figure => ({
    name: `${what}s/s from a full queue, ${kind} / python`,
    value: best([kind]) / theirs,
    unit: 'x',
    atLeast: 2,
    how: `best of ${ROUNDS} each: ${Math.round(best([kind]))} and ${Math.round(theirs)} (the better of threading and eventlet)`,
  });
  return [
    rate('ours'),
    rate('ours with a journal'),
    {
      name: `CPU per ${what}, ours with a journal / python`,
      value: leastCpu(['ours with a journal']) / leastCpu(PYTHON),
      unit: 'x',
      atMost: 0.5,
      how: `least of ${ROUNDS} each: ${leastCpu(['ours with a journal']).toFixed(3)} ms and ${leastCpu(PYTHON).toFixed(3)} ms`,
    },
  ];
}

/** A create_instance as a control plane sends it. */
function requestOf(replies: string | null): Buffer {
  const id = randomUUID().replaceAll('-', '');
  const inner = {
    method: 'work',
    args: {
      uuid: randomUUID(),
      name: 'web-1',
      project_id: 'p-1',
      user_id: 'u-1',
      image: null,
      flavor: { name: 'hp.small', vcpus: 1, memory_mb: 128, extra_specs: { 'hw:mem_page_size': '2MB' } },
    },
    _unique_id: id,
    _context_request_id: `req-${id}`,
    ...(replies === null ? {} : { _msg_id: id, _reply_q: replies, _timeout: null }),
  };
  return Buffer.from(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(inner) }));
}
