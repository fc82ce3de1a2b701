/**
 * The agent as a user runs it, a process of its own started by `hugenode serve`, on a virtual host, a folder and a
 * domain prefix of its own; and what a test needs around it: a client, the command line, taps on the queues, and the
 * kernel's own word on a guest. Whatever a test leaves behind, `stop` removes and reports.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { type InstanceView, instanceView } from '../src/api/views.ts';
import { readHoldings } from '../src/host/numa_maps.ts';
import { BrokerConnection, RpcClient } from '../src/rpc/index.ts';
import {
  AgentProcess,
  QUIET,
  runLauncher,
  settingsArgs,
  type CommandResult,
  type LogLine,
  type Overrides,
} from './agent_process.ts';
import { BrokerApi } from './broker.ts';
import { poolCount } from './page_pool.ts';
import { TINY_IMAGES_PATH } from './tiny_guest.ts';

const run = promisify(execFile);

export class AgentStage {
  readonly api: BrokerApi;
  readonly vhost: string;
  readonly host: string;
  readonly domainPrefix: string;
  /** Everything the agent has logged, parsed. */
  readonly logged: LogLine[] = [];
  readonly client: RpcClient;
  readonly #broker: BrokerConnection;
  readonly #folder: string;
  #overrides: Overrides;
  #process: AgentProcess | undefined;

  private constructor(
    parts: Pick<AgentStage, 'api' | 'vhost' | 'client'>,
    broker: BrokerConnection,
    folder: string,
    overrides: Overrides,
  ) {
    this.api = parts.api;
    this.vhost = parts.vhost;
    this.client = parts.client;
    this.host = `host-${parts.vhost}`;
    this.domainPrefix = `hnt-${parts.vhost}-`;
    this.#broker = broker;
    this.#folder = folder;
    this.#overrides = overrides;
  }

  /** Starts an agent on a fresh virtual host of that name; settings beyond the shipped ones as `section.key`. */
  static async set(vhost: string, overrides: Overrides = {}): Promise<AgentStage> {
    const api = new BrokerApi({ amqpPort: inject('amqpPort'), managementPort: inject('managementPort') });
    const url = await api.vhost(vhost);
    const broker = await BrokerConnection.open({ transportUrl: url, clientName: 'test', logger: QUIET });
    const flags = { durable: overrides['rpc.durable_queues'] === true };
    const client = await RpcClient.open(broker, { exchange: 'hugenode', topic: 'hugenode', flags, logger: QUIET });
    const folder = await mkdtemp(`/var/tmp/hugenode-${vhost}-`);
    // QEMU runs as another user and has to get through; /tmp may be a tmpfs, which has no direct I/O.
    await chmod(folder, 0o755);
    const stage = new AgentStage({ api, vhost, client }, broker, folder, overrides);
    await stage.removeGuests();
    await stage.start();
    return stage;
  }

  /** What `--set` is given: the shipped configuration apart from these. */
  get settings(): string[] {
    const own: Overrides = {
      host: this.host,
      'rpc.transport_url': this.api.url(this.vhost),
      'instances.path': join(this.#folder, 'instances'),
      'rpc.journal_path': join(this.#folder, 'requests.sqlite'),
      'spool.path': join(this.#folder, 'spool.sqlite'),
      'usage.path': join(this.#folder, 'usage.sqlite'),
      'metrics.listen': '127.0.0.1:0',
      'instances.domain_prefix': this.domainPrefix,
      'images.path': TINY_IMAGES_PATH,
      'libvirt.virt_type': inject('virtType'),
      'log.level': 'debug',
      ...this.#overrides,
    };
    return settingsArgs(own);
  }

  get instancesPath(): string {
    return join(this.#folder, 'instances');
  }

  /** Starts the agent, with other settings where given; resolves when it takes requests. */
  async start(overrides: Overrides = this.#overrides, env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#overrides = overrides;
    this.#process = await AgentProcess.start(this.settings, (line) => this.logged.push(line), env);
  }

  /** Resolves when the agent has ended by itself. */
  async ended(): Promise<void> {
    await this.#process?.ended();
  }

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  /** Ends the agent; resolves with its exit code, or null where the signal killed it. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    return this.#process?.end(signal) ?? null;
  }

  /** Ends everything and leaves nothing behind. */
  async clear(): Promise<void> {
    await this.client.close();
    await this.#broker.close();
    await this.end();
    await this.removeGuests();
    await rm(this.#folder, { recursive: true, force: true });
    await this.api.deleteVhost(this.vhost);
  }

  call(method: string, args: Record<string, unknown> = {}, timeoutMs = 120_000): Promise<unknown> {
    return this.client.call(method, args, {
      server: this.host,
      timeoutMs,
      context: { request_id: `req-${randomUUID()}` },
    });
  }

  async create(over: Record<string, unknown> = {}): Promise<InstanceView> {
    return instanceView.parse(await this.call('create_instance', createArgs(over)));
  }

  /** The command line, against this agent. */
  async cli(...args: string[]): Promise<CommandResult> {
    return runLauncher([...this.settings, ...args]);
  }

  /** Names of this stage's domains, running or not, from libvirt's own tool. */
  async domains(): Promise<string[]> {
    const { stdout } = await run('virsh', ['-c', 'qemu:///system', 'list', '--all', '--name']);
    return stdout.split('\n').filter((name) => name.startsWith(this.domainPrefix));
  }

  async removeGuests(): Promise<void> {
    for (const name of await this.domains()) {
      await run('virsh', ['-c', 'qemu:///system', 'destroy', name]).catch(() => undefined);
      await run('virsh', ['-c', 'qemu:///system', 'undefine', name]).catch(() => undefined);
    }
  }

  /** The QEMU process of an instance. */
  async pidOf(uuid: string): Promise<number> {
    return Number(await readFile(`/run/libvirt/qemu/${this.domainPrefix}${uuid}.pid`, 'utf8'));
  }

  /** What the kernel says the instance's QEMU holds in 2 MiB pages, per node. */
  async hugePagesOf(uuid: string): Promise<Record<number, number>> {
    const held = await readHoldings(await this.pidOf(uuid));
    return Object.fromEntries(
      held.filter((entry) => entry.pageSizeKib === 2048).map((entry) => [entry.node, entry.pages]),
    );
  }
}

/** A create request: 80 MiB on 2 MiB pages, the smallest tiny guest that boots, unless told otherwise. */
export function createArgs(over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    uuid: randomUUID(),
    name: 'guest',
    project_id: 'project-1',
    user_id: 'user-1',
    flavor: flavorOf(40),
    image: null,
    metadata: {},
    ...over,
  };
}

/** A flavor of that many 2 MiB pages. */
export function flavorOf(pages: number, extraSpecs: Record<string, string> = { 'hw:mem_page_size': '2MB' }) {
  return { id: 'f-1', name: 'hp.test', vcpus: 1, memory_mb: pages * 2, disk_gb: 0, extra_specs: extraSpecs };
}

/** Waits until the pool has as many free pages as before: the last process may still be giving its own back. */
export async function freePagesBack(expected: number, timeoutMs = 10_000): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const free = await poolCount('free_hugepages');
    if (free === expected || performance.now() > deadline) return free;
    await sleep(50);
  }
}
