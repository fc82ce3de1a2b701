/**
 * One connection's wire state: which serial waits for which reply, what may be sent, whether the peer lives. Knows
 * nothing of libvirt's objects and opens nothing: it is given a connected transport.
 *
 * At most `maxInFlight` calls are in flight. libvirtd stops reading a connection that has five requests under way
 * (max_client_requests), keepalive included, and then closes it after 30 s as dead, with all five lost: tried on 9.0.0.
 * The default of four keeps it reading; the rest wait here, see call_queue.ts.
 *
 * The peer is not trusted: what can be pinned on one call rejects that call, what cannot ends the connection, and no
 * bytes make this process hang or throw.
 */
import { CallTimeoutError, ConnectionClosedError, fateOf, ProtocolError } from '../errors.ts';
import {
  KeepaliveProgram,
  QEMU_PROGRAM,
  REMOTE_PROGRAM,
  type Message,
  type Procedure,
} from '../procedures/procedure.ts';
import type { Transport } from '../transport/transport.ts';
import {
  encodePacket,
  encodeValuePacket,
  PacketReader,
  PacketStatus,
  PacketType,
  writePacket,
  type Packet,
  type PacketHeader,
} from '../wire/packet.ts';
import { remoteError, toLibvirtError } from '../wire/remote_error.ts';
import { Writer, type Type } from '../wire/xdr.ts';
import { CallQueue } from './call_queue.ts';
import { Deadlines } from './deadlines.ts';
import { EarlyStreamData } from './early_stream_data.ts';
import { Keepalive } from './keepalive.ts';
import { PendingCall, type CallOptions, type CallOwner } from './pending_call.ts';
import { RemoteStream } from './remote_stream.ts';

export type CloseReason =
  /** We closed it. */
  | { readonly kind: 'requested' }
  /** server: the peer closed it; transport: the socket failed; keepalive: silence; protocol: bytes we cannot follow. */
  | { readonly kind: 'server' | 'transport' | 'keepalive' | 'protocol'; readonly error: Error };

export type SessionSettings = {
  readonly maxInFlight: number;
  readonly callTimeoutMs: number;
};

export type SessionStats = {
  readonly inFlight: number;
  readonly queued: number;
  /** Messages of kinds nobody here listens for, and data of streams that are over. */
  readonly droppedMessages: number;
};

/** The fifth place of a connection is free for this one, so it is answered at once unless the daemon is stuck. */
const FAREWELL_TIMEOUT_MS = 1000;
const EMPTY = Buffer.alloc(0);

type Listener = { readonly message: Message; readonly take: (packet: Packet) => void };

export class Session implements CallOwner {
  /** Resolves once, never rejects. */
  readonly closed: Promise<CloseReason>;
  readonly peer: string;
  readonly #transport: Transport;
  readonly #settings: SessionSettings;
  readonly #reader = new PacketReader();
  /** What is to be sent at the end of this turn of the event loop. */
  readonly #outgoing = new Writer();
  /** For the packets of calls that wait for a place. */
  readonly #writer = new Writer();
  /** By serial; also the abandoned ones, whose reply is yet to come. */
  readonly #inFlight = new Map<number, PendingCall>();
  readonly #queue = new CallQueue();
  /** Given a place, their packets in #outgoing: written together, because each write is a system call. */
  #unsent: PendingCall[] = [];
  readonly #streams = new Map<number, RemoteStream>();
  /** Data of streams whose call is not answered yet: libvirtd sends both from threads of their own. */
  readonly #early = new EarlyStreamData();
  readonly #listeners = new Map<string, Listener>();
  readonly #deadlines = new Deadlines(() => [...this.#inFlight.values(), ...this.#queue]);
  readonly #resolveClosed: (reason: CloseReason) => void;
  #keepalive: Keepalive | undefined;
  #closeReason: CloseReason | undefined;
  #isClosing = false;
  #serial = 0;
  #answered = 0;
  #droppedMessages = 0;

  constructor(transport: Transport, settings: SessionSettings) {
    this.#transport = transport;
    this.#settings = settings;
    this.peer = transport.peer;
    const { promise, resolve } = Promise.withResolvers<CloseReason>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    transport.start({
      onBytes: (bytes) => this.#onBytes(bytes),
      onDrain: () => this.#onDrain(),
      onEnd: () => this.#onEnd(),
      onError: (error) => this.#end({ kind: 'transport', error }),
    });
  }

  get isClosed(): boolean {
    return this.#isClosing || this.#closeReason !== undefined;
  }

