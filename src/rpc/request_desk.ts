// Takes one request to its end. Knows no queues: a delivery comes in, and is acknowledged or handed back.
//
//   decoded -> method found -> not known yet -> a place in its lane -> handler -> outcome kept -> answered -> acknowledged
//     |            |              | known: joins the run, or its kept outcome answers --------------^
//     |            | not found: answered -----------------------------------------------------------^
//     | no message: answered if it names a caller, kept as a dead letter
//
// The acknowledgement comes last, so a request whose process dies is delivered again, and is then known as begun.
// oslo.messaging 14 acknowledges first and loses it. A call gets exactly one reply with ending=true; what the handler
// threw is told in its class name, never in its stack.

import { channel as diagnosticsChannel } from 'node:diagnostics_channel';
import { resolve, type Endpoint, type HandlerRequest, type Method } from './dispatch.ts';
import type { DeadLetters } from './dead_letters.ts';
import type { Delivery } from './delivery.ts';
import { decodeRequest, type RequestMessage } from './envelope.ts';
import { RemoteFault, RpcError, type Failure } from './errors.ts';
import { stringify } from './json.ts';
import { reasonOf, type RpcLogger } from './logger.ts';
import type { Outcome, ReplySender, ReturnAddress } from './reply_sender.ts';
import { explainRejection, type Rejection } from './rejections.ts';
import type { Known, RequestStore } from './request_store.ts';
import type { WorkLanes } from './work_lanes.ts';

/** For whoever watches requests on their way: `METHOD:STEP`, each step before the next begins (diagnostics_channel). */
export const REQUEST_STEPS = 'hugenode.rpc.request';

export interface RequestDeskOptions {
  endpoints: readonly Endpoint[];
  lanes: WorkLanes;
  store: RequestStore;
  replies: Pick<ReplySender, 'send' | 'heartbeats'>;
  deadLetters: Pick<DeadLetters, 'put'> | null;
  /** How long the broker waits for an acknowledgement without harm: longer is kept in the store, or handed back. */
  holdMs: number;
  /** Larger requests are refused unread. Default 16 MiB. */
  maxMessageBytes?: number;
  errorModule: string;
  logger: RpcLogger;
  /** Aborts when the server stops and will wait no longer. */
  signal: AbortSignal;
}

const steps = diagnosticsChannel(REQUEST_STEPS);

export class RequestDesk {
  readonly #options: RequestDeskOptions;
  readonly #logger: RpcLogger;
  /** Runs under way, by unique id. */
  readonly #underWay = new Map<string, Promise<'acknowledge' | 'hand-back'>>();
  #storeProblem: string | null = null;
  #unreadable = 0;

  constructor(options: RequestDeskOptions) {
    this.#options = options;
    this.#logger = options.logger;
  }

  /** Messages since the start that could not be read. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Why the store does not keep what it should; null where it does. */
  get storeProblem(): string | null {
    return this.#storeProblem;
  }

  /** Settles the delivery; rejects only for a bug of this room's. */
  async take(delivery: Delivery): Promise<void> {
    const decoded = decodeRequest(delivery.body, delivery.properties, this.#options.maxMessageBytes);
    if (!decoded.accepted) {
      await this.#refuse(decoded.rejection, delivery);
      delivery.acknowledge();
      return;
    }
    const verdict = await this.#once(decoded.message, delivery);
    if (verdict === 'hand-back') delivery.handBack();
    else delivery.acknowledge();
    told('acknowledged', decoded.message);
  }

  /** A request that comes while it is at work joins that run. */
  async #once(request: RequestMessage, delivery: Delivery): Promise<'acknowledge' | 'hand-back'> {
    const { uniqueId } = request;
    if (uniqueId === null) return this.#serve(request, delivery);
    const underWay = this.#underWay.get(uniqueId);
    if (underWay !== undefined) {
      this.#logger.info('duplicate request', { method: request.method, redelivered: delivery.redelivered });
      return underWay;
    }
    const run = this.#serve(request, delivery);
    this.#underWay.set(uniqueId, run);
    try {
      return await run;
    } finally {
      this.#underWay.delete(uniqueId);
    }
  }

  async #serve(request: RequestMessage, delivery: Delivery): Promise<'acknowledge' | 'hand-back'> {
    const { method, namespace } = request;
    const version = request.version ?? '1.0';
    const resolution = resolve(this.#options.endpoints, { method, namespace, version });
    if (!resolution.found) {
      this.#logger.warn('method refused', { ...fieldsOf(request), reason: resolution.failure.className });
      await this.#answer(request, { failure: resolution.failure });
      return 'acknowledge';
    }

    const wish = { lane: resolution.method.lane, patienceMs: delivery.patienceMs, longestMs: this.#options.holdMs };
    // From here on, so that a caller that listens for signs of life bears the wait for a place too.
    const stopHeartbeats = this.#heartbeats(request);
    const work = () => this.#work(resolution.method, request, delivery, stopHeartbeats);
    const end = await this.#options.lanes.run(wish, work).finally(stopHeartbeats);
    if (end === 'done') return 'acknowledge';
    if (end === 'expired') {
      // Its caller has given up and would not know of what is done now.
      this.#logger.warn('request not started: its caller waits no longer', fieldsOf(request));
      return 'acknowledge';
    }
    this.#logger.info('request handed back', { ...fieldsOf(request), why: end });
    return 'hand-back';
  }

  #heartbeats(request: RequestMessage): () => void {
    const to = returnAddress(request);
    return to === null ? () => {} : this.#options.replies.heartbeats(to, request.monitorTimeoutSeconds);
  }

