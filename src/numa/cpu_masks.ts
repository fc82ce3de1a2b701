/**
 * Which vCPUs are realtime (`hw:cpu_realtime`, `hw:cpu_realtime_mask`) and which of a mixed guest are dedicated
 * (`hw:cpu_dedicated_mask`), and whether the policies go together with that. A set is null where nothing is asked for,
 * and undefined where it cannot be known because of an error that was noted.
 */
import { readEmulatorPolicy, type CpuPolicy, type EmulatorPolicy, type ThreadPolicy } from './cpu_policy.ts';
import { expand, firstCpus, lastOf, parseCpuRanges, type CpuRange, type CpuSet } from './cpu_set.ts';
import type { RequestReading } from './request_errors.ts';
import { isSwitchedOn } from './spelling.ts';

const REALTIME = 'hw:cpu_realtime';
const REALTIME_MASK = 'hw:cpu_realtime_mask';
const DEDICATED_MASK = 'hw:cpu_dedicated_mask';

export function readRealtime(reading: RequestReading): CpuSet | null | undefined {
  if (!isSwitchedOn(reading.text(REALTIME) ?? '')) return null;
  // The image knows which of its threads are realtime; the flavor only has a default for it.
  const field = ['hw_cpu_realtime_mask', REALTIME_MASK].find((name) => reading.setText(name) !== undefined);
  const ranges = field === undefined ? [{ first: 0, last: reading.vcpus - 1 }] : readMask(reading, field);
  if (ranges === undefined) return undefined;
  const named = field ?? REALTIME;
  if (ranges.length === 0) return refuseRealtime(reading, named, 'leaves no realtime vCPU');
  const emulator = readEmulatorPolicy(reading);
  const all = ranges.length === 1 && ranges[0]?.first === 0 && lastOf(ranges) === reading.vcpus - 1;
  if (all && emulator === null) {
    const rule = `all ${reading.vcpus} vCPUs would be realtime: leave one out in ${REALTIME_MASK} (^0) or set hw:emulator_threads_policy`;
    return refuseRealtime(reading, named, rule);
  }
  if (lastOf(ranges) >= reading.vcpus) return refuseRealtime(reading, named, beyond(reading, ranges));
  return expand(ranges);
}

export function readDedicatedMask(reading: RequestReading): CpuSet | null | undefined {
  if (reading.setText(DEDICATED_MASK) === undefined) return null;
  const ranges = readMask(reading, DEDICATED_MASK);
  if (ranges === undefined) return undefined;
  const refuse = (rule: string) => reading.refuse('InvalidMixedInstanceDedicatedMask', DEDICATED_MASK, rule);
  if (ranges.length === 0) return refuse('leaves no dedicated vCPU');
  if (lastOf(ranges) >= reading.vcpus) return refuse(beyond(reading, ranges));
  const dedicated = expand(ranges);
  return dedicated.length === reading.vcpus ? refuse('leaves no shared vCPU') : dedicated;
}

export type CpuRequest = {
  readonly cpuPolicy: CpuPolicy | null | undefined;
  readonly threadPolicy: ThreadPolicy | null | undefined;
  readonly emulator: EmulatorPolicy | null | undefined;
  readonly dedicatedMask: CpuSet | null | undefined;
  readonly realtime: CpuSet | null | undefined;
};

/** Whether the parts go together: what a guest without vCPUs of its own cannot have, and what a mixed one must. */
export function checkTogether(reading: RequestReading, request: CpuRequest): void {
  const { cpuPolicy, dedicatedMask, realtime } = request;
  if (cpuPolicy === undefined) return;
  if (cpuPolicy === 'mixed') {
    if (dedicatedMask === undefined || realtime === undefined) return;
    if ((dedicatedMask === null) === (realtime === null)) {
      const rule = `a mixed guest needs exactly one of ${DEDICATED_MASK} and ${REALTIME}`;
      reading.refuse('RequiredMixedOrRealtimeCPUMask', DEDICATED_MASK, rule);
    }
    return;
  }
  if (cpuPolicy !== 'dedicated') checkShared(reading, request);
  if (dedicatedMask !== null && dedicatedMask !== undefined) {
    reading.refuse(
      'RequiredMixedInstancePolicy',
      DEDICATED_MASK,
      `needs hw:cpu_policy=mixed, it is ${cpuPolicy ?? 'not set'}`,
    );
  }
  if (cpuPolicy !== 'dedicated' && realtime !== null && realtime !== undefined) {
    reading.refuse('RealtimeConfigurationInvalid', REALTIME, 'needs hw:cpu_policy=dedicated or mixed');
  }
}

/** The vCPUs that get CPUs of their own. */
export function dedicatedVcpus(reading: RequestReading, { cpuPolicy, dedicatedMask, realtime }: CpuRequest): CpuSet {
  if (cpuPolicy === 'dedicated') return firstCpus(reading.vcpus);
  return cpuPolicy === 'mixed' ? (dedicatedMask ?? realtime ?? []) : [];
}

function checkShared(reading: RequestReading, { threadPolicy, emulator }: CpuRequest): void {
  const needs = 'needs dedicated vCPUs (hw:cpu_policy=dedicated or mixed)';
  if (threadPolicy !== null && threadPolicy !== undefined) {
    const fields = ['hw:cpu_thread_policy', 'hw_cpu_thread_policy', 'trait:HW_CPU_HYPERTHREADING'];
    const field = fields.find((name) => reading.text(name) !== undefined) ?? 'hw:cpu_thread_policy';
    reading.refuse('CPUThreadPolicyConfigurationInvalid', field, needs);
  }
  if (emulator === 'isolate') {
    reading.refuse('BadRequirementEmulatorThreadsPolicy', 'hw:emulator_threads_policy', needs);
  }
}

/** A mask that begins with an exclusion means all vCPUs but those. */
function readMask(reading: RequestReading, field: string): readonly CpuRange[] | undefined {
  const text = reading.text(field) ?? '';
  const ranges = parseCpuRanges(text.trimStart().startsWith('^') ? `0-${reading.vcpus - 1},${text}` : text);
  return ranges ?? reading.refuse('Invalid', field, 'is no list of vCPUs such as 0-3,8 or ^0');
}

function beyond(reading: RequestReading, ranges: readonly CpuRange[]): string {
  return `names vCPU ${lastOf(ranges)}, the flavor has 0 to ${reading.vcpus - 1}`;
}

function refuseRealtime(reading: RequestReading, field: string, rule: string): undefined {
  return reading.refuse('RealtimeMaskNotFoundOrInvalid', field, rule);
}
