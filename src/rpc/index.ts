// oslo.messaging's RPC and notifications over RabbitMQ. The room's only door: other rooms import from here alone.

export { BrokerConnection, type BrokerOptions } from './broker.ts';
export { RpcClient, type CallOptions, type CastOptions, type RpcClientOptions } from './client.ts';
export { deadLetterQueue, sortDeadLetters, type DeadLetter, type Fate } from './dead_letters.ts';
export type { Endpoint, Handler, HandlerRequest, Method } from './dispatch.ts';
export type { NotificationMessage } from './envelope.ts';
export {
  BrokerUnavailableError,
  MessagingTimeout,
  RemoteError,
  RemoteFault,
  RpcError,
  UnroutableError,
  type Failure,
  type RpcErrorCode,
} from './errors.ts';
export type { RpcLogger } from './logger.ts';
export {
  NotificationListener,
  type HeardNotification,
  type NotificationListenerOptions,
} from './notification_listener.ts';
export {
  Notifier,
  prepareNotification,
  safeContext,
  type Notification,
  type NotificationPriority,
  type PreparedNotification,
} from './notifier.ts';
export type { PublishOptions } from './publisher.ts';
export { REQUEST_STEPS } from './request_desk.ts';
export { MemoryRequestStore, type RequestStore } from './request_store.ts';
export { RpcServer, type Readiness, type RequestCounts, type RpcServerOptions } from './server.ts';
export { SqliteRequestStore } from './sqlite_request_store.ts';
export { explainRefusal } from './refusals.ts';
export {
  declareControlExchange,
  declareFanoutExchange,
  declareSharedQueue,
  fanoutExchange,
  fanoutQueue,
  hexId,
  serverQueue,
  type TopologyFlags,
} from './topology.ts';
export { describe as describeTransportUrl, parseTransportUrl, type TransportUrl } from './transport_url.ts';
