import { mkdtempSync, statSync, writeFileSync, readFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { instanceFiles, makeBootSource, makeFolder, removeFolder } from '../../src/hypervisor/instance_files.ts';

async function filesOf() {
  const files = instanceFiles(mkdtempSync(join(tmpdir(), 'hugenode-files-')), 'some-uuid');
  await makeFolder(files);
  return files;
}

function diskOf(bytes: number) {
  const diskPath = join(mkdtempSync(join(tmpdir(), 'hugenode-image-')), 'disk.raw');
  writeFileSync(diskPath, Buffer.alloc(bytes, 7));
  return { kind: 'disk', diskPath, sizeBytes: bytes } as const;
}

test('a disk image is copied, so that guests do not share it, and grown to the flavor', async () => {
  const files = await filesOf();
  const image = diskOf(1_000_000);
  expect(await makeBootSource(files, image, 1)).toEqual({ kind: 'disk', diskPath: files.diskPath });
  expect(statSync(files.diskPath).size).toBe(1024 ** 3);
  expect(statSync(files.diskPath).blocks * 512).toBeLessThan(10_000_000);
  writeFileSync(files.diskPath, 'changed');
  expect(readFileSync(image.diskPath)[0]).toBe(7);
});

test('a disk of 0 GiB is as large as the image; a smaller one is refused', async () => {
  const files = await filesOf();
  await makeBootSource(files, diskOf(5000), 0);
  expect(statSync(files.diskPath).size).toBe(5000);
  const large = { kind: 'disk', diskPath: '/none', sizeBytes: 2 * 1024 ** 3 } as const;
  await expect(makeBootSource(files, large, 1)).rejects.toMatchObject({ errorClass: 'FlavorDiskSmallerThanImage' });
});

test('removing a folder twice is removing it once', async () => {
  const files = await filesOf();
  await removeFolder(files);
  await removeFolder(files);
  expect(existsSync(files.folder)).toBe(false);
});
