/**
 * One connection's wire state: which serial waits for which reply, what may be sent, whether the peer lives. Knows
 * nothing of libvirt's objects and opens nothing: it is given a connected stream.
 *
 * At most `maxInFlight` calls are in flight. libvirtd stops reading a connection that has five requests under way
 * (max_client_requests), keepalive included, and then closes it after 30 s as dead, with all five lost: tried on 9.0.0.
 * The default of four keeps it reading; the rest wait here, priority procedures ahead of the others, else in order.
 *
 * The peer is not trusted: what can be pinned on one call rejects that call, what cannot ends the connection, and no
 * bytes make this process hang or throw.
 */
import type { Duplex } from 'node:stream';
import { CallTimeoutError, ConnectionClosedError, fateOf, ProtocolError } from './errors.ts';
import { Keepalive } from './keepalive.ts';
import { encodePacket, PacketReader, PacketStatus, PacketType, type Packet, type PacketHeader } from './packet.ts';
import { PendingCall, type CallOptions } from './pending_call.ts';
import { KeepaliveProgram, REMOTE_PROGRAM, type Message, type Procedure } from './procedures.ts';
import { remoteError, toLibvirtError } from './remote_error.ts';
import { decode, encode, type Type } from './xdr.ts';

export type CloseReason =
  /** We closed it. */
  | { readonly kind: 'requested' }
  /** server: the peer closed it; transport: the socket failed; keepalive: silence; protocol: bytes we cannot follow. */
  | { readonly kind: 'server' | 'transport' | 'keepalive' | 'protocol'; readonly error: Error };

export type SessionSettings = {
  /** What the stream leads to, for messages. */
  readonly peer: string;
  readonly maxInFlight: number;
  readonly callTimeoutMs: number;
};

export type SessionStats = {
  readonly inFlight: number;
  readonly queued: number;
  /** Messages of kinds nobody here listens for. */
  readonly droppedMessages: number;
};

/** The fifth place of a connection is free for this one, so it is answered at once unless the daemon is stuck. */
const FAREWELL_TIMEOUT_MS = 1000;

export class Session {
  /** Resolves once, never rejects. */
  readonly closed: Promise<CloseReason>;
  readonly #stream: Duplex;
  readonly #settings: SessionSettings;
  readonly #reader = new PacketReader();
  /** By serial; also the abandoned ones, whose reply is yet to come. */
  readonly #inFlight = new Map<number, PendingCall>();
  readonly #urgent = new Set<PendingCall>();
  readonly #ordinary = new Set<PendingCall>();
  readonly #listeners = new Map<number, { readonly message: Message; readonly listener: (payload: Buffer) => void }>();
  readonly #resolveClosed: (reason: CloseReason) => void;
  #keepalive: Keepalive | undefined;
  #closeReason: CloseReason | undefined;
  #isClosing = false;
  #serial = 0;
  #droppedMessages = 0;