  get stats(): SessionStats {
    return { inFlight: this.#inFlight.size, queued: this.#queue.size, droppedMessages: this.#droppedMessages };
  }

  /** Calls that have a place or wait for one. */
  get load(): number {
    return this.#inFlight.size + this.#queue.size;
  }

  /** Replies that have come so far. */
  get answered(): number {
    return this.#answered;
  }

  /**
   * Calls a procedure; see {@link CallOptions} for giving up on it.
   * @throws {LibvirtError} {CallTimeoutError} {ConnectionClosedError} {ProtocolError} the signal's reason, or a
   * RangeError where an argument does not fit its field.
   */
  call<A, R>(procedure: Procedure<A, R>, args: A, options: CallOptions = {}): Promise<R> {
    // What the executor throws rejects the promise.
    return new Promise((resolve, reject) => {
      const onReply = (packet: Packet) => resolve(decodeReply(procedure, procedure.result, packet));
      this.#start(procedure, args, options, onReply, reject);
    });
  }

  /** As {@link call}, for a procedure that data follows. The stream exists before the first of its packets is read. */
  openStream<A, R>(
    procedure: Procedure<A, R>,
    args: A,
    options: CallOptions = {},
  ): Promise<{ result: R; stream: RemoteStream }> {
    return new Promise((resolve, reject) => {
      if (procedure.stream === undefined) throw new RangeError(`${procedure.name} is no procedure with a stream`);
      const call = this.#start(
        procedure,
        args,
        options,
        (packet) => {
          const result = decodeReply(procedure, procedure.result, packet);
          resolve({ result, stream: this.#newStream(procedure, call.serial) });
        },
        reject,
      );
    });
  }

  /** Listens for a kind of message; the listener must not throw. Bodies that cannot be decoded end the connection. */
  onMessage<Body>(message: Message<Body>, listener: (body: Body) => void): void {
    const take = (packet: Packet) => listener(packet.decode(message.body));
    this.#listeners.set(messageKey(message.program, message.number), { message, take });
  }

  /** Starts pinging; a daemon that does not know the keepalive program must not be pinged. */
  startKeepalive(intervalMs: number, count: number): void {
    if (this.isClosed) return;
    this.#keepalive = new Keepalive({
      intervalMs,
      count,
      ping: () => this.#sendKeepalive(KeepaliveProgram.PING),
      onDead: (silentMs) => {
        const error = new Error(`${this.peer} has been silent for ${Math.round(silentMs)} ms (${count} pings)`);
        this.#end({ kind: 'keepalive', error });
      },
    });
  }

  /** Sends a last call past the queue, waits shortly for its reply and closes. Calls still waiting are rejected. */
  async close<A>(farewell: Procedure<A>, args: A): Promise<void> {
    if (this.isClosed) {
      await this.closed;
      return;
    }
    this.#isClosing = true;
    for (const call of this.#queue.clear()) call.fail(this.#closedError(call.procedure, false));
    await this.#farewell(farewell, args);
    this.#end({ kind: 'requested' });
    await this.closed;
  }

  /** Breaks off without a word to the peer; with a reason where it is not the caller who wants it. */
  destroy(reason: CloseReason = { kind: 'requested' }): void {
    this.#end(reason);
  }

  /** @internal for PendingCall */
  timeoutError({ requestSent, procedure, timeoutMs }: PendingCall): CallTimeoutError {
    const what = requestSent ? 'no reply' : `no free place among ${this.#settings.maxInFlight} calls in flight`;
    const message = `${procedure.name} on ${this.peer}: ${what} within ${timeoutMs} ms; ${fateOf(requestSent)}`;
    return new CallTimeoutError(message, { requestSent, procedure: procedure.name });
  }

  /** @internal for PendingCall */
  abandoned(call: PendingCall): void {
    this.#queue.delete(call);
  }

  #start<A, R>(
    procedure: Procedure<A, R>,
    args: A,
    options: CallOptions,
    resolve: (packet: Packet) => void,
    reject: (reason: unknown) => void,
  ): PendingCall {
    const { signal, timeoutMs = this.#settings.callTimeoutMs } = options;
    signal?.throwIfAborted();
    if (!(timeoutMs > 0)) throw new RangeError(`timeoutMs must be above 0, not ${timeoutMs}`);
    if (this.isClosed) throw this.#closedError(procedure, false);
    const serial = this.#nextSerial();
    const hasPlace = this.#inFlight.size < this.#settings.maxInFlight;
    const packet = this.#encode(procedure, serial, args, hasPlace);
    const call = new PendingCall(this, procedure, serial, options, timeoutMs, resolve, reject);
    call.packet = packet;
    this.#deadlines.watch(call);
    if (hasPlace) this.#send(call);
    else this.#queue.add(call);
    return call;
  }

  async #farewell<A>(procedure: Procedure<A>, args: A): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const serial = this.#nextSerial();
    const call = new PendingCall(this, procedure, serial, {}, FAREWELL_TIMEOUT_MS, resolve, reject);
    call.packet = this.#encode(procedure, serial, args, false);
    this.#deadlines.watch(call);
    this.#send(call);
    // Whatever came of it, we leave.
    await promise.catch(() => undefined);
  }

