/** What the agent tells of its own work: decisions, builds, requests, and what waits for the broker. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Counter, Histogram, type Registry } from 'prom-client';
import type { GateOutcome } from '../admission/gate.ts';
import type { Refusal } from '../admission/refusal.ts';
import type { InstanceEvent } from '../compute/events.ts';
import { isPhaseTime, PHASE_TIMES } from '../compute/phases.ts';
import { ERROR_CLASSES } from '../errors.ts';
import { GaugeGroup } from './gauges.ts';

/** Of the server that takes requests. */
export type ServedState = {
  readonly readiness: { readonly ready: boolean };
  readonly requests: { readonly taken: number; readonly waiting: number; readonly unreadable: number };
};

/** What waits for the broker, and what became of what waited since the start. */
export type SpoolState = {
  readonly waiting: number;
  readonly bytes: number;
  readonly sent: number;
  readonly lost: number;
};

/** Of the cycles that samples are taken in, since the start. */
export type MeteringCounts = {
  readonly cycles: number;
  readonly overruns: number;
  readonly failures: number;
  readonly samples: number;
};

export type AgentSources = {
  readonly apiVersion: string;
  readonly served: () => ServedState;
  /** By kind of message; absent where nothing is spooled. */
  readonly spools?: () => Readonly<Record<string, SpoolState>>;
  readonly metering?: () => MeteringCounts;
};

/** Every reason, so that each is there as 0 before it happens: a rate needs a first value. */
const REFUSALS: Readonly<Record<Refusal['reason'], true>> = {
  'page-size-not-supported': true,
  'too-few-nodes': true,
  'not-whole-pages': true,
  'insufficient-resources': true,
  'project-quota': true,
  'host-memory': true,
};

/** From a lookup to a guest of a terabyte, in seconds. */
const PHASE_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600];
const ADMISSION_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30];

