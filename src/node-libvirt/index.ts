/** node-libvirt: libvirt's RPC protocol in TypeScript. What is not exported here is not public. */
export { connect, type ConnectOptions } from './connect.ts';
export {
  Connection,
  type ConnectionSettings,
  type DomainLifecycleEvent,
  type LifecycleEventName,
} from './connection.ts';
export * from './constants.ts';
export type { DomainCapabilitiesQuery, NodeInfo } from './connect_calls.ts';
export type { DomainInfo, DomainMetadata, DomainMetadataQuery, DomainStateAndReason } from './domain_calls.ts';
export type { DomainMemoryStats, DomainStatsRecord } from './domain_statistics_calls.ts';
export { ErrorCode, ErrorDomain, ErrorLevel } from './error_codes.ts';
export {
  AuthError,
  CallTimeoutError,
  ConnectError,
  ConnectionClosedError,
  LibvirtError,
  ProtocolError,
  type LibvirtErrorDetails,
} from './errors.ts';
export type { Subscription } from './event_hub.ts';
export type { CallOptions } from './pending_call.ts';
export { domain, Procedures, remoteProcedure, type Domain, type Procedure } from './procedures.ts';
export type { CloseReason, SessionStats } from './session.ts';
export { toRecord, typedParams, type TypedParam, type TypedParamRecord } from './typed_params.ts';
export * as xdr from './xdr.ts';
