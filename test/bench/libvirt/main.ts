/**
 * node-libvirt against python3-libvirt (the C library) on the same daemon in the same run, turn about. Only the ratios
 * mean anything: libvirtd takes most of the time, and both meet it in the same moods.
 *
 * For the run libvirtd is kept to one processor. On a machine with few of them its threads otherwise move between those
 * that happen to be idle, which makes one and the same client three times as fast in one run as in the next.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect, DomainCreateFlags, DomainStatsTypes, type Connection, type Domain } from 'node-libvirt';
import type { VirtType } from '../../../integration/virt_type.ts';
import { quantile, type Figure } from '../figures.ts';

const run = promisify(execFile);
const ROUNDS = 7;
/** Long enough for the compilers of both sides to have settled. */
const CALLS = 40_000;
const STATS_DOMAINS = 30;
const STATS_CALLS = 40;
const PREFIX = 'nlv-bench-';

type Measured = { readonly perSecond: number; readonly cpuUs: number };
type Pair = { readonly ours: Measured; readonly theirs: Measured };

const BOUNDS = [
  { concurrency: 1, speedAtLeast: 0.9, cpuAtMost: 1.2 },
  { concurrency: 16, speedAtLeast: 1, cpuAtMost: 0.8 },
];

export async function benchLibvirt(virtType: VirtType): Promise<Figure[]> {
  await using connection = await connect();
  const domains: Domain[] = [];
  const release = await keepToOneProcessor();
  try {
    domains.push(await startPaused(connection, virtType, 32));
    const name = domains[0]?.name ?? '';
    const figures = [...(await benchCalls('version', name)), ...(await benchCalls('info', name)), await floor()];
    while (domains.length < STATS_DOMAINS) domains.push(await startPaused(connection, virtType, 8));
    return [...figures, await benchStats(connection, domains)];
  } finally {
    await release();
    for (const domain of domains) await connection.domain.destroyFlags(domain);
  }
}

async function benchCalls(operation: string, name: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { concurrency, speedAtLeast, cpuAtMost } of BOUNDS) {
    const pairs: Pair[] = [];
    for (let round = 0; round < ROUNDS; round += 1) pairs.push(await measurePair(round, operation, concurrency, name));
    const median = (of: (pair: Pair) => number) => quantile(pairs.map(of), 0.5);
    const called = `${operation === 'version' ? 'GET_LIB_VERSION' : 'DOMAIN_GET_INFO'}, ${concurrency} at once`;
    figures.push(
      {
        name: `${called}: calls/s, ours / python`,
        value: median(({ ours, theirs }) => ours.perSecond / theirs.perSecond),
        unit: 'x',
        atLeast: speedAtLeast,
        how: `medians of ${ROUNDS}: ${Math.round(median(({ ours }) => ours.perSecond))} and ${Math.round(median(({ theirs }) => theirs.perSecond))}`,
      },
      {
        name: `${called}: CPU per call, ours / python`,
        value: median(({ ours, theirs }) => ours.cpuUs / theirs.cpuUs),
        unit: 'x',
        atMost: cpuAtMost,
        how: `medians of ${ROUNDS}: ${median(({ ours }) => ours.cpuUs).toFixed(1)} us and ${median(({ theirs }) => theirs.cpuUs).toFixed(1)} us`,
      },
    );
  }
  return figures;
}

/** Who goes first changes, so that neither always finds the daemon as the other left it. */
async function measurePair(round: number, operation: string, concurrency: number, name: string): Promise<Pair> {
  const args = [operation, String(concurrency), String(CALLS), name];
  const measureOurs = () => measured(process.execPath, [join(import.meta.dirname, 'node_client.ts'), ...args]);
  const measureTheirs = () => measured('/usr/bin/python3', [join(import.meta.dirname, 'python_client.py'), ...args]);
  if (round % 2 === 0) {
    const ours = await measureOurs();
    return { ours, theirs: await measureTheirs() };
  }
  const theirs = await measureTheirs();
  return { ours: await measureOurs(), theirs };
}

async function floor(): Promise<Figure> {
  const { perSecond, cpuUs } = await measured(process.execPath, [join(import.meta.dirname, 'echo.ts')]);
  return {
    name: 'floor: echo of 28 bytes in Node, CPU per call',
    value: cpuUs,
    unit: 'us',
    how: `one at a time over a unix socket, ${Math.round(perSecond)} per second`,
  };
}

async function benchStats(connection: Connection, domains: readonly Domain[]): Promise<Figure> {
  const cpuMs: number[] = [];
  for (let call = 0; call < STATS_CALLS; call += 1) {
    const before = process.cpuUsage();
    const records = await connection.getAllDomainStats(domains, DomainStatsTypes.BALLOON);
    const { user, system } = process.cpuUsage(before);
    if (records.length !== domains.length) throw new Error(`${records.length} records for ${domains.length} domains`);
    cpuMs.push((user + system) / 1000);
  }
  return {
    name: `GET_ALL_DOMAIN_STATS of ${domains.length} domains, our CPU`,
    value: quantile(cpuMs, 0.5),
    unit: 'ms',
    atMost: 1,
    how: `BALLOON group, whole call: sending, reading and decoding; median of ${STATS_CALLS}`,
  };
}

/** Paused: what is measured is the client, and thirty emulated guests would take the processor from it. */
async function startPaused(connection: Connection, virtType: VirtType, memoryMib: number): Promise<Domain> {
  const xml = `<domain type='${virtType}'>
  <name>${PREFIX}${randomUUID()}</name>
  <memory unit='MiB'>${memoryMib}</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <devices><memballoon model='virtio'/></devices>
</domain>`;
  return connection.domain.createXML(xml, DomainCreateFlags.START_PAUSED);
}

/** Resolves to what gives the daemon its processors back. */
async function keepToOneProcessor(): Promise<() => Promise<unknown>> {
  const pid = (await run('pidof', ['-s', 'libvirtd'])).stdout.trim();
  const { stdout } = await run('taskset', ['-cp', pid]);
  const before = stdout.trim().split(' ').at(-1) ?? '';
  await run('taskset', ['-acp', '0', pid]);
  return () => run('taskset', ['-acp', before, pid]);
}

async function measured(command: string, args: readonly string[]): Promise<Measured> {
  const { stdout } = await run(command, [...args]);
  const result: Measured = JSON.parse(stdout);
  return result;
}
