/**
 * Many calls and events over connections that break all the time: one call in a hundred meets a fault, and a connection
 * that a fault kills is opened anew. In the end nothing may be left: no call unsettled, no socket, timer or listener.
 */
import { buffer } from 'node:stream/consumers';
import { connect, type Connection, type DomainLifecycleEvent, type EventStream } from '../../src/node-libvirt/index.ts';
import {
  FakeHost,
  FakeLibvirtd,
  seededRandom,
  type ActiveFault,
  type Fault,
} from '../../src/node-libvirt/testing/index.ts';
import { below, pick, type Random } from './mutations.ts';

export type SoakOptions = {
  readonly seed: number;
  readonly calls: number;
  /** Events that the daemon tells, each to all who listen. */
  readonly events: number;
  /** Of each call meeting a fault. */
  readonly faultRate: number;
};

export type SoakReport = {
  calls: number;
  connections: number;
  streams: number;
  eventsTold: number;
  eventsHeard: number;
  /** Heard by iterations, whose buffers are short. */
  eventsIterated: number;
  eventsDropped: number;
  readonly outcomes: Record<string, number>;
  readonly faults: Record<string, number>;
};

const CLIENTS = 4;
/** More than may be in flight, so that the queue is always in use. */
const LANES = 8;
const CALL_TIMEOUT_MS = 50;
/** Some of those held have timed out by then, some have not. */
const RELEASE_MS = 100;

const FAULTS: readonly Fault[] = [
  { kind: 'delay', ms: 5 },
  { kind: 'hold' },
  { kind: 'refuse', error: { code: 38, int1: 16 } },
  { kind: 'cut', afterBytes: 0 },
  { kind: 'cut', afterBytes: 3 },
  { kind: 'cut', afterBytes: 40 },
  { kind: 'garbage', bytes: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') },
  { kind: 'duplicate' },
  { kind: 'wrongSerial' },
  { kind: 'reorder', count: 3, withinMs: 20 },
  { kind: 'eventsFirst', count: 3 },
];

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const host = someHost();
  await using daemon = await FakeLibvirtd.open({ host });
  const probability = options.faultRate / FAULTS.length;
  const active = FAULTS.map((fault, nth) => daemon.faults.add('any', fault, { probability, seed: options.seed + nth }));
  const soaking = new Soaking(daemon, host, active, options);
  await Promise.all(Array.from({ length: CLIENTS }, () => soaking.client()));
  daemon.faults.clear();
  await daemon.until(() => daemon.clients.length === 0);
  for (const { fault, hits } of active)
    soaking.report.faults[fault.kind] = (soaking.report.faults[fault.kind] ?? 0) + hits;
  return soaking.report;
}

class Soaking {
  readonly report: SoakReport = {
    calls: 0,
    connections: 0,
    streams: 0,
    eventsTold: 0,
    eventsHeard: 0,
    eventsIterated: 0,
    eventsDropped: 0,
    outcomes: {},
    faults: {},
  };
  readonly #daemon: FakeLibvirtd;
  readonly #host: FakeHost;
  readonly #holds: readonly ActiveFault[];
  readonly #options: SoakOptions;
  readonly #random: Random;
  #lastRelease = performance.now();

  constructor(daemon: FakeLibvirtd, host: FakeHost, active: readonly ActiveFault[], options: SoakOptions) {
    this.#daemon = daemon;
    this.#host = host;
    this.#holds = active.filter(({ fault }) => fault.kind === 'hold');
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  /** One client after the other, until all calls are made. */
  async client(): Promise<void> {
    while (this.report.calls < this.#options.calls) {
      this.report.connections += 1;
      await using connection = await connect({
        socketPath: this.#daemon.socketPath,
        callTimeoutMs: CALL_TIMEOUT_MS,
        // Faults come in streams, too; who listens badly is not what this is about.
        onListenerError: (error) => {
          throw error;
        },
      });
      await this.#use(connection);
    }
  }

  async #use(connection: Connection): Promise<void> {
    const subscription = connection.subscribe('domainLifecycle', () => (this.report.eventsHeard += 1));
    const iteration = this.#iterate(connection);
    await this.#settle(subscription);
    await Promise.all(Array.from({ length: LANES }, () => this.#lane(connection)));
    await connection.close();
    await iteration;
  }

  async #iterate(connection: Connection): Promise<void> {
    let events: EventStream<DomainLifecycleEvent> | undefined;
    try {
      events = await connection.events('domainLifecycle', { bufferSize: 2 });
      for await (const _ of events) this.report.eventsIterated += 1;
    } catch (error) {
      this.#count(error);
    }
    this.report.eventsDropped += events?.dropped ?? 0;
  }

  async #lane(connection: Connection): Promise<void> {
    while (!connection.isClosed && this.report.calls < this.#options.calls) {
      this.report.calls += 1;
      this.#tell();
      const chance = this.#random();
      if (chance < 0.002) await this.#settle(this.#console(connection));
      else if (chance < 0.01) await this.#settle(this.#aborted(connection));
      else await this.#settle(pick(this.#random, CALLS)(connection, { timeoutMs: CALL_TIMEOUT_MS }));
    }
  }

