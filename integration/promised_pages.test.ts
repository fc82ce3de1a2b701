/** Pages that a foreign process has mapped and not touched: the kernel counts them as free, and they are not. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AgentStage, createArgs, flavorOf, freePagesBack } from './agent.ts';
import { poolCount } from './page_pool.ts';

const MAPPED = 100;

/** Maps hugepages without touching one, says so, and holds them until its input ends. */
const MAPPER = `
import mmap, sys
MAP_HUGETLB = 0x40000
held = mmap.mmap(-1, ${MAPPED} * 2 * 1024 * 1024, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB)
print("mapped", flush=True)
sys.stdin.read()
`;

let stage: AgentStage;

beforeAll(async () => {
  stage = await AgentStage.set('promised');
});

afterAll(() => stage?.clear());

test('a request that fits into free pages, but not into what the kernel has not promised, is refused', async () => {
  const free = await poolCount('free_hugepages');
  const args = createArgs({ flavor: flavorOf(free - MAPPED + 1) });
  const mapper = spawn('/usr/bin/python3', ['-c', MAPPER], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(mapper.stdout, 'data');
    expect(await poolCount('free_hugepages')).toBe(free);
    await expect(stage.call('create_instance', args)).rejects.toMatchObject({
      className: 'ComputeResourcesUnavailable',
      kwargs: { refusal: { shortfalls: [{ node: 0, needed: free - MAPPED + 1, free, promised: MAPPED, claimed: 0 }] } },
    });
    expect(await stage.call('get_host')).toMatchObject({
      promised: expect.arrayContaining([{ page_size_kib: 2048, pages: MAPPED }]),
    });
  } finally {
    mapper.stdin.end();
    await once(mapper, 'exit');
  }
  // The mapper is gone, and with it the promise: the same request fits.
  await stage.call('create_instance', args);
  await stage.call('delete_instance', { uuid: args['uuid'] });
  expect(await freePagesBack(free)).toBe(free);
});
