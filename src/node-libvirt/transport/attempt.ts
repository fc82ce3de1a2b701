/**
 * Trying to reach a daemon within a limit. One clock and one signal for all steps of an attempt, so that each step has
 * a single thing to watch and nothing outlives the attempt: no timer, no listener on the caller's signal.
 */
import { abortable } from '../abortable.ts';
import { ConnectError } from '../errors.ts';
import { LONGEST_DELAY_MS } from '../timers.ts';

export type Limit = {
  /** For the attempt as a whole; Infinity for none. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
};

/** What an attempt leads to, as its errors name it. */
export type Target = { readonly peer: string; readonly socketPath?: string };

/** As {@link limited}, to reach a target: after the limit a ConnectError with ETIMEDOUT. */
export async function within<T>(target: Target, limit: Limit, open: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const timeoutError = () => {
    const cause = new Error(`no connection within ${limit.timeoutMs} ms`);
    return connectError(target, 'ETIMEDOUT', `${cause.message}; is the host up, and the port open?`, cause);
  };
  return limited(limit, timeoutError, open);
}

/**
 * Runs `open`, which must end as soon as its signal is aborted and then leave nothing behind.
 * @throws what `open` throws; after an abort the caller's reason, after the limit the `timeoutError`.
 */
export async function limited<T>(
  { timeoutMs, signal }: Limit,
  timeoutError: () => Error,
  open: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const onAbort = () => controller.abort(signal?.reason);
  const onTimeout = () => controller.abort(timeoutError());
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = Number.isFinite(timeoutMs) ? setTimeout(onTimeout, Math.min(timeoutMs, LONGEST_DELAY_MS)) : undefined;
  try {
    return await open(controller.signal);
  } catch (error) {
    // Whatever breaking off looked like from inside, this is why.
    controller.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** A promise that is settled by events, and rejected by the signal. `undo` runs in each case. */
export async function settled<T>(
  signal: AbortSignal,
  start: (resolve: (value: T) => void, reject: (error: Error) => void) => () => void,
): Promise<T> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const undo = start(resolve, reject);
  try {
    return await abortable(promise, signal);
  } finally {
    undo();
  }
}

export function connectError(target: Target, code: string, advice: string, cause?: unknown): ConnectError {
  const { peer, socketPath } = target;
  return new ConnectError(
    `cannot connect to ${peer}: ${advice}`,
    { code, peer, ...(socketPath === undefined ? {} : { socketPath }) },
    cause === undefined ? {} : { cause },
  );
}

/** The system's or Node's word for what went wrong. */
export function codeOf(error: unknown, otherwise = 'UNKNOWN'): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : otherwise;
}