  /** Tells as many events per call as it takes, and lets go what is held, now and then. */
  #tell(): void {
    const { calls, events } = this.#options;
    while (this.report.eventsTold < (this.report.calls / calls) * events) {
      this.report.eventsTold += 1;
      const { object } = this.#host.domain('guest');
      this.#daemon.emitEvent('domainLifecycle', {
        domain: object,
        event: 'RESUMED',
        detail: 'UNPAUSED',
        eventNumber: 4,
        detailNumber: 0,
      });
    }
  }

  async #console(connection: Connection): Promise<void> {
    this.report.streams += 1;
    const stream = await connection.domain.openConsole(this.#host.domain('guest').object);
    stream.end('hello');
    if ((await buffer(stream)).toString() !== 'hello') throw new Error('the console has a bad echo');
  }

  async #aborted(connection: Connection): Promise<void> {
    const controller = new AbortController();
    const call = connection.getCapabilities({ signal: controller.signal });
    if (below(this.#random, 2) === 0) await Promise.resolve();
    controller.abort(new Aborted());
    await call;
  }

  async #settle(call: Promise<unknown>): Promise<void> {
    // A clock would have to be stopped again; a look at the time does as well.
    if (performance.now() - this.#lastRelease > RELEASE_MS) {
      this.#lastRelease = performance.now();
      for (const hold of this.#holds) hold.release();
    }
    try {
      await call;
      this.#note('fulfilled');
    } catch (error) {
      this.#count(error);
    }
  }

  #count(error: unknown): void {
    this.#note(error instanceof Error ? (KNOWN.has(error.name) ? error.name : String(error.stack)) : String(error));
  }

  #note(outcome: string): void {
    this.report.outcomes[outcome] = (this.report.outcomes[outcome] ?? 0) + 1;
  }
}

class Aborted extends Error {
  override readonly name = 'Aborted';
}

const KNOWN: ReadonlySet<string> = new Set([
  'LibvirtError',
  'CallTimeoutError',
  'ConnectionClosedError',
  'ConnectError',
  'ProtocolError',
  'Aborted',
]);

type Options = { readonly timeoutMs: number };

const guest = { name: 'guest', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1 };

const CALLS: readonly ((connection: Connection, options: Options) => Promise<unknown>)[] = [
  (connection, options) => connection.getHostname(options),
  (connection, options) => connection.getLibVersion(options),
  (connection, options) => connection.getCapabilities(options),
  (connection, options) => connection.node.getInfo(options),
  (connection, options) => connection.node.getFreePages([4, 2048], 0, 2, 0, options),
  (connection, options) => connection.listAllDomains(0, options),
  (connection, options) => connection.domain.getInfo(guest, options),
  (connection, options) => connection.domain.getState(guest, 0, options),
  (connection, options) => connection.domain.getXMLDesc(guest, 0, options),
  (connection, options) => connection.domain.memoryStats(guest, 0, options),
  (connection, options) => connection.getAllDomainStats([], 0, 0, options),
  (connection, options) => connection.domain.lookupByName('nobody', options),
];

function someHost(): FakeHost {
  const cell = { memoryKib: 4_194_304, pools: [{ sizeKib: 2048, total: 512 }] };
  const host = new FakeHost({
    cells: [
      { ...cell, cpus: [0, 1] },
      { ...cell, cpus: [2, 3] },
    ],
  });
  const { name, uuid } = guest;
  const memory = "<memory unit='MiB'>256</memory><memoryBacking><hugepages/></memoryBacking>";
  host.start(host.define(`<domain><name>${name}</name><uuid>${uuid}</uuid>${memory}</domain>`));
  return host;
}

/** Outcomes that no fault accounts for. */
export function unforeseen({ outcomes }: SoakReport): string[] {
  return Object.keys(outcomes).filter((name) => name !== 'fulfilled' && !KNOWN.has(name));
}
