/** Two callers of one agent, ours and oslo.messaging's own, each behind a hop that counts what it is answered. */
import { randomUUID } from 'node:crypto';
import {
  BrokerConnection,
  BrokerUnavailableError,
  MessagingTimeout,
  RemoteError,
  RpcClient,
  UnroutableError,
  type TopologyFlags,
} from '../../src/rpc/index.ts';
import { QUIET } from '../agent_process.ts';
import { Link } from '../broker.ts';
import { PythonProgram } from '../oslo/python.ts';
import { WireCount } from './wire_count.ts';

/** How a call ended at its caller. */
export type CallEnd =
  | { readonly is: 'answered'; readonly result: unknown }
  | { readonly is: 'refused'; readonly className: string; readonly message: string }
  /** Documented: the caller knows that it does not know. */
  | { readonly is: 'not-known'; readonly error: string };

export interface Caller {
  readonly name: string;
  /** One to each broker. */
  readonly links: readonly Link[];
  readonly wire: WireCount;
  call(method: string, args: Record<string, unknown>, timeoutS: number): Promise<CallEnd>;
  close(): Promise<void>;
}

/** Where callers find the agent and the broker. */
export type CallerPlace = {
  readonly host: string;
  /** The port now, of each broker. */
  readonly ports: readonly (() => number)[];
  readonly url: (ports: readonly number[]) => string;
  readonly flags?: TopologyFlags;
};

/** Ours: RpcClient. */
export async function ourCaller({ host, ports, url, flags = {} }: CallerPlace): Promise<Caller> {
  const wire = new WireCount();
  const links = await linksTo(ports, wire);
  const broker = await BrokerConnection.open({
    transportUrl: url(links.map(({ port }) => port)),
    clientName: 'faults',
    heartbeatSeconds: 5,
    connectTimeoutMs: 3_000,
    logger: QUIET,
  });
  const client = await RpcClient.open(broker, { exchange: 'hugenode', topic: 'hugenode', flags, logger: QUIET });
  return {
    name: 'our client',
    links,
    wire,
    async call(method, args, timeoutS) {
      const context = { request_id: `req-${randomUUID()}` };
      try {
        return {
          is: 'answered',
          result: await client.call(method, args, { server: host, timeoutMs: timeoutS * 1000, context }),
        };
      } catch (error) {
        if (error instanceof RemoteError) return { is: 'refused', className: error.className, message: error.message };
        if (error instanceof MessagingTimeout) return { is: 'not-known', error: 'MessagingTimeout' };
        if (error instanceof BrokerUnavailableError) return { is: 'not-known', error: 'BrokerUnavailableError' };
        if (error instanceof UnroutableError) return { is: 'not-known', error: 'UnroutableError' };
        throw error;
      }
    },
    async close() {
      await client.close();
      await broker.close();
      for (const link of links) await link.close();
    },
  };
}

/** Its own, and those of its transport that it lets through when a connection ends under a publish. */
const OSLO_ERRORS = [
  'MessagingTimeout',
  'MessageDeliveryFailure',
  'MessageUndeliverable',
  'ConnectionForced',
  'RecoverableConnectionError',
  'ConnectionResetError',
  'BrokenPipeError',
];

/** Debian's oslo.messaging. */
export async function osloCaller({ host, ports, url, flags = {} }: CallerPlace): Promise<Caller> {
  const wire = new WireCount();
  const links = await linksTo(ports, wire);
  const options = flags.quorum === true ? '?rabbit_quorum_queue=true' : '';
  const python = PythonProgram.start('client.py', `${url(links.map(({ port }) => port))}${options}`, 'hugenode');
  return {
    name: 'oslo.messaging',
    links,
    wire,
    async call(method, args, timeoutS) {
      const order = { op: 'call', topic: 'hugenode', server: host, method, args, timeout: timeoutS };
      const answer = await python.ask(order);
      const error: unknown = answer['error'];
      if (typeof error !== 'object' || error === null) return { is: 'answered', result: answer['result'] };
      const { type, exc_type: className, message }: Record<string, unknown> = { ...error };
      if (type === 'RemoteError') return { is: 'refused', className: String(className), message: String(message) };
      if (OSLO_ERRORS.includes(String(type))) return { is: 'not-known', error: String(type) };
      throw new Error(`oslo.messaging: ${JSON.stringify(error)}`);
    },
    async close() {
      await python.stop();
      for (const link of links) await link.close();
    },
  };
}

function linksTo(ports: CallerPlace['ports'], wire: WireCount): Promise<Link[]> {
  return Promise.all(ports.map((port, nth) => Link.to(port, wire.hookOf(nth))));
}
