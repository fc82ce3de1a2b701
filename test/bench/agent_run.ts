/** An agent for the bench: the shipped configuration on a virtual host of its own on the machine's broker. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentProcess, QUIET, settingsArgs, type LogLine } from '../../integration/agent_process.ts';
import { addVhost, deleteVhost } from '../../integration/host_vhost.ts';
import { TINY_IMAGES_PATH } from '../../integration/tiny_guest.ts';
import type { VirtType } from '../../integration/virt_type.ts';
import { BrokerConnection, RpcClient } from '../../src/rpc/index.ts';
import { UndoStack } from '../../src/undo.ts';

export const BENCH_HOST = 'bench';
export const BENCH_PREFIX = 'hnb-';
const BENCH_FOLDER = '/var/lib/hugenode-bench';

export type AgentRun = { client: RpcClient; pid: number; log: LogLine[]; close: () => Promise<void> };

export async function runAgent(virtType: VirtType): Promise<AgentRun> {
  const undo = new UndoStack();
  const vhost = `hugenode-bench-${process.pid}`;
  const url = await addVhost(vhost);
  undo.push('virtual host', () => deleteVhost(vhost));
  const log: LogLine[] = [];
  const overrides = {
    host: BENCH_HOST,
    'rpc.transport_url': url,
    'images.path': TINY_IMAGES_PATH,
    'instances.domain_prefix': BENCH_PREFIX,
    'instances.path': join(BENCH_FOLDER, 'instances'),
    'rpc.journal_path': join(BENCH_FOLDER, 'requests.sqlite'),
    'spool.path': join(BENCH_FOLDER, 'spool.sqlite'),
    'usage.path': join(BENCH_FOLDER, 'usage.sqlite'),
    'metrics.listen': '127.0.0.1:0',
    'libvirt.virt_type': virtType,
    // The phases of a build are in its debug lines.
    'log.level': 'debug',
  };
  undo.push('folder', () => rm(BENCH_FOLDER, { recursive: true, force: true }));
  const agent = await AgentProcess.start(settingsArgs(overrides), (line) => log.push(line));
  undo.push('agent', async () => void (await agent.end()));
  const broker = await BrokerConnection.open({ transportUrl: url, clientName: 'bench', logger: QUIET });
  undo.push('broker', () => broker.close());
  const client = await RpcClient.open(broker, { exchange: 'hugenode', topic: 'hugenode', logger: QUIET });
  undo.push('client', () => client.close());
  return { client, pid: agent.pid, log, close: async () => void (await undo.unwind()) };
}
