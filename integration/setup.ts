/**
 * What stands before the first integration test: every prerequisite is looked at (one message names all that is
 * missing, each with its command), one broker runs for all test files, and the domain type that guests really boot
 * with is known. Test files get the rest by `inject`: `amqpPort`, `managementPort`, `virtType`.
 */
import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { Broker, lackingForBroker } from './broker.ts';
import { poolCount } from './page_pool.ts';
import { ensureTinyGuest } from './tiny_guest.ts';
import { decideVirtType, type VirtType } from './virt_type.ts';

declare module 'vitest' {
  interface ProvidedContext {
    amqpPort: number;
    managementPort: number;
    virtType: VirtType;
  }
}

/** Enough for the greediest test file; each file gives back what it took. */
const FREE_PAGES = 512;
const MEND = 'sh integration/provision.sh test';

const run = promisify(execFile);

let broker: Broker | undefined;

export async function setup(project: TestProject): Promise<void> {
  const lacking = await lackingPrerequisites();
  if (lacking.length > 0) {
    throw new Error(`the integration tests cannot run:\n${lacking.map((line) => `  - ${line}`).join('\n')}`);
  }
  broker = await Broker.start();
  try {
    const { virtType, why, remembered } = await decideVirtType();
    process.stderr.write(`integration: guests of type ${virtType}${remembered ? ' (remembered)' : ''}: ${why}\n`);
    project.provide('amqpPort', broker.amqpPort);
    project.provide('managementPort', broker.managementPort);
    project.provide('virtType', virtType);
  } catch (error) {
    // Vitest tears down only what was set up whole.
    await teardown();
    throw error;
  }
}

export async function teardown(): Promise<void> {
  await broker?.stop();
  broker = undefined;
}

/** Everything that is missing, each with the command that provides it; looked at side by side. */
async function lackingPrerequisites(): Promise<readonly string[]> {
  const found = await Promise.all([libvirt(), pages(), mount(), lackingForBroker(), python(), tinyGuest()]);
  return found.flat();
}

async function libvirt(): Promise<readonly string[]> {
  // The first connection after its start waits while libvirtd asks each QEMU what it can do.
  return lackingUnless('libvirtd', () => run('virsh', ['-c', 'qemu:///system', 'version'], { timeout: 90_000 }));
}

async function python(): Promise<readonly string[]> {
  // Debian's interpreter: another one earlier on the path knows nothing of Debian's packages.
  return lackingUnless('oslo.messaging and libvirt for /usr/bin/python3', () =>
    run('/usr/bin/python3', ['-c', 'import oslo_messaging, libvirt'], { timeout: 60_000 }),
  );
}

async function tinyGuest(): Promise<readonly string[]> {
  return lackingUnless('tiny guest image', ensureTinyGuest, 'sh integration/tiny-guest/build.sh');
}

async function pages(): Promise<readonly string[]> {
  return lackingUnless('hugepages', async () => {
    const [total, free] = await Promise.all([poolCount('nr_hugepages'), poolCount('free_hugepages')]);
    if (total < FREE_PAGES) throw new Error(`the pool holds ${total} pages of 2 MiB, ${FREE_PAGES} are needed`);
    if (free < FREE_PAGES) {
      throw new Error(
        `${free} of ${total} pages are free, ${FREE_PAGES} are needed: see virsh list, or enlarge the pool`,
      );
    }
  });
}

async function mount(): Promise<readonly string[]> {
  return lackingUnless('hugetlbfs', async () => {
    const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
    const at = mounts.find(
      ([, , type, options]) => type === 'hugetlbfs' && options?.split(',').includes('pagesize=2M'),
    );
    if (at?.[1] === undefined) throw new Error('2 MiB pages are not mounted');
    // libvirtd makes this folder when it starts with the mount in place, and refuses hugepage guests without.
    await stat(join(at[1], 'libvirt', 'qemu'));
  });
}

async function lackingUnless(what: string, stands: () => Promise<unknown>, mend = MEND): Promise<readonly string[]> {
  try {
    await stands();
    return [];
  } catch (error) {
    const message = error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error);
    return [`${what}: ${message}: ${mend}`];
  }
}
