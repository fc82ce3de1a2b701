/**
 * Turns a flavor into what has to be placed: guest cells with their vCPUs and memory, and the page size they want.
 * Pure. The checks come in Nova's order and carry Nova's exception names (Nova 26, nova/virt/hardware.py); an extra
 * spec that this release does not implement is refused by name, because ignoring it would sell something else.
 */
import { kibFromMib } from '../units.ts';
import { parsePageSize, type PageSizeRequest } from './page_size.ts';

export type GuestCell = {
  /** The guest's own cell number, from 0. */
  readonly id: number;
  readonly vcpus: readonly number[];
  readonly memoryKib: number;
};

export type PlacementRequest = {
  readonly cells: readonly GuestCell[];
  readonly pageSize: PageSizeRequest;
};

/** What of a flavor decides the placement. */
export type FlavorDemand = {
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly extraSpecs: Readonly<Record<string, string>>;
};

export type RequestErrorClass =
  | 'UnsupportedExtraSpec'
  | 'InvalidNUMANodesNumber'
  | 'MemoryPageSizeInvalid'
  | 'ImageNUMATopologyAsymmetric';

/** The request itself is wrong: no host could serve it. `field` names what to change. */
export type InvalidRequest = {
  readonly errorClass: RequestErrorClass;
  readonly field: string;
  readonly message: string;
};

export type PlacementRequestResult =
  | { readonly ok: true; readonly request: PlacementRequest }
  | { readonly ok: false; readonly error: InvalidRequest };

const IMPLEMENTED = new Set(['hw:mem_page_size', 'hw:numa_nodes']);

/** Extra specs that shape the guest itself. Others (aggregates, capabilities) speak to a scheduler, not to a host. */
const SHAPES_THE_GUEST = /^(hw(_[a-z]+)?:|os:|quota:|pci_passthrough:|accel:|resources\d*:|trait\d*:)/;

/**
 * Reads a flavor's demand.
 * @param defaultPageSize stands in for a missing `hw:mem_page_size`.
 */
export function readPlacementRequest(flavor: FlavorDemand, defaultPageSize: string): PlacementRequestResult {
  for (const name of Object.keys(flavor.extraSpecs)) {
    if (SHAPES_THE_GUEST.test(name) && !IMPLEMENTED.has(name)) {
      return invalid('UnsupportedExtraSpec', name, `the extra spec ${name} is not implemented by this host`);
    }
  }
  const nodes = readNodeCount(flavor.extraSpecs['hw:numa_nodes'] ?? '');
  if (nodes === undefined) {
    const given = JSON.stringify(flavor.extraSpecs['hw:numa_nodes']);
    return invalid(
      'InvalidNUMANodesNumber',
      'hw:numa_nodes',
      `hw:numa_nodes must be a whole number from 1, not ${given}`,
    );
  }
  const pageSizeText = flavor.extraSpecs['hw:mem_page_size'] ?? defaultPageSize;
  const pageSize = parsePageSize(pageSizeText);
  if (pageSize === undefined) {
    const message = `hw:mem_page_size must be small, large, any or a size such as 2MB or 2048 (KiB), not ${JSON.stringify(pageSizeText)}`;
    return invalid('MemoryPageSizeInvalid', 'hw:mem_page_size', message);
  }
  if (flavor.vcpus % nodes !== 0 || flavor.memoryMib % nodes !== 0) {
    const message = `${flavor.vcpus} vCPUs and ${flavor.memoryMib} MiB cannot be split evenly over hw:numa_nodes=${nodes}`;
    return invalid('ImageNUMATopologyAsymmetric', 'hw:numa_nodes', message);
  }
  return { ok: true, request: { cells: splitEvenly(flavor, nodes), pageSize } };
}

/** An empty text means not set; «2 », «1.5» and «0x1» are no numbers of nodes. */
function readNodeCount(text: string): number | undefined {
  if (text === '') return 1;
  return /^\d{1,6}$/.test(text) && Number(text) >= 1 ? Number(text) : undefined;
}

function splitEvenly(flavor: FlavorDemand, nodes: number): GuestCell[] {
  const vcpusPerCell = flavor.vcpus / nodes;
  return Array.from({ length: nodes }, (_, id) => ({
    id,
    vcpus: Array.from({ length: vcpusPerCell }, (_unused, nth) => id * vcpusPerCell + nth),
    memoryKib: kibFromMib(flavor.memoryMib) / nodes,
  }));
}

function invalid(errorClass: RequestErrorClass, field: string, message: string): PlacementRequestResult {
  return { ok: false, error: { errorClass, field, message } };
}
