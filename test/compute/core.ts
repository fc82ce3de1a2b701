/** The core on a fake driver, as tests of compute and of the API use it. */
import { randomUUID } from 'node:crypto';
import { AdmissionGate } from '../../src/admission/gate.ts';
import { ClaimLedger } from '../../src/admission/claims.ts';
import { DEFAULT_RULES } from '../../src/admission/rules.ts';
import type { EndEvent, InstanceEvent, Intents } from '../../src/compute/events.ts';
import { ComputeManager } from '../../src/compute/manager.ts';
import type { InstanceRequest } from '../../src/instance.ts';
import { quietLog } from '../quiet_log.ts';
import { FakeDriver } from './fake_driver.ts';

export const CONTEXT = { attributes: {}, requestId: 'req-1' };

export function coreOf(pools: number[], imagesPath = '/does/not/exist', intents = intentsOf()) {
  const driver = new FakeDriver(pools);
  const ledger = new ClaimLedger();
  const events: InstanceEvent[] = [];
  const log = quietLog();
  const gate = new AdmissionGate({
    readHost: () => driver.readHostMemory(),
    ledger,
    rules: DEFAULT_RULES,
    settleTimeoutMs: 2000,
  });
  const compute = new ComputeManager({
    driver,
    gate,
    ledger,
    rules: DEFAULT_RULES,
    log,
    host: 'cmp1',
    imagesPath,
    defaultPageSize: 'large',
    intents,
    emit: (event) => {
      events.push(event);
      if (event.kind === 'create.end' || event.kind === 'delete.end') intents.drop(event.kind, event.instance.uuid);
    },
  });
  return { compute, driver, ledger, events, intents, log };
}

/** What was intended and not told, as the spool keeps it. */
export function intentsOf(): Intents {
  const kept = new Map<string, EndEvent>();
  return {
    intend: (event) => void kept.set(event.kind + event.instance.uuid, event),
    of: (kind, uuid) => kept.get(kind + uuid),
    drop: (kind, uuid) => void kept.delete(kind + uuid),
    all: () => [...kept.values()],
  };
}

/** A request for that many 2 MiB pages. */
export function requestOf(pages: number, over: Partial<InstanceRequest> = {}): InstanceRequest {
  return {
    uuid: randomUUID(),
    name: 'i',
    projectId: 'p',
    userId: 'u',
    flavor: { id: null, name: 'f', vcpus: 1, memoryMib: pages * 2, diskGib: 0, extraSpecs: {} },
    imageId: null,
    imageProperties: {},
    metadata: {},
    ...over,
  };
}
