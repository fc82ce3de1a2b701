/**
 * What the rows of the conformance table stand on: our connection, libvirt-python on the same daemon, and resources that
 * bear the process id in their names. What a dead run left is removed at the start, what ours made at the end.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import {
  connect,
  type Connection,
  type Domain,
  type DomainSnapshot,
  type Network,
  type NodeDevice,
  type NWFilter,
  type Secret,
  type StoragePool,
  type StorageVol,
} from 'node-libvirt';
import { LibvirtOracle, OracleError, type Target } from '../oracle/libvirt_oracle.ts';

export const SYSTEM = 'qemu:///system';
/** The test driver inside the same daemon: it does what QEMU cannot do on this machine. */
export const TEST = 'test:///default';
const TEST_FOR_PYTHON = 'test+unix:///default';

/** The objects as libvirt-python is asked for them. */
export const at = {
  connect: { kind: 'connect', key: {} },
  domain: (key: Domain): Target => ({ kind: 'domain', key }),
  network: (key: Network): Target => ({ kind: 'network', key }),
  pool: (key: StoragePool): Target => ({ kind: 'pool', key }),
  vol: (key: StorageVol): Target => ({ kind: 'vol', key }),
  secret: (key: Secret): Target => ({ kind: 'secret', key }),
  nwfilter: (key: NWFilter): Target => ({ kind: 'nwfilter', key }),
  device: (key: NodeDevice): Target => ({ kind: 'device', key }),
  snapshot: (key: DomainSnapshot): Target => ({ kind: 'snapshot', key }),
} as const;

/** An object as an argument of a method of libvirt-python. */
export const object = (target: Target): object => ({ $object: target });

export type Ask = (target: Target, method: string, ...args: readonly unknown[]) => Promise<unknown>;

export class World {
  readonly connection: Connection;
  /** The same on the test driver. */
  readonly testing: Connection;
  /** What libvirt-python answers. */
  readonly python: Ask;
  readonly pythonTesting: Ask;
  readonly folder: string;
  readonly #oracle: LibvirtOracle;
  #guest: Domain | undefined;
  #pool: StoragePool | undefined;

  private constructor(connection: Connection, testing: Connection, oracle: LibvirtOracle, folder: string) {
    this.connection = connection;
    this.testing = testing;
    this.folder = folder;
    this.#oracle = oracle;
    this.python = (target, method, ...args) => oracle.ask(SYSTEM, target, method, ...args);
    this.pythonTesting = (target, method, ...args) => oracle.ask(TEST_FOR_PYTHON, target, method, ...args);
  }

  static async open(): Promise<World> {
    const connections = [await connect(), await connect({ uri: TEST })] as const;
    const folder = await mkdtemp(join(tmpdir(), 'nlv-'));
    // QEMU runs as a user of its own.
    await chmod(folder, 0o755);
    const world = new World(...connections, new LibvirtOracle(), folder);
    await world.#removeLeftovers();
    return world;
  }

