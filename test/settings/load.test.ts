import { mkdtempSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadSettings } from '../../src/settings/load.ts';
import { settingsReference } from '../../src/reference/settings_reference.ts';

const SHIPPED = new URL('../../config/hugenode.yaml', import.meta.url);

function fileOf(content: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'hugenode-settings-')), 'hugenode.yaml');
  writeFileSync(file, content);
  return file;
}

test('the shipped file shows every key with its default: loading it changes nothing', () => {
  expect(loadSettings({ file: SHIPPED.pathname })).toEqual(loadSettings());
});

test('the shipped file is what the schema writes (npm run docs:write)', () => {
  expect(readFileSync(SHIPPED, 'utf8')).toBe(settingsReference());
});

test('the command line wins over the environment, the environment over the file', () => {
  const file = fileOf('rpc:\n  prefetch: 1\n  topic: from-file\n  exchange: from-file\n');
  const env = { HUGENODE_RPC__PREFETCH: '2', HUGENODE_RPC__TOPIC: 'from-env' };
  const { rpc } = loadSettings({ file, env, overrides: ['rpc.prefetch=3'] });
  expect([rpc.prefetch, rpc.topic, rpc.exchange]).toEqual([3, 'from-env', 'from-file']);
});

test('text stays text where the setting is text, and lists can be given', () => {
  const env = {
    HUGENODE_METERING__TELEMETRY_SECRET: '12345',
    HUGENODE_ADMISSION__RESERVED_HUGE_PAGES: '[{ node: 0, size_kib: 2048, count: 64 }]',
    HUGENODE_HOST: 'compute-1',
  };
  const settings = loadSettings({ env });
  expect(settings.metering.telemetry_secret).toBe('12345');
  expect(settings.admission.reserved_huge_pages).toEqual([{ node: 0, size_kib: 2048, count: 64 }]);
  expect(settings.host).toBe('compute-1');
});

test.each([
  ['an unknown key in the file', { file: fileOf('rpc:\n  prefetc: 1\n') }, 'unknown setting rpc.prefetc'],
  ['an unknown section', { file: fileOf('rpcs: {}\n') }, 'unknown setting rpcs'],
  ['an unknown variable', { env: { HUGENODE_RPC__PREFETC: '1' } }, 'unknown setting rpc.prefetc'],
  ['an unknown flag', { overrides: ['rpc.prefetc=1'] }, 'unknown setting rpc.prefetc'],
  ['a key too deep', { overrides: ['rpc.prefetch.x=1'] }, 'unknown setting rpc.prefetch.x'],
  ['a wrong type', { overrides: ['rpc.prefetch=many'] }, 'rpc.prefetch'],
  ['a wrong value', { overrides: ['libvirt.virt_type=xen'] }, 'libvirt.virt_type'],
  ['a broken page size', { overrides: ['admission.default_mem_page_size=2mb'] }, 'admission.default_mem_page_size'],
  ['a period of no whole seconds', { overrides: ['metering.balloon_period_ms=1500'] }, 'metering.balloon_period_ms'],
  ['no pair', { overrides: ['rpc.prefetch'] }, 'section.key=value'],
  ['a host that no queue name can carry', { overrides: ['host=a b'] }, 'host'],
  ['a file that is not there', { file: '/does/not/exist.yaml' }, '/does/not/exist.yaml'],
  ['a file that is no YAML', { file: fileOf('rpc: [') }, 'hugenode.yaml'],
  ['a file that is a list', { file: fileOf('- a\n') }, 'top level'],
])('%s is an error that names it', (_what, sources, name) => {
  expect(() => loadSettings(sources)).toThrow(name);
});

test('the variables of the tests are not settings', () => {
  const env = { HUGENODE_RABBITMQ_IMAGE: 'x', HUGENODE_FIT_VECTORS: 'y', HUGENODE_CONSTRAINT_VECTORS: 'z' };
  expect(loadSettings({ env })).toEqual(loadSettings());
});

test('settings cannot be changed after they were read', () => {
  const settings = loadSettings();
  expect(() => Object.assign(settings.rpc, { prefetch: 1 })).toThrow(TypeError);
});
