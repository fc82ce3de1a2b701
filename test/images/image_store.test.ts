import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findImage } from '../../src/images/image_store.ts';

const store = mkdtempSync(join(tmpdir(), 'hugenode-images-'));

function imageOf(id: string, files: Record<string, string>): void {
  mkdirSync(join(store, id));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(store, id, name), content);
}

imageOf('kernel', { kernel: 'k', initrd: 'i', cmdline: 'console=ttyS0 quiet\n' });
imageOf('disk', { 'disk.raw': '12345' });
imageOf('both', { kernel: 'k', initrd: 'i', cmdline: '', 'disk.raw': '1' });
imageOf('half', { kernel: 'k' });
imageOf('empty', {});
mkdirSync(join(store, 'folders', 'disk.raw'), { recursive: true });

test('a kernel image and a disk image', async () => {
  expect(await findImage(store, 'kernel')).toEqual({
    kind: 'kernel',
    kernelPath: join(store, 'kernel', 'kernel'),
    initrdPath: join(store, 'kernel', 'initrd'),
    commandLine: 'console=ttyS0 quiet',
  });
  expect(await findImage(store, 'disk')).toEqual({
    kind: 'disk',
    diskPath: join(store, 'disk', 'disk.raw'),
    sizeBytes: 5,
  });
});

test.each(['both', 'half', 'empty', 'folders', 'none', '..', '../etc', '.hidden', '/etc', 'a/b', '', 'a\0b', 'a b'])(
  '«%s» is unusable, and says why',
  async (id) => {
    await expect(findImage(store, id)).rejects.toMatchObject({ name: 'ImageUnusableError', imageId: id });
  },
);
