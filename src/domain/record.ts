/**
 * The instance as it is kept in its domain's metadata: the only place where it is kept. A restarted agent reads its
 * instances back from here, so the record is versioned and checked like anything that comes from outside.
 *
 * JSON inside one XML element: JSON has an escape for every character that XML cannot hold.
 */
import { z } from 'zod';
import { NO_TUNING, type Instance } from '../instance.ts';
import { CPU_POLICIES, EMULATOR_POLICIES } from '../numa/cpu_policy.ts';

/** Namespace of our metadata element; a name, not an address. */
export const RECORD_NAMESPACE = 'urn:hugenode:instance:1';
export const RECORD_PREFIX = 'hugenode';
export const RECORD_ELEMENT = 'instance';

const cpuList = z.array(z.int().min(0));
const pin = z.strictObject({ vcpu: z.int().min(0), cpu: z.int().min(0) });

// What has a default here is not in the records of agents before 0.2.
const placedCell = z.strictObject({
  guestCell: z.int().min(0),
  node: z.int().min(0),
  pageSizeKib: z.int().min(1),
  pages: z.int().min(0),
  memoryKib: z.int().min(1),
  elsewhere: z.array(z.strictObject({ node: z.int().min(0), pages: z.int().min(1) })).default([]),
  vcpus: cpuList,
  pins: z.array(pin).default([]),
  sharedCpus: cpuList.default([]),
  emulatorCpus: cpuList.default([]),
  takenCpus: cpuList.default([]),
});

const tuning = z.strictObject({
  cpuPolicy: z.enum(CPU_POLICIES).nullable(),
  emulatorPolicy: z.enum(EMULATOR_POLICIES).nullable(),
  realtimeVcpus: cpuList,
  lockedMemory: z.boolean(),
});

const recordSchema = z.strictObject({
  version: z.literal(1),
  uuid: z.uuid(),
  name: z.string(),
  projectId: z.string(),
  userId: z.string(),
  flavor: z.strictObject({
    id: z.string().nullable(),
    name: z.string(),
    vcpus: z.int().min(1),
    memoryMib: z.int().min(1),
    diskGib: z.int().min(0),
    extraSpecs: z.record(z.string(), z.string()),
  }),
  imageId: z.string().nullable(),
  imageProperties: z.record(z.string(), z.string()).default({}),
  metadata: z.record(z.string(), z.string()),
  placement: z.array(placedCell).min(1),
  tuning: tuning.default(() => ({ ...NO_TUNING, realtimeVcpus: [] })),
  createdAt: z.iso.datetime(),
  launchedAt: z.iso.datetime().nullable(),
});

/** The text of our metadata element. */
export function encodeRecord(instance: Instance): string {
  return JSON.stringify({ version: 1, ...instance });
}

/** Reads the text back; undefined where it is not a record of ours. */
export function decodeRecord(text: string): Instance | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = recordSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { version: _version, ...instance } = parsed.data;
  return instance;
}
