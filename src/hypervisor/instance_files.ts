/**
 * The folder of one instance: console log and disk. Its name is the uuid, checked at the door, so no other text of a
 * request reaches a path.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ComputeError } from '../errors.ts';
import type { BootSource } from '../domain/spec.ts';
import type { Image } from '../images/image_store.ts';

const run = promisify(execFile);
const GIB = 1024 ** 3;
const COPY_TIMEOUT_MS = 1_800_000;

export type InstanceFiles = { readonly folder: string; readonly consoleLogPath: string; readonly diskPath: string };

export function instanceFiles(instancesPath: string, uuid: string): InstanceFiles {
  const folder = join(instancesPath, uuid);
  return { folder, consoleLogPath: join(folder, 'console.log'), diskPath: join(folder, 'disk.raw') };
}

/** Makes the folder. QEMU runs as another user and must get through to its disk; looking around is for root. */
export async function makeFolder(files: InstanceFiles): Promise<void> {
  await mkdir(files.folder, { recursive: true, mode: 0o711 });
}

export async function removeFolder(files: InstanceFiles): Promise<void> {
  await rm(files.folder, { recursive: true, force: true });
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Uuids of the instances that have a folder. */
export async function listFolders(instancesPath: string): Promise<string[]> {
  const entries = await readdir(instancesPath).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  return entries.filter((entry) => UUID.test(entry));
}

/**
 * Makes what the guest boots from: a kernel is used where it lies, a disk is copied so that guests do not share it.
 * @throws {ComputeError} FlavorDiskSmallerThanImage
 */
export async function makeBootSource(files: InstanceFiles, image: Image | null, diskGib: number): Promise<BootSource> {
  if (image === null) return { kind: 'none' };
  if (image.kind === 'kernel') return image;
  const sizeBytes = diskGib * GIB;
  // A disk of 0 GiB means «as large as the image», as Nova has it.
  if (diskGib > 0 && sizeBytes < image.sizeBytes) {
    const message = `the flavor's disk of ${diskGib} GiB is smaller than the image of ${image.sizeBytes} bytes`;
    throw new ComputeError('FlavorDiskSmallerThanImage', message, { disk_gb: diskGib, image_bytes: image.sizeBytes });
  }
  // cp shares or skips what the file system lets it; fs.copyFile would write out every hole.
  const options = { timeout: COPY_TIMEOUT_MS };
  await run('cp', ['--reflink=auto', '--sparse=always', '--', image.diskPath, files.diskPath], options);
  // A tenant's disk is for no other user to read; libvirt hands it to QEMU's.
  await chmod(files.diskPath, 0o600);
  if (diskGib > 0) await truncate(files.diskPath, sizeBytes);
  return { kind: 'disk', diskPath: files.diskPath };
}
