/**
 * create_instance: claim → define and start → verify → keep → tell. Each step that takes something has its undo beside
 * it; a build that fails leaves no domain, file, claim or page.
 */
import type { Logger } from '../log.ts';
import type { AdmissionGate } from '../admission/gate.ts';
import type { ClaimLedger } from '../admission/claims.ts';
import { describeRefusal, type Refusal } from '../admission/refusal.ts';
import { asHeld, type Placement } from '../admission/placement.ts';
import type { PlacementRequest } from '../admission/request.ts';
import { findImage, ImageUnusableError, type Image } from '../images/image_store.ts';
import type { GuestTuning, Instance, InstanceRequest } from '../instance.ts';
import { UndoStack } from '../undo.ts';
import type { ComputeDriver, GuestInfo } from '../compute_driver.ts';
import { ComputeError, type ErrorClass } from '../errors.ts';
import type { EventSink, InstanceMoment, Intents, RequestContext } from './events.ts';
import { Phases } from './phases.ts';
import { placementRequestOf } from './placement_request.ts';
import { holdingsMismatch } from './verify.ts';

export type CreateInstanceDeps = {
  readonly driver: ComputeDriver;
  readonly gate: AdmissionGate;
  readonly ledger: ClaimLedger;
  readonly emit: EventSink;
  readonly intents: Intents;
  readonly log: Logger;
  readonly imagesPath: string;
  readonly defaultPageSize: string;
  /** Told of a build that could not be taken back at once. */
  readonly leaveForLater: (uuid: string) => void;
};

/**
 * Builds the instance, or answers with the one that the same request built before.
 * @throws {ComputeError} of every class but InstanceNotFound.
 */
export async function createInstance(
  deps: CreateInstanceDeps,
  request: InstanceRequest,
  context: RequestContext,
): Promise<GuestInfo> {
  const phases = new Phases('create');
  const placementRequest = placementRequestOf(request, deps.defaultPageSize);
  const existing = await deps.driver.getInfo(request.uuid);
  if (existing !== undefined && isFinished(existing)) return sameRequestOrConflict(existing, request);
  // Nobody else builds in this lane: what is unfinished was left by a build that failed and could not be taken back.
  if (existing !== undefined) await deps.driver.destroy(request.uuid);
  phases.end('lookup');

  const log = deps.log.child({ instance: request.uuid, requestId: context.requestId });
  const moment: InstanceMoment = { instance: request, createdAt: new Date().toISOString(), launchedAt: null, context };
  deps.emit({ kind: 'create.start', ...moment });
  const undo = new UndoStack();
  try {
    const info = await build(deps, { request, placementRequest, moment, undo, log, phases });
    undo.forget();
    deps.emit({ kind: 'create.end', ...moment, launchedAt: info.instance.launchedAt });
    log.info('instance runs', { placement: info.instance.placement, phases_ms: phases.ms });
    return info;
  } catch (error) {
    for (const failure of await undo.unwind()) {
      log.error('a step of a failed build could not be taken back', {
        step: failure.step,
        error: String(failure.error),
      });
      deps.leaveForLater(request.uuid);
    }
    deps.emit({ kind: 'create.error', ...moment, error: describeError(error) });
    if (error instanceof ComputeError) {
      log.warn('instance not created', { error_class: error.errorClass, reason: error.message });
    }
    throw error;
  }
}

type BuildJob = {
  readonly request: InstanceRequest;
  readonly placementRequest: PlacementRequest;
  readonly moment: InstanceMoment;
  readonly undo: UndoStack;
  readonly log: Logger;
  readonly phases: Phases;
};

