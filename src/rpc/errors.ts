// What can go wrong in this room, ordered by what it costs: one message, one call, one connection.
// Messages say what was attempted and on what; none ever holds a body, a context or a password.

export type RpcErrorCode =
  | 'invalid-url'
  | 'not-encodable'
  | 'unroutable'
  | 'timeout'
  | 'remote'
  | 'unreadable'
  | 'topology'
  | 'unavailable'
  | 'closed';

/** Base of every error of this room; `code` is from a closed set. */
export class RpcError extends Error {
  readonly code: RpcErrorCode;

  constructor(code: RpcErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The broker had no queue for a mandatory message: nobody can have seen it. */
export class UnroutableError extends RpcError {
  readonly exchange: string;
  readonly routingKey: string;

  constructor(exchange: string, routingKey: string) {
    super(
      'unroutable',
      exchange === ''
        ? `no queue named ${routingKey}: nobody listens there`
        : `no queue is bound to exchange ${exchange} with key ${routingKey}: nobody listens there`,
    );
    this.exchange = exchange;
    this.routingKey = routingKey;
  }
}

/** The broker did not take the message, or was lost before saying so: it may or may not have been delivered. */
export class BrokerUnavailableError extends RpcError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('unavailable', message, options);
  }
}

/** No reply came within the caller's patience; the method may still be running. */
export class MessagingTimeout extends RpcError {
  readonly msgId: string;

  constructor(msgId: string, detail: string) {
    // oslo.messaging 14's own words, so that operators find both in one search.
    super('timeout', `Timed out waiting for a reply to message ID ${msgId} (${detail})`);
    this.msgId = msgId;
  }
}

/** An exception as it crosses the wire: a Python class by name and module, and what it was made of. */
export interface Failure {
  className: string;
  module: string;
  message: string;
  args: unknown[];
  kwargs: Record<string, unknown>;
}

/** What a called server raised, under its own class name and module. */
export class RemoteError extends RpcError {
  readonly className: string;
  readonly module: string;
  readonly args: unknown[];
  readonly kwargs: Record<string, unknown>;

  constructor(failure: Failure) {
    super('remote', failure.message);
    this.className = failure.className;
    this.module = failure.module;
    this.args = failure.args;
    this.kwargs = failure.kwargs;
  }
}

/**
 * Thrown by a handler to reach its caller as this very class. A Python caller rebuilds it as
 * `module.className(*args, **kwargs)` if it allows the module, else as RemoteError (oslo.messaging 14, spec of
 * `deserialize_remote_exception`). `args` defaults to the message alone, `kwargs` to none.
 */
export class RemoteFault extends Error {
  readonly className: string;
  readonly module: string;
  readonly args: unknown[];
  readonly kwargs: Record<string, unknown>;

  constructor(
    fault: {
      className: string;
      module: string;
      message: string;
      args?: unknown[];
      kwargs?: Record<string, unknown>;
    },
    options?: { cause?: unknown },
  ) {
    super(fault.message, options);
    this.name = 'RemoteFault';
    this.className = fault.className;
    this.module = fault.module;
    this.args = fault.args ?? [fault.message];
    this.kwargs = fault.kwargs ?? {};
  }
}