  /** The running guest that most rows share. */
  get guest(): Domain {
    if (this.#guest === undefined) throw new Error('no guest was made');
    return this.#guest;
  }

  set guest(domain: Domain) {
    this.#guest = domain;
  }

  /** The started pool in our folder that the rows share. */
  get pool(): StoragePool {
    if (this.#pool === undefined) throw new Error('no pool was made');
    return this.#pool;
  }

  set pool(pool: StoragePool) {
    this.#pool = pool;
  }

  nameOf(part: string): string {
    return `nlv-${process.pid}-${part}`;
  }

  async close(): Promise<void> {
    try {
      await this.#removeOf(process.pid);
    } finally {
      await this.#oracle.close();
      await this.connection.close();
      await this.testing.close();
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  /** Names bear the process id of their run: what a dead run left is removed, what another makes is left alone. */
  async #removeLeftovers(): Promise<void> {
    const { connection } = this;
    const named = [
      ...(await connection.listAllDomains()),
      ...(await connection.listAllNetworks()),
      ...(await connection.listAllStoragePools()),
      ...(await connection.listAllNWFilters()),
    ];
    const owners = new Set(named.flatMap(({ name }) => ownerOf(name) ?? []));
    for (const { usageID } of await connection.listAllSecrets()) owners.add(ownerOf(usageID) ?? process.pid);
    for (const pid of owners) if (!isAlive(pid)) await this.#removeOf(pid);
  }

  async #removeOf(pid: number): Promise<void> {
    const { connection } = this;
    const isOurs = ({ name }: { readonly name: string }) => ownerOf(name) === pid;
    for (const one of (await connection.listAllDomains()).filter(isOurs)) await removeDomain(connection, one);
    for (const network of (await connection.listAllNetworks()).filter(isOurs)) {
      const isPersistent = await connection.network.isPersistent(network);
      if (await connection.network.isActive(network)) await connection.network.destroy(network);
      if (isPersistent) await connection.network.undefine(network);
    }
    for (const pool of (await connection.listAllStoragePools()).filter(isOurs)) {
      const isPersistent = await connection.storagePool.isPersistent(pool);
      if (await connection.storagePool.isActive(pool)) await connection.storagePool.destroy(pool);
      if (isPersistent) await connection.storagePool.undefine(pool);
    }
    for (const filter of (await connection.listAllNWFilters()).filter(isOurs))
      await connection.nwfilter.undefine(filter);
    for (const secret of await connection.listAllSecrets())
      if (ownerOf(secret.usageID) === pid) await connection.secret.undefine(secret);
  }
}

/** Managed save image, snapshots and all. */
export async function removeDomain(connection: Connection, domain: Domain): Promise<void> {
  const isPersistent = await connection.domain.isPersistent(domain);
  if (await connection.domain.isActive(domain)) await connection.domain.destroyFlags(domain);
  const MANAGED_SAVE_AND_SNAPSHOTS = 3;
  if (isPersistent) await connection.domain.undefineFlags(domain, MANAGED_SAVE_AND_SNAPSHOTS);
}

/** Compares what may change at any time: where two readings of ours agree, the one of Python between them must too. */
export async function settled<T>(
  ours: () => Promise<T>,
  theirs: () => Promise<unknown>,
  shaped: (answer: unknown) => unknown = (answer) => answer,
): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const before = await ours();
    const between = shaped(await theirs());
    const after = await ours();
    if (JSON.stringify(before, bigints) !== JSON.stringify(after, bigints) && attempt < 50) {
      await sleep(10);
      continue;
    }
    expect(before).toEqual(between);
    return;
  }
}

/** Both must be refused, and for the same reason: its code. */
export async function sameRefusal(ours: () => Promise<unknown>, theirs: () => Promise<unknown>): Promise<void> {
  const refusal = await theirs().then(
    (answer) => expect.fail(`Python was not refused but got ${JSON.stringify(answer)}`),
    (error: unknown) => error,
  );
  if (!(refusal instanceof OracleError)) throw refusal;
  await expect(ours()).rejects.toMatchObject({ name: 'LibvirtError', code: refusal.code });
}

/** What Python answered, as the list it must be. */
export function listOf(answer: unknown): unknown[] {
  if (!Array.isArray(answer)) throw new TypeError(`a list was expected, not ${JSON.stringify(answer)}`);
  return answer.map((one: unknown) => one);
}

/** What Python answered, as the dictionary it must be. */
export function recordOf(answer: unknown): Readonly<Record<string, unknown>> {
  if (typeof answer !== 'object' || answer === null) throw new TypeError('a dictionary was expected');
  return Object.fromEntries(Object.entries(answer));
}

/** A list in a settled order. */
export function sorted(list: unknown): unknown[] {
  return listOf(list).toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
}

/** libvirt-python's sets of CPUs are rows of booleans. */
export function cpusOf(row: unknown): number[] {
  return listOf(row).flatMap((isSet, cpu) => (isSet === true ? [cpu] : []));
}

function bigints(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function ownerOf(name: string): number | undefined {
  const pid = /^nlv-(\d+)-/.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
