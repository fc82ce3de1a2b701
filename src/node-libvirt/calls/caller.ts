/** What the generated methods stand on. */
import type { Duplex } from 'node:stream';
import type { Procedure } from '../procedures/procedure.ts';
import type { CallOptions } from '../session/pending_call.ts';

export type Caller = {
  call<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<R>;
  /** Calls a procedure that data follows; the stream runs on a connection of its own. */
  openStream<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<Opened<R>>;
};

export type Opened<R> = { readonly result: R; readonly stream: Duplex };

/**
 * Calls with a count of 0, which asks how many values there are, and again with that count: libvirt takes no other.
 * The daemon decides between the two calls what it has; a host does not change meanwhile.
 */
export async function countedCall<A extends object, R extends { readonly count: number }>(
  caller: Pick<Caller, 'call'>,
  procedure: Procedure<A, R>,
  argsOf: (count: number) => A,
  options?: CallOptions,
): Promise<R> {
  const { count } = await caller.call(procedure, argsOf(0), options);
  return caller.call(procedure, argsOf(count), options);
}
