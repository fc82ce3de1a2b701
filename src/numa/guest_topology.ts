/**
 * Turns a flavor and an image into what has to be placed: guest cells with their vCPUs, memory and page size, and the
 * policies for all of them. Nova's whole request language (Nova 26), with its order of checks and its exception names.
 *
 * All that is wrong is collected in that order. Until the first error each check sees what Nova's does, so the first one
 * is the one Nova would raise; a check that needs what an error made unknown is left out.
 */
import { kibFromMib } from '../units.ts';
import { checkTogether, dedicatedVcpus, readDedicatedMask, readRealtime, type CpuRequest } from './cpu_masks.ts';
import {
  readCpuPolicy,
  readEmulatorPolicy,
  readThreadPolicy,
  refuseEmptyThreadPolicy,
  withResources,
  withTrait,
  type CpuPolicy,
  type EmulatorPolicy,
  type ThreadPolicy,
} from './cpu_policy.ts';
import { commonCpus, withoutCpus, type CpuSet } from './cpu_set.ts';
import { decodeImage, type DecodedImage } from './image_properties.ts';
import { readLockedMemory, readPageSizeWish, type PageSizeWish } from './memory_backing.ts';
import { readNumaNodes, readShares } from './numa_split.ts';
import { RequestReading, type FlavorRequest, type ImageProperties, type RequestError } from './request_errors.ts';

export type GuestCell = {
  /** The guest's own cell number, from 0. */
  readonly id: number;
  /** vCPUs that run on the host cell's shared CPUs. */
  readonly sharedVcpus: CpuSet;
  /** vCPUs that each get a CPU of their own. */
  readonly dedicatedVcpus: CpuSet;
  readonly memoryKib: number;
  readonly pageSize: PageSizeWish | null;
};

export type GuestTopology = {
  readonly cells: readonly GuestCell[];
  readonly cpuPolicy: CpuPolicy | null;
  readonly threadPolicy: ThreadPolicy | null;
  readonly emulatorPolicy: EmulatorPolicy | null;
};

export type GuestRequest = {
  /** Null where nothing was asked for that ties the guest to host cells. */
  readonly topology: GuestTopology | null;
  readonly realtimeVcpus: CpuSet;
  readonly lockedMemory: boolean;
};

export type GuestRequestResult =
  | { readonly ok: true; readonly request: GuestRequest }
  /** The first error is the one Nova would raise; the others are independent of it. */
  | { readonly ok: false; readonly errors: readonly RequestError[] };

/** Reads what a flavor and an image ask for. Image properties have Nova's names (`hw_cpu_policy`). */
export function readGuestTopology(flavor: FlavorRequest, imageProperties: ImageProperties = {}): GuestRequestResult {
  const reading = new RequestReading(flavor, imageProperties);
  const image = decodeImage(reading);
  const cpu = readCpuRequest(reading, image);
  const nodes = readNumaNodes(reading, image);
  const pageSize = readPageSizeWish(reading);
  const lockedMemory = readLockedMemory(reading, image);
  const pinned = cpu.cpuPolicy === 'dedicated' || cpu.cpuPolicy === 'mixed';
  const wanted = nodes !== null || (pageSize !== null && pageSize !== 0) || pinned;
  const shares = wanted ? readShares(reading, image, nodes) : [];
  if (wanted) refuseEmptyThreadPolicy(reading, cpu.threadPolicy);
  if (reading.errors.length > 0 || shares === undefined) return { ok: false, errors: reading.errors };

  const dedicated = dedicatedVcpus(reading, cpu);
  const cells = shares.map(({ vcpus, memoryMib }, id) => ({
    id,
    sharedVcpus: withoutCpus(vcpus, dedicated),
    dedicatedVcpus: commonCpus(vcpus, dedicated),
    memoryKib: kibFromMib(memoryMib),
    pageSize: typeof pageSize === 'number' ? Math.floor(pageSize) : (pageSize ?? null),
  }));
  const { cpuPolicy = null, threadPolicy = null, emulator: emulatorPolicy = null } = cpu;
  const topology = wanted ? { cells, cpuPolicy, threadPolicy, emulatorPolicy } : null;
  return { ok: true, request: { topology, realtimeVcpus: cpu.realtime ?? [], lockedMemory } };
}

function readCpuRequest(reading: RequestReading, image: DecodedImage): CpuRequest {
  const policy = readCpuPolicy(reading, image);
  const threads = readThreadPolicy(reading, image);
  const realtime = readRealtime(reading);
  const dedicatedMask = readDedicatedMask(reading);
  const emulator = readEmulatorPolicy(reading);
  const cpuPolicy = withResources(reading, policy, emulator);
  const threadPolicy = withTrait(reading, threads);
  const request = { cpuPolicy, threadPolicy, emulator, dedicatedMask, realtime };
  checkTogether(reading, request);
  return request;
}
