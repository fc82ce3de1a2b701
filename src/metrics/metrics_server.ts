/**
 * The small HTTP server behind `/metrics`. An address that is taken, or not there yet, is tried again: a host must not
 * be without its agent because it is without its metrics.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Logger } from '../log.ts';

export type MetricsServerOptions = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly contentType: string;
  /** What `/metrics` answers. */
  readonly text: () => Promise<string>;
  readonly log: Logger;
  readonly retryMs?: number;
};

/** A scraper has one connection, and a curious person another. */
const MOST_CONNECTIONS = 32;
const REQUEST_TIMEOUT_MS = 10_000;
const RETRY_MS = 10_000;

export class MetricsServer {
  readonly #options: MetricsServerOptions;
  readonly #server: Server;
  #retry: NodeJS.Timeout | undefined;
  #isStopped = false;
  #hasFailed = false;

  private constructor(options: MetricsServerOptions) {
    this.#options = options;
    this.#server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
      (request, to) => {
        void this.#answer(request, to);
      },
    );
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.on('error', () => {});
  }

  /** Resolves when it listens, or is to try again later. */
  static async start(options: MetricsServerOptions): Promise<MetricsServer> {
    const server = new MetricsServer(options);
    await server.#listen();
    return server;
  }

  /** The port that it listens on; undefined as long as it does not. */
  get port(): number | undefined {
    const address = this.#server.address();
    return typeof address === 'object' ? address?.port : undefined;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #listen(): Promise<void> {
    const { listen, log, retryMs = RETRY_MS } = this.#options;
    if (this.#isStopped) return;
    try {
      const listening = once(this.#server, 'listening');
      this.#server.listen(listen);
      await listening;
      log.info('metrics are served', { url: `http://${urlHost(listen.host)}:${this.port}/metrics` });
    } catch (error) {
      if (!this.#hasFailed) {
        log.error('no metrics: cannot listen on metrics.listen; choose another port, or end who has it (ss -ltnp)', {
          listen: `${urlHost(listen.host)}:${listen.port}`,
          error: String(error),
          again_ms: retryMs,
        });
      }
      this.#hasFailed = true;
      this.#retry = setTimeout(() => void this.#listen(), retryMs);
      this.#retry.unref();
    }
  }

  async #answer({ method, url = '' }: IncomingMessage, to: ServerResponse): Promise<void> {
    const [path] = url.split('?');
    if (path !== '/metrics') return end(to, 404, 'the metrics are at /metrics\n');
    if (method !== 'GET' && method !== 'HEAD') return end(to.setHeader('Allow', 'GET, HEAD'), 405, 'GET only\n');
    try {
      const text = await this.#options.text();
      end(to, 200, text, this.#options.contentType);
    } catch (error) {
      this.#options.log.error('metrics could not be written', { error });
      end(to, 500, 'the metrics could not be written; the log of the host has the reason\n');
    }
  }
}

function end(to: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  // A request whose body nobody reads must not keep its connection.
  if (status !== 200) to.setHeader('Connection', 'close');
  to.writeHead(status, { 'Content-Type': type, 'X-Content-Type-Options': 'nosniff' }).end(text);
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
