/**
 * A connection to libvirt that comes back: opened when first needed, opened again after a loss. Calls that were under
 * way when it broke fail and are not repeated here, because only their caller knows whether that is safe.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CallTimeoutError,
  connect,
  ErrorCode,
  LibvirtError,
  ConnectionClosedError,
  ProtocolError,
  type Connection,
} from 'node-libvirt';
import { ComputeError } from '../errors.ts';
import type { Logger } from '../log.ts';

export type LinkOptions = {
  readonly uri: string;
  readonly socket: string;
  readonly callTimeoutMs: number;
  readonly log: Logger;
  /** Runs on each new connection before anyone else gets it: event registrations. */
  readonly onOpen?: (connection: Connection) => Promise<void>;
};

const ATTEMPTS = 4;
const FIRST_DELAY_MS = 200;
const RETIRED_POLL_MS = 5_000;

export class LibvirtLink {
  readonly #options: LinkOptions;
  #opening: Promise<Connection> | undefined;
  #current: Connection | undefined;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /**
   * Runs one piece of work on the connection.
   * @throws {ComputeError} HypervisorUnavailable where libvirt cannot be reached or the connection breaks meanwhile,
   * HypervisorError where libvirt refuses; {@link hasLibvirtCode} tells why.
   */
  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#connection();
    try {
      return await work(connection);
    } catch (error) {
      if (error instanceof CallTimeoutError) this.#retire(connection);
      if (error instanceof LibvirtError) throw refused(error);
      throw isTransportError(error) ? unavailable(error) : error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#current?.close();
  }

  /**
   * A call that timed out keeps its place on the connection until libvirtd answers, which may be never: new calls go to a
   * new connection. The old one is closed when what is under way on it has ended.
   */
  #retire(connection: Connection): void {
    if (this.#current !== connection) return;
    this.#current = undefined;
    this.#options.log.warn('a libvirt call timed out, going on with a new connection', { uri: this.#options.uri });
    const timer = setInterval(() => {
      if (!connection.isClosed && connection.stats.inFlight > 0 && !this.#closed) return;
      clearInterval(timer);
      connection.close().catch(() => undefined);
    }, RETIRED_POLL_MS);
    timer.unref();
  }

  async #connection(): Promise<Connection> {
    if (this.#closed) throw stopping();
    if (this.#current !== undefined && !this.#current.isClosed) return this.#current;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<Connection> {
    const { uri, socket, callTimeoutMs, log } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const connection = await connect({ uri, callTimeoutMs, ...(socket === '' ? {} : { socketPath: socket }) });
        await this.#prepare(connection);
        this.#current = connection;
        log.debug('connected to libvirt', { uri });
        return connection;
      } catch (error) {
        if (attempt === ATTEMPTS || this.#closed) throw unavailable(error);
        log.warn('libvirt cannot be reached, trying again', { uri, attempt, error: String(error) });
        // Half to the whole of a delay that doubles: many agents must not knock in step.
        await sleep(FIRST_DELAY_MS * 2 ** attempt * (0.5 + Math.random() / 2));
      }
    }
  }

  /** A connection that is not used is closed: libvirtd takes a limited number of them. */
  async #prepare(connection: Connection): Promise<void> {
    try {
      await this.#options.onOpen?.(connection);
      if (this.#closed) throw stopping();
    } catch (error) {
      await connection.close().catch(() => undefined);
      throw error;
    }
  }
}

/**
 * Whether the libvirt behind a URI is that of this machine, so that /proc and /sys here speak of its guests. Only a unix
 * socket can be counted on for that: tcp, tls, ssh and ext may end anywhere, also where they name localhost (a forwarded
 * port), and a host without a transport means tls. Pure; what is no URI is refused when it is connected to.
 */
export function isLocal(uri: string): boolean {
  const [, transport, authority = ''] = /^[a-z][a-z\d.-]*(?:\+([^:/?#]*))?:(?:\/\/([^/?#]*))?/i.exec(uri) ?? [];
  if (transport === undefined) return authority.replace(/^.*@/, '').replace(/:\d*$/, '') === '';
  return transport.toLowerCase() === 'unix';
}

function stopping(): ComputeError {
  return new ComputeError('HypervisorUnavailable', 'the agent is stopping');
}

/** Whether libvirt refused with that code (ErrorCode of node-libvirt). */
export function hasLibvirtCode(error: unknown, code: number): error is ComputeError {
  return error instanceof ComputeError && error.details['libvirt_code'] === code;
}

function refused(error: LibvirtError): ComputeError {
  return new ComputeError('HypervisorError', `libvirt: ${error.message}`, { libvirt_code: error.code }, error);
}

function isTransportError(error: unknown): boolean {
  return error instanceof ConnectionClosedError || error instanceof CallTimeoutError || error instanceof ProtocolError;
}

function unavailable(error: unknown): ComputeError {
  if (error instanceof ComputeError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ComputeError('HypervisorUnavailable', `libvirt does not answer: ${reason}`, {}, error);
}

/** The answer of a call about a domain, or undefined where there is none. */
export async function absentIsUndefined<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasLibvirtCode(error, ErrorCode.NO_DOMAIN)) return undefined;
    throw error;
  }
}
