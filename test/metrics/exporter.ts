/** A scraper over figures that a test sets, and its text as a map from series to value. */
import { ClaimLedger } from '../../src/admission/claims.ts';
import { HostAccount } from '../../src/admission/host_cells.ts';
import type { HostMemory } from '../../src/admission/host_memory.ts';
import { DEFAULT_RULES } from '../../src/admission/rules.ts';
import type { GuestStatistics } from '../../src/compute_driver.ts';
import type { HostReading } from '../../src/metrics/host_reading.ts';
import { Scraper, type ScrapeOptions } from '../../src/metrics/scrape.ts';
import { hostOf } from '../admission/hosts.ts';
import { instanceOf } from '../domain/instances.ts';
import { quietLog } from '../quiet_log.ts';

export function guestOf(over: Partial<GuestStatistics> = {}): GuestStatistics {
  const instance = instanceOf();
  return {
    instance,
    powerState: 'running',
    domainName: `hugenode-${instance.uuid}`,
    architecture: 'x86_64',
    hasBalloon: true,
    actualKib: 131_072,
    residentKib: 239_124,
    held: [{ node: 0, pageSizeKib: 2048, pages: 64 }],
    balloon: {
      availableKib: 94_800,
      usableKib: 71_100,
      unusedKib: 60_000,
      swapInKib: 1,
      swapOutKib: 2,
      lastUpdateS: Math.floor(Date.now() / 1000) - 2,
    },
    ...over,
  };
}

export function readingOf(guests: readonly GuestStatistics[], memory: HostMemory = hostOf([512])): HostReading {
  const account = new HostAccount(memory, DEFAULT_RULES, new ClaimLedger().unsettled(), true);
  const totals = memory.cells.flatMap(({ node, free }) =>
    free.map(({ pageSizeKib, total }) => ({ node, pageSizeKib, pages: total })),
  );
  return { guests, pools: { account, totals, held: guests.flatMap((guest) => guest.held ?? []) } };
}

export const SERVED = { readiness: { ready: true }, requests: { taken: 3, waiting: 2, unreadable: 1 } };

export function scraperOf(readHost: ScrapeOptions['readHost'], over: Partial<ScrapeOptions> = {}): Scraper {
  const lane = { waiting: 4, bytes: 500, sent: 9, lost: 1 };
  return new Scraper({
    sources: {
      apiVersion: '1.1',
      served: () => SERVED,
      spools: () => ({ samples: lane }),
      metering: () => ({ cycles: 8, overruns: 1, failures: 2, samples: 40 }),
    },
    readHost,
    balloonPeriodMs: 10_000,
    deadlineMs: 5_000,
    log: quietLog(),
    ...over,
  });
}

/** `name{labels}` → value, of a text in Prometheus' format. */
export function seriesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const cut = line.lastIndexOf(' ');
      return [line.slice(0, cut), Number(line.slice(cut + 1))];
    }),
  );
}
