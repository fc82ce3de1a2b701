/**
 * The dry run: how many instances of a request the host would take, where, and why not one more. By the same rules as
 * admission, and nothing is claimed: the answer is of the moment in which the host was read. Pure.
 */
import { fitOptions } from '../admission/fit.ts';
import { withPageSizes } from '../admission/request.ts';
import type { AdmissionRules } from '../admission/rules.ts';
import type { HostCell } from '../numa/host_cell.ts';
import { alternativesOf } from '../plan/alternatives.ts';
import { fillCount, FILL_LIMIT, planInstances } from '../plan/instances.ts';
import type { OrdinaryMemory } from '../numa/ordinary_memory.ts';
import { fillResult, planResult, type FillResult, type PlanResult } from '../plan/plan_result.ts';
import { placementRequestOf, type PlacementWish } from './placement_request.ts';

export type PlanWish = PlacementWish & {
  /** How many are wanted; `fill`: as many as fit. */
  readonly count: number | 'fill';
};

/** What of a host decides the answer. */
export type PlanHost = {
  readonly cells: readonly HostCell[];
  /** Null where it is not known. */
  readonly memory: OrdinaryMemory | null;
  readonly rules: AdmissionRules;
  /** Where the request asks for none; as the setting has it. */
  readonly defaultPageSize: string;
};

export type PlanReport = {
  readonly result: PlanResult | FillResult;
  /** Whether the pages of instances that are shut off were counted as taken. */
  readonly shutOffInstances: AdmissionRules['shutOffInstances'];
};

/** @throws {ComputeError} where the request is wrong, as create_instance does. */
export function planInstance(wish: PlanWish, host: PlanHost): PlanReport {
  const { cells, memory, rules, defaultPageSize } = host;
  const request = placementRequestOf(wish, defaultPageSize);
  const { topology } = request;
  const alternatives = alternativesOf(wish.flavor, wish.imageProperties, cells).map(({ change, guest }) => ({
    change,
    guest: withPageSizes(guest, defaultPageSize),
  }));
  const options = fitOptions(rules, request);
  const result =
    wish.count === 'fill'
      ? fillResult(fillCount(topology, cells, options, alternatives, FILL_LIMIT, memory))
      : planResult(planInstances(topology, cells, options, wish.count, alternatives, memory));
  return { result, shutOffInstances: rules.shutOffInstances };
}
