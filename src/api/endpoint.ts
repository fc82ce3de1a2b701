/**
 * API 1.1: our own door. It turns arguments into the core's types and the core's answers into the API's words, and
 * decides nothing. A method that is new or changed raises the minor version; older minors stay served.
 */
import type { ComputeManager } from '../compute/manager.ts';
import type { RequestContext } from '../compute/events.ts';
import type { Endpoint, HandlerRequest } from '../rpc/index.ts';
import type { UsageQuery, UsageReport } from '../usage/usage_report.ts';
import { parseArgs, withFaults } from './faults.ts';
import { viewPlan } from './plan_views.ts';
import {
  createInstanceArgs,
  hostArgs,
  instanceArgs,
  instanceRequestOf,
  noArgs,
  planInstanceArgs,
  planWishOf,
  usageArgs,
  usageQueryOf,
} from './schemas.ts';
import { viewUsage } from './usage_view.ts';
import { viewHost, viewInstance, type ServedState } from './views.ts';

export const API_VERSION = '1.1';

export type ApiEndpointOptions = {
  readonly compute: ComputeManager;
  /** The name that answers carry. */
  readonly host: string;
  /** Of the server that serves it, for get_host. */
  readonly served: () => ServedState;
  /** Who had which pages, for get_usage. */
  readonly usage: (query: UsageQuery) => Promise<UsageReport>;
};

/** Builds take their time and pages; nothing else waits behind them. The server bounds how many are at work. */
export const BUILD_LANE = 'build';

/** The methods over the core. */
export function apiEndpoint({ compute, host, served, usage }: ApiEndpointOptions): Endpoint {
  return {
    namespace: null,
    version: API_VERSION,
    methods: {
      create_instance: {
        lane: BUILD_LANE,
        handler: async (request) => {
          const args = parseArgs(createInstanceArgs, request.method, request.args);
          return withFaults(async () =>
            viewInstance(await compute.createInstance(instanceRequestOf(args), contextOf(request)), host),
          );
        },
      },
      delete_instance: {
        handler: async (request) => {
          const { uuid } = parseArgs(instanceArgs, request.method, request.args);
          await withFaults(() => compute.deleteInstance(uuid, contextOf(request), { mayBeDone: request.isResumed }));
          return null;
        },
      },
      get_instance: {
        readOnly: true,
        handler: async (request) => {
          const { uuid } = parseArgs(instanceArgs, request.method, request.args);
          return withFaults(async () => viewInstance(await compute.getInstance(uuid), host));
        },
      },
      list_instances: {
        readOnly: true,
        handler: async (request) => {
          parseArgs(noArgs, request.method, request.args);
          return withFaults(async () => (await compute.listInstances()).map((info) => viewInstance(info, host)));
        },
      },
      get_host: {
        readOnly: true,
        handler: async (request) => {
          const ask = parseArgs(hostArgs, request.method, request.args);
          return withFaults(async () => viewHost(await compute.getHost(ask), API_VERSION, served()));
        },
      },
      plan_instance: {
        readOnly: true,
        handler: async (request) => {
          const args = parseArgs(planInstanceArgs, request.method, request.args);
          return withFaults(async () => viewPlan(await compute.planInstance(planWishOf(args))));
        },
      },
      get_usage: {
        readOnly: true,
        handler: async (request) => {
          const args = parseArgs(usageArgs, request.method, request.args);
          return viewUsage(await usage(usageQueryOf(args, Date.now())), host);
        },
      },
    },
  };
}

function contextOf(request: HandlerRequest): RequestContext {
  return { attributes: request.context, ...(request.requestId === undefined ? {} : { requestId: request.requestId }) };
}
