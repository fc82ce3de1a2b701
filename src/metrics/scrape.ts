/**
 * One scrape: read the host, bring every gauge up to now, write the text. Scrapes that come at the same time share one,
 * and for a second the last one answers. A hypervisor that hangs costs a scrape its deadline: then what the agent knows by
 * itself is told, `libvirt_up` is 0, and no second reading is begun beside the one that hangs.
 */
import { Registry } from 'prom-client';
import type { Logger } from '../log.ts';
import { AgentMetrics, type AgentSources } from './agent_metrics.ts';
import { GaugeGroup } from './gauges.ts';
import { GuestMetrics } from './guest_metrics.ts';
import type { HostReading } from './host_reading.ts';
import { PoolMetrics } from './pool_metrics.ts';

export type ScrapeOptions = {
  readonly sources: AgentSources;
  readonly readHost: () => Promise<HostReading>;
  readonly balloonPeriodMs: number;
  /** How long the reading of the host may take. */
  readonly deadlineMs: number;
  readonly log: Logger;
};

const CACHED_MS = 1_000;

export class Scraper {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly agent: AgentMetrics;
  readonly #options: ScrapeOptions;
  readonly #registry = new Registry();
  readonly #guests: GuestMetrics;
  readonly #pools: PoolMetrics;
  readonly #scrape;
  #text: { readonly ms: number; readonly text: Promise<string> } | undefined;
  #reading: Promise<HostReading> | undefined;
  #isUp = true;

  constructor(options: ScrapeOptions) {
    this.#options = options;
    this.agent = new AgentMetrics(this.#registry, options.sources);
    this.#guests = new GuestMetrics(this.#registry, options.balloonPeriodMs);
    this.#pools = new PoolMetrics(this.#registry);
    this.#scrape = new GaugeGroup(this.#registry, [], {
      libvirt_up:
        '1 where the hypervisor answered this scrape in time, else 0: then nothing is told of guests and pools.',
      libvirt_domains: 'Domains of ours, running or not.',
      hugenode_scrape_reading_seconds: 'Time that reading the host took for this scrape.',
    });
  }

  /** The metrics in Prometheus' text format, at most a second old. Never rejects for a host that cannot be read. */
  text(): Promise<string> {
    const now = performance.now();
    if (this.#text === undefined || now - this.#text.ms > CACHED_MS) this.#text = { ms: now, text: this.#written() };
    return this.#text.text;
  }

  /** Every name that is ever told, in the order in which it is told. */
  names(): string[] {
    return this.#registry.getMetricsAsArray().map(({ name }) => name);
  }

  stop(): void {
    this.agent.stop();
  }

  async #written(): Promise<string> {
    const beganMs = performance.now();
    const reading = await this.#read();
    this.#scrape.clear();
    this.#scrape.set(
      {},
      {
        libvirt_up: reading === undefined ? 0 : 1,
        libvirt_domains: reading?.pools.account.host.guests.length,
        hugenode_scrape_reading_seconds: (performance.now() - beganMs) / 1000,
      },
    );
    if (reading === undefined) {
      this.#guests.clear();
      this.#pools.clear();
    } else {
      this.#guests.show(reading.guests, Date.now());
      this.#pools.show(reading.pools);
    }
    this.agent.show();
    return this.#registry.metrics();
  }

  async #read(): Promise<HostReading | undefined> {
    const { readHost, deadlineMs, log } = this.#options;
    this.#reading ??= readHost().finally(() => {
      this.#reading = undefined;
    });
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`not read within ${deadlineMs} ms`)), deadlineMs);
    try {
      const reading = await Promise.race([this.#reading, late.promise]);
      this.#isUp = true;
      return reading;
    } catch (error) {
      // Once per outage: a scrape comes every few seconds.
      if (this.#isUp) log.warn('metrics without the host: it could not be read', { error: String(error) });
      this.#isUp = false;
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}
