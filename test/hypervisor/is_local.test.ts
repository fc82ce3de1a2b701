import { expect, test } from 'vitest';
import { isLocal } from '../../src/hypervisor/libvirt_link.ts';

test.each([
  'qemu:///system',
  'QEMU:///system',
  'qemu:/system',
  'qemu:///session?socket=/run/user/0/libvirt-sock',
  'qemu+unix:///system?socket=/run/libvirt/libvirt-sock',
  'qemu+UNIX:///system',
])('%s leads to this machine', (uri) => {
  expect(isLocal(uri)).toBe(true);
});

test.each([
  'qemu+tcp://127.0.0.1:16509/system',
  // Without a host it is localhost, where a port may be forwarded.
  'qemu+tcp:///system',
  'qemu+tls://node1/system',
  'qemu://node1/system',
  'qemu://[::1]:16514/system',
  'qemu+ssh://root@node1/system',
  'qemu+ext:///system?command=/usr/bin/lead-there',
])('%s may lead to another', (uri) => {
  expect(isLocal(uri)).toBe(false);
});
