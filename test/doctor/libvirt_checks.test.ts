import { expect, test } from 'vitest';
import { balloon } from '../../src/doctor/checks/balloon.ts';
import { confinement } from '../../src/doctor/checks/confinement.ts';
import { libvirt } from '../../src/doctor/checks/libvirt.ts';
import { parseCapabilities, type LibvirtFacts, type LibvirtReading } from '../../src/doctor/libvirt_probe.ts';
import { commandsParse, LIBVIRT, linesOf, NOW_MS, verdictsOf, matching, type Case } from './fake_root.ts';

const read = (facts: Partial<LibvirtFacts>): LibvirtReading => ({ is: 'read', facts: { ...LIBVIRT, ...facts } });
const away = (over: Partial<Extract<LibvirtReading, { is: 'unreachable' }>> = {}): LibvirtReading => ({
  is: 'unreachable',
  reason: 'nobody there',
  code: 'ENOENT',
  socketPath: '/run/libvirt/libvirt-sock',
  ...over,
});
const dac = (label: string) => [{ model: 'dac', label }];
const APPARMOR = { '/sys/module/apparmor/parameters/enabled': 'Y\n' };
const SYSTEMD = { '/run/systemd/system/': 0o755 };
const reported = (ageS: number) => NOW_MS / 1000 - ageS;

const cases: Case[] = [
  ['libvirt answers', libvirt, {}, ['ok: libvirt 9.0.0 with QEMU 7.2.22 answers at qemu:///system']],
  [
    'an old one',
    libvirt,
    { libvirt: read({ libvirtVersion: 8_005_001 }) },
    [/^warning: libvirt 8.5.1 .*older than 9.0.0\napt-get/],
  ],
  [
    'no KVM, and it is wanted',
    libvirt,
    { libvirt: read({ virtTypes: ['qemu'] }), settings: ['libvirt.virt_type=kvm'] },
    ['problem: libvirt offers qemu guests here, and kvm are wanted\nhugenode doctor --check kvm'],
  ],
  ['no KVM, and emulation will do', libvirt, { libvirt: read({ virtTypes: ['qemu'] }) }, [/^ok/]],
  [
    'no kind of guest',
    libvirt,
    { libvirt: read({ virtTypes: [] }) },
    [/^problem: libvirt offers no guests here.*\napt-get/],
  ],
  [
    'it does not run',
    libvirt,
    { libvirt: away(), files: SYSTEMD },
    [/^problem: .*nobody there\nsystemctl start libvirtd.service$/],
  ],
  [
    'virtqemud does not run, without systemd',
    libvirt,
    { libvirt: away({ socketPath: '/run/libvirt/virtqemud-sock' }) },
    [/\nvirtqemud -d$/],
  ],
  [
    'a socket of the settings',
    libvirt,
    { libvirt: away({ socketPath: '/nope' }), settings: ['libvirt.socket=/nope'] },
    [/^problem: .*\nhugenode --set libvirt.socket='' doctor --check libvirt$/],
  ],
  ['this user may not', libvirt, { libvirt: away({ code: 'EACCES' }) }, [/^problem: .*\nusermod -aG libvirt /]],
  [
    'another machine',
    libvirt,
    { libvirt: away({ socketPath: undefined }), settings: ["libvirt.uri=qemu://no'de/system"] },
    [/^problem: .*\nvirsh -c 'qemu:\/\/no'\\''de\/system' version$/],
  ],

  ['AppArmor confines guests', confinement, {}, ['ok: guests are confined by apparmor and dac']],
  [
    'only their user does',
    confinement,
    { libvirt: read({ securityModels: dac('+1:+1') }) },
    ['note: guests are kept apart by their user alone (dac)'],
  ],
  [
    'AppArmor is on and not used',
    confinement,
    { libvirt: read({ securityModels: dac('+1:+1') }), files: APPARMOR },
    [/^warning: AppArmor is on, and libvirt does not confine/],
  ],
  [
    'QEMU is root',
    confinement,
    { libvirt: read({ securityModels: [...dac('+0:+0'), { model: 'selinux', label: undefined }] }) },
    [/^warning: QEMU runs as root/],
  ],
  ['libvirt is away', confinement, { libvirt: away() }, [/^note: cannot be told/]],

  ['no guest of ours', balloon, {}, [/^ok/]],
  [
    'fresh',
    balloon,
    { libvirt: read({ balloons: [{ name: 'a', lastUpdateS: reported(29) }] }) },
    ['ok: 1 of 1 guests report their memory'],
  ],
  [
    'stale and silent ones',
    balloon,
    {
      libvirt: read({
        balloons: [
          { name: "a'b", lastUpdateS: reported(31) },
          { name: 'c', lastUpdateS: 0 },
          { name: 'd', lastUpdateS: undefined },
        ],
      }),
    },
    [
      "warning: a'b has last reported its memory 31 s ago\nvirsh -c 'qemu:///system' dommemstat 'a'\\''b' --period 10 --live",
      'note: 2 of 3 guests have never reported their memory: c, d',
    ],
  ],
  ['libvirt is away, too', balloon, { libvirt: away() }, [/^note: cannot be told/]],
];

test.each(cases)('%s', async (_name, check, host, expected) => {
  const verdicts = await verdictsOf(check, host);
  expect(linesOf(verdicts)).toEqual(matching(expected));
  commandsParse(verdicts);
});

test('capabilities: domain types of the host’s own architecture, and security models with their label', () => {
  const xml = `<capabilities>
    <host><cpu><arch>x86_64</arch></cpu>
      <secmodel><model>none</model><doi>0</doi></secmodel>
      <secmodel><model>dac</model><doi>0</doi><baselabel type='kvm'>+64055:+64055</baselabel><baselabel type='qemu'>+1:+1</baselabel></secmodel>
    </host>
    <guest><os_type>hvm</os_type><arch name='i686'><domain type='xen'/></arch></guest>
    <guest><os_type>hvm</os_type><arch name='x86_64'><domain type='qemu'/><domain type='kvm'/></arch></guest>
  </capabilities>`;
  expect(parseCapabilities(xml)).toEqual({
    virtTypes: ['qemu', 'kvm'],
    securityModels: [
      { model: 'none', label: undefined },
      { model: 'dac', label: '+64055:+64055' },
    ],
  });
  expect(parseCapabilities('<capabilities/>')).toEqual({ virtTypes: [], securityModels: [] });
});
