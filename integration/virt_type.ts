/**
 * Which domain type guests really boot with on this machine: `kvm` or `qemu` (emulation).
 *
 * Neither /dev/kvm nor libvirt's capabilities tell: a nested KVM may be offered and yet end QEMU at its start, or run
 * a guest that never gets through its kernel. So a throw-away guest is booted, kvm first, and its READY line decides.
 * The verdict holds for this boot of the machine, this QEMU and these rights on /dev/kvm, and is remembered as long.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { ensureTinyGuest, waitForReady } from './tiny_guest.ts';

export type VirtType = 'kvm' | 'qemu';

export interface VirtTypeVerdict {
  readonly virtType: VirtType;
  readonly why: string;
  readonly remembered: boolean;
}

const MEMORY_FILE = '/var/cache/hugenode/virt-type.json';
const EMULATOR = '/usr/bin/qemu-system-x86_64';
const DOMAIN_PREFIX = 'hugenode-probe-';
const MEMORY_MIB = 80;
/** With KVM a guest is up in a second or two; emulated on a busy machine it takes up to half a minute. */
const READY_WITHIN_MS = { kvm: 20_000, qemu: 90_000 } as const;
/** libvirt may ask QEMU anew what it can do before it starts the first guest. */
const VIRSH_TIMEOUT_MS = 120_000;

const run = promisify(execFile);
const rememberedSchema = z.object({ key: z.string(), virtType: z.enum(['kvm', 'qemu']), why: z.string() });

/** Decides by booting the tiny guest, or from memory; fails where guests boot with neither. */
export async function decideVirtType(): Promise<VirtTypeVerdict> {
  const key = await machineKey();
  const known = await recall(key);
  if (known !== undefined) return { ...known, remembered: true };

  const image = await ensureTinyGuest();
  await removeOrphans();
  const verdict = await tryBoth(image);
  await remember({ key, ...verdict });
  return { ...verdict, remembered: false };
}

async function tryBoth(image: string): Promise<{ virtType: VirtType; why: string }> {
  const hasKvm = (await kvmRights()) !== 'absent';
  const kvm = hasKvm ? await boot('kvm', image) : { booted: false, detail: 'there is no /dev/kvm' };
  if (kvm.booted) return { virtType: 'kvm', why: `a kvm guest booted: ${kvm.detail}` };
  const qemu = await boot('qemu', image);
  if (qemu.booted) return { virtType: 'qemu', why: `kvm: ${kvm.detail}; an emulated guest booted` };
  throw new Error(`no guest boots on this machine. kvm: ${kvm.detail}; qemu: ${qemu.detail}`);
}

