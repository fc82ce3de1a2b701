/** A real scrape and a real history: the kernel's own numbers, promtool's word on the format, and what an agent's death costs. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { InstanceView } from '../src/api/views.ts';
import { usageView, type UsageView } from '../src/api/usage_view.ts';
import { readProcessMemory } from '../src/host/process_memory.ts';
import { seriesOf } from '../test/metrics/exporter.ts';
import { AgentStage, flavorOf, freePagesBack } from './agent.ts';
import { poolCount } from './page_pool.ts';

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const PAGES = 64;
const FROM = new Date(Date.now() - 1000).toISOString();

let stage: AgentStage;
let free: number;
let instance: InstanceView;
let createdMs: number;

beforeAll(async () => {
  stage = await AgentStage.set('metrics', { 'usage.heartbeat_ms': 1_000, 'metering.balloon_period_ms': 1_000 });
  free = await poolCount('free_hugepages');
  instance = await stage.create({ name: 'web "1"', image: 'tiny', flavor: flavorOf(PAGES) });
  createdMs = performance.now();
});

afterAll(() => stage?.clear());

/** Of the agent that runs now: each has a port of its own. */
function metricsUrl(): string {
  const told = stage.logged.findLast((line) => line.message === 'metrics are served');
  return String(told?.['url']);
}

async function scrape(): Promise<string> {
  const answer = await fetch(metricsUrl());
  expect(answer.status).toBe(200);
  return answer.text();
}

async function usage(): Promise<UsageView> {
  return usageView.parse(await stage.client.call('get_usage', { from: FROM }, { server: stage.host, version: '1.1' }));
}

async function pageSeconds(): Promise<number> {
  return (await usage()).usage.reduce((sum, row) => sum + row.page_seconds, 0);
}

test('numbers equal to the kernel’s: pages by numa_maps, pools by sysfs, resident by status', async () => {
  const series = seriesOf(await scrape());
  const domain = `domain="${stage.domainPrefix}${instance.uuid}"`;
  const held = Object.fromEntries(
    [...series].flatMap(([key, value]) => {
      const [, node] =
        new RegExp(`^hugenode_domain_hugepages_held{${domain},node="(\\d+)",page_kib="2048"}`).exec(key) ?? [];
      return node === undefined ? [] : [[Number(node), value]];
    }),
  );
  expect(held).toEqual(await stage.hugePagesOf(instance.uuid));
  const pool = (name: string) => series.get(`hugenode_pool_${name}{node="0",page_kib="2048"}`);
  expect({
    pages: pool('pages'),
    free: pool('free_pages'),
    held: pool('held_pages'),
    claimed: pool('claimed_pages'),
  }).toEqual({
    pages: await poolCount('nr_hugepages'),
    free: await poolCount('free_hugepages'),
    held: PAGES,
    claimed: 0,
  });
  expect(series.get('hugenode_scrape_reading_seconds')).toBeLessThan(1);
  expect(series.get('hugenode_instances{state="running"}')).toBe(1);
  expect(series.get('hugenode_admissions_total{outcome="admitted",reason="none"}')).toBe(1);
  expect(series.get('hugenode_phase_seconds_count{verb="create",phase="spawn"}')).toBe(1);
  expect(series.get('hugenode_builds_total{result="built"}')).toBe(1);
});

test('resident memory has the hugepages in it, within 2 % of the kernel’s count', async () => {
  const domain = `domain="${stage.domainPrefix}${instance.uuid}"`;
  const pid = await stage.pidOf(instance.uuid);
  // The process of a guest that boots grows meanwhile.
  await vi.waitFor(
    async () => {
      const resident = seriesOf(await scrape()).get(`hugenode_domain_memory_resident_bytes{${domain}}`) ?? 0;
      const { vmRssKib = 0, hugetlbKib = 0 } = (await readProcessMemory(pid)) ?? {};
      expect(hugetlbKib).toBe(PAGES * 2048);
      expect(Math.abs(resident / 1024 / (vmRssKib + hugetlbKib) - 1)).toBeLessThan(0.02);
    },
    { timeout: 30_000, interval: 1_100 },
  );
});

