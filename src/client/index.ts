// hugenode for control planes in TypeScript and JavaScript: what the package exports.

export type { PlanView } from '../api/plan_views.ts';
export type { UsageView } from '../api/usage_view.ts';
export type { HostView, InstanceView } from '../api/views.ts';
export type { RpcLogger, TopologyFlags } from '../rpc/index.ts';
export { HugenodeClient, type HugenodeClientOptions } from './client.ts';
export {
  AnswerTimeoutError,
  ApiError,
  BrokerAwayError,
  HugenodeError,
  NoSuchHostError,
  type ApiErrorClass,
} from './errors.ts';
export {
  HugenodeHost,
  type AskOptions,
  type CountPlanView,
  type CreateInstanceArgs,
  type FillPlanView,
  type PlanInstanceArgs,
  type UsageArgs,
} from './host.ts';
export {
  LIFECYCLE_EVENTS,
  type LifecycleEvent,
  type LifecycleNotification,
  type LifecyclePayload,
} from './lifecycle_notification.ts';
export { NotificationStream, type NotificationSource, type WatchOptions } from './notification_stream.ts';