  /** The packet goes straight among the outgoing ones where the call has its place, else it is returned. */
  #encode<A>(procedure: Procedure<A>, serial: number, args: A, hasPlace: boolean): Buffer | undefined {
    const { program, version, number } = procedure;
    const header = { program, version, procedure: number, type: PacketType.CALL, serial, status: PacketStatus.OK };
    try {
      if (!hasPlace) return encodeValuePacket(this.#writer, header, procedure.args, args);
      writePacket(this.#outgoing, header, procedure.args, args);
      return undefined;
    } catch (error) {
      throw new RangeError(`${procedure.name}: ${messageOf(error)}`, { cause: error });
    }
  }

  #nextSerial(): number {
    do this.#serial = (this.#serial + 1) >>> 0;
    while (this.#inFlight.has(this.#serial) || this.#streams.has(this.#serial));
    return this.#serial;
  }

  #pump(): void {
    while (this.#inFlight.size < this.#settings.maxInFlight) {
      const call = this.#queue.take();
      if (call === undefined) return;
      this.#send(call);
    }
  }

  /** Gives the call its place. */
  #send(call: PendingCall): void {
    if (call.packet !== undefined) this.#outgoing.raw(call.packet);
    call.packet = undefined;
    this.#inFlight.set(call.serial, call);
    if (this.#unsent.push(call) === 1) queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    if (this.#closeReason !== undefined) return;
    for (const call of this.#unsent) call.requestSent = true;
    this.#unsent = [];
    this.#transport.write(this.#outgoing.take());
  };

  #sendKeepalive(procedure: number): void {
    const { program, version } = KeepaliveProgram;
    const header = { program, version, procedure, type: PacketType.MESSAGE, serial: 0, status: PacketStatus.OK };
    this.#transport.write(encodePacket(header, EMPTY));
  }

  #newStream(procedure: Procedure, serial: number): RemoteStream {
    const { program, version, number } = procedure;
    const header = { program, version, procedure: number, type: PacketType.STREAM, serial };
    const stream = new RemoteStream(procedure, {
      send: (status, payload) => this.#transport.write(encodePacket({ ...header, status }, payload)),
      pause: () => {
        this.#keepalive?.suspend();
        this.#transport.pause();
      },
      resume: () => {
        this.#keepalive?.resume();
        this.#transport.resume();
      },
      isOver: () => {
        this.#streams.delete(serial);
      },
    });
    this.#streams.set(serial, stream);
    for (const early of this.#early.of(serial)) stream.onPacket(early.header, early.payload);
    return stream;
  }

