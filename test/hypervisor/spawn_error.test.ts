import { expect, test } from 'vitest';
import { ComputeError } from '../../src/errors.ts';
import { spawnError } from '../../src/hypervisor/spawn_error.ts';
import { hostOf } from '../admission/hosts.ts';
import { instanceOf, placedCell } from '../domain/instances.ts';

const instance = instanceOf({
  placement: [placedCell({ pages: 64 }), placedCell({ guestCell: 1, node: 1, pages: 32 })],
});
const onePage = async () => hostOf([1]);
const refused = (text: string) => new ComputeError('HypervisorError', text, { code: 1 });

// Both texts as libvirt 9.0 and QEMU 7.2 wrote them on a host whose node had too few pages.
test.each([
  'internal error: process exited while connecting to monitor: 2026-11-20T10:00:00.000000Z qemu-system-x86_64: unable to map backing store for guest RAM: Cannot allocate memory',
  'internal error: qemu unexpectedly closed the monitor: 2026-11-20T10:00:00.000000Z qemu-system-x86_64: qemu_prealloc_mem: preallocating memory failed: Bad address',
])('pages that vanish between claim and start are a refusal with numbers: %s', async (text) => {
  const error = await spawnError(refused(text), instance, async () => hostOf([10, 32]));
  expect(error).toMatchObject({
    errorClass: 'ComputeResourcesUnavailable',
    details: {
      refusal: {
        reason: 'pages-vanished',
        cells: [
          { node: 0, pageSizeKib: 2048, needed: 64, free: 10 },
          { node: 1, pageSizeKib: 2048, needed: 32, free: 32 },
        ],
      },
    },
  });
  expect(error.message).toContain('node 0: 64 pages of 2 MiB needed, 10 free now');
  expect(error.message).not.toContain('qemu');
});

test('the refusal stands where the numbers cannot be had', async () => {
  const text = 'qemu_prealloc_mem: preallocating memory failed: Bad address';
  const error = await spawnError(refused(text), instance, () => Promise.reject(new Error('gone')));
  expect(error.message).toContain('an unknown number free now');
});

test('anything else is a failed spawn with libvirt’s text, and a typed error stays what it is', async () => {
  expect(await spawnError(refused('no such machine'), instance, onePage)).toMatchObject({
    errorClass: 'InstanceSpawnFailed',
    message: 'the guest could not be started: no such machine',
    details: { code: 1 },
  });
  const typed = new ComputeError('FlavorDiskSmallerThanImage', 'x');
  expect(await spawnError(typed, instance, onePage)).toBe(typed);
});
