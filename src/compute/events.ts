/** What compute tells of an instance's life. Who listens, and in which wire format it goes on, is not known here. */
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

export type InstanceEvent =
  | (InstanceMoment & { readonly kind: 'create.start' | 'create.end' | 'delete.start' })
  | (InstanceMoment & { readonly kind: 'delete.end'; readonly deletedAt: string })
  | (InstanceMoment & {
      readonly kind: 'create.error';
      readonly error: { readonly errorClass: ErrorClass | 'InternalError'; readonly message: string };
    });

/** Takes events without failing and without making the build wait. */
export type EventSink = (event: InstanceEvent) => void;
