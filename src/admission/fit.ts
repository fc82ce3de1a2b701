/**
 * Which host node takes which guest cell, with which pages and CPUs, or why none can: `numa/` decides on the host as it
 * is accounted, and its answer becomes a placement or a refusal with the kernel's own counts. Pure.
 */
import { cpuSetOf } from '../numa/cpu_set.ts';
import { sharesOf, type PlacedCell as FittedCell } from '../numa/fit.ts';
import type { HostCell as FitCell } from '../numa/host_cell.ts';
import { fitWithin } from '../numa/ordinary_memory.ts';
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

/**
 * How `numa/` is asked: by the operator's rules and the request's own, and for the answers that can be kept where Nova 26
 * has others.
 */
export function fitOptions(rules: AdmissionRules, request: Pick<PlacementRequest, 'memoryMode'>): FitOptions {
  const { strategy, pageSizePreference } = rules;
  const memoryMode = request.memoryMode ?? rules.memoryMode;
  return { zeroPinnedCells: true, emulatorOnFreeCore: true, pack: strategy === 'pack', pageSizePreference, memoryMode };
}

/** Finds the first placement in Nova's order of trying, or the reasons of every node. */
export function fit(request: PlacementRequest, account: HostAccount): FitResult {
  const host = account.cells();
  const options = fitOptions(account.rules, request);
  const result = fitWithin(request.topology, host, options, account.ordinaryMemory());
  if (result.fits)
    return { fits: true, placement: result.placement.map((fitted) => placedCell(fitted, request, host)) };
  const { refusal, across } = result;
  if (refusal.reason === 'host-memory') return { fits: false, refusal: account.memoryRefusal(refusal.neededKib) };
  return { fits: false, refusal: refusalOf(refusal, across, request, account) };
}

function placedCell(fitted: FittedCell, request: PlacementRequest, host: readonly FitCell[]): PlacedCell {
  const { guestCell, hostCell: node, pageSizeKib, memoryKib, pins, reservedCpus } = fitted;
  const [own, ...others] = sharesOf(fitted);
  const guest = request.topology.cells.find((cell) => cell.id === guestCell);
  const cell = host.find((candidate) => candidate.id === node);
  if (guest === undefined || cell === undefined || pageSizeKib === null || own === undefined) {
    throw new Error(`guest cell ${guestCell} on node ${node} without a page size: a request always has one`);
  }
  const ownCpus = cpuSetOf([...pins.map((pin) => pin.cpu), ...reservedCpus]);
  return {
    node,
    pageSizeKib,
    pages: own.memoryKib / pageSizeKib,
    elsewhere: others.map((other) => ({ node: other.hostCell, pages: other.memoryKib / pageSizeKib })),
    guestCell,
    vcpus: cpuSetOf([...guest.sharedVcpus, ...guest.dedicatedVcpus]),
    memoryKib,
    pins,
    sharedCpus: guest.sharedVcpus.length > 0 ? cell.sharedCpus : [],
    emulatorCpus: reservedCpus,
    takenCpus: request.topology.threadPolicy === 'isolate' ? touchedCores(cell, ownCpus) : ownCpus,
  };
}
