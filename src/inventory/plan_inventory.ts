/**
 * Plans on a saved answer of get_host, without any agent: the same answer that the agent gave or would have given at
 * that moment. Pure.
 */
import { planWishOf, type PlanInstanceArgs } from '../api/schemas.ts';
import { viewPlan, type PlanView } from '../api/plan_views.ts';
import type { HostView } from '../api/views.ts';
import { DEFAULT_RULES } from '../admission/rules.ts';
import { planInstance } from '../compute/plan_instance.ts';
import type { HostCell } from '../numa/host_cell.ts';
import { InventoryError } from './inventory_error.ts';

/** The nodes as the agent's own fits see them. @throws {InventoryError} where the answer is of an older agent. */
export function hostCellsOfInventory(view: HostView): readonly HostCell[] {
  return view.nodes.map(({ node, capacity }) => {
    if (capacity === undefined) throw older(view);
    return {
      id: node,
      sharedCpus: capacity.shared_cpus,
      pinnableCpus: capacity.pinnable_cpus,
      pinnedCpus: capacity.pinned_cpus,
      siblings: capacity.siblings,
      memoryKib: capacity.memory_kib,
      memoryUsedKib: capacity.memory_used_kib,
      cpusUsed: capacity.shared_vcpus,
      pools: capacity.pools.map(({ page_size_kib: sizeKib, total, used, reserved, set_aside: setAside }) => {
        return { sizeKib, total, used, reserved, setAside };
      }),
    };
  });
}

/**
 * The answer to plan_instance.
 * @throws {InventoryError} where the answer is of an older agent.
 * @throws {ComputeError} where the request is wrong.
 */
export function planOnInventory(view: HostView, args: PlanInstanceArgs): PlanView {
  const { rules, shut_off_instances: shutOffInstances } = view;
  if (rules === undefined) throw older(view);
  const {
    strategy,
    page_size_preference: pageSizePreference,
    memory_mode: memoryMode,
    ordinary_memory: memory,
  } = rules;
  const report = planInstance(planWishOf(args), {
    cells: hostCellsOfInventory(view),
    memory: memory && {
      leftKib: memory.left_kib,
      overheadKib: memory.overhead_kib,
      basePageSizeKib: memory.base_page_size_kib,
    },
    // What the other rules say is in the cells already.
    rules: { ...DEFAULT_RULES, strategy, pageSizePreference, memoryMode, shutOffInstances },
    defaultPageSize: rules.default_mem_page_size,
  });
  return viewPlan(report);
}

function older({ host, api_version: version }: HostView): InventoryError {
  return new InventoryError(
    `the answer of ${JSON.stringify(host)} (API ${JSON.stringify(version)}) lacks what a plan needs: save it anew from an agent of API 1.1`,
  );
}
