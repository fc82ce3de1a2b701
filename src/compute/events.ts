/** What compute tells of an instance's life. Who listens, and in which wire format it goes on, is not known here. */
import type { PowerState } from '../compute_driver.ts';
import type { InstanceRequest } from '../instance.ts';
import type { ErrorClass } from '../errors.ts';

/** Who asked: carried through for logs and notifications, never decided upon. */
export type RequestContext = {
  readonly requestId?: string;
  /** The caller's context as it came; consumers pick what is safe to pass on. */
  readonly attributes: Readonly<Record<string, unknown>>;
};

export type InstanceMoment = {
  readonly instance: InstanceRequest;
  readonly createdAt: string;
  readonly launchedAt: string | null;
  readonly context: RequestContext;
};

/** What is true as soon as an effect is done. */
export type EndEvent =
  | (InstanceMoment & { readonly kind: 'create.end' })
  | (InstanceMoment & { readonly kind: 'delete.end'; readonly deletedAt: string });

export type InstanceEvent =
  | EndEvent
  | (InstanceMoment & { readonly kind: 'create.start' | 'delete.start' })
  | (InstanceMoment & {
      readonly kind: 'create.error';
      readonly error: { readonly errorClass: ErrorClass | 'InternalError'; readonly message: string };
    })
  /** The guest runs, stands or has ended otherwise than by a request: by itself, or by somebody beside us. */
  | (InstanceMoment & {
      readonly kind: 'update';
      readonly oldPowerState: PowerState;
      readonly powerState: PowerState;
      readonly at: string;
    })
  /** The instance was there at the end of a period. */
  | (InstanceMoment & {
      readonly kind: 'exists';
      readonly powerState: PowerState;
      readonly beginning: string;
      readonly ending: string;
    });

/** Takes an event for good, without failing and without making the build wait: when it returns, it will be told. */
export type EventSink = (event: InstanceEvent) => void;

/**
 * What will be told of an effect, noted before the effect: an agent that dies between the two leaves it for the next one,
 * which looks whether the effect was done. Telling the event ends the intent.
 */
export interface Intents {
  /** In place of an earlier one of the same kind and instance. */
  intend(event: EndEvent): void;
  of(kind: EndEvent['kind'], uuid: string): EndEvent | undefined;
  /** It did not come to that. */
  drop(kind: EndEvent['kind'], uuid: string): void;
  all(): readonly EndEvent[];
}
