/** Balloons: a guest's own figures come through its balloon driver; without a fresh one no memory.usage is sent. */
import { note, ok, warning, type Check, type Context, type Verdict } from '../check.ts';
import type { LibvirtReading } from '../libvirt_probe.ts';
import { quoted } from '../shell.ts';

export type BalloonState = {
  readonly reading: LibvirtReading;
  readonly nowMs: number;
  readonly periodMs: number;
  readonly uri: string;
};

/** As the meter has it: figures older than two periods, or this, are not sent. */
const LEAST_PATIENCE_MS = 30_000;

export const balloon: Check = {
  id: 'balloon',
  title: 'running guests report their memory',
  subject: 'libvirt',
  run: async (context) => decideBalloons(await readBalloons(context)),
};

async function readBalloons({ libvirt, settings, nowMs }: Context): Promise<BalloonState> {
  const { metering, libvirt: hypervisor } = settings;
  return { reading: await libvirt(), nowMs, periodMs: metering.balloon_period_ms, uri: hypervisor.uri };
}

/** Pure. */
export function decideBalloons({ reading, nowMs, periodMs, uri }: BalloonState): Verdict[] {
  if (reading.is !== 'read')
    return [note({ what: 'cannot be told: libvirt does not answer', why: 'see the check libvirt' })];
  const { balloons } = reading.facts;
  if (balloons.length === 0) return [ok('no guest of ours runs')];
  const patienceMs = Math.max(2 * periodMs, LEAST_PATIENCE_MS);
  const stale = balloons.flatMap(({ name, lastUpdateS = 0 }) => {
    const ageMs = nowMs - lastUpdateS * 1000;
    return lastUpdateS > 0 && ageMs > patienceMs ? [{ name, ageS: Math.round(ageMs / 1000) }] : [];
  });
  const silent = balloons.filter(({ lastUpdateS = 0 }) => lastUpdateS === 0).map(({ name }) => name);
  const fresh = balloons.length - stale.length - silent.length;
  return [
    ...(fresh > 0 ? [ok(`${fresh} of ${balloons.length} guests report their memory`)] : []),
    ...stale.map(({ name, ageS }) =>
      warning({
        what: `${name} has last reported its memory ${ageS} s ago`,
        why: 'no memory.usage is sent for it; the guest hangs, or its period was taken away',
        mend: [`virsh -c ${quoted(uri)} dommemstat ${quoted(name)} --period ${Math.round(periodMs / 1000)} --live`],
        details: { domain: name, age_s: ageS },
      }),
    ),
    ...(silent.length === 0
      ? []
      : [
          note({
            what: `${silent.length} of ${balloons.length} guests have never reported their memory: ${silent.slice(0, 5).join(', ')}${silent.length > 5 ? ', …' : ''}`,
            why: 'no memory.usage is sent for a guest without a balloon driver (virtio_balloon; on Windows also its service), or that has just started',
            details: { domains: silent },
          }),
        ]),
  ];
}
