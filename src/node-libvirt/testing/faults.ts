/**
 * What can go wrong between a client and its daemon, as data: which fault, on which calls, how often. A fault that is
 * not named here is a script of FakeLibvirtd: it may answer a call with any bytes.
 */
import { Procedures } from '../procedures/index.ts';
import type { Procedure } from '../procedures/procedure.ts';
import type { RemoteError } from '../wire/remote_error.ts';
import type { FakeCall } from './fake_call.ts';
import type { FakeClient } from './fake_client.ts';
import { seededRandom } from './random.ts';

export type Fault =
  /** The call is taken up so much later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The call is taken up at {@link ActiveFault.release}; five of these and the daemon reads nothing more of a client. */
  | { readonly kind: 'hold' }
  /** The daemon refuses and does nothing. */
  | { readonly kind: 'refuse'; readonly error: Partial<RemoteError> }
  /** The call takes effect, and the connection is gone after so many bytes of its reply; 0 is none of them. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** The call takes effect, and these bytes come instead of its reply. */
  | { readonly kind: 'garbage'; readonly bytes: Buffer }
  /** The reply comes twice. */
  | { readonly kind: 'duplicate' }
  /** The reply names a call that was never made. */
  | { readonly kind: 'wrongSerial' }
  /**
   * Replies to one client are kept until there are `count` of them, or for `withinMs` (default 50), and sent in reverse
   * order. More than four never come together on one connection, see FakeLibvirtdOptions.maxClientRequests.
   */
  | { readonly kind: 'reorder'; readonly count: number; readonly withinMs?: number }
  /** So many lifecycle events of the client's registrations come ahead of the reply. */
  | { readonly kind: 'eventsFirst'; readonly count: number };

export type FaultKind = Fault['kind'];

/** One procedure, or each call that is not part of opening and closing a connection. */
export type FaultTarget = Procedure | 'any';

export type FaultOptions = {
  /** How often it strikes; default Infinity. */
  readonly times?: number;
  /** Of each call being struck, from 0 to 1; default 1. */
  readonly probability?: number;
  /** Makes the chances repeat themselves; default 1. */
  readonly seed?: number;
};

/** What a fault does with events and time, given by the daemon. */
export type FaultTools = { readonly sendEvents: (client: FakeClient, count: number) => void };

const SERIAL_OFFSET = 20;
const REORDER_WITHIN_MS = 50;

/** «any» spares these: a connection that cannot be opened is another test than one that breaks. */
const OPENING_AND_CLOSING: ReadonlySet<string> = new Set(
  [
    Procedures.AUTH_LIST,
    Procedures.AUTH_POLKIT,
    Procedures.AUTH_SASL_INIT,
    Procedures.AUTH_SASL_START,
    Procedures.AUTH_SASL_STEP,
    Procedures.CONNECT_SUPPORTS_FEATURE,
    Procedures.CONNECT_OPEN,
    Procedures.CONNECT_CLOSE,
  ].map(({ name }) => name),
);

/** A fault in force, until it struck as often as it should, or is removed. */
export class ActiveFault implements Disposable {
  readonly target: FaultTarget;
  readonly fault: Fault;
  readonly #times: number;
  readonly #probability: number;
  readonly #random: () => number;
  readonly #onRemove: (fault: ActiveFault) => void;
  /** What release() does: calls held, replies kept. */
  #held: (() => void)[] = [];
  #hits = 0;

  /** @internal use Faults.add */
  constructor(
    target: FaultTarget,
    fault: Fault,
    { times = Infinity, probability = 1, seed = 1 }: FaultOptions,
    onRemove: (fault: ActiveFault) => void,
  ) {
    this.target = target;
    this.fault = fault;
    this.#times = times;
    this.#probability = probability;
    this.#random = seededRandom(seed);
    this.#onRemove = onRemove;
  }

  /** How often it struck. */
  get hits(): number {
    return this.#hits;
  }

  /** Calls that are stuck in it. */
  get held(): number {
    return this.#held.length;
  }

