/** Transparent hugepages: on for everybody they compete with the pools for whole blocks of memory. */
import { note, ok, unreadable, type Check, type Verdict } from '../check.ts';
import type { Reading } from '../host_root.ts';

const FILE = '/sys/kernel/mm/transparent_hugepage/enabled';

export const transparentPages: Check = {
  id: 'thp',
  title: 'transparent hugepages do not eat what pools grow from',
  subject: 'kernel',
  run: async ({ root, settingsWords }) => decideTransparentPages(await root.text(FILE), settingsWords),
};

/** Pure. */
export function decideTransparentPages(enabled: Reading<string>, settingsWords: string): Verdict[] {
  if (enabled.is === 'denied') return [unreadable('thp', 'how transparent hugepages are set', [FILE], settingsWords)];
  if (enabled.is === 'absent') return [ok('this kernel has none')];
  const [, mode = '?'] = /\[(\w+)\]/.exec(enabled.value) ?? [];
  if (mode !== 'always') return [ok(`transparent hugepages: ${mode}`, { mode })];
  return [
    note({
      what: 'transparent hugepages: always',
      why: 'every process then takes blocks of 2 MiB and the kernel compacts for them; a pool that is to grow finds fewer, and guests see pauses',
      mend: [
        `echo madvise > ${FILE}`,
        `mkdir -p /etc/default/grub.d && echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX transparent_hugepage=madvise"' > /etc/default/grub.d/hugenode-thp.cfg && update-grub`,
      ],
      details: { mode },
    }),
  ];
}
