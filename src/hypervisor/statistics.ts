/** Turns libvirt's bulk statistics of one domain into what metering wants. Pure. */
import { DomainState } from 'node-libvirt';
import type { GuestStatistics, PowerState } from '../compute_driver.ts';

type Params = Readonly<Record<string, unknown>>;

/** The balloon group of virConnectGetAllDomainStats, in KiB; undefined where the guest never reported. */
export function balloonOf(params: Params): GuestStatistics['balloon'] {
  const lastUpdateS = kib(params, 'balloon.last-update');
  // Zero means «never» (QEMU, virtio-balloon statistics).
  if (lastUpdateS === undefined || lastUpdateS === 0) return undefined;
  const availableKib = kib(params, 'balloon.available');
  const usableKib = kib(params, 'balloon.usable');
  const unusedKib = kib(params, 'balloon.unused');
  return {
    lastUpdateS,
    ...(availableKib === undefined ? {} : { availableKib }),
    ...(usableKib === undefined ? {} : { usableKib }),
    ...(unusedKib === undefined ? {} : { unusedKib }),
  };
}

/** libvirt's domain state in Ceilometer's words. */
export function powerStateOf(state: unknown): PowerState {
  switch (Number(state)) {
    case DomainState.RUNNING:
    case DomainState.BLOCKED:
      return 'running';
    case DomainState.PAUSED:
      return 'paused';
    case DomainState.PMSUSPENDED:
      return 'suspended';
    case DomainState.SHUTDOWN:
    case DomainState.SHUTOFF:
      return 'shutdown';
    case DomainState.CRASHED:
      return 'crashed';
    default:
      return 'pending';
  }
}

function kib(params: Params, name: string): number | undefined {
  const value = params[name];
  const number = typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
