import { expect, test } from 'vitest';
import { clock } from '../../src/doctor/checks/clock.ts';
import { diskSpace } from '../../src/doctor/checks/disk_space.ts';
import {
  commandsParse,
  linesOf,
  processFiles,
  QEMU_USER,
  STRANGE_QEMU_USER,
  verdictsOf,
  matching,
  type Case,
} from './fake_root.ts';

const SOURCE = '/sys/devices/system/clocksource/clocksource0/current_clocksource';
const SYSTEMD = { '/run/systemd/system/': 0o755 };
const FOLDERS = { '/var/lib/hugenode/instances/': 0o711, '/var/lib/hugenode/images/': 0o755 };
const MIB = 1024 ** 2;
/** One line for each of the four folders. */
const each = (line: RegExp) => [line, line, line, line];

const cases: Case[] = [
  [
    'systemd has set it',
    clock,
    { files: { '/run/systemd/timesync/synchronized': '', [SOURCE]: 'tsc\n' } },
    ['ok: the clock is synchronized'],
  ],
  ['chrony keeps it', clock, { files: processFiles(5, 'chronyd') }, ['ok: chronyd keeps the clock']],
  ['nobody keeps it', clock, {}, [/^warning: nothing keeps the clock right.*\napt-get install chrony && chronyd$/]],
  [
    'nobody keeps it, with systemd',
    clock,
    { files: SYSTEMD },
    [/\napt-get install systemd-timesyncd && systemctl enable --now systemd-timesyncd.service$/],
  ],
  ['an empty battery', clock, { nowMs: 0, files: processFiles(5, 'chronyd') }, [/^problem: the clock says 1970/]],
  [
    'a slow counter',
    clock,
    { files: { ...processFiles(5, 'chronyd'), [SOURCE]: 'hpet\n' } },
    [/^ok/, /^note: the kernel reads the time from hpet/],
  ],

  ['room and a way', diskSpace, { files: { ...QEMU_USER, ...FOLDERS } }, each(/^ok: .*GiB free/)],
  [
    'folders that are to be made',
    diskSpace,
    { files: QEMU_USER },
    [...each(/^ok/), /^note: images.path: .*\nmkdir -p '\/var\/lib\/hugenode\/images'$/],
  ],
  [
    'little room',
    diskSpace,
    { files: { ...QEMU_USER, ...FOLDERS }, room: { freeBytes: 1023 * MIB } },
    each(/^warning: .*1023 MiB free.*\ndu -xh/),
  ],
  [
    'no room',
    diskSpace,
    { files: { ...QEMU_USER, ...FOLDERS }, room: { freeBytes: 127 * MIB } },
    each(/^problem: .*127 MiB free/),
  ],
  [
    'no files left',
    diskSpace,
    { files: { ...QEMU_USER, ...FOLDERS }, room: { freeFiles: 9, files: 1000 } },
    each(/^warning: .*9 of 1000 files left.*\ndu -x --inodes/),
  ],
  [
    'a file system without a number of files',
    diskSpace,
    { files: { ...QEMU_USER, ...FOLDERS }, room: { freeFiles: 0, files: 0 } },
    each(/^ok/),
  ],
  [
    'no files of journal and spool',
    diskSpace,
    { files: { ...QEMU_USER, ...FOLDERS }, settings: ['rpc.journal_path=', 'spool.path='] },
    [/^ok: instances/, /^ok: images/],
  ],
  [
    'a folder that QEMU cannot pass, told once',
    diskSpace,
    { files: { ...STRANGE_QEMU_USER, ...FOLDERS, '/var/lib/hugenode/': 0o700 } },
    [
      ...each(/^ok/),
      "warning: libvirt-qemu cannot pass through /var/lib/hugenode (mode 0700)\nchmod o+x '/var/lib/hugenode'",
    ],
  ],
  [
    'guests elsewhere: QEMU does not pass here',
    diskSpace,
    {
      files: { ...STRANGE_QEMU_USER, ...FOLDERS, '/var/lib/hugenode/': 0o700 },
      settings: ['libvirt.uri=qemu+ssh://node/system'],
    },
    each(/^ok/),
  ],
  [
    'a folder that may not be looked at',
    diskSpace,
    { files: { ...QEMU_USER, ...FOLDERS }, denied: ['/var/lib/hugenode/images'] },
    [/^warning: cannot be told/, /^ok: instances/, /^ok: rpc/, /^ok: spool/],
  ],
];

test.each(cases)('%s', async (_name, check, host, expected) => {
  const verdicts = await verdictsOf(check, host);
  expect(linesOf(verdicts)).toEqual(matching(expected));
  commandsParse(verdicts);
});
