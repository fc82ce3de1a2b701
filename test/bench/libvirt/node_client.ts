/**
 * One measured run of node-libvirt, in a process of its own: `node_client.ts OPERATION CONCURRENCY CALLS NAME`. Prints
 * what python_client.py prints, and measures the same: calls after a warm-up, and this process's own processor time.
 */
import { connect, type Connection, type Domain } from 'node-libvirt';

const [operation = '', concurrencyText, callsText, name = ''] = process.argv.slice(2);
const concurrency = Number(concurrencyText);
const calls = Number(callsText);
const WARM_UP = 10_000;

// What the package's README advises for many calls at a time: four in flight on each connection, and replies gathered.
const pool = Math.ceil(concurrency / 4);
const connection = await connect('qemu:///system', { pool, gatherRepliesUs: 100 });
const call = operationOf(connection, await connection.domain.lookupByName(name));
await repeat(WARM_UP);
const cpu = process.cpuUsage();
const beganMs = performance.now();
await repeat(calls);
const seconds = (performance.now() - beganMs) / 1000;
const { user, system } = process.cpuUsage(cpu);
process.stdout.write(JSON.stringify({ perSecond: calls / seconds, cpuUs: (user + system) / calls }));
await connection.close();

async function repeat(count: number): Promise<void> {
  let left = count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

function operationOf(libvirt: Connection, domain: Domain): () => Promise<unknown> {
  if (operation === 'version') return () => libvirt.getLibVersion();
  if (operation === 'info') return () => libvirt.domain.getInfo(domain);
  throw new Error(`no such operation: ${operation}`);
}
