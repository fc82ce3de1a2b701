/**
 * The guest the integration tests start: a Debian kernel with a busybox and a balloon driver, built by
 * tiny-guest/build.sh. It says on its serial console when it is ready, and that line is the proof of a boot.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** The folder of images that holds the tiny guest: what hugenode is told as its images' path. */
export const TINY_IMAGES_PATH = process.env['TINY_GUEST_IMAGES'] ?? '/var/cache/hugenode/images';
export const TINY_IMAGE_ID = 'tiny';

const BUILD = join(import.meta.dirname, 'tiny-guest', 'build.sh');
const READY = /^TINY-GUEST READY .*(?=\r?\n)/m;
const POLL_MS = 100;

/** Builds the image unless it is there; returns its folder. A few seconds the first time, none later. */
export async function ensureTinyGuest(): Promise<string> {
  const folder = join(TINY_IMAGES_PATH, TINY_IMAGE_ID);
  await promisify(execFile)('sh', [BUILD, folder], { timeout: 300_000 });
  return folder;
}

/** Waits until the guest whose console is logged there has booted; returns its READY line. */
export async function waitForReady(consoleLogPath: string, timeoutMs: number, signal?: AbortSignal): Promise<string> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const text = await readConsole(consoleLogPath);
    const ready = READY.exec(text)?.[0];
    if (ready !== undefined) return ready;
    if (performance.now() >= deadline) {
      throw new Error(
        `no READY on ${consoleLogPath} within ${timeoutMs} ms; it ends with ${JSON.stringify(text.slice(-300))}`,
      );
    }
    await sleep(POLL_MS);
  }
}

/** libvirt makes the file when the guest starts, which may be after one starts to wait. */
async function readConsole(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
