/**
 * The guest's request with one thing changed: another page size, or another number of guest cells. Each change is read
 * by the reader of requests, so nothing is proposed that it would refuse.
 */
import { readGuestTopology, type GuestCell, type GuestTopology } from '../numa/guest_topology.ts';
import { smallestPool, type HostCell } from '../numa/host_cell.ts';
import type { PageSizeWish } from '../numa/memory_backing.ts';
import type { FlavorRequest, ImageProperties } from '../numa/request_errors.ts';
import type { Alternative, RequestChange } from './advice.ts';

const PAGE_SIZE = { flavor: 'hw:mem_page_size', image: 'hw_mem_page_size' } as const;
const NODES = { flavor: 'hw:numa_nodes', image: 'hw_numa_nodes' } as const;
/** Where one of these is set the guest is split cell by cell, and another number of cells means another list. */
const LISTED = ['hw:numa_cpus.0', 'hw:numa_mem.0'] as const;
const LISTED_IN_IMAGE = ['hw_numa_cpus.0', 'hw_numa_mem.0'] as const;

/**
 * Derives all of them: page sizes that the host has, then splits, nearest to the guest's own first.
 * A guest that asks for nothing of the kind is one cell without a page size of its own.
 * @returns nothing where the request is wrong.
 */
export function alternativesOf(
  flavor: FlavorRequest,
  image: ImageProperties,
  host: readonly HostCell[],
): readonly Alternative[] {
  const read = readGuestTopology(flavor, image);
  if (!read.ok) return [];
  const cells = read.request.topology?.cells ?? [ONE_CELL];
  return [...pageSizeChanges(cells, image, host), ...splitChanges(cells, flavor, image, host)].flatMap((change) => {
    const changed = readChanged(flavor, image, change);
    return changed === undefined ? [] : [{ change, guest: changed }];
  });
}

type Sized = Pick<GuestCell, 'pageSize'>;

const ONE_CELL: Sized = { pageSize: null };

function pageSizeChanges(
  cells: readonly Sized[],
  image: ImageProperties,
  host: readonly HostCell[],
): readonly RequestChange[] {
  const field = fieldOf(PAGE_SIZE, image);
  const own = cells[0]?.pageSize || null;
  const wishes: readonly PageSizeWish[] = ['small', ...explicitSizes(host)];
  return wishes
    .filter((wish) => wish !== own)
    .map((wish): RequestChange => ({ kind: 'other-page-size', field, value: String(wish) }));
}

/** Sizes in KiB, largest first. One that is the smallest wherever it is has its word already: small. */
function explicitSizes(host: readonly HostCell[]): readonly number[] {
  const sizes = host.flatMap(({ pools }) => {
    const smallest = smallestPool(pools)?.sizeKib;
    return pools.map(({ sizeKib }) => sizeKib).filter((sizeKib) => sizeKib !== smallest);
  });
  return [...new Set(sizes)].toSorted((a, b) => b - a);
}

function splitChanges(
  cells: readonly Sized[],
  flavor: FlavorRequest,
  image: ImageProperties,
  host: readonly HostCell[],
): readonly RequestChange[] {
  const listed = LISTED.some((name) => name in flavor.extraSpecs) || LISTED_IN_IMAGE.some((name) => name in image);
  if (listed) return [];
  const field = fieldOf(NODES, image);
  const own = cells.length;
  return host
    .map((_, at) => at + 1)
    .filter((count) => count !== own)
    .toSorted((a, b) => Math.abs(a - own) - Math.abs(b - own) || a - b)
    .map((count): RequestChange => ({ kind: 'other-split', field, value: String(count) }));
}

/** The image's property where the image has one: beside it the flavor may not have its own. */
function fieldOf(names: { readonly flavor: string; readonly image: string }, image: ImageProperties): string {
  return image[names.image] ? names.image : names.flavor;
}

function readChanged(
  flavor: FlavorRequest,
  image: ImageProperties,
  { field, value }: RequestChange,
): GuestTopology | undefined {
  if (field in image) return topologyOf(flavor, { ...image, [field]: value });
  return topologyOf({ ...flavor, extraSpecs: { ...flavor.extraSpecs, [field]: value } }, image);
}

function topologyOf(flavor: FlavorRequest, image: ImageProperties): GuestTopology | undefined {
  const result = readGuestTopology(flavor, image);
  return result.ok ? (result.request.topology ?? undefined) : undefined;
}
