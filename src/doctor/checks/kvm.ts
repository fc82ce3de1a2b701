/** KVM: there, switched on in the processor, and open to the user that QEMU runs as. */
import { note, ok, problem, warning, type Check, type Context, type Verdict } from '../check.ts';
import { mayUse, octal, readQemuUser, type User } from '../host_facts.ts';
import type { FileStat, Reading } from '../host_root.ts';

export type KvmState = {
  readonly virtType: 'auto' | 'kvm' | 'qemu';
  readonly device: Reading<FileStat>;
  /** Flags of the first processor; empty where the kernel tells none (not x86). */
  readonly cpuFlags: readonly string[];
  readonly qemuUser: User | undefined;
};

export const kvm: Check = {
  id: 'kvm',
  title: 'KVM is present and usable',
  subject: 'kernel',
  run: async (context) => decideKvm(await readKvm(context)),
};

async function readKvm({ root, settings }: Context): Promise<KvmState> {
  const cpuinfo = (await root.word('/proc/cpuinfo')) ?? '';
  const [, flags = ''] = /^flags\s*:\s*(.*)$/m.exec(cpuinfo) ?? [];
  return {
    virtType: settings.libvirt.virt_type,
    device: await root.stat('/dev/kvm'),
    cpuFlags: flags.split(' ').filter((flag) => flag !== ''),
    qemuUser: await readQemuUser(root),
  };
}

/** Pure. */
export function decideKvm(state: KvmState): Verdict[] {
  const { virtType, device, cpuFlags, qemuUser } = state;
  if (virtType === 'qemu')
    return [
      note({ what: 'guests run emulated, as libvirt.virt_type says', why: 'emulation is many times slower than KVM' }),
    ];
  if (device.is !== 'read') return [absent(state)];
  const { mode, uid, gid } = device.value;
  const details = { mode: octal(mode), uid, gid };
  if (qemuUser !== undefined && !mayUse(device.value, qemuUser, READ_AND_WRITE)) {
    const complaint = {
      what: `/dev/kvm is not open to ${qemuUser.name} (mode ${octal(mode)}, uid ${uid}, gid ${gid})`,
      why: 'guests cannot use KVM; libvirt finds that out anew at each start, which takes it most of a minute',
      mend: ['chgrp kvm /dev/kvm && chmod 0660 /dev/kvm'],
      details,
    };
    return [virtType === 'kvm' ? problem(complaint) : warning(complaint)];
  }
  const found = ok(qemuUser === undefined ? '/dev/kvm is there' : `/dev/kvm is open to ${qemuUser.name}`, details);
  // Told by KVM, Xen, Hyper-V and VMware to their guests (CPUID leaf 1, ecx bit 31).
  if (!cpuFlags.includes('hypervisor')) return [found];
  const nested = note({
    what: 'this host is a virtual machine itself: its KVM is nested',
    why: 'nested KVM may be there and still start no guest; if the first one fails with an error of QEMU, set libvirt.virt_type to qemu',
    details: { hypervisor: true },
  });
  return [found, nested];
}

const READ_AND_WRITE = 6;

function absent({ virtType, cpuFlags, device }: KvmState): Verdict {
  const canVirtualize = cpuFlags.length === 0 || cpuFlags.includes('vmx') || cpuFlags.includes('svm');
  const module = cpuFlags.includes('svm') ? 'kvm_amd' : 'kvm_intel';
  const complaint = {
    what: `no /dev/kvm${canVirtualize ? '' : ', and the processor shows neither vmx nor svm'}`,
    why:
      virtType === 'kvm'
        ? 'libvirt.virt_type is kvm: no guest will start'
        : 'guests run emulated, many times slower than with KVM',
    // Firmware and outer hypervisors have no command here.
    mend: canVirtualize && cpuFlags.length > 0 ? [`modprobe ${module}`] : null,
    details: { vmx_or_svm: canVirtualize, device: device.is },
  };
  return virtType === 'kvm' ? problem(complaint) : warning(complaint);
}