  constructor(stream: Duplex, settings: SessionSettings) {
    this.#stream = stream;
    this.#settings = settings;
    const { promise, resolve } = Promise.withResolvers<CloseReason>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('error', (error) => this.#end({ kind: 'transport', error }));
    stream.on('end', () => this.#onEnd());
    stream.on('close', () => this.#onEnd());
  }

  get isClosed(): boolean {
    return this.#isClosing || this.#closeReason !== undefined;
  }

  get stats(): SessionStats {
    const queued = this.#urgent.size + this.#ordinary.size;
    return { inFlight: this.#inFlight.size, queued, droppedMessages: this.#droppedMessages };
  }

  /**
   * Calls a procedure; see {@link CallOptions} for giving up on it.
   * @throws {LibvirtError} {CallTimeoutError} {ConnectionClosedError} {ProtocolError} the signal's reason, or a
   * RangeError where an argument does not fit its field.
   */
  async call<A, R>(procedure: Procedure<A, R>, args: A, options: CallOptions = {}): Promise<R> {
    options.signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    if (this.isClosed) throw this.#closedError(procedure, false);
    const call = this.#newCall(procedure, args, options, resolve, reject);
    (procedure.isPriority ? this.#urgent : this.#ordinary).add(call);
    this.#pump();
    return promise;
  }

  /** Listens for a kind of message; the listener must not throw. Bodies that cannot be decoded end the connection. */
  onMessage<Body>(message: Message<Body>, listener: (body: Body) => void): void {
    this.#listeners.set(message.number, { message, listener: (payload) => listener(decode(message.body, payload)) });
  }

  /** Starts pinging; a daemon that does not know the keepalive program must not be pinged. */
  startKeepalive(intervalMs: number, count: number): void {
    if (this.isClosed) return;
    this.#keepalive = new Keepalive({
      intervalMs,
      count,
      ping: () => this.#sendKeepalive(KeepaliveProgram.PING),
      onDead: (silentMs) => {
        const error = new Error(
          `${this.#settings.peer} has been silent for ${Math.round(silentMs)} ms (${count} pings)`,
        );
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
    for (const call of this.#queued()) call.fail(this.#closedError(call.procedure, false));
    this.#urgent.clear();
    this.#ordinary.clear();
    await this.#farewell(farewell, args);
    this.#end({ kind: 'requested' });
    await this.closed;
  }

  /** Breaks off without a word to the peer. */
  destroy(): void {
    this.#end({ kind: 'requested' });
  }

  async #farewell<A>(procedure: Procedure<A>, args: A): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#send(this.#newCall(procedure, args, { timeoutMs: FAREWELL_TIMEOUT_MS }, resolve, reject));
    // Whatever came of it, we leave.
    await promise.catch(() => undefined);
  }

  #newCall<A, R>(
    procedure: Procedure<A, R>,
    args: A,
    { signal, timeoutMs = this.#settings.callTimeoutMs }: CallOptions,
    resolve: (result: R) => void,
    reject: (reason: unknown) => void,
  ): PendingCall {
    if (!(timeoutMs > 0)) throw new RangeError(`timeoutMs must be above 0, not ${timeoutMs}`);
    const serial = this.#nextSerial();
    const { program, version, number } = procedure;
    const header = { program, version, procedure: number, type: PacketType.CALL, serial, status: PacketStatus.OK };
    return new PendingCall({
      procedure,
      serial,
      packet: encodePacket(header, encodeArgs(procedure, args)),
      signal,
      timeoutMs,
      deliver: (payload) => resolve(decodeReply(procedure, procedure.result, payload)),
      refuse: (payload) => reject(toLibvirtError(decodeReply(procedure, remoteError, payload), procedure)),
      reject,
      timeoutError: (call) => this.#timeoutError(call, timeoutMs),
      onAbandon: (call) => {
        this.#urgent.delete(call);
        this.#ordinary.delete(call);
      },
    });
  }

  #nextSerial(): number {
    do this.#serial = (this.#serial + 1) >>> 0;
    while (this.#inFlight.has(this.#serial));
    return this.#serial;
  }

  #pump(): void {
    for (const call of this.#queued()) {
      if (this.#inFlight.size >= this.#settings.maxInFlight) return;
      this.#urgent.delete(call);
      this.#ordinary.delete(call);
      this.#send(call);
    }
  }

  *#queued(): Generator<PendingCall> {
    yield* this.#urgent;
    yield* this.#ordinary;
  }

  #send(call: PendingCall): void {
    this.#inFlight.set(call.serial, call);
    this.#stream.write(call.takePacket());
  }

  #sendKeepalive(procedure: number): void {
    const { program, version } = KeepaliveProgram;
    const header = { program, version, procedure, type: PacketType.MESSAGE, serial: 0, status: PacketStatus.OK };
    this.#stream.write(encodePacket(header, Buffer.alloc(0)));
  }

  #onData(chunk: Buffer): void {
    this.#keepalive?.heard();
    try {
      for (const packet of this.#reader.push(chunk)) {
        // A listener may have closed the connection.
        if (this.#closeReason !== undefined) return;
        this.#onPacket(packet);
      }
    } catch (error) {
      this.#end({ kind: 'protocol', error: error instanceof Error ? error : new ProtocolError(String(error)) });
    }
  }

  #onPacket({ header, payload }: Packet): void {
    if (header.type === PacketType.REPLY) this.#onReply(header, payload);
    else if (header.type !== PacketType.MESSAGE)
      throw unexpected(header, 'this connection has no use for such packets');
    else if (header.program === KeepaliveProgram.program) this.#onKeepalive(header);
    else this.#onMessage(header, payload);
  }

  #onReply(header: PacketHeader, payload: Buffer): void {
    const call = this.#inFlight.get(header.serial);
    if (call === undefined) throw unexpected(header, 'no call with this serial is waiting');
    const { procedure } = call;
    const isItsReply =
      header.program === procedure.program &&
      header.version === procedure.version &&
      header.procedure === procedure.number;
    if (!isItsReply) throw unexpected(header, `the call with this serial is ${procedure.name}`);
    if (header.status !== PacketStatus.OK && header.status !== PacketStatus.ERROR)
      throw unexpected(header, 'no such status');
    this.#inFlight.delete(header.serial);
    if (header.status === PacketStatus.OK) call.deliver(payload);
    else call.refuse(payload);
    if (!this.isClosed) this.#pump();
  }

  #onKeepalive(header: PacketHeader): void {
    const { version, PING, PONG } = KeepaliveProgram;
    if (header.version !== version) throw unexpected(header, 'no such version of the keepalive program');
    if (header.procedure === PING) {
      // A peer that reads nothing gets no more of them: those that wait to be sent already prove life.
      if (!this.#stream.writableNeedDrain) this.#sendKeepalive(PONG);
      return;
    }
    if (header.procedure !== PONG) throw unexpected(header, 'keepalive is PING or PONG');
  }

  #onMessage(header: PacketHeader, payload: Buffer): void {
    if (header.program !== REMOTE_PROGRAM) throw unexpected(header, 'no messages of this program were asked for');
    const entry = this.#listeners.get(header.procedure);
    if (entry === undefined) {
      this.#droppedMessages += 1;
      return;
    }
    if (header.version !== entry.message.version) throw unexpected(header, 'no such version of the program');
    entry.listener(payload);
  }

