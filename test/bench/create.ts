/**
 * Creating over RPC against defining and starting the same domain straight through libvirt: turn about in one run, so
 * that whatever the machine does meets both alike.
 */
import { randomUUID } from 'node:crypto';
import { connect, type Connection } from 'node-libvirt';
import { instanceView } from '../../src/api/views.ts';
import { BENCH_HOST, BENCH_PREFIX, type AgentRun } from './agent_run.ts';
import { quantile, type Figure } from './figures.ts';

const PAGES = 64;
const WARM_UP = 2;

export async function benchCreate(agent: AgentRun, rounds: number): Promise<Figure[]> {
  const libvirt = await connect({ uri: 'qemu:///system' });
  const overRpc: number[] = [];
  const straight: number[] = [];
  const added: number[] = [];
  try {
    for (let round = 0; round < WARM_UP + rounds; round += 1) {
      // Who goes first changes, so that neither always finds the machine as the other left it.
      const turn = round % 2 === 0;
      const first = turn ? await createOverRpc(agent, libvirt) : undefined;
      const xml: string = first?.xml ?? lastXml;
      const direct = await startStraight(libvirt, xml);
      const second = first ?? (await createOverRpc(agent, libvirt));
      if (round < WARM_UP) continue;
      overRpc.push(second.totalMs);
      straight.push(direct);
      added.push(second.totalMs - second.libvirtMs);
    }
  } finally {
    await libvirt.close();
  }
  const ratio = quantile(overRpc, 0.5) / quantile(straight, 0.5);
  return [
    {
      name: 'create, over RPC / straight',
      value: ratio,
      unit: 'x',
      atMost: 1.1,
      how: `medians of ${rounds}: ${quantile(overRpc, 0.5).toFixed(0)} ms and ${quantile(straight, 0.5).toFixed(0)} ms, turn about`,
    },
    {
      name: 'added by the agent, p50',
      value: quantile(added, 0.5),
      unit: 'ms',
      atMost: 10,
      how: 'whole call minus define and start within it: bus, admission, render, verification, record, answer',
    },
    { name: 'added by the agent, p90', value: quantile(added, 0.9), unit: 'ms', atMost: 25, how: 'the same' },
  ];
}

let lastXml = '';

async function createOverRpc(
  agent: AgentRun,
  libvirt: Connection,
): Promise<{ totalMs: number; libvirtMs: number; xml: string }> {
  const uuid = randomUUID();
  const request = {
    uuid,
    name: 'bench',
    project_id: 'p',
    user_id: 'u',
    flavor: { name: 'f', vcpus: 1, memory_mb: PAGES * 2, extra_specs: { 'hw:mem_page_size': '2MB' } },
  };
  const began = performance.now();
  instanceView.parse(await agent.client.call('create_instance', request, { server: BENCH_HOST, timeoutMs: 120_000 }));
  const totalMs = performance.now() - began;
  lastXml = await libvirt.getDomainXMLDesc({ name: BENCH_PREFIX + uuid, uuid, id: -1 }, 2);
  await agent.client.call('delete_instance', { uuid }, { server: BENCH_HOST, timeoutMs: 120_000 });
  const phases = agent.log.find((line) => line['message'] === 'domain started' && line['instance'] === uuid);
  return { totalMs, libvirtMs: Number(phases?.['define_ms']) + Number(phases?.['start_ms']), xml: lastXml };
}

/** The same domain under another uuid, its console log where libvirt may write. */
async function startStraight(libvirt: Connection, xml: string): Promise<number> {
  const uuid = randomUUID();
  const own = xml
    .replace(/<name>[^<]*<\/name>/, `<name>${BENCH_PREFIX}straight</name>`)
    .replace(/<uuid>[^<]*<\/uuid>/, `<uuid>${uuid}</uuid>`)
    .replaceAll(/<log file='[^']*'/g, `<log file='/var/log/libvirt/qemu/${BENCH_PREFIX}straight-console.log'`);
  const began = performance.now();
  const domain = await libvirt.defineDomainXML(own, 0);
  await libvirt.createDomain(domain, 0);
  const tookMs = performance.now() - began;
  await libvirt.destroyDomain(domain, 0);
  await libvirt.undefineDomain(domain, 0);
  return tookMs;
}