/** Starts a guest, waits for its READY line, and removes it whatever came of it. */
async function boot(virtType: VirtType, image: string): Promise<{ booted: boolean; detail: string }> {
  const name = `${DOMAIN_PREFIX}${process.pid}`;
  const folder = await mkdtemp(join(tmpdir(), DOMAIN_PREFIX));
  const consoleLog = join(folder, 'console.log');
  const ended = new AbortController();
  try {
    await writeFile(join(folder, 'domain.xml'), domainXml({ name, virtType, image, consoleLog }));
    await virsh('create', join(folder, 'domain.xml'));
    const began = performance.now();
    // Whichever comes first; the loser is told to stop.
    const line = await Promise.race([
      waitForReady(consoleLog, READY_WITHIN_MS[virtType], ended.signal),
      untilNotRunning(name, ended.signal),
    ]);
    return { booted: true, detail: `${line.slice(0, 40)} after ${((performance.now() - began) / 1000).toFixed(1)} s` };
  } catch (error) {
    return { booted: false, detail: firstCause(error) };
  } finally {
    ended.abort(new Error('the probe is over'));
    await destroy(name);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Fails as soon as the guest is no longer running, so that a dead QEMU is not waited for. */
async function untilNotRunning(name: string, signal: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(500);
    signal.throwIfAborted();
    const state = await virsh('domstate', name, '--reason');
    if (!state.startsWith('running')) throw new Error(`the guest is ${state}`);
  }
}

/**
 * Plain memory, so that the verdict needs no pool. With KVM the host's CPU model, which guests that matter use; an
 * emulated guest takes the machine's default.
 */
function domainXml(guest: { name: string; virtType: VirtType; image: string; consoleLog: string }): string {
  const path = (file: string) => escapeXml(join(guest.image, file));
  return `<domain type='${guest.virtType}'>
  <name>${guest.name}</name>
  <memory unit='MiB'>${MEMORY_MIB}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>${path('kernel')}</kernel>
    <initrd>${path('initrd')}</initrd>
    <cmdline>console=ttyS0 quiet</cmdline>
  </os>
  <features><acpi/></features>
  ${guest.virtType === 'kvm' ? "<cpu mode='host-model'/>" : ''}
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>${EMULATOR}</emulator>
    <serial type='pty'><log file='${escapeXml(guest.consoleLog)}'/><target port='0'/></serial>
    <memballoon model='virtio'/>
  </devices>
</domain>
`;
}

function escapeXml(text: string): string {
  return text.replace(/[<>&'"]/g, (character) => `&#${character.codePointAt(0)};`);
}

async function virsh(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('virsh', ['-c', 'qemu:///system', ...args], {
    timeout: VIRSH_TIMEOUT_MS,
    env: { ...process.env, LC_ALL: 'C' },
  });
  return stdout.trim();
}

async function destroy(name: string): Promise<void> {
  const running = await virsh('list', '--name');
  if (running.split('\n').includes(name)) await virsh('destroy', name);
}

/** A killed run leaves its probe behind: transient, but running. */
async function removeOrphans(): Promise<void> {
  const names = (await virsh('list', '--name')).split('\n').filter((name) => /^hugenode-probe-\d+$/.test(name));
  for (const name of names) {
    const owner = await exists(`/proc/${name.slice(DOMAIN_PREFIX.length)}`);
    if (!owner) await destroy(name);
  }
}

/** What is worth saying of a failure: of virsh, what it printed; of QEMU's end, the line that names the error. */
function firstCause(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const printed = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  if (printed === '') return error.message;
  const lines = printed.split('\n').filter((line) => line !== '');
  return (lines.find((line) => line.includes('qemu-system')) ?? lines[0] ?? printed).replace(/^error: /, '');
}

// --- memory -----------------------------------------------------------------------------------

async function machineKey(): Promise<string> {
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  // Debian's QEMU prints its package version too.
  const { stdout } = await run(EMULATOR, ['--version'], { timeout: 20_000 });
  return [bootId, stdout.split('\n')[0], `kvm ${await kvmRights()}`].join(' | ');
}

async function kvmRights(): Promise<string> {
  if (!(await exists('/dev/kvm'))) return 'absent';
  const { mode, uid, gid } = await stat('/dev/kvm');
  return `${(mode & 0o777).toString(8)} ${uid}:${gid}`;
}

async function recall(key: string): Promise<{ virtType: VirtType; why: string } | undefined> {
  if (!(await exists(MEMORY_FILE))) return undefined;
  let found: unknown;
  try {
    found = JSON.parse(await readFile(MEMORY_FILE, 'utf8'));
  } catch {
    // Not ours any more: decided and written anew.
    return undefined;
  }
  const parsed = rememberedSchema.safeParse(found);
  if (!parsed.success || parsed.data.key !== key) return undefined;
  return { virtType: parsed.data.virtType, why: parsed.data.why };
}

async function remember(verdict: z.infer<typeof rememberedSchema>): Promise<void> {
  const unfinished = `${MEMORY_FILE}.${process.pid}`;
  await mkdir(dirname(MEMORY_FILE), { recursive: true });
  await writeFile(unfinished, `${JSON.stringify(verdict, null, 2)}\n`);
  await rename(unfinished, MEMORY_FILE);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
