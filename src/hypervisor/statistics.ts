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
  const swapInKib = kib(params, 'balloon.swap_in');
  const swapOutKib = kib(params, 'balloon.swap_out');
  return {
    lastUpdateS,
    ...(availableKib === undefined ? {} : { availableKib }),
    ...(usableKib === undefined ? {} : { usableKib }),
    ...(unusedKib === undefined ? {} : { unusedKib }),
    ...(swapInKib === undefined ? {} : { swapInKib }),
    ...(swapOutKib === undefined ? {} : { swapOutKib }),
  };
}

/** What the hypervisor knows without asking the guest. A guest that is busy with something else was not asked at all. */
export function deviceOf(params: Params): Pick<GuestStatistics, 'hasBalloon' | 'actualKib' | 'stateNumber'> {
  const wasAsked = kib(params, 'balloon.rss') !== undefined;
  const actualKib = kib(params, 'balloon.current');
  const stateNumber = kib(params, 'state.state');
  return {
    ...(wasAsked ? { hasBalloon: params['balloon.last-update'] !== undefined } : {}),
    ...(actualKib === undefined ? {} : { actualKib }),
    ...(stateNumber === undefined ? {} : { stateNumber }),
  };
}

/** CPU time as Ceilometer counts it: that of all vCPUs and what they waited, or the process's where one is not known. */
export function cpuOf(params: Params): Pick<GuestStatistics, 'cpuNs' | 'vcpus'> {
  const vcpus = kib(params, 'vcpu.current');
  const times = Array.from({ length: Math.min(kib(params, 'vcpu.maximum') ?? 0, MOST_VCPUS) }, (_, nth) => {
    const time = nanoseconds(params, `vcpu.${nth}.time`);
    const wait = nanoseconds(params, `vcpu.${nth}.wait`);
    return time === undefined || wait === undefined ? undefined : time + wait;
  }).filter((time) => time !== undefined);
  const isComplete = times.length > 0 && times.length === vcpus;
  const cpuNs = isComplete ? times.reduce((sum, time) => sum + time, 0n) : nanoseconds(params, 'cpu.time');
  return { ...(vcpus === undefined ? {} : { vcpus }), ...(cpuNs === undefined ? {} : { cpuNs }) };
}

/** libvirt has no domain with more; a daemon that says otherwise is not believed. */
const MOST_VCPUS = 16_384;

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

function nanoseconds(params: Params, name: string): bigint | undefined {
  const value = params[name];
  if (typeof value === 'bigint') return value >= 0n ? value : undefined;
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined;
}

function kib(params: Params, name: string): number | undefined {
  const value = params[name];
  const number = typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
