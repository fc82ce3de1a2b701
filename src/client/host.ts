/** One host's API as a control plane calls it. Arguments and answers are in the API's own words (docs/api.md). */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { countPlanView, fillPlanView, planView, type PlanView } from '../api/plan_views.ts';
import type { createInstanceArgs, planInstanceArgs, usageArgs } from '../api/schemas.ts';
import { usageView, type UsageView } from '../api/usage_view.ts';
import { hostView, instanceView, type HostView, type InstanceView } from '../api/views.ts';
import type { RpcClient } from '../rpc/index.ts';
import { callError, HugenodeError } from './errors.ts';

/** Memory in MiB, disk in GiB. Whatever has a default may be left out. */
export type CreateInstanceArgs = z.input<typeof createInstanceArgs>;
/** A flavor as {@link CreateInstanceArgs} has it; `count` of them are wanted, or with `fill` as many as fit. */
export type PlanInstanceArgs = z.input<typeof planInstanceArgs>;
/** ISO 8601 with a zone; without `to` until now. */
export type UsageArgs = z.input<typeof usageArgs>;
export type CountPlanView = z.output<typeof countPlanView>;
export type FillPlanView = z.output<typeof fillPlanView>;

/** How one call is made. */
export type AskOptions = {
  /** Ends the wait with the signal's reason. The request is not taken back: it may be done all the same. */
  readonly signal?: AbortSignal | undefined;
  /** Patience for the answer; a request that no agent has taken by then is dropped by the broker. */
  readonly timeoutMs?: number | undefined;
  /** Seconds without a sign of life from the host after which to give up, 2 at least; 0: only `timeoutMs` counts. */
  readonly callMonitorTimeoutS?: number | undefined;
  /** Names the request in the logs of the host and in notifications. Default: a new one, `req-<uuid>`. */
  readonly requestId?: string | undefined;
  /** Who asks (`user_id`, `project_id`, ...), beside and before what the client was given. */
  readonly context?: Readonly<Record<string, unknown>> | undefined;
};

/** What calls do that are not told otherwise. */
export type AskDefaults = {
  readonly timeoutMs: number;
  readonly createTimeoutMs: number;
  readonly callMonitorTimeoutS: number;
  readonly context: Readonly<Record<string, unknown>>;
};

/**
 * A host. Every method rejects with an ApiError (the host refused), NoSuchHostError, AnswerTimeoutError,
 * BrokerAwayError, HugenodeError (arguments that are no JSON, an answer that is none), or the signal's reason.
 */
export class HugenodeHost {
  /** The host's name on the bus. */
  readonly name: string;
  readonly #rpc: Pick<RpcClient, 'call'>;
  readonly #defaults: AskDefaults;

  constructor(name: string, rpc: Pick<RpcClient, 'call'>, defaults: AskDefaults) {
    this.name = name;
    this.#rpc = rpc;
    this.#defaults = defaults;
  }

  /**
   * Creates an instance; resolves when it runs and its pages are proved. The same request again, whatever became of the
   * first one, gets the same answer. Waits for `createTimeoutMs` as long as the host says that it is at work; so long the
   * broker also keeps the request for a host that is away.
   */
  async createInstance(args: CreateInstanceArgs, options: AskOptions = {}): Promise<InstanceView> {
    // Image properties came with 1.1; a request without any is one of 1.0.
    const { image_properties: properties = {}, ...others } = args;
    const isOld = Object.keys(properties).length === 0;
    const { createTimeoutMs, callMonitorTimeoutS } = this.#defaults;
    return this.#ask(instanceView, {
      method: 'create_instance',
      args: isOld ? others : args,
      version: isOld ? '1.0' : '1.1',
      changes: true,
      options: {
        ...options,
        timeoutMs: options.timeoutMs ?? createTimeoutMs,
        callMonitorTimeoutS: options.callMonitorTimeoutS ?? callMonitorTimeoutS,
      },
    });
  }

  /** Deletes an instance; resolves when its pages are back. */
  async deleteInstance(uuid: string, options: AskOptions = {}): Promise<void> {
    await this.#ask(z.unknown(), { method: 'delete_instance', args: { uuid }, changes: true, options });
  }

  async getInstance(uuid: string, options: AskOptions = {}): Promise<InstanceView> {
    return this.#ask(instanceView, { method: 'get_instance', args: { uuid }, options });
  }

  /** Every instance of the host. */
  async listInstances(options: AskOptions = {}): Promise<InstanceView[]> {
    return this.#ask(z.array(instanceView), { method: 'list_instances', args: {}, options });
  }

  /** The nodes of the host and their page pools, in pages; with `holders` also who holds them (an agent of API 1.1). */
  async getHost(args: { readonly holders?: boolean } = {}, options: AskOptions = {}): Promise<HostView> {
    return args.holders === true
      ? this.#ask(hostView, { method: 'get_host', args: { holders: true }, version: '1.1', options })
      : this.#ask(hostView, { method: 'get_host', args: {}, options });
  }

  /** How many such instances fit now, where, and why not one more; takes nothing (an agent of API 1.1). */
  planInstance(args: PlanInstanceArgs & { fill: true }, options?: AskOptions): Promise<FillPlanView>;
  planInstance(args: PlanInstanceArgs & { fill?: false | undefined }, options?: AskOptions): Promise<CountPlanView>;
  planInstance(args: PlanInstanceArgs, options?: AskOptions): Promise<PlanView>;
  async planInstance(args: PlanInstanceArgs, options: AskOptions = {}): Promise<PlanView> {
    return this.#ask(planView, { method: 'plan_instance', args, version: '1.1', options });
  }

  /** Pages times hours that each project had per page size and node (an agent of API 1.1). */
  async getUsage(args: UsageArgs, options: AskOptions = {}): Promise<UsageView> {
    return this.#ask(usageView, { method: 'get_usage', args, version: '1.1', options });
  }

  /** By default asks for 1.0: the oldest minor that has what is asked, so that agents of an older release answer too. */
  async #ask<S extends z.ZodType>(
    view: S,
    {
      method,
      args,
      version = '1.0',
      changes = false,
      options: { signal, timeoutMs = this.#defaults.timeoutMs, callMonitorTimeoutS = 0, requestId, context },
    }: {
      method: string;
      args: Record<string, unknown>;
      version?: string;
      changes?: boolean;
      options: AskOptions;
    },
  ): Promise<z.output<S>> {
    const asked = { method, host: this.name, changes };
    let answer: unknown;
    try {
      answer = await this.#rpc.call(method, args, {
        server: this.name,
        version,
        timeoutMs,
        context: { ...this.#defaults.context, ...context, request_id: requestId ?? `req-${randomUUID()}` },
        ...(callMonitorTimeoutS > 0 && { callMonitorTimeoutS }),
        ...(signal !== undefined && { signal }),
      });
    } catch (error) {
      throw callError(error, asked);
    }
    const parsed = view.safeParse(answer);
    if (parsed.success) return parsed.data;
    const message = `${method} on ${this.name}: the answer is none of the API: ${z.prettifyError(parsed.error)}`;
    throw new HugenodeError(message, { mayHaveBeenDone: changes, cause: parsed.error });
  }
}
