/**
 * The floor: the smallest packet there is (28 bytes) to and fro over a unix socket, by Node alone, one at a time. No
 * client on Node can be cheaper per call.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PACKET = 28;
const WARM_UP = 3000;
const CALLS = 30_000;

if (process.argv[2] === 'serve') serve(process.argv[3] ?? '');
else process.stdout.write(JSON.stringify(await measure()));

function serve(path: string): void {
  const server = createServer((socket) => socket.on('data', (bytes) => socket.write(bytes)));
  server.listen(path, () => process.send?.('listening'));
}

async function measure(): Promise<{ perSecond: number; cpuUs: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'echo-'));
  const path = join(folder, 'sock');
  const server = fork(import.meta.filename, ['serve', path]);
  await once(server, 'message');
  const arrived = { resolve: () => undefined as void };
  const buffer = Buffer.alloc(PACKET);
  const callback = () => {
    arrived.resolve();
    return true;
  };
  const socket = createConnection({ path, onread: { buffer, callback } });
  await once(socket, 'connect');
  const packet = Buffer.alloc(PACKET);
  const repeat = async (count: number) => {
    for (let index = 0; index < count; index += 1) {
      const { promise, resolve } = Promise.withResolvers<void>();
      arrived.resolve = resolve;
      socket.write(packet);
      await promise;
    }
  };
  await repeat(WARM_UP);
  const cpu = process.cpuUsage();
  const beganMs = performance.now();
  await repeat(CALLS);
  const seconds = (performance.now() - beganMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  socket.destroy();
  server.kill();
  await rm(folder, { recursive: true });
  return { perSecond: CALLS / seconds, cpuUs: (user + system) / CALLS };
}