test('a guest that has reported is told of as it says', async () => {
  const domain = `domain="${stage.domainPrefix}${instance.uuid}"`;
  const series = await vi.waitFor(
    async () => {
      const found = seriesOf(await scrape());
      expect(found.get(`hugenode_domain_balloon_state{${domain},state="fresh"}`)).toBe(1);
      return found;
    },
    { timeout: 40_000, interval: 1_100 },
  );
  const of = (name: string) => series.get(`${name}{${domain}}`) ?? Number.NaN;
  const [available, usable] = [
    of('libvirt_domain_memory_stats_available_bytes'),
    of('libvirt_domain_memory_stats_usable_bytes'),
  ];
  expect(of('hugenode_domain_memory_used_bytes')).toBe(available - usable);
  expect(of('libvirt_domain_memory_stats_used_percent')).toBeCloseTo((100 * (available - usable)) / available, 6);
});

test('promtool takes the scrape, the rules and their tests', async () => {
  const { stdout: printed } = await run('sh', [here('promtool.sh')], { timeout: 120_000 });
  const promtool = printed.trim();
  const rules = here('../config/monitoring/hugenode.rules.yml');
  expect((await run(promtool, ['check', 'rules', rules])).stdout).toContain('SUCCESS');
  expect((await run(promtool, ['test', 'rules', here('monitoring/hugenode.rules.test.yml')])).stdout).toContain(
    'SUCCESS',
  );
  const checking = run(promtool, ['check', 'metrics']);
  checking.child.stdin?.end(await scrape());
  const { stdout, stderr } = await checking;
  expect(stdout + stderr).toBe('');
});

test('nothing of a scrape is secret, and only this machine reaches it', async () => {
  const text = await scrape();
  const { password } = new URL(stage.api.url(stage.vhost).replace('rabbit:', 'http:'));
  expect(password).not.toBe('');
  expect(text).not.toContain(stage.vhost + password);
  expect(text).not.toMatch(/rabbit:|secret/i);
  expect(new URL(metricsUrl()).hostname).toBe('127.0.0.1');
});

test('usage: what the guest has held since its start, and through the death of the agent', async () => {
  const least = ((performance.now() - createdMs) / 1000) * PAGES;
  const before = await pageSeconds();
  const most = ((performance.now() - createdMs) / 1000 + 1.5) * PAGES;
  expect(before).toBeGreaterThan(least - 1.5 * PAGES);
  expect(before).toBeLessThan(most);

  const killedMs = performance.now();
  await stage.end('SIGKILL');
  await new Promise((resolve) => {
    setTimeout(resolve, 2_500);
  });
  await stage.start();
  const after = await pageSeconds();
  const passed = ((performance.now() - killedMs) / 1000) * PAGES;
  expect(Math.abs(after - before - passed)).toBeLessThan(1.5 * PAGES);
});

test('hugenode usage: a table, JSON, CSV; a project that has nothing; bad times', async () => {
  const table = await stage.cli('usage', '--from', FROM);
  expect({ code: table.code, stderr: table.stderr }).toEqual({ code: 0, stderr: '' });
  expect(table.stdout).toMatch(/project-1 +│ 2 MiB │ 0 +│ \d+\.\d{3}/);
  const csv = await stage.cli('usage', '--from', FROM, '--csv', '--project', 'project-1');
  expect(csv.stdout.split('\r\n')[1]).toMatch(new RegExp(`^${stage.host},.*,project-1,2048,0,`));
  const json = await stage.cli('--json', 'usage', '--from', FROM, '--project', 'nobody');
  expect(usageView.parse(JSON.parse(json.stdout)).usage).toEqual([]);
  const bad = await stage.cli('usage', '--from', 'yesterday');
  expect([bad.code, bad.stderr.includes('--from must be a day')]).toEqual([2, true]);
  const turned = await stage.cli('usage', '--from', '2026-12-01', '--to', '2026-11-01');
  expect(turned.stderr).toContain('to: must be later than from');
});

test('a deleted guest costs nothing more, and is gone from the metrics', async () => {
  await stage.call('delete_instance', { uuid: instance.uuid });
  await vi.waitFor(async () => {
    const [one, other] = [await pageSeconds(), await pageSeconds()];
    expect(one).toBe(other);
    expect(await scrape()).not.toContain(instance.uuid);
  }, 10_000);
  expect(await freePagesBack(free)).toBe(free);
});
