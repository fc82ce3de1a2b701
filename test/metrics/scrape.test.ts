import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { ClaimLedger } from '../../src/admission/claims.ts';
import { DEFAULT_RULES } from '../../src/admission/rules.ts';
import { Phases } from '../../src/compute/phases.ts';
import { readHost } from '../../src/metrics/host_reading.ts';
import { foreignPages } from '../../src/metrics/pool_metrics.ts';
import { hostOf } from '../admission/hosts.ts';
import { coreOf, CONTEXT, requestOf } from '../compute/core.ts';
import { instanceOf, placedCell } from '../domain/instances.ts';
import { quietLog } from '../quiet_log.ts';
import { guestOf, readingOf, scraperOf, seriesOf } from './exporter.ts';

afterEach(() => void vi.useRealTimers());

const guest = guestOf();
const domain = `domain="${guest.domainName}"`;

test('a guest, by the names of the libvirt exporters and by ours', async () => {
  const series = seriesOf(await scraperOf(async () => readingOf([guest])).text());
  const mib = 1024 * 1024;
  const of = (name: string, labels = domain) => series.get(`${name}{${labels}}`);
  expect(of('libvirt_domain_info_maximum_memory_bytes')).toBe(guest.instance.flavor.memoryMib * mib);
  expect(of('libvirt_domain_memory_stats_available_bytes')).toBe(94_800 * 1024);
  expect(of('libvirt_domain_memory_stats_usable_bytes')).toBe(71_100 * 1024);
  expect(of('libvirt_domain_memory_stats_unused_bytes')).toBe(60_000 * 1024);
  expect(of('libvirt_domain_memory_stats_actual_balloon_bytes')).toBe(128 * mib);
  expect(of('libvirt_domain_memory_stats_swap_in_bytes')).toBe(1024);
  expect(of('libvirt_domain_memory_stats_used_percent')).toBe(25);
  expect(of('hugenode_domain_memory_used_bytes')).toBe(23_700 * 1024);
  expect(of('hugenode_domain_memory_resident_bytes')).toBe(239_124 * 1024);
  expect(of('hugenode_domain_hugepages_held', `${domain},node="0",page_kib="2048"`)).toBe(64);
  expect(of('hugenode_domain_balloon_state', `${domain},state="fresh"`)).toBe(1);
  expect(of('hugenode_domain_balloon_state', `${domain},state="stale"`)).toBe(0);
  expect(of('hugenode_domain_balloon_age_seconds')).toBeLessThan(10);
  expect(series.get('libvirt_up')).toBe(1);
});

test('what a guest said long ago is told with its age, and is not what it uses', async () => {
  const { balloon = { lastUpdateS: 0 } } = guest;
  const old = guestOf({ balloon: { ...balloon, lastUpdateS: balloon.lastUpdateS - 3_600 } });
  const series = seriesOf(await scraperOf(async () => readingOf([old])).text());
  expect(series.get(`libvirt_domain_memory_stats_available_bytes{${domain}}`)).toBe(94_800 * 1024);
  expect(series.get(`hugenode_domain_balloon_age_seconds{${domain}}`)).toBeGreaterThan(3_600);
  expect(series.get(`hugenode_domain_balloon_state{${domain},state="stale"}`)).toBe(1);
  for (const name of ['hugenode_domain_memory_used_bytes', 'libvirt_domain_memory_stats_used_percent']) {
    expect(series.has(`${name}{${domain}}`)).toBe(false);
  }
});

test('what is unknown has no series, and a guest that has gone neither', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const { balloon: _balloon, residentKib: _residentKib, ...silent } = guestOf();
  const readings = [readingOf([silent])];
  const scraper = scraperOf(async () => readings.shift() ?? readingOf([]));
  const first = await scraper.text();
  expect(first).toContain(`libvirt_domain_info_maximum_memory_bytes{${domain}}`);
  expect(first).not.toContain('hugenode_domain_memory_resident_bytes{');
  expect(first).not.toContain('NaN');
  vi.advanceTimersByTime(2_000);
  expect(await scraper.text()).not.toContain(guest.domainName);
});

test('names that a tenant chooses cannot break out of their label', async () => {
  const name = 'a"} 1\nhugenode_rpc_ready 0\\';
  const evil = guestOf({ instance: instanceOf({ name, projectId: 'p"\\\n' }) });
  const series = seriesOf(await scraperOf(async () => readingOf([evil])).text());
  expect(series.get('hugenode_rpc_ready')).toBe(1);
  expect([...series.values()].every((value) => Number.isFinite(value))).toBe(true);
  expect(
    [...series.keys()].some((key) => key.includes(String.raw`instance_name="a\"} 1\nhugenode_rpc_ready 0\\"`)),
  ).toBe(true);
});

test('pools: who has the pages of each node and size, and plain memory apart from them', async () => {
  const placement = [placedCell({ node: 0, pageSizeKib: 2048, pages: 32 })];
  const shutOff = { instanceUuid: 'x', projectId: 'p', placement, isRunning: false };
  const running = { ...shutOff, instanceUuid: guest.instance.uuid, isRunning: true };
  const memory = { ...hostOf([4000], { promised2M: 5 }), guests: [shutOff, running] };
  const series = seriesOf(await scraperOf(async () => readingOf([guest], memory)).text());
  const of = (name: string) => series.get(`hugenode_pool_${name}{node="0",page_kib="2048"}`);
  expect({
    total: of('pages'),
    free: of('free_pages'),
    promised: of('promised_pages'),
    kept: of('kept_pages'),
    available: of('available_pages'),
    held: of('held_pages'),
    foreign: of('foreign_pages'),
  }).toEqual({ total: 4096, free: 4000, promised: 5, kept: 32, available: 3963, held: 64, foreign: 32 });
  expect(series.has('hugenode_pool_pages{node="0",page_kib="4"}')).toBe(false);
  expect(series.get('hugenode_plain_memory_bytes')).toBe(4_000_000 * 1024);
  expect(series.get('hugenode_plain_memory_available_bytes')).toBe(8 * 1024 ** 3);
  expect(series.get('hugenode_instances{state="shut_off"}')).toBe(1);
});