  #onEnd(): void {
    const where = this.#reader.isMidPacket ? ' in the middle of a packet' : '';
    this.#end({ kind: 'server', error: new Error(`${this.#settings.peer} closed the connection${where}`) });
  }

  #end(cause: CloseReason): void {
    if (this.#closeReason !== undefined) return;
    // What breaks while we are leaving is what we asked for.
    const reason: CloseReason = this.#isClosing ? { kind: 'requested' } : cause;
    this.#closeReason = reason;
    this.#keepalive?.stop();
    this.#stream.destroy();
    const waiting = [...this.#inFlight.values(), ...this.#queued()];
    this.#inFlight.clear();
    this.#urgent.clear();
    this.#ordinary.clear();
    this.#resolveClosed(reason);
    for (const call of waiting) call.fail(this.#closedError(call.procedure, call.requestSent));
  }

  #closedError(procedure: Procedure, requestSent: boolean): ConnectionClosedError {
    const reason = this.#closeReason;
    const cause = reason === undefined || reason.kind === 'requested' ? undefined : reason.error;
    const why = cause === undefined ? 'close() was called' : cause.message;
    const message = `${procedure.name} on ${this.#settings.peer}: the connection is closed (${why}); ${fateOf(requestSent)}`;
    return new ConnectionClosedError(message, requestSent, cause === undefined ? {} : { cause });
  }

  #timeoutError(call: PendingCall, timeoutMs: number): CallTimeoutError {
    const { requestSent, procedure } = call;
    const what = requestSent ? 'no reply' : `no free place among ${this.#settings.maxInFlight} calls in flight`;
    const message = `${procedure.name} on ${this.#settings.peer}: ${what} within ${timeoutMs} ms; ${fateOf(requestSent)}`;
    return new CallTimeoutError(message, { requestSent, procedure: procedure.name });
  }
}

function encodeArgs<A>(procedure: Procedure<A>, args: A): Buffer {
  try {
    return encode(procedure.args, args);
  } catch (error) {
    throw new RangeError(`${procedure.name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function decodeReply<T>(procedure: Procedure, type: Type<T>, payload: Buffer): T {
  try {
    return decode(type, payload);
  } catch (error) {
    throw new ProtocolError(`reply to ${procedure.name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function unexpected(header: PacketHeader, why: string): ProtocolError {
  const { program, procedure, type, serial, status } = header;
  const packet = `program 0x${program.toString(16)} procedure ${procedure} type ${type} serial ${serial} status ${status}`;
  return new ProtocolError(`unexpected packet (${packet}): ${why}`);
}