async function build(deps: CreateInstanceDeps, job: BuildJob): Promise<GuestInfo> {
  const { request, undo, log, phases } = job;
  const image = await imageOf(request, deps.imagesPath);

  const admission = await deps.gate.admit(
    { instanceUuid: request.uuid, projectId: request.projectId },
    job.placementRequest,
  );
  if (!admission.admitted) throw refusalError(admission.refusal);
  undo.push('claim', () => deps.ledger.end(admission.claim));
  const instance: Instance = {
    ...request,
    placement: admission.placement,
    tuning: tuningOf(job.placementRequest),
    createdAt: job.moment.createdAt,
    launchedAt: null,
  };
  log.debug('claimed', { placement: instance.placement });
  phases.end('claim');

  // Before the start, because a start that fails may have left something that its own undo could not reach.
  undo.push('guest', async () => void (await deps.driver.destroy(request.uuid)));
  await deps.driver.spawn(instance, image);
  phases.end('spawn');

  const placement = await verifiedPlacement(deps.driver, instance, log);
  // Settled: from here on the kernel's free count lacks these pages, and the claim must not be counted beside it.
  deps.ledger.end(admission.claim);
  phases.end('verify');

  const launchedAt = new Date().toISOString();
  undo.push('intent', () => deps.intents.drop('create.end', request.uuid));
  deps.intents.intend({ kind: 'create.end', ...job.moment, launchedAt });
  await deps.driver.saveInstance({ ...instance, placement, launchedAt });
  const info = await deps.driver.getInfo(request.uuid);
  if (info === undefined) throw new ComputeError('InstanceSpawnFailed', 'the guest was gone as soon as it ran');
  phases.end('keep');
  return info;
}

/** The placement, with the nodes that the kernel has chosen where the guest is split. */
async function verifiedPlacement(driver: ComputeDriver, instance: Instance, log: Logger): Promise<Placement> {
  const held = await driver.getHoldings(instance.uuid);
  if (held === undefined) {
    log.warn('the pages of the guest cannot be verified: the kernel of its host cannot be asked');
    return instance.placement;
  }
  const mismatch = holdingsMismatch(instance.placement, held);
  if (mismatch.length > 0) {
    throw new ComputeError('InstanceSpawnFailed', `the guest did not get its pages: ${mismatch.join('; ')}`, { held });
  }
  return asHeld(instance.placement, held);
}

function tuningOf({ topology, realtimeVcpus, lockedMemory }: PlacementRequest): GuestTuning {
  const { cpuPolicy, emulatorPolicy } = topology;
  return { cpuPolicy, emulatorPolicy, realtimeVcpus, lockedMemory };
}

/** A guest whose pages were verified and whose caller could be answered. */
export function isFinished(guest: GuestInfo): boolean {
  return guest.instance.launchedAt !== null;
}

/** Asking twice is asking once; asking for something else under the same uuid is a mistake. */
function sameRequestOrConflict(existing: GuestInfo, request: InstanceRequest): GuestInfo {
  const differing = differingFields(existing.instance, request);
  if (differing.length === 0) return existing;
  const message = `instance ${request.uuid} exists and was made from another request: ${differing.join(', ')} differ`;
  throw new ComputeError('InstanceConflict', message, { fields: differing });
}

/** Names of the request's fields in which the two differ. */
function differingFields(one: InstanceRequest, other: InstanceRequest): string[] {
  const fields = ['name', 'projectId', 'userId', 'flavor', 'imageId', 'imageProperties', 'metadata'] as const;
  return fields.filter((field) => canonical(one[field]) !== canonical(other[field]));
}

/** JSON with sorted keys: the order in which a caller wrote them means nothing. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

async function imageOf(request: InstanceRequest, imagesPath: string): Promise<Image | null> {
  if (request.imageId === null) return null;
  try {
    return await findImage(imagesPath, request.imageId);
  } catch (error) {
    if (!(error instanceof ImageUnusableError)) throw error;
    throw new ComputeError('ImageNotFound', error.message, { image: request.imageId }, error);
  }
}

const REFUSAL_CLASSES: Readonly<Record<Refusal['reason'], ErrorClass>> = {
  'page-size-not-supported': 'MemoryPageSizeNotSupported',
  'not-whole-pages': 'MemoryNotWholePages',
  'too-few-nodes': 'ComputeResourcesUnavailable',
  'insufficient-resources': 'ComputeResourcesUnavailable',
  'host-memory': 'ComputeResourcesUnavailable',
  'project-quota': 'ProjectQuotaExceeded',
};

function refusalError(refusal: Refusal): ComputeError {
  const errorClass = REFUSAL_CLASSES[refusal.reason];
  const sentence = describeRefusal(refusal);
  // Nova's own wording before the reason, so that whoever greps for it finds it.
  const message =
    errorClass === 'ComputeResourcesUnavailable' ? `Insufficient compute resources: ${sentence}` : sentence;
  return new ComputeError(errorClass, message, { refusal });
}

function describeError(error: unknown): { errorClass: ErrorClass | 'InternalError'; message: string } {
  if (error instanceof ComputeError) return { errorClass: error.errorClass, message: error.message };
  return { errorClass: 'InternalError', message: 'internal error; the log of the host has the details' };
}
