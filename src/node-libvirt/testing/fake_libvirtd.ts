/**
 * A libvirtd on a real socket whose every word a test decides. It does what each libvirtd does by itself: handshake,
 * keepalive, event registrations, the limit of requests per client, refusals by the protocol. Any other call is answered
 * by a script, by a FakeHost, or handed to the test (`next`), which replies when and with what it likes.
 *
 *   call --fault?--> script?  --no--> next()              (with a host: NO_SUPPORT)
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LifecycleEvent, LifecycleEventDetail } from '../constants/index.ts';
import { ErrorCode, ErrorDomain } from '../error_codes.ts';
import { ProtocolError } from '../errors.ts';
import { Events, type EventName, type EventOf } from '../events/definitions.ts';
import type { EventDefinition } from '../events/kinds.ts';
import { Procedures } from '../procedures/index.ts';
import { QEMU_PROGRAM, REMOTE_PROGRAM, type Message, type Procedure } from '../procedures/procedure.ts';
import { PacketType, type Packet, type PacketHeader } from '../wire/packet.ts';
import type { RemoteError } from '../wire/remote_error.ts';
import { FakeCall } from './fake_call.ts';
import { FakeClient, type ClientOwner } from './fake_client.ts';
import { Faults } from './faults.ts';
import { followHandshake, handshakeRefusal } from './handshake.ts';
import { readOnlyRefusal } from './read_only.ts';
import { FakeRefusal, protocolRefusal } from './refusal.ts';
import { Registrations } from './registrations.ts';

export type FakeLibvirtdOptions = {
  /** Answers what has no script of its own. */
  readonly host?: FakeDriver;
  /** Also listens on a port of 127.0.0.1, see {@link FakeLibvirtd.port}. */
  readonly tcp?: boolean;
  /** Requests under way per client beyond which nothing of it is read; default 5, as in libvirtd.conf. */
  readonly maxClientRequests?: number;
  /** How clients that ask for it are pinged; default every 5 s, and 5 times unanswered is the end. */
  readonly keepalive?: { readonly intervalMs: number; readonly count: number };
  /** Serves clients that skipped the handshake; for testing what is below it. */
  readonly needsNoHandshake?: boolean;
};

/** What stands behind a daemon, e.g. a FakeHost. */
export type FakeDriver = { install(daemon: FakeLibvirtd): void };

type Script = (call: FakeCall) => void;

export class FakeLibvirtd implements AsyncDisposable {
  /** Of this user's own temporary folder. */
  readonly socketPath: string;
  /** Of the socket whose clients may only read. */
  readonly readonlySocketPath: string;
  /** What goes wrong. */
  readonly faults: Faults;
  /** Whether pings of clients are answered. */
  answersPings = true;
  readonly #folder: string;
  readonly #options: FakeLibvirtdOptions;
  readonly #servers: Server[] = [];
  readonly #names = new Map(Object.values(Procedures).map((one) => [keyOf(one.program, one.number), one.name]));
  readonly #scripts = new Map<string, Script>();
  readonly #registrations = new Registrations();
  readonly #arrived: FakeCall[] = [];
  readonly #waiting: ((call: FakeCall) => void)[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #clients = new Set<FakeClient>();
  #accepted = 0;
  #pings = 0;
  #pongs = 0;
  #port: number | undefined;

