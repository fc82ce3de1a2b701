/** What AppArmor or SELinux has denied to libvirt and its guests since the host started. */
import { ok, problem, unreadable, warning, type Check, type Context, type Verdict } from '../check.ts';
import type { Reading } from '../host_root.ts';

export type DenialState = {
  readonly appArmor: boolean;
  readonly seLinux: 'enforcing' | 'permissive' | 'off';
  /** The kernel's messages and the end of auditd's log. */
  readonly kernelLog: Reading<string>;
  readonly auditLog: Reading<string>;
  readonly settingsWords: string;
};

const AUDIT_LOG = '/var/log/audit/audit.log';
/** Of the audit log only the end is of today. */
const AUDIT_LENGTH = 4 * 1024 * 1024;
const SHOWN = 3;
const LONGEST_SHOWN = 300;

export const denials: Check = {
  id: 'denials',
  title: 'neither AppArmor nor SELinux stands in the way of guests',
  subject: 'kernel',
  run: async (context) => decideDenials(await readDenials(context)),
};

async function readDenials({ root, settingsWords }: Context): Promise<DenialState> {
  const enforce = await root.word('/sys/fs/selinux/enforce');
  const audit = await root.text(AUDIT_LOG);
  return {
    appArmor: (await root.word('/sys/module/apparmor/parameters/enabled')) === 'Y',
    seLinux: enforce === '1' ? 'enforcing' : enforce === '0' ? 'permissive' : 'off',
    kernelLog: root.kernelLog(),
    auditLog: audit.is === 'read' ? { is: 'read', value: audit.value.slice(-AUDIT_LENGTH) } : audit,
    settingsWords,
  };
}

/** Lines of a log in which guests or libvirt were denied something. Pure. */
export function denialLines(log: string): string[] {
  return log.split('\n').filter((line) => {
    const isDenial = line.includes('apparmor="DENIED"') || /avc:\s+denied/.test(line);
    return isDenial && /libvirt|virtqemud|virt-aa-helper|qemu|svirt|virtd/.test(line);
  });
}

/** Pure. */
export function decideDenials({ appArmor, seLinux, kernelLog, auditLog, settingsWords }: DenialState): Verdict[] {
  if (!appArmor && seLinux !== 'enforcing')
    return [ok(`nothing is denied: AppArmor is off, SELinux is ${seLinux}`, { apparmor: appArmor, selinux: seLinux })];
  const logs = [kernelLog, auditLog].flatMap((log) => (log.is === 'read' ? [log.value] : []));
  const lines = logs.flatMap(denialLines);
  if (lines.length === 0) {
    if (kernelLog.is === 'denied' || auditLog.is === 'denied')
      return [unreadable('denials', 'what was denied', ['/dev/kmsg', AUDIT_LOG], settingsWords)];
    return [
      ok(`no denial since the host started (${appArmor ? 'AppArmor' : 'SELinux'})`, {
        apparmor: appArmor,
        selinux: seLinux,
      }),
    ];
  }
  const ofPages = lines.filter((line) => /huge/i.test(line));
  const shown = (ofPages.length > 0 ? ofPages : lines).slice(-SHOWN).map((line) => line.slice(0, LONGEST_SHOWN));
  const complaint = {
    what:
      ofPages.length > 0
        ? `${ofPages.length} denials about hugepages, the last one: ${shown.at(-1)}`
        : `${lines.length} denials to libvirt or its guests, the last one: ${shown.at(-1)}`,
    why: 'guests fail, or miss something, with «Permission denied» in the log of QEMU; whether a rule is missing or the denial is right is for you to decide',
    mend: appArmor ? [APPARMOR] : ['ausearch -m avc -ts boot | audit2why'],
    details: { denials: lines.length, of_pages: ofPages.length, last: shown },
  };
  return [ofPages.length > 0 ? problem(complaint) : warning(complaint)];
}

/** Debian's abstractions/libvirt-qemu includes this file; the profile of a guest is written anew at each start. */
const APPARMOR = `mkdir -p /etc/apparmor.d/local/abstractions && echo 'owner "/dev/hugepages*/libvirt/qemu/**" rw,' >> /etc/apparmor.d/local/abstractions/libvirt-qemu`;
