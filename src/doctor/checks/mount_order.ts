/**
 * Whether libvirt knows the mounts: it looks for them when it starts, and makes a folder of its own, libvirt/qemu, in
 * each that it finds. One that came later is not used until it starts again.
 */
import { describeKib } from '../../units.ts';
import { note, ok, problem, unreadable, type Check, type Context, type Verdict } from '../check.ts';
import { findLibvirtDaemon, hasSystemd, parseHugeMounts } from '../host_facts.ts';
import type { Reading } from '../host_root.ts';
import { restartCommand, type LibvirtDaemon } from '../shell.ts';

export type OrderState = {
  readonly mounts: readonly {
    readonly at: string;
    readonly pageSizeKib: number;
    readonly folder: Reading<unknown>['is'];
  }[];
  readonly daemon: LibvirtDaemon | undefined;
  readonly hasSystemd: boolean;
  /** hugetlbfs_mount of qemu.conf: it replaces what libvirt finds itself; undefined where it is not set. */
  readonly configured: string | undefined;
  readonly settingsWords: string;
};

export const mountOrder: Check = {
  id: 'mount-order',
  title: 'the pages were mounted before libvirt started',
  subject: 'kernel',
  run: async (context) => decideOrder(await readOrder(context)),
};

const QEMU_CONF = '/etc/libvirt/qemu.conf';

async function readOrder({ root, settingsWords }: Context): Promise<OrderState> {
  const mounts = parseHugeMounts((await root.word('/proc/mounts')) ?? '', 2048);
  const daemon = await findLibvirtDaemon(root);
  return {
    mounts: await Promise.all(
      mounts.map(async ({ at, pageSizeKib }) => ({
        at,
        pageSizeKib,
        folder: (await root.stat(`${at}/libvirt/qemu`)).is,
      })),
    ),
    daemon,
    hasSystemd: await hasSystemd(root),
    configured: /^[ \t]*hugetlbfs_mount[ \t]*=[ \t]*(.*)$/m.exec((await root.word(QEMU_CONF)) ?? '')?.[1],
    settingsWords,
  };
}

/** Pure. */
export function decideOrder({ mounts, daemon, hasSystemd: systemd, configured, settingsWords }: OrderState): Verdict[] {
  if (mounts.length === 0) return [ok('nothing is mounted, so there is no order')];
  const denied = mounts.filter(({ folder }) => folder === 'denied').map(({ at }) => `${at}/libvirt/qemu`);
  if (denied.length > 0) return [unreadable('mount-order', 'whether libvirt found the mounts', denied, settingsWords)];
  const missed = mounts.filter(({ folder }) => folder === 'absent');
  if (missed.length === 0) return [ok(`libvirt has found ${mounts.map(({ at }) => at).join(', ')}`)];
  const list = missed.map(({ at, pageSizeKib }) => `${at} (${describeKib(pageSizeKib)})`).join(', ');
  if (configured !== undefined && !missed.every(({ at }) => configured.includes(`"${at}"`)))
    return [
      problem({
        what: `hugetlbfs_mount in ${QEMU_CONF} is ${configured}, which leaves out ${list}`,
        why: 'libvirt refuses guests on pages that are mounted elsewhere; without the line it finds all mounts itself',
        mend: [
          `sed -i 's/^[[:space:]]*hugetlbfs_mount/#&/' ${QEMU_CONF}`,
          ...(daemon === undefined ? [] : [restartCommand(daemon, systemd)]),
        ],
        details: { mounts: missed, configured },
      }),
    ];
  if (daemon === undefined)
    return [
      note({
        what: `libvirt has not used ${list} yet, and does not run now`,
        why: 'it looks for mounts when it starts, so it will find them',
      }),
    ];
  return [
    problem({
      what: `${daemon.command} has started before ${list} was mounted`,
      why: 'it refuses guests on pages of that size until it is started again; guests that run stay up meanwhile, only calls under way fail',
      mend: [restartCommand(daemon, systemd)],
      details: { mounts: missed, daemon },
    }),
  ];
}