  private constructor(folder: string, options: FakeLibvirtdOptions) {
    this.#folder = folder;
    this.#options = options;
    this.socketPath = join(folder, 'libvirt-sock');
    this.readonlySocketPath = join(folder, 'libvirt-sock-ro');
    this.faults = new Faults({ sendEvents: (client, count) => this.#sendEvents(client, count) });
    this.answer(Procedures.AUTH_LIST, () => ({ types: [0] }));
    this.answer(Procedures.CONNECT_SUPPORTS_FEATURE, () => ({ supported: 1 }));
    this.answer(Procedures.CONNECT_OPEN, () => ({}));
    this.answer(Procedures.CONNECT_CLOSE, () => ({}));
    for (const [procedure, script] of this.#registrations.scripts()) this.answer(procedure, (_, call) => script(call));
    options.host?.install(this);
  }

  /** @example await using daemon = await FakeLibvirtd.open({ host: new FakeHost({ cells: [...] }) }) */
  static async open(options: FakeLibvirtdOptions = {}): Promise<FakeLibvirtd> {
    const folder = await mkdtemp(join(tmpdir(), 'fake-libvirtd-'));
    const daemon = new FakeLibvirtd(folder, options);
    await daemon.#listen({ path: daemon.socketPath }, false);
    await daemon.#listen({ path: daemon.readonlySocketPath }, true);
    if (options.tcp === true) {
      const address = (await daemon.#listen({ host: '127.0.0.1', port: 0 }, false)).address();
      daemon.#port = typeof address === 'object' ? address?.port : undefined;
    }
    return daemon;
  }

  /** A URI that leads here. */
  get uri(): string {
    return `qemu+unix:///system?socket=${encodeURIComponent(this.socketPath)}`;
  }

  /** On 127.0.0.1. @throws where `tcp` was not asked for. */
  get port(): number {
    if (this.#port === undefined) throw new Error('this daemon was not opened with { tcp: true }');
    return this.#port;
  }

  /** The clients of this moment, in the order in which they came. */
  get clients(): readonly FakeClient[] {
    return [...this.#clients];
  }

  /** Clients that ever came. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Pings that clients sent, also those that have gone. */
  get pings(): number {
    return this.clients.reduce((sum, client) => sum + client.pings, this.#pings);
  }

  /** Pongs that clients sent, also those that have gone. */
  get pongs(): number {
    return this.clients.reduce((sum, client) => sum + client.pongs, this.#pongs);
  }

  /** Answers each call of a procedure. A FakeRefusal that the script throws is the answer, too. */
  answer<A, R>(procedure: Procedure<A, R>, script: (args: A, call: FakeCall) => R | Promise<R>): void {
    this.script(procedure, (call) => {
      try {
        const outcome = script(call.args(procedure), call);
        // Not by await where it is not needed: a reply must not be overtaken by what the script's caller does next.
        if (!(outcome instanceof Promise)) call.reply(procedure, outcome);
        else
          outcome.then(
            (result) => call.reply(procedure, result),
            (error: unknown) => fail(call, error),
          );
      } catch (error) {
        fail(call, error);
      }
    });
  }

  /** Hands each call of a procedure to the script, which may answer it or not. */
  script(procedure: Procedure, script: (call: FakeCall) => void): void {
    this.#scripts.set(keyOf(procedure.program, procedure.number), script);
  }

  /** The next call without a script, in the order of arrival. */
  async next(): Promise<FakeCall> {
    return this.#arrived.shift() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next calls without a script. */
  async take(count: number): Promise<FakeCall[]> {
    const calls: FakeCall[] = [];
    while (calls.length < count) calls.push(await this.next());
    return calls;
  }

  /** Calls that arrived and that nobody took. */
  get untaken(): readonly FakeCall[] {
    return this.#arrived;
  }

  /** Sends an event to each client that registered for it, under its callbackID. */
  emitEvent<N extends EventName>(name: N, event: EventOf<N>): void {
    for (const { client, callbackID } of this.#registrations.wanting(name, domainUuid(event)))
      this.#emitTo(client, name, callbackID, event);
  }

  /** Sends a message to each client, whoever asked for it. */
  emit<B>(message: Message<B>, body: B): void {
    for (const client of this.#clients) client.emit(message, body);
  }

  /** Pings each client. */
  ping(): void {
    for (const client of this.#clients) client.ping();
  }

  /** Sends a packet to each client. */
  send(header: Omit<PacketHeader, 'status'> & { status?: number }, payload: Buffer): void {
    for (const client of this.#clients) client.send(header, payload);
  }

  /** Sends bytes to each client. */
  raw(bytes: Buffer): void {
    for (const client of this.#clients) client.raw(bytes);
  }

  /** Breaks all connections, as a daemon that was killed; it goes on listening, as one that was started again. */
  drop(): void {
    for (const client of this.#clients) client.drop();
  }

  /** Closes all connections after what it said. */
  end(): void {
    for (const client of this.#clients) client.end();
  }

  /** Resolves when the condition holds; it is looked at after each packet and each client that comes or goes. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = () => {
      if (condition()) resolve();
    };
    this.#watchers.add(watcher);
    await promise;
    this.#watchers.delete(watcher);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop();
    await Promise.all(this.#servers.map((server) => closed(server)));
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #listen(where: { path: string } | { host: string; port: number }, isReadonly: boolean): Promise<Server> {
    const server = createServer((socket) => {
      this.#accepted += 1;
      this.#clients.add(new FakeClient(this.#accepted, socket, isReadonly, this.#owner));
      this.#look();
    });
    server.listen(where);
    await once(server, 'listening');
    this.#servers.push(server);
    return server;
  }

  get #owner(): ClientOwner {
    const { maxClientRequests = 5, keepalive = { intervalMs: 5000, count: 5 } } = this.#options;
    const isAnswering = () => this.answersPings;
    return {
      maxClientRequests,
      keepalive,
      get answersPings() {
        return isAnswering();
      },
      onCall: (client, packet, deliver) => this.#onCall(client, packet, deliver),
      onChange: () => this.#look(),
      onGone: (client) => this.#onGone(client),
    };
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher();
  }

  #onGone(client: FakeClient): void {
    this.#clients.delete(client);
    this.#registrations.forget(client);
    this.#pings += client.pings;
    this.#pongs += client.pongs;
  }

  #onCall(client: FakeClient, packet: Packet, deliver: (packet: Buffer) => void): void {
    const { program, procedure } = packet.header;
    const key = keyOf(program, procedure);
    const name = this.#names.get(key) ?? `procedure ${procedure}`;
    const call = new FakeCall(client, name, packet, deliver);
    const script = this.#scripts.get(key);
    const refusal = this.#refusalOf(call, script !== undefined || this.#names.has(key));
    if (refusal !== undefined) return call.fail(refusal);
    followHandshake(call);
    this.faults.run(call, () => {
      if (script !== undefined) script(call);
      else if (this.#options.host !== undefined) call.fail(unsupported(name));
      else this.#hand(call);
    });
  }

  /** What is refused before any driver sees it. */
  #refusalOf(call: FakeCall, isKnown: boolean): Partial<RemoteError> | undefined {
    const { program, version, procedure, type } = call.header;
    if (program !== REMOTE_PROGRAM && program !== QEMU_PROGRAM)
      return protocolRefusal(`Cannot find program ${program} version ${version}`);
    if (type !== PacketType.CALL) return protocolRefusal(`Unexpected message type ${type}`);
    if (!isKnown) return protocolRefusal(`unknown procedure: ${procedure}`);
    const tooEarly = this.#options.needsNoHandshake === true ? undefined : handshakeRefusal(call);
    if (tooEarly !== undefined || !call.client.isReadonly) return tooEarly;
    return readOnlyRefusal(call);
  }

  #hand(call: FakeCall): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#arrived.push(call);
    else waiting(call);
  }

  #emitTo<N extends EventName>(client: FakeClient, name: N, callbackID: number, event: EventOf<N>): void {
    // The definition of this name describes events of this name.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const { message } = Events[name] as EventDefinition<EventOf<N>>;
    client.emit(message, { callbackID, event });
  }

  /** For «eventsFirst»: of a domain that does not matter. */
  #sendEvents(client: FakeClient, count: number): void {
    const name = 'domainLifecycle';
    const wanting = this.#registrations.wanting(name, SOME_EVENT.domain.uuid);
    for (const one of wanting) {
      if (one.client !== client) continue;
      for (let sent = 0; sent < count; sent += 1) this.#emitTo(client, name, one.callbackID, SOME_EVENT);
    }
  }
}

const SOME_EVENT: EventOf<'domainLifecycle'> = {
  domain: { name: 'fault', uuid: '00000000-0000-4000-8000-000000000000', id: 1 },
  event: 'RESUMED',
  detail: 'UNPAUSED',
  eventNumber: LifecycleEvent.RESUMED,
  detailNumber: LifecycleEventDetail.RESUMED.UNPAUSED,
};

function fail(call: FakeCall, error: unknown): void {
  if (error instanceof FakeRefusal) return call.fail(error.error);
  if (error instanceof ProtocolError) return call.fail(protocolRefusal('Unable to decode message payload'));
  // Whoever wrote the script will want to know.
  const message = `the script for ${call.name} threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  call.fail({ message });
}

function unsupported(name: string): Partial<RemoteError> {
  return {
    code: ErrorCode.NO_SUPPORT,
    domain: ErrorDomain.NONE,
    message: `this function is not supported by the connection driver: ${name}`,
  };
}

function keyOf(program: number, procedure: number): string {
  return `${program}:${procedure}`;
}

function domainUuid(event: unknown): string | undefined {
  if (typeof event !== 'object' || event === null || !('domain' in event)) return undefined;
  const { domain } = event;
  return typeof domain === 'object' && domain !== null && 'uuid' in domain ? String(domain.uuid) : undefined;
}

async function closed(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  await promise;
}