  #onBytes(bytes: Buffer): void {
    this.#keepalive?.heard();
    try {
      this.#reader.push(bytes, (packet) => {
        this.#onPacket(packet);
        // A listener may have closed the connection.
        return this.#closeReason === undefined;
      });
    } catch (error) {
      this.#end({ kind: 'protocol', error: error instanceof Error ? error : new ProtocolError(String(error)) });
    }
  }

  #onPacket(packet: Packet): void {
    const { header } = packet;
    if (header.type === PacketType.REPLY) this.#onReply(packet);
    else if (header.type === PacketType.STREAM || header.type === PacketType.STREAM_HOLE)
      this.#onStream(header, packet.payload);
    else if (header.type !== PacketType.MESSAGE)
      throw unexpected(header, 'this connection has no use for such packets');
    else if (header.program === KeepaliveProgram.program) this.#onKeepalive(header);
    else this.#onMessage(packet);
  }

  #onReply(packet: Packet): void {
    const { header } = packet;
    const call = this.#inFlight.get(header.serial);
    if (call === undefined) throw unexpected(header, 'no call with this serial is waiting');
    const { procedure } = call;
    const isItsReply =
      header.procedure === procedure.number &&
      header.program === procedure.program &&
      header.version === procedure.version;
    if (!isItsReply) throw unexpected(header, `the call with this serial is ${procedure.name}`);
    if (!call.requestSent) throw unexpected(header, 'the call with this serial was not sent yet');
    if (header.status !== PacketStatus.OK && header.status !== PacketStatus.ERROR)
      throw unexpected(header, 'no such status');
    this.#inFlight.delete(header.serial);
    this.#answered += 1;
    if (header.status === PacketStatus.OK) call.deliver(packet);
    else if (!call.isSettled) call.fail(refusal(procedure, packet));
    if (procedure.stream !== undefined) this.#early.forget(header.serial);
    if (this.#queue.size > 0 && !this.isClosed) this.#pump();
  }

  #onStream(header: PacketHeader, payload: Buffer): void {
    const stream = this.#streams.get(header.serial);
    const call = this.#inFlight.get(header.serial);
    if (stream !== undefined) stream.onPacket(header, payload);
    else if (call?.procedure.stream !== undefined && !call.isSettled) this.#early.keep(header, payload);
    // Data may follow an abort for a while.
    else this.#droppedMessages += 1;
  }

  #onDrain(): void {
    for (const stream of this.#streams.values()) stream.onDrain();
  }

  #onKeepalive(header: PacketHeader): void {
    const { version, PING, PONG } = KeepaliveProgram;
    if (header.version !== version) throw unexpected(header, 'no such version of the keepalive program');
    if (header.procedure === PING) {
      // A peer that reads nothing gets no more of them: those that wait to be sent already prove life.
      if (!this.#transport.needsDrain) this.#sendKeepalive(PONG);
      return;
    }
    if (header.procedure !== PONG) throw unexpected(header, 'keepalive is PING or PONG');
  }

  #onMessage(packet: Packet): void {
    const { header } = packet;
    if (header.program !== REMOTE_PROGRAM && header.program !== QEMU_PROGRAM)
      throw unexpected(header, 'no messages of this program were asked for');
    const listener = this.#listeners.get(messageKey(header.program, header.procedure));
    if (listener === undefined) {
      this.#droppedMessages += 1;
      return;
    }
    if (header.version !== listener.message.version) throw unexpected(header, 'no such version of the program');
    listener.take(packet);
  }

  #onEnd(): void {
    const where = this.#reader.isMidPacket ? ' in the middle of a packet' : '';
    this.#end({ kind: 'server', error: new Error(`${this.peer} closed the connection${where}`) });
  }

  #end(cause: CloseReason): void {
    if (this.#closeReason !== undefined) return;
    // What breaks while we are leaving is what we asked for.
    const reason: CloseReason = this.#isClosing ? { kind: 'requested' } : cause;
    this.#closeReason = reason;
    this.#keepalive?.stop();
    this.#deadlines.stop();
    this.#transport.destroy();
    const waiting = [...this.#inFlight.values(), ...this.#queue.clear()];
    const streams = [...this.#streams.values()];
    this.#inFlight.clear();
    this.#streams.clear();
    this.#unsent = [];
    this.#resolveClosed(reason);
    for (const call of waiting) call.fail(this.#closedError(call.procedure, call.requestSent));
    const isOnPurpose = reason.kind === 'requested';
    for (const stream of streams) stream.onSessionEnd(this.#closedError(stream.procedure, true), isOnPurpose);
  }

  #closedError(procedure: Procedure, requestSent: boolean): ConnectionClosedError {
    const reason = this.#closeReason;
    const cause = reason === undefined || reason.kind === 'requested' ? undefined : reason.error;
    const why = cause === undefined ? 'close() was called' : cause.message;
    const message = `${procedure.name} on ${this.peer}: the connection is closed (${why}); ${fateOf(requestSent)}`;
    return new ConnectionClosedError(message, requestSent, cause === undefined ? {} : { cause });
  }
}

function messageKey(program: number, procedure: number): string {
  return `${program}:${procedure}`;
}

function refusal(procedure: Procedure, packet: Packet): Error {
  try {
    return toLibvirtError(decodeReply(procedure, remoteError, packet), procedure);
  } catch (error) {
    return error instanceof Error ? error : new ProtocolError(String(error));
  }
}

function decodeReply<T>(procedure: Procedure, type: Type<T>, packet: Packet): T {
  try {
    return packet.decode(type);
  } catch (error) {
    throw new ProtocolError(`reply to ${procedure.name}: ${messageOf(error)}`, { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unexpected(header: PacketHeader, why: string): ProtocolError {
  const { program, procedure, type, serial, status } = header;
  const packet = `program 0x${program.toString(16)} procedure ${procedure} type ${type} serial ${serial} status ${status}`;
  return new ProtocolError(`unexpected packet (${packet}): ${why}`);
}
