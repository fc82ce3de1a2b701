/**
 * The local image store: an image id names a folder below `images.path` that holds either `kernel`, `initrd` and
 * `cmdline`, or exactly one raw disk (`disk.raw`). The id comes from the wire, so it is a single plain name before it
 * is part of any path.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

export type Image =
  | { readonly kind: 'kernel'; readonly kernelPath: string; readonly initrdPath: string; readonly commandLine: string }
  | { readonly kind: 'disk'; readonly diskPath: string; readonly sizeBytes: number };

/** What an image id may look like: no slash, no leading dot, nothing that a path or a shell reads otherwise. */
export const IMAGE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;

/** The image is not there or is not what an image looks like. */
export class ImageUnusableError extends Error {
  override readonly name = 'ImageUnusableError';
  readonly imageId: string;

  constructor(imageId: string, message: string) {
    super(`image ${imageId}: ${message}`);
    this.imageId = imageId;
  }
}

/**
 * Finds an image.
 * @throws {ImageUnusableError} where it is missing, incomplete or ambiguous.
 */
export async function findImage(imagesPath: string, imageId: string): Promise<Image> {
  if (!IMAGE_ID.test(imageId)) throw new ImageUnusableError(imageId, 'the id is not a plain name');
  const folder = join(imagesPath, imageId);
  const path = (file: string) => join(folder, file);
  const [kernel, initrd, cmdline, disk] = await Promise.all(
    ['kernel', 'initrd', 'cmdline', 'disk.raw'].map((file) => fileSize(path(file))),
  );
  if (kernel !== undefined && disk !== undefined)
    throw new ImageUnusableError(imageId, 'it has both a kernel and a disk');
  if (disk !== undefined) return { kind: 'disk', diskPath: path('disk.raw'), sizeBytes: disk };
  if (kernel === undefined || initrd === undefined || cmdline === undefined) {
    throw new ImageUnusableError(imageId, 'it has neither kernel, initrd and cmdline nor disk.raw');
  }
  const commandLine = (await readFile(path('cmdline'), 'utf8')).trim();
  return { kind: 'kernel', kernelPath: path('kernel'), initrdPath: path('initrd'), commandLine };
}

async function fileSize(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
