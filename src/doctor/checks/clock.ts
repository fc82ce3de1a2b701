/** The clock: samples, notifications and leases carry times, which billing takes as they are. */
import { note, ok, problem, warning, type Check, type Context, type Verdict } from '../check.ts';
import { findProcesses, hasSystemd } from '../host_facts.ts';

export type ClockState = {
  readonly nowMs: number;
  /** systemd-timesyncd has set the clock since boot. */
  readonly isSynchronized: boolean;
  /** Programs that keep the clock right, and run. */
  readonly keepers: readonly string[];
  readonly clockSource: string | undefined;
  readonly hasSystemd: boolean;
};

/** Names in /proc/PID/comm, cut off after 15 characters. */
const KEEPERS = ['chronyd', 'ntpd', 'systemd-timesyn', 'ptp4l', 'phc2sys', 'openntpd'];
/** Before this version was written: the battery of the clock is empty. */
const EARLIEST = Date.UTC(2026, 0);
/** Reading these takes the kernel a microsecond and more, each time that a guest or QEMU asks. */
const SLOW = ['hpet', 'acpi_pm', 'jiffies', 'refined-jiffies', 'pit'];

export const clock: Check = {
  id: 'clock',
  title: 'the clock is right, and is kept right',
  subject: 'agent',
  run: async (context) => decideClock(await readClock(context)),
};

async function readClock({ root, nowMs }: Context): Promise<ClockState> {
  return {
    nowMs,
    isSynchronized: await root.exists('/run/systemd/timesync/synchronized'),
    keepers: (await findProcesses(root, KEEPERS)).map(({ command }) => command),
    clockSource: await root.word('/sys/devices/system/clocksource/clocksource0/current_clocksource'),
    hasSystemd: await hasSystemd(root),
  };
}

/** Pure. */
export function decideClock({
  nowMs,
  isSynchronized,
  keepers,
  clockSource,
  hasSystemd: systemd,
}: ClockState): Verdict[] {
  const now = new Date(nowMs).toISOString();
  const details = { now, keepers, clock_source: clockSource ?? null };
  const install = systemd
    ? 'apt-get install systemd-timesyncd && systemctl enable --now systemd-timesyncd.service'
    : 'apt-get install chrony && chronyd';
  const slow = SLOW.includes(clockSource ?? '')
    ? [
        note({
          what: `the kernel reads the time from ${clockSource}`,
          why: "that is slow: guests and QEMU ask for the time very often; the kernel does so where it does not trust the processor's counter (see its log)",
          details,
        }),
      ]
    : [];
  if (nowMs < EARLIEST)
    return [
      problem({
        what: `the clock says ${now}`,
        why: 'samples are billed for a time that is long past, and certificates are not valid yet',
        mend: [install],
        details,
      }),
      ...slow,
    ];
  if (isSynchronized) return [ok('the clock is synchronized', details), ...slow];
  if (keepers.length > 0) return [ok(`${[...new Set(keepers)].join(', ')} keeps the clock`, details), ...slow];
  return [
    warning({
      what: `nothing keeps the clock right; it says ${now}`,
      why: 'it drifts by seconds a day; samples and notifications carry its times, and billing takes them as they are',
      mend: [install],
      details,
    }),
    ...slow,
  ];
}
