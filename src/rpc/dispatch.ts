// Which handler answers a request: oslo.messaging 14's rules of namespace, version and method. Pure.

import type { Failure } from './errors.ts';

/** A request as its handler sees it. `signal` aborts when the server stops and will wait no longer. */
export interface HandlerRequest {
  method: string;
  args: Record<string, unknown>;
  context: Record<string, unknown>;
  /** The context's `request_id`, for logs and error messages. */
  requestId?: string;
  /**
   * Whether a process that died had begun this very request: what it asks for may be done already, in part or whole.
   */
  isResumed: boolean;
  signal: AbortSignal;
}

export type Handler = (request: HandlerRequest) => Promise<unknown>;

export interface Method {
  handler: Handler;
  /** Which of the server's limits it counts under (`RpcServerOptions.lanes`); absent: none. */
  lane?: string;
  /** Changes nothing, so doing it twice is no harm: nothing of it is kept, and a repeated request is asked anew. */
  readOnly?: boolean;
}

/** Methods under one namespace (null is the default one) and one version, `major.minor` or `major.minor.revision`. */
export interface Endpoint {
  namespace: string | null;
  version: string;
  methods: ReadonlyMap<string, Handler | Method> | Readonly<Record<string, Handler | Method>>;
}

export type Resolution = { found: true; method: Method } | { found: false; failure: Failure };

const DISPATCHER_MODULE = 'oslo_messaging.rpc.dispatcher';

/**
 * Finds the first endpoint that speaks the namespace and version and has the method. With no such endpoint at all the
 * failure is UnsupportedVersion (also for an unknown namespace), with no such method NoSuchMethod: class, module and
 * message are oslo.messaging 14's. Names that start with `_` are never callable.
 */
export function resolve(
  endpoints: readonly Endpoint[],
  request: { method: string; namespace: string | null; version: string },
): Resolution {
  const { method, namespace, version } = request;
  const speaking = endpoints.filter((one) => one.namespace === namespace && isCompatible(one.version, version));
  if (speaking.length === 0) {
    return failed(
      'UnsupportedVersion',
      `Endpoint does not support RPC version ${version}. Attempted method: ${method}`,
    );
  }

  for (const endpoint of method.startsWith('_') ? [] : speaking) {
    const found = methodOf(endpoint, method);
    if (found) return { found: true, method: typeof found === 'function' ? { handler: found } : found };
  }
  return failed('NoSuchMethod', `Endpoint does not support RPC method ${method}`);
}

/**
 * Whether an endpoint of version `offered` serves `requested`: same major, requested minor not above the offered one,
 * revisions compared only when the minors are equal. What is not a version is compatible with nothing.
 */
export function isCompatible(offered: string, requested: string): boolean {
  const have = parseVersion(offered);
  const want = parseVersion(requested);
  if (!have || !want || have.major !== want.major) return false;
  if (have.minor !== want.minor) return want.minor < have.minor;
  return want.revision <= have.revision;
}

function parseVersion(text: string): { major: number; minor: number; revision: number } | null {
  const match = /^(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return null;
  return { major: Number(match[1]), minor: Number(match[2]), revision: Number(match[3] ?? 0) };
}

function methodOf(endpoint: Endpoint, method: string): Handler | Method | undefined {
  if (isMap(endpoint.methods)) return endpoint.methods.get(method);
  // Own keys only: `constructor` or `toString` is no method of ours.
  return Object.hasOwn(endpoint.methods, method) ? endpoint.methods[method] : undefined;
}

function isMap(methods: Endpoint['methods']): methods is ReadonlyMap<string, Handler | Method> {
  return methods instanceof Map;
}

function failed(className: string, message: string): Resolution {
  return { found: false, failure: { className, module: DISPATCHER_MODULE, message, args: [message], kwargs: {} } };
}
