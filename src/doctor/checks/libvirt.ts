/** libvirt: it answers, is of a version that we know, and offers the kind of guest that the settings want. */
import type { Settings } from '../../settings/schema.ts';
import { ok, problem, warning, type Check, type Verdict } from '../check.ts';
import { hasSystemd } from '../host_facts.ts';
import type { LibvirtReading } from '../libvirt_probe.ts';
import { quoted, startCommand } from '../shell.ts';

/** The oldest that our tests run with (Debian 12). */
const OLDEST = 9_000_000;

export const libvirt: Check = {
  id: 'libvirt',
  title: 'libvirt answers and starts guests of the wanted kind',
  subject: 'libvirt',
  run: async ({ root, settings, libvirt: probe }) =>
    decideLibvirt(await probe(), settings.libvirt, await hasSystemd(root)),
};

/** `9.0.0`. Pure. */
export function libvirtVersion(version: number): string {
  return `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1000) % 1000}.${version % 1000}`;
}

/** Pure. */
export function decideLibvirt(
  reading: LibvirtReading,
  { uri, socket, virt_type }: Pick<Settings['libvirt'], 'uri' | 'socket' | 'virt_type'>,
  systemd: boolean,
): Verdict[] {
  if (reading.is === 'unreachable') return [unreachable(reading, uri, socket, systemd)];
  const { libvirtVersion: version, qemuVersion, virtTypes } = reading.facts;
  const details = { uri, libvirt: libvirtVersion(version), qemu: libvirtVersion(qemuVersion), virt_types: virtTypes };
  const text = `libvirt ${libvirtVersion(version)} with QEMU ${libvirtVersion(qemuVersion)} answers at ${uri}`;
  const found: Verdict[] = [];
  if (version < OLDEST)
    found.push(
      warning({
        what: `${text}; older than ${libvirtVersion(OLDEST)}`,
        why: 'hugenode is tested with newer ones only',
        mend: ['apt-get update && apt-get install libvirt-daemon-system libvirt-daemon-driver-qemu qemu-system-x86'],
        details,
      }),
    );
  const wanted = virt_type === 'auto' ? ['kvm', 'qemu'] : [virt_type];
  if (!wanted.some((type) => virtTypes.includes(type)))
    found.push(
      problem({
        what: `libvirt offers ${virtTypes.join(' and ') || 'no'} guests here, and ${wanted.join(' or ')} are wanted`,
        why: 'no guest will start (libvirt.virt_type)',
        mend: virt_type === 'kvm' ? ['hugenode doctor --check kvm'] : ['apt-get install qemu-system-x86'],
        details,
      }),
    );
  return found.length > 0 ? found : [ok(text, details)];
}

type Unreachable = Extract<LibvirtReading, { is: 'unreachable' }>;

function unreachable(reading: Unreachable, uri: string, socket: string, systemd: boolean): Verdict {
  const { reason, code, socketPath } = reading;
  const details = { uri, code, socket: socketPath ?? null };
  const what = `libvirt does not answer at ${uri}: ${reason}`;
  if (code === 'EACCES' || /authenticat|polkit/i.test(reason))
    return problem({
      what,
      why: 'the agent cannot start guests as this user; members of the group libvirt may, after they log in anew',
      mend: ['usermod -aG libvirt "${SUDO_USER:?the user of the agent}"'],
      details,
    });
  if (socket !== '')
    return problem({
      what,
      why: 'no guest can be started or listed; the setting libvirt.socket names that socket, and the command tries the usual one',
      mend: ["hugenode --set libvirt.socket='' doctor --check libvirt"],
      details,
    });
  const daemon = socketPath?.includes('virtqemud') === true ? 'virtqemud' : 'libvirtd';
  return problem({
    what,
    why: 'no guest can be started or listed',
    mend: [socketPath === undefined ? `virsh -c ${quoted(uri)} version` : startCommand(daemon, systemd)],
    details,
  });
}
