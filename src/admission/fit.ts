/**
 * Which host node takes which guest cell, with which pages and CPUs, or why none can: `numa/` decides on the host as it
 * is accounted, and its answer becomes a placement or a refusal with the kernel's own counts. Pure.
 */
import { cpuSetOf } from '../numa/cpu_set.ts';
import { fit as fitCells, type PlacedCell as FittedCell } from '../numa/fit.ts';
import { withoutBasePages, type HostCell as FitCell } from '../numa/host_cell.ts';
import { touchedCores } from '../numa/usage.ts';
import type { FitOptions } from '../numa/pair_table.ts';
import type { HostAccount } from './host_cells.ts';
import type { Placement, PlacedCell } from './placement.ts';
import { refusalOf, type Refusal } from './refusal.ts';
import type { PlacementRequest } from './request.ts';
import type { AdmissionRules } from './rules.ts';

export type FitResult =
  | { readonly fits: true; readonly placement: Placement }
  | { readonly fits: false; readonly refusal: Refusal };

/** How `numa/` is asked: by the operator's rules, and for the answers that can be kept where Nova 26 has others. */
export function fitOptions({ strategy, pageSizePreference }: AdmissionRules): FitOptions {
  return { zeroPinnedCells: true, emulatorOnFreeCore: true, pack: strategy === 'pack', pageSizePreference };
}

/** Finds the first placement in Nova's order of trying, or the reasons of every node. */
export function fit(request: PlacementRequest, account: HostAccount): FitResult {
  const host = account.cells();
  const first = fitOn(host, request, account);
  if (first.fits || first.refusal.reason !== 'host-memory') return first;
  // Ordinary memory is short, base pages are made of it: a guest that may have any size may do with huge ones.
  const onHugePages = fitOn(host.map(withoutBasePages), request, account);
  return onHugePages.fits ? onHugePages : first;
}

function fitOn(host: readonly FitCell[], request: PlacementRequest, account: HostAccount): FitResult {
  const result = fitCells(request.topology, host, fitOptions(account.rules));
  if (!result.fits) return { fits: false, refusal: refusalOf(result.refusal, request, account) };
  const placement = result.placement.map((fitted) => placedCell(fitted, request, host));
  const refusal = account.memoryRefusal(placement);
  return refusal === undefined ? { fits: true, placement } : { fits: false, refusal };
}

function placedCell(fitted: FittedCell, request: PlacementRequest, host: readonly FitCell[]): PlacedCell {
  const { guestCell, hostCell: node, pageSizeKib, memoryKib, pins, reservedCpus } = fitted;
  const guest = request.topology.cells.find((cell) => cell.id === guestCell);
  const cell = host.find((candidate) => candidate.id === node);
  if (guest === undefined || cell === undefined || pageSizeKib === null) {
    throw new Error(`guest cell ${guestCell} on node ${node} without a page size: a request always has one`);
  }
  const own = cpuSetOf([...pins.map((pin) => pin.cpu), ...reservedCpus]);
  return {
    node,
    pageSizeKib,
    pages: memoryKib / pageSizeKib,
    guestCell,
    vcpus: cpuSetOf([...guest.sharedVcpus, ...guest.dedicatedVcpus]),
    memoryKib,
    pins,
    sharedCpus: guest.sharedVcpus.length > 0 ? cell.sharedCpus : [],
    emulatorCpus: reservedCpus,
    takenCpus: request.topology.threadPolicy === 'isolate' ? touchedCores(cell, own) : own,
  };
}
