/**
 * An example of each failure that can be had without a hypervisor, from the code that raises it: the text and the
 * details are the agent's own. Pure.
 */
import { decide } from '../admission/decide.ts';
import { describeRefusal } from '../admission/refusal.ts';
import { DEFAULT_RULES } from '../admission/rules.ts';
import { API_VERSION } from '../api/endpoint.ts';
import { fault, parseArgs } from '../api/faults.ts';
import { createInstanceArgs } from '../api/schemas.ts';
import { placementRequestOf } from '../compute/placement_request.ts';
import { ComputeError } from '../errors.ts';
import { resolve } from '../rpc/dispatch.ts';
import { RemoteFault, type Failure } from '../rpc/index.ts';
import { EXAMPLE_MEMORY, EXAMPLE_UUID } from './example_answers.ts';

type Texts = Readonly<Record<string, string>>;

/** Extra specs and image properties of a guest with four vCPUs and 2048 MiB, each wrong in one way. */
const WRONG_WISHES: readonly (readonly [Texts, Texts?])[] = [
  [{ 'hw:mem_page_size': '2M' }],
  [{}, { hw_mem_page_size: '2MB' }],
  [{ 'hw:locked_memory': 'true' }],
  [{ 'hw:mem_page_size': '2MB', 'hw:locked_memory': 'true' }, { hw_locked_memory: 'false' }],
  [{ 'hw:numa_nodes': '0' }],
  [{ 'hw:numa_nodes': '1' }, { hw_numa_nodes: '2' }],
  [{ 'hw:numa_nodes': '2', 'hw:numa_cpus.0': '0-3', 'hw:numa_mem.0': '2048' }],
  [{ 'hw:numa_nodes': '3' }],
  [{ 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '0-9', 'hw:numa_mem.0': '2048' }],
  [
    {
      'hw:numa_nodes': '2',
      'hw:numa_cpus.0': '0-2',
      'hw:numa_mem.0': '1024',
      'hw:numa_cpus.1': '2-3',
      'hw:numa_mem.1': '1024',
    },
  ],
  [{ 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '0-2', 'hw:numa_mem.0': '2048' }],
  [{ 'hw:numa_nodes': '1', 'hw:numa_cpus.0': '0-3', 'hw:numa_mem.0': '1024' }],
  [{ 'hw:cpu_policy': 'bogus' }],
  [{ 'hw:cpu_policy': 'shared' }, { hw_cpu_policy: 'dedicated' }],
  [{ 'hw:cpu_policy': 'dedicated', 'hw:cpu_thread_policy': 'bogus' }],
  [{ 'hw:cpu_policy': 'dedicated', 'hw:cpu_thread_policy': 'isolate' }, { hw_cpu_thread_policy: 'require' }],
  [{ 'hw:cpu_thread_policy': 'isolate' }],
  [{ 'hw:emulator_threads_policy': 'bogus' }],
  [{ 'hw:emulator_threads_policy': 'isolate' }],
  [{ 'hw:cpu_realtime': 'yes', 'hw:cpu_realtime_mask': '^0' }],
  [{ 'hw:cpu_policy': 'dedicated', 'hw:cpu_realtime': 'yes', 'hw:cpu_realtime_mask': '^0-3' }],
  [{ 'hw:cpu_policy': 'mixed', 'hw:cpu_dedicated_mask': '0-3' }],
  [{ 'hw:cpu_policy': 'dedicated', 'hw:cpu_dedicated_mask': '0-1' }],
  [{ 'hw:cpu_policy': 'mixed' }],
  [{ 'hw:cpu_policy': 'mixed', 'hw:cpu_dedicated_mask': 'a-b' }],
  [{}, { hw_cpu_policy: 'x' }],
  [{ 'quota:cpu_shares': '1' }],
];

/** Guests that a host of two nodes with 512 pages each, of which a project may have 128, cannot take. */
const TOO_MUCH = [
  { errorClass: 'ComputeResourcesUnavailable', memoryMib: 2048, pageSize: '2MB' },
  { errorClass: 'MemoryNotWholePages', memoryMib: 33, pageSize: '2MB' },
  { errorClass: 'MemoryPageSizeNotSupported', memoryMib: 2048, pageSize: '1GB' },
  { errorClass: 'ProjectQuotaExceeded', memoryMib: 512, pageSize: '2MB' },
] as const;

/** By class name. A class whose error only a hypervisor or a disk can cause is not there. */
export function exampleFailures(): ReadonlyMap<string, Failure> {
  const failures = [
    ...WRONG_WISHES.map(([extraSpecs, imageProperties]) => refusedWish(extraSpecs, imageProperties ?? {})),
    ...TOO_MUCH.map(refusedByHost),
    thrownBy(() => parseArgs(createInstanceArgs, 'create_instance', { uuid: EXAMPLE_UUID, nmae: 'web-1' })),
    unresolved('start_instance', API_VERSION),
    unresolved('create_instance', '2.0'),
  ];
  return new Map(failures.map((failure) => [failure.className, failure]));
}

function refusedWish(extraSpecs: Texts, imageProperties: Texts): Failure {
  return thrownBy(() =>
    placementRequestOf({ flavor: { vcpus: 4, memoryMib: 2048, extraSpecs }, imageProperties }, 'large'),
  );
}

function refusedByHost({ errorClass, memoryMib, pageSize }: (typeof TOO_MUCH)[number]): Failure {
  const flavor = { vcpus: 1, memoryMib, extraSpecs: { 'hw:mem_page_size': pageSize } };
  const request = placementRequestOf({ flavor, imageProperties: {} }, 'large');
  const projectQuota = { instances: null, pages: [{ pageSizeKib: 2048, pages: 128 }] };
  const claimant = { instanceUuid: EXAMPLE_UUID, projectId: 'p-1' };
  const decision = decide(claimant, request, EXAMPLE_MEMORY, { ...DEFAULT_RULES, projectQuota }, []);
  if (decision.outcome !== 'refused') throw new Error('the example fits its host');
  const sentence = describeRefusal(decision.refusal);
  // The words before the reason are compute's; a test holds these four against refusals of the agent's core.
  const isNova = errorClass === 'ComputeResourcesUnavailable';
  const message = isNova ? `Insufficient compute resources: ${sentence}` : sentence;
  return failureOf(fault(errorClass, message, { refusal: decision.refusal }));
}

function unresolved(method: string, version: string): Failure {
  const resolution = resolve([{ namespace: null, version: API_VERSION, methods: {} }], {
    method,
    namespace: null,
    version,
  });
  if (resolution.found) throw new Error(`${method} is a method`);
  return resolution.failure;
}

/** What crosses the wire of what the work throws. */
function thrownBy(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof ComputeError) return failureOf(fault(error.errorClass, error.message, error.details));
    if (error instanceof RemoteFault) return failureOf(error);
    throw error;
  }
  throw new Error('an example of a failure is none');
}

function failureOf({ className, module, message, args, kwargs }: RemoteFault): Failure {
  return { className, module, message, args, kwargs };
}
