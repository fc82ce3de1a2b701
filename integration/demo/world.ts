/** What the demo runs in: a virtual host of its own on the machine's broker, the agent, a client and a tap. */
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { BrokerConnection, RemoteError, RpcClient } from '../../src/rpc/index.ts';
import type { InstanceView } from '../../src/api/views.ts';
import { loadSettings } from '../../src/settings/load.ts';
import { UndoStack } from '../../src/undo.ts';
import { AgentProcess, QUIET, settingsArgs, SHIPPED_CONFIG, type LogLine } from '../agent_process.ts';
import { Tap } from '../tap.ts';
import { addVhost, deleteVhost } from '../host_vhost.ts';
import { TINY_IMAGES_PATH } from '../tiny_guest.ts';
import type { VirtType } from '../virt_type.ts';

/** Where QEMU's user gets through, unlike to a clone in somebody's home. */
const INSTANCES_PATH = '/var/lib/hugenode-demo/instances';

export class DemoWorld {
  readonly uuid: string;
  readonly signal: AbortSignal;
  readonly settings = loadSettings({ file: SHIPPED_CONFIG });
  readonly log: LogLine[] = [];
  virtType: VirtType = 'qemu';
  instance: InstanceView | undefined;
  freePagesBefore = 0;
  readonly #undo = new UndoStack();
  #client: RpcClient | undefined;
  #tap: Tap | undefined;

  constructor(options: { uuid: string; signal: AbortSignal }) {
    this.uuid = options.uuid;
    this.signal = options.signal;
  }

  async open(): Promise<string> {
    const vhost = `hugenode-demo-${process.pid}`;
    const url = await addVhost(vhost);
    this.#undo.push('virtual host', () => deleteVhost(vhost));

    const overrides = {
      'rpc.transport_url': url,
      'libvirt.virt_type': this.virtType,
      'images.path': TINY_IMAGES_PATH,
      // An agent that runs here for real must not meet the demo's guest.
      'instances.domain_prefix': 'hugenode-demo-',
      'instances.path': INSTANCES_PATH,
      'rpc.journal_path': join(dirname(INSTANCES_PATH), 'requests.sqlite'),
      'spool.path': join(dirname(INSTANCES_PATH), 'spool.sqlite'),
      'usage.path': join(dirname(INSTANCES_PATH), 'usage.sqlite'),
      'metrics.listen': '127.0.0.1:0',
      'log.level': 'debug',
    };
    this.#undo.push('folder', () => rm(dirname(INSTANCES_PATH), { recursive: true, force: true }));
    const began = performance.now();
    const agent = await AgentProcess.start(settingsArgs(overrides), (line) => this.log.push(line));
    this.#undo.push('agent', async () => void (await agent.end()));
    const tookMs = Math.round(performance.now() - began);

    const broker = await BrokerConnection.open({ transportUrl: url, clientName: 'hugenode demo', logger: QUIET });
    this.#undo.push('connection', () => broker.close());
    const { exchange, topic } = this.settings.rpc;
    const client = await RpcClient.open(broker, { exchange, topic, logger: QUIET });
    this.#undo.push('client', () => client.close());
    this.#client = client;
    const tap = await Tap.on(url.replace('rabbit:', 'amqp:'), this.settings.metering.exchange, [
      `${this.settings.metering.topic}.sample`,
    ]);
    this.#undo.push('tap', () => tap.close());
    this.#tap = tap;
    // Whatever happens from here on, the guest is not left running.
    this.#undo.push('instance', () => this.#removeInstance());
    return `takes requests after ${tookMs} ms on ${topic}.${hostname()}, virtual host ${vhost}`;
  }

  call(method: string, args: Record<string, unknown>): Promise<unknown> {
    if (this.#client === undefined) throw new Error('the agent does not run');
    return this.#client.call(method, args, {
      server: this.settings.host,
      timeoutMs: 120_000,
      context: { request_id: `req-${this.uuid}` },
    });
  }

  get tap(): Tap {
    if (this.#tap === undefined) throw new Error('the agent does not run');
    return this.#tap;
  }

  get running(): InstanceView {
    if (this.instance === undefined) throw new Error('there is no instance');
    return this.instance;
  }

  /** Takes everything back; returns what could not be. */
  async close(): Promise<string[]> {
    return (await this.#undo.unwind()).map(({ step, error }) => `${step}: ${String(error)}`);
  }

  async #removeInstance(): Promise<void> {
    try {
      await this.call('delete_instance', { uuid: this.uuid });
    } catch (error) {
      if (!(error instanceof RemoteError) || error.className !== 'InstanceNotFound') throw error;
    }
  }
}
