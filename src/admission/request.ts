/**
 * Turns a flavor and an image into what has to be placed. `numa/` reads Nova's request language; here the host's default
 * page size stands in where none is asked for, and what this release does not implement is refused by name, because
 * ignoring it would sell something else. Pure.
 */
import { firstCpus } from '../numa/cpu_set.ts';
import { readGuestTopology, type GuestRequest, type GuestTopology } from '../numa/guest_topology.ts';
import { parsePageSizeWish, type PageSizeWish } from '../numa/memory_backing.ts';
import { MEMORY_MODES, type MemoryMode } from '../numa/pages.ts';
import type { FlavorRequest, ImageProperties, RequestError } from '../numa/request_errors.ts';
import { kibFromMib } from '../units.ts';

export type PlacementRequest = Omit<GuestRequest, 'topology'> & {
  /** Every cell has a page size. */
  readonly topology: GuestTopology;
  /** Null where the host's rule holds. */
  readonly memoryMode: MemoryMode | null;
};

/** The request itself is wrong: no host could serve it. `field` names what to change. */
export type InvalidRequest = Omit<RequestError, 'errorClass'> & {
  readonly errorClass: RequestError['errorClass'] | 'UnsupportedExtraSpec';
};

export type PlacementRequestResult =
  | { readonly ok: true; readonly request: PlacementRequest }
  /** In the order of Nova's checks, after what is not implemented. */
  | { readonly ok: false; readonly errors: readonly InvalidRequest[] };

/** Ours: Nova has no word for it. */
const MEMORY_MODE = 'hugenode:memory_mode';

const IMPLEMENTED = new RegExp(
  `^(${[
    'hw[:_](mem_page_size|numa_nodes|numa_(cpus|mem)\\.\\d+|cpu_policy|cpu_thread_policy|cpu_realtime_mask|locked_memory)',
    'hw:(cpu_realtime|cpu_dedicated_mask|emulator_threads_policy)',
    'resources\\d*:[VP]CPU',
    'trait\\d*:HW_CPU_HYPERTHREADING',
    MEMORY_MODE,
  ].join('|')})$`,
);

/** What shapes the guest itself. Other extra specs (aggregates, capabilities) speak to a scheduler, not to a host. */
const SHAPES_THE_GUEST = /^(hw(_[a-z]+)?:|hw_|hugenode:|os:|quota:|pci_passthrough:|accel:|resources\d*:|trait\d*:)/;

/**
 * Reads a flavor and an image.
 * @param defaultPageSize stands in where no page size is asked for; a text that {@link readDefaultPageSize} reads.
 */
export function readPlacementRequest(
  flavor: FlavorRequest,
  imageProperties: ImageProperties,
  defaultPageSize: string,
): PlacementRequestResult {
  const foreign = [...unsupported('extra spec', flavor.extraSpecs), ...unsupported('image property', imageProperties)];
  const read = readGuestTopology(flavor, imageProperties);
  const mode = readMemoryMode(flavor);
  const errors = [...foreign, ...(read.ok ? [] : read.errors), ...mode.errors];
  if (!read.ok || errors.length > 0) return { ok: false, errors };
  const topology = withPageSizes(read.request.topology ?? oneCell(flavor), defaultPageSize);
  return { ok: true, request: { ...read.request, topology, memoryMode: mode.memoryMode } };
}

function readMemoryMode({ extraSpecs }: FlavorRequest): {
  readonly memoryMode: MemoryMode | null;
  readonly errors: readonly InvalidRequest[];
} {
  const value = extraSpecs[MEMORY_MODE];
  if (value === undefined) return { memoryMode: null, errors: [] };
  const memoryMode = MEMORY_MODES.find((mode) => mode === value) ?? null;
  if (memoryMode !== null) return { memoryMode, errors: [] };
  const message = `${MEMORY_MODE} must be ${MEMORY_MODES.join(' or ')}, not ${JSON.stringify(value)}`;
  return { memoryMode, errors: [{ errorClass: 'InvalidRequest', field: MEMORY_MODE, value, message }] };
}

/** The guest with the host's default page size where it asks for none. */
export function withPageSizes(topology: GuestTopology, defaultPageSize: string): GuestTopology {
  const standard = readDefaultPageSize(defaultPageSize) ?? 'large';
  return { ...topology, cells: topology.cells.map((cell) => ({ ...cell, pageSize: cell.pageSize || standard })) };
}

/** Reads the setting; undefined where the text is no page size, or asks for none. */
export function readDefaultPageSize(text: string): PageSizeWish | undefined {
  const wish = parsePageSizeWish(text);
  return typeof wish === 'number' && !(Number.isInteger(wish) && wish > 0) ? undefined : wish;
}

/** A guest that asks for nothing is one cell: its pages come from a pool, and pools are of nodes. */
function oneCell(flavor: FlavorRequest): GuestTopology {
  const cell = { id: 0, sharedVcpus: firstCpus(flavor.vcpus), dedicatedVcpus: [], pageSize: null };
  return {
    cells: [{ ...cell, memoryKib: kibFromMib(flavor.memoryMib) }],
    cpuPolicy: null,
    threadPolicy: null,
    emulatorPolicy: null,
  };
}

function unsupported(kind: string, texts: Readonly<Record<string, string>>): InvalidRequest[] {
  return Object.entries(texts)
    .filter(([name]) => SHAPES_THE_GUEST.test(name) && !IMPLEMENTED.test(name))
    .map(([field, value]) => ({
      errorClass: 'UnsupportedExtraSpec',
      field,
      value,
      message: `the ${kind} ${field} is not implemented by this host`,
    }));
}