test('pages that a start under way may have taken are not called foreign', () => {
  expect(foreignPages({ total: 100, free: 60, held: 10, claimed: 25 })).toBe(5);
  expect(foreignPages({ total: 100, free: 60, held: 30, claimed: 25 })).toBe(0);
});

test('the agent: requests, spool, metering, decisions, builds and their phases', async () => {
  const scraper = scraperOf(async () => readingOf([]));
  onTestFinished(() => scraper.stop());
  scraper.agent.admission({ outcome: 'refused', reason: 'host-memory', tookMs: 30 });
  const { compute, events } = coreOf([64]);
  const request = requestOf(16);
  await compute.createInstance(request, CONTEXT);
  await compute.deleteInstance(request.uuid, CONTEXT);
  for (const event of events) scraper.agent.event(event);
  const series = seriesOf(await scraper.text());
  expect(Object.fromEntries([...series].filter(([key]) => /rpc_|spool_|metering_|_build_info/.test(key)))).toEqual({
    hugenode_rpc_ready: 1,
    hugenode_rpc_requests_taken: 3,
    hugenode_rpc_requests_waiting: 2,
    hugenode_rpc_unreadable_total: 1,
    'hugenode_spool_messages{kind="samples"}': 4,
    'hugenode_spool_bytes{kind="samples"}': 500,
    'hugenode_spool_sent_total{kind="samples"}': 9,
    'hugenode_spool_lost_total{kind="samples"}': 1,
    'hugenode_metering_cycles_total{result="done"}': 8,
    'hugenode_metering_cycles_total{result="overrun"}': 1,
    'hugenode_metering_cycles_total{result="failed"}': 2,
    hugenode_metering_samples_total: 40,
    'hugenode_build_info{api_version="1.1"}': 1,
  });
  expect(series.get('hugenode_admissions_total{outcome="refused",reason="host-memory"}')).toBe(1);
  expect(series.get('hugenode_admissions_total{outcome="refused",reason="project-quota"}')).toBe(0);
  expect(series.get('hugenode_builds_total{result="built"}')).toBe(1);
  expect(series.get('hugenode_builds_total{result="InternalError"}')).toBe(0);
  expect(series.get('hugenode_deletes_total')).toBe(1);
  for (const phase of ['lookup', 'claim', 'spawn', 'verify', 'keep']) {
    expect(series.get(`hugenode_phase_seconds_count{verb="create",phase="${phase}"}`)).toBe(1);
  }
});

test('a scraper that has stopped counts no phase of another agent', async () => {
  const scraper = scraperOf(async () => readingOf([]));
  scraper.stop();
  new Phases('create').end('lookup');
  expect(await scraper.text()).not.toContain('hugenode_phase_seconds_count{');
});

test('a hypervisor that hangs costs the deadline, and one call, not one of each scrape', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  const lines: [string, string][] = [];
  let reads = 0;
  const scraper = scraperOf(
    () => {
      reads += 1;
      return new Promise(() => {});
    },
    { deadlineMs: 500, log: quietLog(lines) },
  );
  for (let scrape = 0; scrape < 3; scrape += 1) {
    const text = scraper.text();
    await vi.advanceTimersByTimeAsync(2_000);
    const series = seriesOf(await text);
    expect(series.get('libvirt_up')).toBe(0);
    expect(series.get('hugenode_rpc_ready')).toBe(1);
    expect(series.has('libvirt_domains')).toBe(false);
  }
  expect(reads).toBe(1);
  expect(lines).toEqual([['warn', 'metrics without the host: it could not be read']]);
});

test('scrapes at the same time share one reading, and for a second the last one answers', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  let reads = 0;
  const scraper = scraperOf(async () => {
    reads += 1;
    return readingOf([]);
  });
  await Promise.all([scraper.text(), scraper.text(), scraper.text()]);
  await scraper.text();
  expect(reads).toBe(1);
  vi.advanceTimersByTime(1_500);
  await scraper.text();
  expect(reads).toBe(2);
});

test('a reading is one bulk call and what an admission reads, without its lock', async () => {
  const calls: string[] = [];
  const { held: _held, ...closed } = guestOf();
  const reading = await readHost({
    driver: {
      getStatistics: async (_uuids, options) => {
        calls.push(`statistics within ${options?.deadlineMs}`);
        return [guestOf(), closed];
      },
      readHostMemory: async () => {
        calls.push('memory');
        return hostOf([8]);
      },
    },
    ledger: new ClaimLedger(),
    rules: DEFAULT_RULES,
    readTotals: undefined,
    deadlineMs: 77,
  });
  expect(calls).toEqual(['statistics within 77', 'memory']);
  expect(reading.guests).toHaveLength(2);
  // One guest that cannot be looked into leaves unknown who holds what.
  expect(reading.pools.held).toBeNull();
  expect(reading.pools.totals).toContainEqual({ node: 0, pageSizeKib: 2048, pages: 4096 });
});
