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
  readonly settingsWords: string;
};

export const mountOrder: Check = {
  id: 'mount-order',
  title: 'the pages were mounted before libvirt started',
  subject: 'kernel',
  run: async (context) => decideOrder(await readOrder(context)),
};

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
    settingsWords,
  };
}

/** Pure. */
export function decideOrder({ mounts, daemon, hasSystemd: systemd, settingsWords }: OrderState): Verdict[] {
  if (mounts.length === 0) return [ok('nothing is mounted, so there is no order')];
  const denied = mounts.filter(({ folder }) => folder === 'denied').map(({ at }) => `${at}/libvirt/qemu`);
  if (denied.length > 0) return [unreadable('mount-order', 'whether libvirt found the mounts', denied, settingsWords)];
  const missed = mounts.filter(({ folder }) => folder === 'absent');
  if (missed.length === 0) return [ok(`libvirt has found ${mounts.map(({ at }) => at).join(', ')}`)];
  const list = missed.map(({ at, pageSizeKib }) => `${at} (${describeKib(pageSizeKib)})`).join(', ');
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
