/**
 * The three checks the project grew from: QEMU's command line preallocates on hugetlbfs, for the whole guest and per
 * guest cell; the host's mount and pool are what the recipe says; and the pool's difference is the guest.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { connect, type Connection, type Domain } from 'node-libvirt';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { renderDomain } from '../src/domain/render.ts';
import { instanceOf, placedCell, specOf } from '../test/domain/instances.ts';
import { freePagesBack } from './agent.ts';
import { poolCount } from './page_pool.ts';

const run = promisify(execFile);
const backendSchema = z.record(z.string(), z.unknown());

let libvirt: Connection;

beforeAll(async () => {
  libvirt = await connect({ uri: 'qemu:///system' });
});

afterAll(() => libvirt?.close());

/** Starts a domain; ends and undefines it with the test. Answers with QEMU's command line. */
async function commandLineOf(xml: string): Promise<string[]> {
  const domain: Domain = await libvirt.domain.defineXMLFlags(xml, 0);
  onTestFinished(async () => {
    await libvirt.domain.destroyFlags(domain, 0).catch(() => undefined);
    await libvirt.domain.undefineFlags(domain, 0);
  });
  await libvirt.domain.createWithFlags(domain, 0);
  const pid = (await readFile(`/run/libvirt/qemu/${domain.name}.pid`, 'utf8')).trim();
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
}

function memoryBackends(commandLine: readonly string[]): Record<string, unknown>[] {
  return commandLine
    .filter((_word, nth) => commandLine[nth - 1] === '-object')
    .filter((object) => object.includes('memory-backend'))
    .map((object) => backendSchema.parse(JSON.parse(object)));
}

test('whole guest: <memoryBacking><hugepages/> becomes prealloc on hugetlbfs', async () => {
  const xml = `<domain type='${inject('virtType')}'><name>hnt-seed-whole</name><memory unit='MiB'>80</memory>
    <memoryBacking><hugepages/></memoryBacking><os><type machine='q35'>hvm</type></os></domain>`;
  const backends = memoryBackends(await commandLineOf(xml));
  expect(backends).toHaveLength(1);
  expect(backends[0]).toMatchObject({
    prealloc: true,
    'mem-path': expect.stringMatching(/^\/dev\/hugepages\/libvirt\/qemu\//),
  });
});

test('per guest cell: each is a memory backend of its own, bound to its node', async () => {
  const uuid = randomUUID();
  const instance = instanceOf({
    uuid,
    imageId: null,
    flavor: { id: null, name: 'f', vcpus: 2, memoryMib: 160, diskGib: 0, extraSpecs: {} },
    // This machine may have one node only: admission would refuse two cells on it, libvirt does not.
    placement: [0, 1].map((cell) =>
      placedCell({ guestCell: cell, vcpus: [cell], sharedCpus: [0], pages: 40, memoryKib: 81920 }),
    ),
  });
  const xml = renderDomain(
    specOf(instance, {
      domainName: 'hnt-seed-cells',
      virtType: inject('virtType'),
      boot: { kind: 'none' },
      consoleLogPath: '/var/log/libvirt/qemu/hnt-seed-cells-console.log',
    }),
  );
  const backends = memoryBackends(await commandLineOf(xml));
  expect(backends).toHaveLength(2);
  for (const [cell, backend] of backends.entries()) {
    expect(backend).toMatchObject({
      id: `ram-node${cell}`,
      prealloc: true,
      size: 81920 * 1024,
      'host-nodes': [0],
      policy: 'bind',
      'mem-path': expect.stringMatching(/^\/dev\/hugepages\/libvirt\/qemu\//),
    });
  }
});

test('the host: hugetlbfs is mounted where QEMU’s group may use it, with a pool behind it', async () => {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  expect(mounts.find(([, at, type]) => at === '/dev/hugepages' && type === 'hugetlbfs')).toBeDefined();
  expect(await poolCount('nr_hugepages')).toBeGreaterThan(0);
  const mode = (await stat('/dev/hugepages')).mode & 0o7777;
  const { stdout } = await run('stat', ['--format', '%G', '/dev/hugepages']);
  // Ours is 1770 (libvirtd adds the search bit for its own folder below); systemd’s own mount is kept as it is, because libvirt owns its folder below anyway.
  expect([`${mode.toString(8)} ${stdout.trim()}`]).toContainEqual(expect.stringMatching(/^(177[01] kvm|755 root)$/));
  expect((await stat('/dev/hugepages/libvirt/qemu')).isDirectory()).toBe(true);
});

test('the page difference: free before minus free after plus reserved after is the guest', async () => {
  const before = await poolCount('free_hugepages');
  const xml = `<domain type='${inject('virtType')}'><name>hnt-seed-pages</name><memory unit='MiB'>256</memory>
    <memoryBacking><hugepages/></memoryBacking><os><type machine='q35'>hvm</type></os></domain>`;
  await commandLineOf(xml);
  expect(before - (await poolCount('free_hugepages')) + (await poolCount('resv_hugepages'))).toBe(128);
  await run('virsh', ['-c', 'qemu:///system', 'destroy', 'hnt-seed-pages']);
  expect(await freePagesBack(before)).toBe(before);
});
