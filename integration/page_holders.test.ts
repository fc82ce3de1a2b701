/** Who holds the pages of the pools: a guest of ours, processes that are none, and pages that no process maps. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, afterEach, expect, test } from 'vitest';
import { hostView, type HoldersView, type InstanceView } from '../src/api/views.ts';
import { AgentStage, flavorOf, freePagesBack } from './agent.ts';
import { poolCount } from './page_pool.ts';

const [GUEST, PRIVATE, SHARED, CHILD, UNMAPPED] = [40, 7, 6, 4, 5];

/**
 * Takes pages in three ways: a private mapping, a file of which a child maps a part as well, and a file that
 * nobody maps. It calls itself what a terminal would obey.
 */
const TAKER = `
import mmap, os, sys
MFD_HUGETLB, MAP_HUGETLB, PAGE = 4, 0x40000, 2 * 1024 * 1024
def touch(memory, pages):
    for page in range(pages): memory[page * PAGE] = 1
open("/proc/self/comm", "w").write("\\x1b[31mtaker")
private = mmap.mmap(-1, ${PRIVATE} * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB)
touch(private, ${PRIVATE})
file = os.memfd_create("shared", MFD_HUGETLB)
os.ftruncate(file, ${SHARED} * PAGE)
unmapped = os.memfd_create("unmapped", MFD_HUGETLB)
os.posix_fallocate(unmapped, 0, ${UNMAPPED} * PAGE)
shared = mmap.mmap(file, ${SHARED} * PAGE, flags=mmap.MAP_SHARED)
touch(shared, ${SHARED})
told, tell = os.pipe()
if (child := os.fork()) == 0:
    private.close()
    touch(shared, ${CHILD})
    os.write(tell, b"x")
    sys.stdin.read()
    os._exit(0)
os.read(told, 1)
print(child, flush=True)
sys.stdin.read()
os.waitpid(child, 0)
`;

let stage: AgentStage;
let free: number;
let instance: InstanceView;
let taker: ChildProcess;
let childPid: number;

beforeAll(async () => {
  stage = await AgentStage.set('holders');
});

afterAll(() => stage?.clear());

beforeEach(async () => {
  free = await poolCount('free_hugepages');
  instance = await stage.create({ name: 'web', flavor: flavorOf(GUEST) });
  const started = spawn('/usr/bin/python3', ['-c', TAKER], { stdio: ['pipe', 'pipe', 'inherit'] });
  taker = started;
  const [said] = await once(started.stdout, 'data');
  childPid = Number(String(said));
});

afterEach(async () => {
  taker.stdin?.end();
  if (taker.exitCode === null) await once(taker, 'exit');
  await stage.call('delete_instance', { uuid: instance.uuid });
  await freePagesBack(free);
});

/** Of node 0 and 2 MiB, as the API answers. */
async function poolOf(args: Record<string, unknown>): Promise<HoldersView['pools'][number] | undefined> {
  const { holders } = hostView.parse(await stage.call('get_host', args));
  return holders?.pools.find((pool) => pool.node === 0 && pool.page_size_kib === 2048);
}

test('the guest, the other processes, and what no process maps; a page that two map is counted once', async () => {
  const pool = await poolOf({ holders: true });
  expect(pool).toMatchObject({ total: await poolCount('nr_hugepages'), free: await poolCount('free_hugepages') });
  expect(pool?.holders[0]).toEqual({
    instance: { uuid: instance.uuid, name: 'web' },
    pid: await stage.pidOf(instance.uuid),
    command: 'qemu-system-x86',
    pages: GUEST,
    also_mapped: 0,
  });
  for (const holder of [
    { pid: taker.pid, pages: PRIVATE + SHARED, also_mapped: 0 },
    { pid: childPid, pages: 0, also_mapped: CHILD },
  ]) {
    expect(pool?.holders).toContainEqual({ instance: null, command: '?[31mtaker', ...holder });
  }
  expect(pool?.unexplained).toBe(UNMAPPED);

  expect(await poolOf({})).toBeUndefined();
});

test('hugenode host --holders', async () => {
  const { code, stdout, stderr } = await stage.cli('host', '--holders');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(new RegExp(`0 +│ 2 MiB +│ web ${instance.uuid}, qemu-system-x86 \\(pid \\d+\\) +│ ${GUEST} `));
  expect(stdout).toMatch(new RegExp(`0 +│ 2 MiB +│ \\?\\[31mtaker \\(pid ${taker.pid}\\) +│ ${PRIVATE + SHARED} `));
  expect(stdout).toMatch(new RegExp(`0 +│ 2 MiB +│ \\?\\[31mtaker \\(pid ${childPid}\\) +│ 0 +│ ${CHILD} `));
  expect(stdout).toMatch(new RegExp(`unexplained +│ ${UNMAPPED} `));
  expect(stdout).not.toContain('\u001B');
});
