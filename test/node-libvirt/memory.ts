/** What this process holds on to. */
import { setTimeout as sleep } from 'node:timers/promises';

export type Held = { readonly heapMib: number; readonly rssMib: number; readonly resources: Record<string, number> };

/** After a full collection. @throws where Node was not started with --expose-gc. */
export async function held(): Promise<Held> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('node --expose-gc is needed; vitest.config.ts says so for these tests');
  // Several times over more than a second: buffers are swept in the background, and an abort of a stream may wait that
  // long for its confirmation.
  for (let count = 0; count < 5; count += 1) {
    gc();
    await sleep(300);
  }
  gc();
  const { heapUsed, rss, external } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  // Buffers are outside of the heap and just as much ours.
  return { heapMib: mib(heapUsed + external), rssMib: mib(rss), resources };
}

function mib(bytes: number): number {
  return Math.round((bytes / 1024 ** 2) * 10) / 10;
}
