/** A request that is read, or the error that its caller is told: the same for whoever builds and whoever only asks. */
import { readPlacementRequest, type PlacementRequest } from '../admission/request.ts';
import { ComputeError } from '../errors.ts';
import type { FlavorRequest, ImageProperties } from '../numa/request_errors.ts';

/** What of an instance decides its placement. */
export type PlacementWish = {
  /** Memory in MiB. */
  readonly flavor: FlavorRequest;
  readonly imageProperties: ImageProperties;
};

/**
 * Reads the wish.
 * @param defaultPageSize as {@link readPlacementRequest} has it.
 * @throws {ComputeError} of the class of Nova's answer.
 */
export function placementRequestOf(wish: PlacementWish, defaultPageSize: string): PlacementRequest {
  const result = readPlacementRequest(wish.flavor, wish.imageProperties, defaultPageSize);
  if (result.ok) return result.request;
  const [first] = result.errors;
  if (first === undefined) throw new Error('a request was refused without an error');
  // The class is the first one's, which is Nova's answer; the message has them all.
  const message = result.errors.map((error) => error.message).join('; ');
  throw new ComputeError(first.errorClass, message, { field: first.field, errors: result.errors });
}
