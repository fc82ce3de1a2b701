/**
 * Creating over RPC against defining and starting the same domain straight through libvirt: turn about in one run, so
 * that whatever the machine does meets both alike.
 */
import { randomUUID } from 'node:crypto';
import { connect, type Connection } from 'node-libvirt';
import { z } from 'zod';
import { instanceView } from '../../src/api/views.ts';
import { BENCH_HOST, BENCH_PREFIX, type AgentRun } from './agent_run.ts';
import { quantile, type Figure } from './figures.ts';

const PAGES = 64;
const WARM_UP = 2;
/** virDomainGetXMLDesc: the definition, not the running domain. */
const INACTIVE = 2;

type Round = {
  /** The whole call, as its caller sees it. */
  readonly totalMs: number;
  /** Defining and starting within it. */
  readonly libvirtMs: number;
  /** Reading what the kernel says, and keeping the record. */
  readonly verifyAndKeepMs: number;
  readonly xml: string;
};

export async function benchCreate(agent: AgentRun, rounds: number): Promise<Figure[]> {
  const libvirt = await connect({ uri: 'qemu:///system' });
  const overRpc: Round[] = [];
  const straightMs: number[] = [];
  try {
    let { xml } = await createOverRpc(agent, libvirt);
    for (let round = 0; round < WARM_UP + rounds; round += 1) {
      // Who goes first changes, so that neither always finds the machine as the other left it.
      const straightFirst = round % 2 === 0 ? await startStraight(libvirt, xml) : undefined;
      const created = await createOverRpc(agent, libvirt);
      const straight = straightFirst ?? (await startStraight(libvirt, created.xml));
      xml = created.xml;
      if (round < WARM_UP) continue;
      overRpc.push(created);
      straightMs.push(straight);
    }
  } finally {
    await libvirt.close();
  }
  return figuresOf(overRpc, straightMs);
}

function figuresOf(overRpc: readonly Round[], straightMs: readonly number[]): Figure[] {
  const totalMs = quantile(
    overRpc.map((round) => round.totalMs),
    0.5,
  );
  const directMs = quantile(straightMs, 0.5);
  const added = overRpc.map((round) => round.totalMs - round.libvirtMs);
  const own = overRpc.map((round) => round.totalMs - round.libvirtMs - round.verifyAndKeepMs);
  const medians = `medians of ${overRpc.length}: ${totalMs.toFixed(0)} ms and ${directMs.toFixed(0)} ms, turn about`;
  return [
    { name: 'create, over RPC / straight', value: totalMs / directMs, unit: 'x', atMost: 1.1, how: medians },
    {
      name: 'admission, render and bus, p50',
      value: quantile(own, 0.5),
      unit: 'ms',
      atMost: 10,
      how: 'the call minus define and start in libvirt, minus verification and record',
    },
    {
      name: 'all that the agent adds, p50',
      value: quantile(added, 0.5),
      unit: 'ms',
      how: 'the call minus define and start in libvirt',
    },
  ];
}

const phasesSchema = z.object({ phases_ms: z.object({ verify: z.number(), keep: z.number() }) });
const startedSchema = z.object({ define_ms: z.number(), start_ms: z.number() });

async function createOverRpc(agent: AgentRun, libvirt: Connection): Promise<Round> {
  const uuid = randomUUID();
  const request = {
    uuid,
    name: 'bench',
    project_id: 'p',
    user_id: 'u',
    flavor: { name: 'f', vcpus: 1, memory_mb: PAGES * 2, extra_specs: { 'hw:mem_page_size': '2MB' } },
  };
  const target = { server: BENCH_HOST, timeoutMs: 120_000 };
  const began = performance.now();
  instanceView.parse(await agent.client.call('create_instance', request, target));
  const totalMs = performance.now() - began;
  const xml = await libvirt.domain.getXMLDesc({ name: BENCH_PREFIX + uuid, uuid, id: -1 }, INACTIVE);
  await agent.client.call('delete_instance', { uuid }, target);

  const logged = (message: string) =>
    agent.log.find((line) => line['message'] === message && line['instance'] === uuid);
  const started = startedSchema.parse(logged('domain started'));
  const { phases_ms: phases } = phasesSchema.parse(logged('instance runs'));
  return {
    totalMs,
    libvirtMs: started.define_ms + started.start_ms,
    verifyAndKeepMs: phases.verify + phases.keep,
    xml,
  };
}

/** The same domain under another uuid, its console log where libvirt may write. */
async function startStraight(libvirt: Connection, xml: string): Promise<number> {
  const uuid = randomUUID();
  const own = xml
    .replace(/<name>[^<]*<\/name>/, `<name>${BENCH_PREFIX}straight</name>`)
    .replace(/<uuid>[^<]*<\/uuid>/, `<uuid>${uuid}</uuid>`)
    .replaceAll(/<log file='[^']*'/g, `<log file='/var/log/libvirt/qemu/${BENCH_PREFIX}straight-console.log'`);
  const began = performance.now();
  const domain = await libvirt.domain.defineXMLFlags(own, 0);
  await libvirt.domain.createWithFlags(domain, 0);
  const tookMs = performance.now() - began;
  await libvirt.domain.destroyFlags(domain, 0);
  await libvirt.domain.undefineFlags(domain, 0);
  return tookMs;
}