export class AgentMetrics {
  readonly #sources: AgentSources;
  readonly #admissions: Counter<'outcome' | 'reason'>;
  readonly #admissionTime: Histogram;
  readonly #builds: Counter<'result'>;
  readonly #deletes: Counter;
  readonly #phaseTime: Histogram<'verb' | 'phase'>;
  readonly #unreadable: Counter;
  readonly #cpu: Counter;
  readonly #cycles: Counter<'result'>;
  readonly #samples: Counter;
  readonly #sent: Counter<'kind'>;
  readonly #lost: Counter<'kind'>;
  readonly #rpc;
  readonly #spool;
  readonly #process;
  readonly #onPhase = (message: unknown): void => {
    if (!isPhaseTime(message)) return;
    const { verb, phase, tookMs } = message;
    this.#phaseTime.observe({ verb, phase }, tookMs / 1000);
  };

  constructor(registry: Registry, sources: AgentSources) {
    this.#sources = sources;
    const registers = [registry];
    this.#admissions = new Counter({
      name: 'hugenode_admissions_total',
      help: 'Decisions on requests for pages, by outcome (admitted, refused, failed) and reason.',
      labelNames: ['outcome', 'reason'],
      registers,
    });
    this.#admissionTime = new Histogram({
      name: 'hugenode_admission_seconds',
      help: 'Time until a request for pages was decided, waiting for starts under way included.',
      buckets: ADMISSION_BUCKETS_S,
      registers,
    });
    this.#builds = new Counter({
      name: 'hugenode_builds_total',
      help: 'Instances built, and builds that failed by the class of their error.',
      labelNames: ['result'],
      registers,
    });
    this.#deletes = new Counter({ name: 'hugenode_deletes_total', help: 'Instances deleted.', registers });
    this.#phaseTime = new Histogram({
      name: 'hugenode_phase_seconds',
      help: 'Time that a phase of a create or delete took.',
      labelNames: ['verb', 'phase'],
      buckets: PHASE_BUCKETS_S,
      registers,
    });
    this.#rpc = new GaugeGroup(registry, [], {
      hugenode_rpc_ready: '1 while requests are heard and answered, else 0.',
      hugenode_rpc_requests_taken: 'Requests taken from the broker and not answered yet.',
      hugenode_rpc_requests_waiting: 'Of these, those that wait for a place.',
    });
    this.#unreadable = new Counter({
      name: 'hugenode_rpc_unreadable_total',
      help: 'Requests that could not be read.',
      registers,
    });
    this.#cycles = new Counter({
      name: 'hugenode_metering_cycles_total',
      help: 'Cycles of metering: done, overrun (left out because the one before was not done) or failed.',
      labelNames: ['result'],
      registers,
    });
    this.#samples = new Counter({ name: 'hugenode_metering_samples_total', help: 'Samples taken.', registers });
    this.#spool = new GaugeGroup(registry, ['kind'], {
      hugenode_spool_messages: 'Messages that wait for the broker to confirm them.',
      hugenode_spool_bytes: 'Bytes of these.',
    });
    this.#sent = new Counter({
      name: 'hugenode_spool_sent_total',
      help: 'Messages that the broker has confirmed.',
      labelNames: ['kind'],
      registers,
    });
    this.#lost = new Counter({
      name: 'hugenode_spool_lost_total',
      help: 'Messages that were given up: too many waited, or the broker takes them never.',
      labelNames: ['kind'],
      registers,
    });
    this.#process = new GaugeGroup(registry, [], {
      process_resident_memory_bytes: 'Resident memory of the agent.',
      process_start_time_seconds: 'When the agent was started (Unix time).',
    });
    this.#cpu = new Counter({
      name: 'process_cpu_seconds_total',
      help: 'CPU time of the agent, user and system.',
      registers,
    });
    new GaugeGroup(registry, ['api_version'], { hugenode_build_info: 'Always 1: which agent this is.' }).set(
      { api_version: sources.apiVersion },
      { hugenode_build_info: 1 },
    );
    this.#beginAtZero();
    subscribe(PHASE_TIMES, this.#onPhase);
  }

  #beginAtZero(): void {
    this.#admissions.inc({ outcome: 'admitted', reason: 'none' }, 0);
    this.#admissions.inc({ outcome: 'failed', reason: 'host-not-read' }, 0);
    for (const reason of Object.keys(REFUSALS)) this.#admissions.inc({ outcome: 'refused', reason }, 0);
    for (const result of ['built', ...Object.keys(ERROR_CLASSES), 'InternalError']) this.#builds.inc({ result }, 0);
  }

  /** The gate has decided, or could not. */
  admission({ outcome, reason, tookMs }: GateOutcome): void {
    this.#admissions.inc({ outcome, reason });
    this.#admissionTime.observe(tookMs / 1000);
  }

  /** What became of an instance. */
  event(event: InstanceEvent): void {
    if (event.kind === 'create.end') this.#builds.inc({ result: 'built' });
    if (event.kind === 'create.error') this.#builds.inc({ result: event.error.errorClass });
    if (event.kind === 'delete.end') this.#deletes.inc();
  }

  /** Brings what is asked of others up to now. */
  show(): void {
    const { readiness, requests } = this.#sources.served();
    this.#rpc.set(
      {},
      {
        hugenode_rpc_ready: readiness.ready ? 1 : 0,
        hugenode_rpc_requests_taken: requests.taken,
        hugenode_rpc_requests_waiting: requests.waiting,
      },
    );
    setCounter(this.#unreadable, {}, requests.unreadable);
    this.#spool.clear();
    this.#sent.reset();
    this.#lost.reset();
    for (const [kind, { waiting, bytes, sent, lost }] of Object.entries(this.#sources.spools?.() ?? {})) {
      this.#spool.set({ kind }, { hugenode_spool_messages: waiting, hugenode_spool_bytes: bytes });
      this.#sent.inc({ kind }, sent);
      this.#lost.inc({ kind }, lost);
    }
    this.#showMetering();
    const { user, system } = process.cpuUsage();
    setCounter(this.#cpu, {}, (user + system) / 1_000_000);
    this.#process.set(
      {},
      {
        process_resident_memory_bytes: process.memoryUsage.rss(),
        process_start_time_seconds: (performance.timeOrigin || Date.now()) / 1000,
      },
    );
  }

  #showMetering(): void {
    const counts = this.#sources.metering?.();
    if (counts === undefined) return;
    setCounter(this.#cycles, { result: 'done' }, counts.cycles);
    setCounter(this.#cycles, { result: 'overrun' }, counts.overruns);
    setCounter(this.#cycles, { result: 'failed' }, counts.failures);
    setCounter(this.#samples, {}, counts.samples);
  }

  /** Listens no more. */
  stop(): void {
    unsubscribe(PHASE_TIMES, this.#onPhase);
  }
}

/** A count that another keeps. */
function setCounter<L extends string>(
  counter: Counter<L>,
  labels: Readonly<Partial<Record<L, string>>>,
  value: number,
): void {
  counter.remove(labels);
  counter.inc(labels, value);
}
