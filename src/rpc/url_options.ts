// The query of a transport URL: options of oslo.messaging's [oslo_messaging_rabbit] that win over the settings, as there
// (`rabbit://...?rabbit_quorum_queue=true&heartbeat_timeout_threshold=30`). Pure.

import { RpcError } from './errors.ts';
import type { TopologyFlags } from './topology.ts';

export type LoginMethod = 'PLAIN' | 'AMQPLAIN' | 'EXTERNAL';

/** What the query says; what it does not mention is absent. */
export interface UrlOptions {
  ssl?: boolean;
  /** PEM files. */
  tlsFiles: { ca?: string; cert?: string; key?: string };
  heartbeatSeconds?: number;
  loginMethod?: LoginMethod;
  /** 0, oslo's default of no limit, counts as absent. */
  prefetch?: number;
  /** Before the first attempt to connect again, and at most between two. */
  firstDelayMs?: number;
  maxDelayMs?: number;
  flags: TopologyFlags;
  /** Names that mean nothing here: of oslo.messaging's options without use, and of no option at all. */
  unused: string[];
  unknown: string[];
}

// Options of oslo.messaging 14 (and 17) that are about its own threads, pools and habits, or have one value here.
const UNUSED = new Set([
  'conn_pool_min_size',
  'conn_pool_ttl',
  'direct_mandatory_flag',
  'enable_cancel_on_failover',
  'heartbeat_in_pthread',
  'heartbeat_rate',
  'hostname',
  'kombu_compression',
  'kombu_failover_strategy',
  'kombu_missing_consumer_retry_timeout',
  'processname',
  'rabbit_ha_queues',
  'rabbit_retry_backoff',
  'rabbit_stream_fanout',
  'rpc_conn_pool_size',
  'ssl_enforce_fips_mode',
  'ssl_enforce_hostname_verification',
  'ssl_version',
  'use_queue_manager',
]);

type Take = (options: UrlOptions, name: string, text: string) => void;

const READERS: Readonly<Record<string, Take>> = {
  ssl: (to, name, text) => (to.ssl = flagOf(name, text)),
  ssl_ca_file: (to, _name, text) => (to.tlsFiles.ca = text),
  ssl_cert_file: (to, _name, text) => (to.tlsFiles.cert = text),
  ssl_key_file: (to, _name, text) => (to.tlsFiles.key = text),
  heartbeat_timeout_threshold: (to, name, text) => (to.heartbeatSeconds = countOf(name, text)),
  // amqplib's own name.
  heartbeat: (to, name, text) => (to.heartbeatSeconds = countOf(name, text)),
  rabbit_login_method: (to, name, text) => (to.loginMethod = loginMethodOf(name, text)),
  rabbit_qos_prefetch_count: (to, name, text) => {
    const count = countOf(name, text);
    if (count > 0) to.prefetch = count;
  },
  kombu_reconnect_delay: (to, name, text) => (to.firstDelayMs = longest(to.firstDelayMs, secondsOf(name, text))),
  rabbit_retry_interval: (to, name, text) => (to.firstDelayMs = longest(to.firstDelayMs, secondsOf(name, text))),
  rabbit_interval_max: (to, name, text) => (to.maxDelayMs = secondsOf(name, text)),
  amqp_durable_queues: (to, name, text) => (to.flags.durable = flagOf(name, text)),
  amqp_auto_delete: (to, name, text) => (to.flags.autoDelete = flagOf(name, text)),
  rabbit_quorum_queue: (to, name, text) => (to.flags.quorum = flagOf(name, text)),
  rabbit_transient_quorum_queue: (to, name, text) => (to.flags.transientQuorum = flagOf(name, text)),
  rabbit_transient_queues_ttl: (to, name, text) => (to.flags.transientExpiresMs = ttlOf(name, text)),
  rabbit_quorum_delivery_limit: (to, name, text) => (to.flags.deliveryLimit = countOf(name, text)),
  // oslo.messaging 14 spells them so.
  rabbit_quroum_max_memory_length: (to, name, text) => (to.flags.maxMemoryLength = countOf(name, text)),
  rabbit_quroum_max_memory_bytes: (to, name, text) => (to.flags.maxMemoryBytes = countOf(name, text)),
  rabbit_quorum_max_memory_length: (to, name, text) => (to.flags.maxMemoryLength = countOf(name, text)),
  rabbit_quorum_max_memory_bytes: (to, name, text) => (to.flags.maxMemoryBytes = countOf(name, text)),
};

// oslo.config's words.
const TRUE_WORDS = new Set(['1', 'true', 'yes', 'on']);
const FALSE_WORDS = new Set(['0', 'false', 'no', 'off']);
// AMQP's prefetch count and heartbeat have 16 bits; nothing here is sensibly larger than a day of ms.
const MAX_COUNT = 2 ** 31 - 1;

/** Reads the options of a query; throws RpcError `invalid-url` that names an option whose value does not fit. */
export function readUrlOptions(query: Readonly<Record<string, string>>): UrlOptions {
  const options: UrlOptions = { tlsFiles: {}, flags: {}, unused: [], unknown: [] };
  for (const [name, text] of Object.entries(query)) {
    if (Object.hasOwn(READERS, name)) READERS[name]?.(options, name, text);
    else if (UNUSED.has(name)) options.unused.push(name);
    else options.unknown.push(name);
  }
  return options;
}

function flagOf(name: string, text: string): boolean {
  const word = text.toLowerCase();
  if (TRUE_WORDS.has(word)) return true;
  if (FALSE_WORDS.has(word)) return false;
  throw unfit(name, 'true or false');
}

function countOf(name: string, text: string): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count <= MAX_COUNT)) throw unfit(name, 'a whole number from 0');
  return count;
}

function secondsOf(name: string, text: string): number {
  const ms = /^\d{1,10}(\.\d{1,9})?$/.test(text) ? Math.round(Number(text) * 1000) : Number.NaN;
  if (!(ms <= MAX_COUNT)) throw unfit(name, 'a number of seconds');
  return ms;
}

function ttlOf(name: string, text: string): number {
  const ms = countOf(name, text) * 1000;
  if (ms < 1 || ms > MAX_COUNT) throw unfit(name, 'a number of seconds from 1');
  return ms;
}

function loginMethodOf(name: string, text: string): LoginMethod {
  if (text === 'PLAIN' || text === 'AMQPLAIN' || text === 'EXTERNAL') return text;
  throw unfit(name, 'PLAIN, AMQPLAIN or EXTERNAL');
}

function longest(known: number | undefined, ms: number): number {
  return Math.max(known ?? 0, ms);
}

function unfit(name: string, expected: string): RpcError {
  return new RpcError('invalid-url', `transport URL: option ${name} is not ${expected}`);
}
