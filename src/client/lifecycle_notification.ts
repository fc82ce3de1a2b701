/** What became of instances, as notifications tell it: Nova's `compute.instance.*`, read back. Pure. */
import { z } from 'zod';
import type { NotificationMessage } from '../rpc/index.ts';

/** What is told of an instance's life. */
export const LIFECYCLE_EVENTS = ['create.start', 'create.end', 'create.error', 'delete.start', 'delete.end'] as const;

export type LifecycleEvent = (typeof LIFECYCLE_EVENTS)[number];

const PREFIX = 'compute.instance.';

/** The keys that say something here; Nova's others are there too, as they came. Empty text: not yet, or not at all. */
const payloadSchema = z.looseObject({
  instance_id: z.string(),
  display_name: z.string(),
  tenant_id: z.string(),
  user_id: z.string(),
  /** Null where a Nova tells of an instance that has no host yet. */
  host: z.string().nullable(),
  state: z.string(),
  state_description: z.string(),
  memory_mb: z.number(),
  vcpus: z.number(),
  disk_gb: z.number(),
  created_at: z.string(),
  launched_at: z.string(),
  deleted_at: z.string(),
  /** Of create.end and create.error. */
  message: z.string().optional(),
  /** Of create.error: the class of the error, and its message. */
  exception: z.string().optional(),
});

export type LifecyclePayload = z.output<typeof payloadSchema>;

export type LifecycleNotification = {
  readonly event: LifecycleEvent;
  /** As it is on the wire: `compute.instance.create.end`. */
  readonly eventType: string;
  /** Of the instance. */
  readonly uuid: string;
  readonly payload: LifecyclePayload;
  /** When it was sent: ISO 8601, UTC. */
  readonly timestamp: string;
  /** `info`, or `error` for create.error. */
  readonly priority: string;
  readonly publisherId: string;
  readonly messageId: string;
  /** Of the request that it is about, where its sender said. */
  readonly requestId: string | undefined;
};

/** Reads a notification; undefined where it tells nothing of an instance's life, or not in Nova's words. */
export function lifecycleNotificationOf(message: NotificationMessage): LifecycleNotification | undefined {
  const event = LIFECYCLE_EVENTS.find((kind) => message.eventType === PREFIX + kind);
  const payload = payloadSchema.safeParse(message.payload);
  if (event === undefined || !payload.success) return undefined;
  const requestId = message.context['request_id'];
  return {
    event,
    eventType: message.eventType,
    uuid: payload.data.instance_id,
    payload: payload.data,
    timestamp: isoTime(message.timestamp),
    priority: message.priority.toLowerCase(),
    publisherId: message.publisherId,
    messageId: message.messageId,
    requestId: typeof requestId === 'string' ? requestId : undefined,
  };
}

/** Python's naive UTC `YYYY-MM-DD HH:MM:SS.ffffff`; what is written otherwise stays as it came. */
function isoTime(text: string): string {
  return /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d+)?$/.test(text) ? `${text.replace(' ', 'T')}Z` : text;
}