  /** Lets what is stuck go on; what comes later is stuck again. */
  release(): void {
    for (const goOn of this.#held.splice(0)) goOn();
  }

  /** Strikes no more; what is stuck goes on. */
  remove(): void {
    this.#onRemove(this);
    this.release();
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  /** @internal */
  strikes(call: FakeCall): boolean {
    if (this.#hits >= this.#times) return false;
    const isTarget = this.target === 'any' ? !OPENING_AND_CLOSING.has(call.name) : isCallOf(this.target, call);
    // Chance is asked for calls of the target alone, so that others do not shift it.
    if (!isTarget || (this.#probability < 1 && this.#random() >= this.#probability)) return false;
    this.#hits += 1;
    return true;
  }

  /** @internal */
  hold(goOn: () => void): void {
    this.#held.push(goOn);
  }

  /** @internal no longer stuck, for another reason than release() */
  forget(goOn: () => void): void {
    this.#held = this.#held.filter((one) => one !== goOn);
  }
}

/** The faults of one daemon. Where several would strike a call, the one that was added first does. */
export class Faults {
  readonly #tools: FaultTools;
  readonly #active = new Set<ActiveFault>();
  /** Replies kept by «reorder». */
  readonly #kept = new WeakMap<FakeClient, (() => void)[]>();

  /** @internal */
  constructor(tools: FaultTools) {
    this.#tools = tools;
  }

  /** @example daemon.faults.add(Procedures.DOMAIN_CREATE_WITH_FLAGS, { kind: 'cut', afterBytes: 30 }, { times: 1 }) */
  add(target: FaultTarget, fault: Fault, options: FaultOptions = {}): ActiveFault {
    const active = new ActiveFault(target, fault, options, (one) => this.#active.delete(one));
    this.#active.add(active);
    return active;
  }

  /** Removes all of them; what is stuck goes on. */
  clear(): void {
    for (const fault of this.#active) fault.remove();
  }

  /** @internal lets a call run, or what a fault makes of it */
  run(call: FakeCall, execute: () => void): void {
    for (const active of this.#active) if (active.strikes(call)) return this.#strike(active, call, execute);
    execute();
  }

  #strike(active: ActiveFault, call: FakeCall, execute: () => void): void {
    const { fault } = active;
    switch (fault.kind) {
      case 'delay':
        setTimeout(execute, fault.ms).unref();
        return;
      case 'hold':
        active.hold(execute);
        return;
      case 'refuse':
        call.fail(fault.error);
        return;
      case 'eventsFirst':
        call.intercept((reply, send) => {
          this.#tools.sendEvents(call.client, fault.count);
          send(reply);
        });
        return execute();
      case 'reorder':
        call.intercept((reply, send) => this.#keep(active, fault, call.client, () => send(reply)));
        return execute();
      case 'cut':
        call.intercept((reply) => call.client.dropAfter(reply.subarray(0, fault.afterBytes)));
        return execute();
      case 'garbage':
        call.intercept((_, send) => send(fault.bytes));
        return execute();
      case 'duplicate':
        call.intercept((reply, send) => {
          send(reply);
          send(reply);
        });
        return execute();
      case 'wrongSerial':
        call.intercept((reply, send) => send(withOtherSerial(reply)));
        return execute();
    }
  }

  #keep(
    active: ActiveFault,
    { count, withinMs = REORDER_WITHIN_MS }: { readonly count: number; readonly withinMs?: number },
    client: FakeClient,
    send: () => void,
  ): void {
    const kept = this.#kept.get(client) ?? [];
    this.#kept.set(client, kept);
    kept.push(send);
    const flush = () => {
      active.forget(flush);
      for (const one of kept.splice(0).toReversed()) one();
    };
    if (kept.length >= count) return flush();
    active.hold(flush);
    setTimeout(flush, withinMs).unref();
  }
}

function isCallOf({ program, number }: Procedure, { header }: FakeCall): boolean {
  return header.program === program && header.procedure === number;
}

/** Far from what a client that counts its calls can have under way. */
function withOtherSerial(reply: Buffer): Buffer {
  const changed = Buffer.from(reply);
  changed.writeUInt32BE((changed.readUInt32BE(SERIAL_OFFSET) ^ 0x40000000) >>> 0, SERIAL_OFFSET);
  return changed;
}