  async #work(method: Method, request: RequestMessage, delivery: Delivery, stopHeartbeats: () => void): Promise<void> {
    told('taken', request);
    // Of what changes nothing there is nothing to keep.
    const keptId = method.readOnly === true ? null : request.uniqueId;
    const known = keptId === null ? { state: 'new' as const } : await this.#begin(keptId, request.method);
    if (known.state === 'ended') {
      this.#logger.info('duplicate request', { method: request.method, redelivered: delivery.redelivered });
      stopHeartbeats();
      await this.#answer(request, known.outcome);
      return;
    }
    told('begun', request);
    const stopHolding = this.#holdFor(keptId, delivery);
    let outcome: Outcome;
    try {
      outcome = await this.#run(method, request, known.state === 'begun');
    } finally {
      // Before the final reply: oslo.messaging 14 forgets to, and its heartbeats never end.
      stopHeartbeats();
      stopHolding();
    }
    told('ran', request);
    if (keptId !== null) await this.#end(keptId, outcome, request);
    told('kept', request);
    await this.#answer(request, outcome);
  }

  /** A run that outlives the broker's patience is acknowledged beforehand, once it is in the store. */
  #holdFor(uniqueId: string | null, delivery: Delivery): () => void {
    if (uniqueId === null) return () => {};
    const accept = async (): Promise<void> => {
      const { body, properties } = delivery;
      const isAccepted = await this.#keep(() => this.#options.store.accept({ uniqueId, body, properties }));
      if (isAccepted === true) delivery.acknowledge();
    };
    const timer = setTimeout(() => void accept(), this.#options.holdMs);
    return () => clearTimeout(timer);
  }

  async #begin(uniqueId: string, method: string): Promise<Known> {
    // A disk that is full must not keep a guest from being deleted.
    return (await this.#keep(() => this.#options.store.begin(uniqueId, method))) ?? { state: 'new' };
  }

  async #keep<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      this.#storeProblem = null;
      return result;
    } catch (error) {
      this.#storeProblem = reasonOf(error);
      this.#logger.error('requests cannot be kept', { reason: this.#storeProblem });
      return undefined;
    }
  }

  async #run(method: Method, request: RequestMessage, isResumed: boolean): Promise<Outcome> {
    const { args, context } = request;
    const requestId = typeof context['request_id'] === 'string' ? context['request_id'] : undefined;
    const fields = { ...fieldsOf(request), requestId };
    const startedAt = performance.now();
    const handled: HandlerRequest = { method: request.method, args, context, isResumed, signal: this.#options.signal };
    if (requestId !== undefined) handled.requestId = requestId;
    try {
      const result = await method.handler(handled);
      this.#logger.debug('method done', { ...fields, ms: Math.round(performance.now() - startedAt) });
      return { result: result ?? null };
    } catch (error) {
      if (error instanceof RemoteFault) {
        this.#logger.info('method failed', { ...fields, class: error.className, reason: error.message });
        const { className, module, message, args: faultArgs, kwargs } = error;
        return { failure: { className, module, message, args: faultArgs, kwargs } };
      }
      this.#logger.error('method broke', { ...fields, stack: stackOf(error) });
      return {
        failure: this.#internalError(`Internal error (request ${requestId ?? request.msgId ?? 'unknown'})`),
      };
    }
  }

  async #end(uniqueId: string, outcome: Outcome, { method }: RequestMessage): Promise<void> {
    await this.#keep(() => {
      let text: string;
      try {
        text = stringify({ ...outcome });
      } catch {
        // As its caller is told.
        text = stringify({ failure: this.#notEncodable(method) });
      }
      return this.#options.store.end(uniqueId, text);
    });
  }

  async #answer(request: RequestMessage, outcome: Outcome): Promise<void> {
    const to = returnAddress(request);
    if (to) {
      try {
        await this.#options.replies.send(to, outcome);
      } catch (error) {
        if (!(error instanceof RpcError && error.code === 'not-encodable')) throw error;
        this.#logger.error('outcome cannot be sent', { method: request.method, stack: stackOf(error.cause) });
        await this.#options.replies.send(to, { failure: this.#notEncodable(request.method) });
      }
    }
    told('answered', request);
  }

  async #refuse(rejection: Rejection, delivery: Delivery): Promise<void> {
    const { reason, detail, msgId, replyQueue } = rejection;
    this.#unreadable += 1;
    const isAnswered = msgId !== undefined && replyQueue !== undefined;
    const { routingKey } = delivery;
    this.#logger.warn('request refused', {
      reason,
      detail,
      routingKey,
      bytes: delivery.body.length,
      msgId,
      isAnswered,
    });
    await this.#options.deadLetters?.put(delivery, reason);
    if (!isAnswered) return;
    const failure = this.#internalError(explainRejection(rejection));
    await this.#options.replies.send({ msgId, replyQueue }, { failure });
  }

  #notEncodable(method: string): Failure {
    return this.#internalError(`The outcome of ${method} cannot be written as JSON`);
  }

  #internalError(message: string): Failure {
    return { className: 'InternalError', module: this.#options.errorModule, message, args: [message], kwargs: {} };
  }
}

function told(step: string, { method }: RequestMessage): void {
  if (steps.hasSubscribers) steps.publish(`${method}:${step}`);
}

function fieldsOf({ method, namespace, version, msgId }: RequestMessage): Record<string, unknown> {
  return { method, namespace, version: version ?? '1.0', msgId };
}

function returnAddress({ msgId, replyQueue }: RequestMessage): ReturnAddress | null {
  return msgId !== null && replyQueue !== null ? { msgId, replyQueue } : null;
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : String(error);
}
