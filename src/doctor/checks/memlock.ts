/** Locked memory: guests with hw:locked_memory, and devices passed through, need a limit that libvirt can raise. */
import { ok, note, unreadable, warning, type Check, type Context, type Verdict } from '../check.ts';
import { findLibvirtDaemon, hasSystemd } from '../host_facts.ts';

export type MemlockState = {
  readonly daemon: { readonly pid: number; readonly command: string } | undefined;
  /** /proc/PID/limits and /proc/PID/status of the daemon; undefined where they may not be read. */
  readonly limits: string | undefined;
  readonly status: string | undefined;
  readonly hasSystemd: boolean;
  readonly settingsWords: string;
};

export const memlock: Check = {
  id: 'memlock',
  title: 'guests may lock their memory',
  subject: 'kernel',
  run: async (context) => decideMemlock(await readMemlock(context)),
};

async function readMemlock({ root, settingsWords }: Context): Promise<MemlockState> {
  const daemon = await findLibvirtDaemon(root);
  return {
    daemon,
    limits: daemon === undefined ? undefined : await root.word(`/proc/${daemon.pid}/limits`),
    status: daemon === undefined ? undefined : await root.word(`/proc/${daemon.pid}/status`),
    hasSystemd: await hasSystemd(root),
    settingsWords,
  };
}

/** CAP_SYS_RESOURCE (linux/capability.h): may raise limits above the hard one, as libvirt does for its QEMU. */
const MAY_RAISE = 1n << 24n;

/** Pure. */
export function decideMemlock({ daemon, limits, status, hasSystemd: systemd, settingsWords }: MemlockState): Verdict[] {
  if (daemon === undefined)
    return [note({ what: 'cannot be told: libvirt does not run now', why: 'the limit is that of its daemon' })];
  const [, hard] = /^Max locked memory\s+\S+\s+(\S+)/m.exec(limits ?? '') ?? [];
  const [, effective] = /^CapEff:\s+([\da-f]+)$/m.exec(status ?? '') ?? [];
  if (hard === undefined || effective === undefined)
    return [unreadable('memlock', `the limits of ${daemon.command}`, [`/proc/${daemon.pid}/limits`], settingsWords)];
  const mayRaise = (BigInt(`0x${effective}`) & MAY_RAISE) !== 0n;
  const details = { pid: daemon.pid, hard_limit: hard, cap_sys_resource: mayRaise };
  if (hard === 'unlimited') return [ok(`${daemon.command} may lock any memory`, details)];
  if (mayRaise) return [ok(`${daemon.command} may raise its limit of ${hard} bytes`, details)];
  const folder = `/etc/systemd/system/${daemon.command}.service.d`;
  return [
    warning({
      what: `${daemon.command} may lock ${hard} bytes and not raise that (no CAP_SYS_RESOURCE)`,
      why: 'guests with hw:locked_memory or with devices passed through fail at their start; others are not concerned; raising it takes a root shell with CAP_SYS_RESOURCE',
      mend: systemd
        ? [
            `mkdir -p ${folder} && printf '[Service]\\nLimitMEMLOCK=infinity\\n' > ${folder}/hugenode-memlock.conf && systemctl daemon-reload && systemctl restart ${daemon.command}.service`,
          ]
        : [`prlimit --pid ${daemon.pid} --memlock=unlimited:unlimited`],
      details,
    }),
  ];
}
