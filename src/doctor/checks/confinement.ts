/** How libvirt confines its guests: a security driver, and a user that is not root. */
import { note, ok, warning, type Check, type Context, type Verdict } from '../check.ts';
import type { LibvirtReading } from '../libvirt_probe.ts';

export type ConfinementState = {
  readonly reading: LibvirtReading;
  /** Whether the kernel here has AppArmor on; false where that kernel is not the guests'. */
  readonly appArmor: boolean;
};

export const confinement: Check = {
  id: 'security-driver',
  title: 'guests are confined',
  subject: 'libvirt',
  run: async (context) => decideConfinement(await readConfinement(context)),
};

async function readConfinement({ root, libvirt }: Context): Promise<ConfinementState> {
  const enabled = await root.word('/sys/module/apparmor/parameters/enabled');
  return { reading: await libvirt(), appArmor: enabled === 'Y' };
}

/** Pure. */
export function decideConfinement({ reading, appArmor }: ConfinementState): Verdict[] {
  if (reading.is !== 'read')
    return [note({ what: 'cannot be told: libvirt does not answer', why: 'see the check libvirt' })];
  const models = reading.facts.securityModels;
  const names = models.map(({ model }) => model);
  const details = { models };
  const found: Verdict[] = [];
  const dac = models.find(({ model }) => model === 'dac');
  if (dac?.label !== undefined && dac.label.startsWith('+0:'))
    found.push(
      warning({
        what: 'QEMU runs as root',
        why: 'whoever breaks out of a guest has the host; user and group in /etc/libvirt/qemu.conf say so, and without them Debian uses libvirt-qemu',
        mend: [`grep -nE '^[[:space:]]*(user|group)[[:space:]]*=' /etc/libvirt/qemu.conf`],
        details,
      }),
    );
  if (names.includes('apparmor') || names.includes('selinux'))
    return found.length > 0
      ? found
      : [ok(`guests are confined by ${names.filter((name) => name !== 'none').join(' and ')}`, details)];
  const why =
    'whoever breaks out of a guest can read the disks and memory of all guests, which have one user in common';
  found.push(
    appArmor
      ? warning({
          what: 'AppArmor is on, and libvirt does not confine guests with it',
          why,
          mend: [
            `grep -nE '^[[:space:]]*security_driver' /etc/libvirt/qemu.conf; apt-get install apparmor && systemctl restart libvirtd.service`,
          ],
          details,
        })
      : note({
          what: `guests are kept apart by their user alone (${names.join(', ') || 'no security driver'})`,
          why,
          details,
        }),
  );
  return found;
}
