/** vm_state, task_state and power state at the moment that an event tells of, in Nova's words. Pure. */
import { VM_STATE, type PowerState } from '../compute_driver.ts';
import type { InstanceEvent } from '../compute/events.ts';

/** `task` is empty where nothing is under way. */
export type VmState = { readonly state: string; readonly task: string };

export type InstanceStates = {
  /** Other than `after` for an update only. */
  readonly before: VmState;
  readonly after: VmState;
  /** Null as long as there is no guest. */
  readonly powerState: PowerState | null;
};

export function instanceStates(event: InstanceEvent): InstanceStates {
  switch (event.kind) {
    case 'create.start':
      return still({ state: 'building', task: 'spawning' }, null);
    case 'create.end':
      return still({ state: 'active', task: '' }, 'running');
    case 'create.error':
      return still({ state: 'building', task: '' }, null);
    case 'delete.start':
      return still({ state: 'active', task: 'deleting' }, 'running');
    case 'delete.end':
      return still({ state: 'deleted', task: '' }, 'shutdown');
    case 'exists':
      return still({ state: VM_STATE[event.powerState], task: '' }, event.powerState);
    case 'update':
      return {
        before: { state: VM_STATE[event.oldPowerState], task: '' },
        after: { state: VM_STATE[event.powerState], task: '' },
        powerState: event.powerState,
      };
  }
}

function still(state: VmState, powerState: PowerState | null): InstanceStates {
  return { before: state, after: state, powerState };
}
