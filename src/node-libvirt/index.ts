/** node-libvirt: libvirt's RPC protocol in TypeScript. What is not exported here is not public. */
export type { Credentials, CredentialsRequest, SaslMechanism } from './auth/sasl.ts';
export type { Caller, Opened } from './calls/caller.ts';
export type * from './calls/connect_calls.ts';
export type * from './calls/domain_calls.ts';
export type * from './calls/domain_qemu_calls.ts';
export type * from './calls/domain_snapshot_calls.ts';
export type * from './calls/libvirt_calls.ts';
export type * from './calls/network_calls.ts';
export type * from './calls/node_calls.ts';
export type * from './calls/node_device_calls.ts';
export type * from './calls/nw_filter_calls.ts';
export type * from './calls/secret_calls.ts';
export type {
  DomainBlockJobInfo,
  DomainJobStats,
  DomainMemoryStats,
  DomainStatsRecord,
  DomainVcpu,
} from './calls/shapes.ts';
export type * from './calls/storage_pool_calls.ts';
export type * from './calls/storage_vol_calls.ts';
export { connect, type ConnectOptions } from './connection/connect.ts';
export { Connection } from './connection/connection.ts';
export {
  reconnecting,
  type ConnectionUp,
  type Loss,
  type Reconnecting,
  type ReconnectingOptions,
  type WaitOptions,
} from './connection/reconnecting.ts';
export * from './constants/index.ts';
export { ErrorCode, ErrorDomain, ErrorLevel } from './error_codes.ts';
export {
  AuthError,
  CallTimeoutError,
  ConnectError,
  ConnectErrorCode,
  ConnectionClosedError,
  LibvirtError,
  ProtocolError,
  UriError,
  type ConnectErrorDetails,
  type LibvirtErrorDetails,
} from './errors.ts';
export { Events, type EventName, type EventOf } from './events/definitions.ts';
export type { EventStreamOptions, SubscribeOptions } from './events/event_center.ts';
export type { Listener, Subscription } from './events/event_hub.ts';
export { EventStream } from './events/event_stream.ts';
export type { EventBody, EventDefinition, Registrar, Registration } from './events/kinds.ts';
export type { DomainLifecycleEvent, LifecycleEventName } from './events/lifecycle.ts';
export { Procedures } from './procedures/index.ts';
export {
  remoteProcedure,
  type Entry,
  type Message,
  type Method,
  type OwnProcedureOptions,
  type Procedure,
  type StreamDirection,
  type TableProcedure,
} from './procedures/procedure.ts';
export type { CallOptions } from './session/pending_call.ts';
export type { CloseReason, SessionStats } from './session/session.ts';
export { duplexTransport } from './transport/duplex.ts';
export type { TransportOptions } from './transport/open.ts';
export type { SshOptions } from './transport/ssh.ts';
export type { TlsOptions } from './transport/tls.ts';
export type { Transport, TransportHandlers } from './transport/transport.ts';
export type { Choice } from './wire/choice.ts';
export type {
  Domain,
  DomainSnapshot,
  Network,
  NodeDevice,
  NWFilter,
  Secret,
  StoragePool,
  StorageVol,
} from './wire/objects.ts';
export { param, toRecord, type TypedParam, type TypedParamRecord } from './wire/typed_params.ts';
export * as xdr from './wire/layouts.ts';
