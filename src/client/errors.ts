/**
 * What a control plane can catch. Each error says whether the request may have been done all the same; whatever it says,
 * asking again with the same uuid is safe: the same create gets the answer of the first one.
 */
import type { ErrorClass } from '../errors.ts';
import { BrokerUnavailableError, MessagingTimeout, RemoteError, RpcError, UnroutableError } from '../rpc/index.ts';

/** Base of every error of the client; itself for what was set or asked in a way that no answer could come of. */
export class HugenodeError extends Error {
  /** Whether something may have been created or deleted; false for questions, and where it is known that it was not. */
  readonly mayHaveBeenDone: boolean;

  constructor(message: string, options: { mayHaveBeenDone: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.mayHaveBeenDone = options.mayHaveBeenDone;
  }
}

/** Classes of the API (docs/errors.md), and those that every RPC server may answer with. */
export type ApiErrorClass = ErrorClass | 'InternalError' | 'UnsupportedVersion' | 'NoSuchMethod';

/** The host answered with an error of the API. */
export class ApiError extends HugenodeError {
  /** As in docs/errors.md; an agent of a later release may have classes that {@link ApiErrorClass} does not. */
  readonly className: string;
  /** The same as the message, as data. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    failure: { className: string; message: string; details: Readonly<Record<string, unknown>> },
    options: { mayHaveBeenDone: boolean; cause?: unknown },
  ) {
    super(failure.message, options);
    this.className = failure.className;
    this.details = failure.details;
  }

  /** Whether it is of one of these classes. */
  is(...classNames: readonly ApiErrorClass[]): boolean {
    return classNames.some((className) => className === this.className);
  }
}

/**
 * No answer within the time, or no sign of life for as long as the call monitor bears it. The request may also be done
 * later: the broker keeps it for the host until the time of the call is over.
 */
export class AnswerTimeoutError extends HugenodeError {}

/** No agent has ever listened under that name on this broker: nothing was done. */
export class NoSuchHostError extends HugenodeError {
  readonly host: string;

  constructor(host: string, message: string, cause: unknown) {
    super(message, { mayHaveBeenDone: false, cause });
    this.host = host;
  }
}

/** The broker cannot be reached, did not take the request, or was lost before it said that it had. */
export class BrokerAwayError extends HugenodeError {}

/** What was asked of whom. */
export type Asked = {
  readonly method: string;
  readonly host: string;
  /** False for questions. */
  readonly changes: boolean;
};

/** Classes that do not say how far a request had come. */
const UNCERTAIN = new Set(['InternalError', 'HypervisorUnavailable', 'HypervisorError']);
const AGAIN = 'it may have been done; asking again with the same uuid is safe';

/** The error of a call as the client throws it. What is not of the bus, such as the reason of a signal, stays itself. */
export function callError(error: unknown, { method, host, changes }: Asked): unknown {
  if (error instanceof RemoteError) {
    const { className, message, kwargs: details } = error;
    const mayHaveBeenDone = changes && UNCERTAIN.has(className);
    return new ApiError({ className, message, details }, { mayHaveBeenDone, cause: error });
  }
  if (error instanceof UnroutableError) return new NoSuchHostError(host, error.message, error);
  const options = { mayHaveBeenDone: changes, cause: error };
  const text = (message: string): string => `${method} on ${host}: ${message}${changes ? `; ${AGAIN}` : ''}`;
  if (error instanceof MessagingTimeout) return new AnswerTimeoutError(text(error.message), options);
  if (error instanceof BrokerUnavailableError) return new BrokerAwayError(text(error.message), options);
  // The answer came, so the request was at least taken.
  if (error instanceof RpcError && error.code === 'unreadable') return new HugenodeError(text(error.message), options);
  return error instanceof RpcError ? setUpError(error) : error;
}

/** The error of connecting or listening: nothing was asked yet. */
export function setUpError(error: unknown): unknown {
  if (!(error instanceof RpcError)) return error;
  const options = { mayHaveBeenDone: false, cause: error };
  return error instanceof BrokerUnavailableError
    ? new BrokerAwayError(error.message, options)
    : new HugenodeError(error.message, options);
}
