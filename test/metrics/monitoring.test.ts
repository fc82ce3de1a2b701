/** The dashboard and the alerts against what the agent exports: a name that is gone would be an alert that never fires. */
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { readingOf, scraperOf } from './exporter.ts';

const read = (name: string) => readFileSync(new URL(`../../config/monitoring/${name}`, import.meta.url), 'utf8');

const rules = z
  .object({ groups: z.array(z.object({ rules: z.array(z.looseObject({ alert: z.string(), expr: z.string() })) })) })
  .parse(parse(read('hugenode.rules.yml')))
  .groups.flatMap((group) => group.rules);

const dashboard = z
  .object({
    panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })).optional() })),
    templating: z.object({ list: z.array(z.looseObject({ definition: z.string().optional() })) }),
  })
  .parse(JSON.parse(read('hugenode.dashboard.json')));

const expressions = [
  ...rules.map((rule) => rule.expr),
  ...dashboard.panels.flatMap((panel) => (panel.targets ?? []).map((target) => target.expr)),
  ...dashboard.templating.list.flatMap(({ definition }) => definition ?? []),
];

/** Prometheus makes it itself. */
const OF_PROMETHEUS = new Set(['up']);

function namesIn(expression: string): string[] {
  const plain = expression.replaceAll(/"[^"]*"/g, '""');
  return plain.match(/\b(?:hugenode|libvirt|process|up)(?:_[a-z_]+)?\b(?=\s*[{)[\s>=<*/,-]|$)/g) ?? [];
}

function exported(): Set<string> {
  const scraper = scraperOf(async () => readingOf([]));
  onTestFinished(() => scraper.stop());
  const names = scraper.names();
  return new Set([...names, ...names.flatMap((name) => ['_bucket', '_sum', '_count'].map((end) => name + end))]);
}

test('every metric that the dashboard and the alerts name is one that the agent exports', () => {
  const named = new Set(expressions.flatMap(namesIn));
  const known = exported();
  expect([...named].filter((name) => !known.has(name) && !OF_PROMETHEUS.has(name))).toEqual([]);
  expect(named.size).toBeGreaterThan(30);
});

test('every gauge and counter of ours is shown or alerted upon, but for a few', () => {
  const named = new Set(expressions.flatMap(namesIn).map((name) => name.replace(/_bucket$/, '')));
  const ours = [...exported()].filter((name) => name.startsWith('hugenode_') && !/_(bucket|sum|count)$/.test(name));
  expect(ours.filter((name) => !named.has(name))).toEqual([
    'hugenode_spool_bytes',
    'hugenode_pool_free_pages',
    'hugenode_node_plain_memory_bytes',
  ]);
});

test('plain memory and pools are never put into one number', () => {
  const ofPlain = expressions.filter((expression) => namesIn(expression).some((name) => name.includes('_plain_')));
  expect(ofPlain.length).toBeGreaterThan(3);
  expect(ofPlain.filter((expression) => namesIn(expression).some((name) => /_pool_|hugepages/.test(name)))).toEqual([]);
});
