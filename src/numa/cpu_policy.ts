/**
 * Which vCPUs get CPUs of their own, and how they meet hyper-threads: `hw:cpu_policy`, `hw:cpu_thread_policy`, and the
 * placement's words for the same (`resources:PCPU`, `trait:HW_CPU_HYPERTHREADING`). A value is null where nothing is
 * asked for, and undefined where it cannot be known because of an error that was noted.
 */
import type { DecodedImage } from './image_properties.ts';
import type { RequestReading } from './request_errors.ts';
import { readWholeNumber } from './spelling.ts';

export const CPU_POLICIES = ['dedicated', 'shared', 'mixed'] as const;
export const THREAD_POLICIES = ['prefer', 'isolate', 'require'] as const;
export const EMULATOR_POLICIES = ['isolate', 'share'] as const;

export type CpuPolicy = (typeof CPU_POLICIES)[number];
export type ThreadPolicy = (typeof THREAD_POLICIES)[number];
export type EmulatorPolicy = (typeof EMULATOR_POLICIES)[number];

const POLICY = 'hw:cpu_policy';
const THREADS = 'hw:cpu_thread_policy';
const EMULATOR = 'hw:emulator_threads_policy';

/** What an image may ask for beside the flavor: an image must not take more than the flavor's owner sells. */
export function readCpuPolicy(reading: RequestReading, image: DecodedImage): CpuPolicy | null | undefined {
  const flavor = readWord(reading, POLICY, CPU_POLICIES, 'InvalidCPUAllocationPolicy');
  if (flavor === undefined || flavor === 'dedicated') return flavor;
  if (flavor === null || image.cpuPolicy === undefined) return image.cpuPolicy;
  const forbidden = flavor === 'mixed' ? ['dedicated'] : ['mixed', 'dedicated'];
  if (image.cpuPolicy === null || !forbidden.includes(image.cpuPolicy)) return flavor;
  return reading.refuse('ImageCPUPinningForbidden', 'hw_cpu_policy', `the flavor allows ${POLICY}=${flavor} only`);
}

export function readThreadPolicy(reading: RequestReading, image: DecodedImage): ThreadPolicy | null | undefined {
  const flavor = readWord(reading, THREADS, THREAD_POLICIES, 'InvalidCPUThreadAllocationPolicy');
  if (flavor === undefined || flavor === 'prefer') return flavor;
  const unset = flavor === null && !hasEmptyThreadPolicy(reading);
  if (unset || image.threadPolicy === undefined) return image.threadPolicy;
  if (image.threadPolicy === null || image.threadPolicy === flavor) return flavor;
  const rule = `differs from the flavor's ${THREADS}=${flavor ?? ''}`;
  return reading.refuse('ImageCPUThreadPolicyForbidden', 'hw_cpu_thread_policy', rule);
}

/** Nova has an empty text for a policy of its own until it puts it into a topology, where it can be none. */
export function refuseEmptyThreadPolicy(reading: RequestReading, policy: ThreadPolicy | null | undefined): void {
  if (policy === null && hasEmptyThreadPolicy(reading)) reading.refuse('ValueError', THREADS, 'is empty');
}

export function readEmulatorPolicy(reading: RequestReading): EmulatorPolicy | null | undefined {
  return readWord(reading, EMULATOR, EMULATOR_POLICIES, 'InvalidEmulatorThreadsPolicy');
}

/** The policy after `resources:VCPU` and `resources:PCPU` have been heard: they replace it, and stand beside none. */
export function withResources(
  reading: RequestReading,
  policy: CpuPolicy | null | undefined,
  emulator: EmulatorPolicy | null | undefined,
): CpuPolicy | null | undefined {
  const vcpu = sumOfResources(reading, 'VCPU');
  const pcpu = sumOfResources(reading, 'PCPU');
  const field = vcpu.field ?? pcpu.field;
  if (field === undefined || policy === undefined) return policy;
  if (policy !== null) return reading.refuse('InvalidRequest', field, `cannot stand beside the CPU policy ${policy}`);
  if (vcpu.sum !== 0 && pcpu.sum !== 0) {
    return reading.refuse('InvalidRequest', field, 'VCPU and PCPU cannot both be asked for');
  }
  if (pcpu.sum === 0) return 'shared';
  if (emulator === undefined) return 'dedicated';
  const expected = reading.vcpus + (emulator === 'isolate' ? 1 : 0);
  if (pcpu.sum === expected) return 'dedicated';
  const why = emulator === 'isolate' ? 'one for each vCPU and one for the emulator' : 'one for each vCPU';
  return reading.refuse('InvalidRequest', field, `${pcpu.sum} PCPU asked for, the flavor needs ${expected}, ${why}`);
}

/** The thread policy after the trait for hyper-threads has been heard. */
export function withTrait(
  reading: RequestReading,
  policy: ThreadPolicy | null | undefined,
): ThreadPolicy | null | undefined {
  const trait = hyperthreadingTrait(reading);
  if (trait === undefined || policy === undefined) return policy;
  if (policy !== null) {
    return reading.refuse('InvalidRequest', trait.field, `cannot stand beside the CPU thread policy ${policy}`);
  }
  if (trait.value === 'forbidden') return 'isolate';
  return trait.value === 'required' ? 'require' : null;
}

function hasEmptyThreadPolicy(reading: RequestReading): boolean {
  return reading.text(THREADS) === '';
}

function readWord<T extends string>(
  reading: RequestReading,
  field: string,
  words: readonly T[],
  errorClass: 'InvalidCPUAllocationPolicy' | 'InvalidCPUThreadAllocationPolicy' | 'InvalidEmulatorThreadsPolicy',
): T | null | undefined {
  const text = reading.setText(field);
  if (text === undefined) return null;
  const word = words.find((candidate) => candidate === text);
  return word ?? reading.refuse(errorClass, field, `is not one of ${words.join(', ')}`);
}

/**
 * Requests may be numbered groups (`resources1:PCPU`); what is no number is the scheduler's to complain about. Nova looks
 * at how a name begins, so `resources:PCPU_X` counts too, as do traits below.
 */
function sumOfResources(reading: RequestReading, name: 'VCPU' | 'PCPU') {
  const pattern = new RegExp(`^resources([1-9]\\d*)?:${name}`);
  const found = reading.extraSpecs().filter(([key, text]) => pattern.test(key) && readWholeNumber(text) !== undefined);
  const sum = found.reduce((total, [, text]) => total + (readWholeNumber(text) ?? 0), 0);
  return { sum, field: sum === 0 ? undefined : found[0]?.[0] };
}

function hyperthreadingTrait(reading: RequestReading): { field: string; value: string } | undefined {
  const trait = reading.extraSpecs().find(([key]) => /^trait([1-9]\d*)?:HW_CPU_HYPERTHREADING/.test(key));
  if (trait !== undefined) return trait[1] === '' ? undefined : { field: trait[0], value: trait[1] };
  const field = 'trait:HW_CPU_HYPERTHREADING';
  return reading.imageProperty(field) === 'required' ? { field, value: 'required' } : undefined;
}
