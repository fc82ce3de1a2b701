import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { kernelSize, mayUse, parseHugeMounts, parseUser, sizeKib } from '../../src/doctor/host_facts.ts';
import { HostRoot } from '../../src/doctor/host_root.ts';
import { quoted } from '../../src/doctor/shell.ts';
import { parseBootRequests } from '../../src/doctor/checks/page_pools.ts';
import { FakeRoot } from './fake_root.ts';

test('a user with all of its groups', () => {
  const groups = 'kvm:x:109:\ndisk:x:6:anna,qemu\nlibvirt:x:108:qemu2\n';
  expect(parseUser('root:x:0:0::/:/\nqemu:x:64055:109:a,b:/:/\n', groups, 'qemu')).toEqual({
    name: 'qemu',
    uid: 64055,
    gids: [109, 6],
  });
  expect(parseUser('root:x:0:0::/:/\n', groups, 'qemu')).toBeUndefined();
});

test.each([
  ['others', { mode: 0o001, uid: 1, gid: 1 }, 1, true],
  ['a group of its own', { mode: 0o010, uid: 1, gid: 6 }, 1, true],
  ['its group counts, not what others may', { mode: 0o701, uid: 1, gid: 6 }, 1, false],
  ['the owner counts, not the group', { mode: 0o070, uid: 64055, gid: 6 }, 1, false],
  ['read and write', { mode: 0o060, uid: 1, gid: 6 }, 6, true],
  ['read alone is not both', { mode: 0o040, uid: 1, gid: 6 }, 6, false],
])('may use: %s', (_name, stat, bits, answer) => {
  const user = { name: 'qemu', uid: 64055, gids: [109, 6] };
  expect(mayUse({ kind: 'file', ...stat }, user, bits)).toBe(answer);
  expect(mayUse({ kind: 'file', ...stat }, { name: 'root', uid: 0, gids: [0] }, bits)).toBe(true);
});

const line = (at: string, options: string) => `hugetlbfs ${at} hugetlbfs rw,${options} 0 0\n`;

test('mounts: sizes with and without a unit, none, and blanks in names', () => {
  const text = `${line('/a', 'pagesize=1024M')}tmpfs /b tmpfs rw 0 0\n${line('/c\\040d', 'rw')}${line('/e', 'pagesize=65536')}`;
  expect(parseHugeMounts(text, 2048).map(({ at, pageSizeKib }) => [at, pageSizeKib])).toEqual([
    ['/a', 1024 ** 2],
    ['/c d', 2048],
    ['/e', 64],
  ]);
});

test('mounts: what is covered by another one does not count', () => {
  const text = `${line('/a', 'pagesize=1G')}${line('/b', 'pagesize=1G')}tmpfs /b tmpfs rw 0 0\n${line('/a', 'pagesize=2M')}`;
  expect(parseHugeMounts(text, 2048).map(({ at, pageSizeKib }) => [at, pageSizeKib])).toEqual([['/a', 2048]]);
});

test('sizes as the kernel writes them, there and back', () => {
  for (const kib of [64, 2048, 32768, 1024 ** 2, 16 * 1024 ** 2]) expect(sizeKib(kernelSize(kib))).toBe(kib);
  expect(sizeKib('many')).toBeUndefined();
});

test('pages on the kernel’s command line: of the default size, of others, per node', () => {
  expect(parseBootRequests('quiet hugepages=4 hugepagesz=1G hugepages=0:2,1:3 x=hugepages', 2048)).toEqual([
    { pageSizeKib: 2048, pages: 4 },
    { pageSizeKib: 1024 ** 2, pages: 5 },
  ]);
  expect(parseBootRequests('quiet', 2048)).toEqual([]);
});

test('a quoted word is one word to a shell, whatever is in it', () => {
  const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
  fc.assert(
    fc.property(word, (text) => {
      expect(execFileSync('sh', ['-c', `printf %s ${quoted(text)}`]).toString()).toBe(text);
    }),
    { numRuns: 40 },
  );
});

test('a root: what is not there is absent, with nothing thrown; a log ends where it ends', async () => {
  const root = new FakeRoot({ files: { '/a/b': ' 7\n', '/dev/kmsg': 'one\ntwo\n' } });
  expect(await root.count('/a/b')).toBe(7);
  expect(await root.names('/a')).toEqual(['b']);
  expect(await root.text('/nope')).toEqual({ is: 'absent' });
  expect(await root.list('/a/b')).toEqual({ is: 'absent' });
  expect(root.kernelLog()).toEqual({ is: 'read', value: 'one\ntwo\n' });
  expect(new HostRoot('/nowhere').kernelLog()).toEqual({ is: 'absent' });
  expect((await new HostRoot().room('/')).is).toBe('read');
});
