// oslo.messaging's bodies, both ways (oslo.messaging 14, envelope 2.0): pure, no I/O, no clock, no ids of its own.
//
//   {"oslo.version": "2.0", "oslo.message": "<JSON text>"}       the inner message is JSON inside a JSON string
//   request       method, args, namespace, version, _msg_id, _reply_q, _timeout, _unique_id, _context_<key>
//   reply         result, failure (again JSON in a string), ending, _msg_id, _unique_id
//   notification  message_id, publisher_id, event_type, priority, payload, timestamp, _unique_id, _context_<key>
//
// Decoding never throws: what another process sent is either a message or a `Rejection` that says why not, and whom to
// tell. A body without the two envelope keys is taken as the inner message itself (envelope version 1), as oslo does.
//
// Numbers that JavaScript cannot hold: a request with one is refused by name, for its handler would see another number
// or none; in replies and notifications they are taken as they are (bigint, NaN, infinities).

import { inflateSync } from 'node:zlib';
import type { Failure } from './errors.ts';
import { isFields, parseJson, stringify, type Oddity } from './json.ts';
import type { Rejection, RejectionReason } from './rejections.ts';

export type { Rejection, RejectionReason } from './rejections.ts';

export type Decoded<T> = { accepted: true; message: T } | { accepted: false; rejection: Rejection };

/** The message properties that decide whether a body can be read at all. */
export interface BodyProperties {
  contentType?: unknown;
  contentEncoding?: unknown;
  headers?: Record<string, unknown> | undefined;
}

export interface RequestMessage {
  method: string;
  args: Record<string, unknown>;
  namespace: string | null;
  /** Null only when encoding: leave the key out. A decoded request without one says `1.0`. */
  version: string | null;
  /** Null for casts: no reply of any kind is wanted. */
  msgId: string | null;
  replyQueue: string | null;
  /** Seconds of silence the caller bears (call monitor); null when it asks for no heartbeats. */
  monitorTimeoutSeconds: number | null;
  /** Null when the sender gave none: no duplicate detection then. */
  uniqueId: string | null;
  context: Record<string, unknown>;
}

export interface ReplyMessage {
  msgId: string;
  result: unknown;
  failure: Failure | null;
  /** False on call-monitor heartbeats, true on the one answer of a call. */
  ending: boolean;
}

export interface NotificationMessage {
  messageId: string;
  publisherId: string;
  eventType: string;
  /** Upper case, as in the body: INFO, ERROR, ... */
  priority: string;
  payload: unknown;
  /** Naive UTC, `YYYY-MM-DD HH:MM:SS.ffffff`. */
  timestamp: string;
  uniqueId: string | null;
  context: Record<string, unknown>;
}

const ENVELOPE_VERSION = '2.0';
const CONTEXT_PREFIX = '_context_';
// AMQP 0-9-1 short string: a longer routing key cannot be sent.
const MAX_ROUTING_KEY_BYTES = 255;
/** Bodies above are refused unread. */
export const DEFAULT_MAX_BYTES = 16 * 2 ** 20;
// RabbitMQ's own limit: nothing larger can come of one message, unless it is compressed.
const BROKER_MAX_BYTES = 128 * 2 ** 20;
// Where the caller of a message that is too large is looked for: at its end and its beginning.
const PEEKED_BYTES = 2 ** 16;

type Fields = Record<string, unknown>;

/** The body of a request; throws RpcError `not-encodable` for values JSON cannot hold. */
export function encodeRequest(request: RequestMessage): string {
  return seal({
    method: request.method,
    args: request.args,
    ...(request.namespace !== null && { namespace: request.namespace }),
    ...(request.version !== null && { version: request.version }),
    ...(request.msgId !== null && {
      _msg_id: request.msgId,
      _reply_q: request.replyQueue,
      _timeout: request.monitorTimeoutSeconds,
    }),
    ...(request.uniqueId !== null && { _unique_id: request.uniqueId }),
    ...prefixed(request.context),
  });
}

/** The body of a call's one answer; `undefined` crosses as null. Throws RpcError `not-encodable`. */
export function encodeResult(msgId: string, uniqueId: string, result: unknown): string {
  return seal({ result: result ?? null, failure: null, ending: true, _msg_id: msgId, _unique_id: uniqueId });
}

/** The body of a call's one answer when it failed. No traceback crosses. Throws RpcError `not-encodable`. */
export function encodeFailure(msgId: string, uniqueId: string, failure: Failure): string {
  const { className, module, message, args, kwargs } = failure;
  const text = stringify({ class: className, module, message, tb: [], args, kwargs });
  return seal({ result: null, failure: text, ending: true, _msg_id: msgId, _unique_id: uniqueId });
}

/** The body that tells a monitoring caller that its method is still at work. */
export function encodeHeartbeat(msgId: string, uniqueId: string): string {
  return seal({ result: null, failure: null, ending: false, _msg_id: msgId, _unique_id: uniqueId });
}

/** oslo's notification drivers: with an envelope, or the message alone. */
export type NotificationFormat = 'messagingv2' | 'messaging';

/** The body of a notification; throws RpcError `not-encodable`. */
export function encodeNotification(
  notification: NotificationMessage,
  format: NotificationFormat = 'messagingv2',
): string {
  const fields = {
    message_id: notification.messageId,
    publisher_id: notification.publisherId,
    event_type: notification.eventType,
    priority: notification.priority,
    payload: notification.payload,
    timestamp: notification.timestamp,
    ...(notification.uniqueId !== null && { _unique_id: notification.uniqueId }),
    ...prefixed(notification.context),
  };
  return format === 'messagingv2' ? seal(fields) : stringify(fields);
}

/**
 * Reads a request. A rejection names the waiting caller whenever its two fields could be read. A body beyond `maxBytes`
 * (compressed or not) is never parsed: its caller is looked for at its end and its beginning alone.
 */
export function decodeRequest(
  body: Uint8Array,
  properties: BodyProperties = {},
  maxBytes = DEFAULT_MAX_BYTES,
): Decoded<RequestMessage> {
  const opened = open(body, properties, maxBytes);
  if (!opened.accepted) return opened;
  const { fields, oddity } = opened;
  if (oddity) return rejected(oddity.reason, fields, oddity.literal);
  const refuse = (reason: RejectionReason): Decoded<RequestMessage> => rejected(reason, fields);

  // An empty id is no id, as for oslo.
  const msgId = fields['_msg_id'] === '' ? null : (fields['_msg_id'] ?? null);
  const replyQueue = fields['_reply_q'] ?? null;
  if (!isTextOrNull(msgId)) return refuse('msg-id');
  if (!isTextOrNull(replyQueue) || (msgId !== null && !isRoutingKey(replyQueue))) return refuse('reply-queue');

  const monitorTimeoutSeconds = fields['_timeout'] ?? null;
  if (monitorTimeoutSeconds !== null && typeof monitorTimeoutSeconds !== 'number') return refuse('timeout');
  const uniqueId = fields['_unique_id'] ?? null;
  if (!isTextOrNull(uniqueId)) return refuse('unique-id');

  const { method, args = {} } = fields;
  if (typeof method !== 'string' || method === '') return refuse('method');
  if (!isFields(args)) return refuse('args');
  const namespace = fields['namespace'] ?? null;
  if (!isTextOrNull(namespace)) return refuse('namespace');
  const version = fields['version'] ?? '1.0';
  if (typeof version !== 'string') return refuse('version');

  const context = contextOf(fields);
  return {
    accepted: true,
    message: { method, args, namespace, version, msgId, replyQueue, monitorTimeoutSeconds, uniqueId, context },
  };
}

/** Reads a reply or heartbeat. */
export function decodeReply(body: Uint8Array, properties: BodyProperties = {}): Decoded<ReplyMessage> {
  const opened = open(body, properties, BROKER_MAX_BYTES);
  if (!opened.accepted) return opened;
  const { fields, oddity } = opened;
  if (oddity?.isLost) return rejected(oddity.reason, fields, oddity.literal);
  const msgId = fields['_msg_id'];
  if (typeof msgId !== 'string' || msgId === '') return rejected('msg-id', fields);
  const ending = fields['ending'];
  if (typeof ending !== 'boolean') return rejected('ending', fields);
  const failure = decodeFailure(fields['failure']);
  if (failure === undefined) return rejected('failure', fields);
  return { accepted: true, message: { msgId, ending, failure, result: fields['result'] ?? null } };
}

/** Reads a notification, enveloped (`messagingv2`) or bare (`messaging`). */
export function decodeNotification(body: Uint8Array, properties: BodyProperties = {}): Decoded<NotificationMessage> {
  const opened = open(body, properties, BROKER_MAX_BYTES);
  if (!opened.accepted) return opened;
  const { fields, oddity } = opened;
  if (oddity?.isLost) return rejected(oddity.reason, fields, oddity.literal);
  const text = (key: string): string => (typeof fields[key] === 'string' ? fields[key] : '');
  const uniqueId = fields['_unique_id'] ?? null;
  if (text('event_type') === '' || text('priority') === '') return rejected('notification', fields);
  if (!isTextOrNull(uniqueId)) return rejected('unique-id', fields);
  return {
    accepted: true,
    message: {
      messageId: text('message_id'),
      publisherId: text('publisher_id'),
      eventType: text('event_type'),
      priority: text('priority'),
      payload: fields['payload'] ?? null,
      timestamp: text('timestamp'),
      uniqueId,
      context: contextOf(fields),
    },
  };
}

// Null: no failure. Undefined: not to be understood. Servers other than oslo's leave out all but the class and message.
function decodeFailure(value: unknown): Failure | null | undefined {
  if (value === null || value === undefined || value === '') return null;
  const parsed = typeof value === 'string' ? parseJson(value)?.value : value;
  if (!isFields(parsed)) return undefined;
  const { class: className, module, message, args, kwargs } = parsed;
  return {
    className: typeof className === 'string' ? className : 'RemoteError',
    module: typeof module === 'string' ? module : '',
    message: typeof message === 'string' ? message : '',
    args: Array.isArray(args) ? args : [],
    kwargs: isFields(kwargs) ? kwargs : {},
  };
}

type Opened = { accepted: true; fields: Fields; oddity: Oddity | null } | { accepted: false; rejection: Rejection };

/** Bytes to the inner message's fields. */
function open(body: Uint8Array, properties: BodyProperties, maxBytes: number): Opened {
  if (body.byteLength > maxBytes) return rejected('too-large', callerIn(body), sizes(body.byteLength, maxBytes));
  const plain = inflated(body, properties, maxBytes);
  if (typeof plain === 'string') return rejected(plain, callerIn(body));

  const outer = readOuter(plain);
  if (typeof outer === 'string') return rejected(outer, {});
  const enveloped = 'oslo.version' in outer.fields && 'oslo.message' in outer.fields;
  const inner = enveloped ? readInner(outer.fields['oslo.message']) : outer;
  if (typeof inner === 'string') return rejected(inner, {});

  if (!isJsonType(properties)) return rejected('content-type', inner.fields);
  // oslo.messaging 14 takes 2.0 alone: neither 1.0 nor 2.1.
  if (enveloped && outer.fields['oslo.version'] !== ENVELOPE_VERSION) return rejected('envelope-version', inner.fields);
  return { accepted: true, fields: inner.fields, oddity: outer.oddity ?? inner.oddity };
}

/** What kombu wrote with `kombu_compression` (gzip, by that name alone: it is zlib's format), as it was before. */
function inflated(body: Uint8Array, { headers }: BodyProperties, maxBytes: number): Uint8Array | RejectionReason {
  const compression = headers?.['compression'];
  if (compression === undefined) return body;
  if (compression !== 'application/x-gzip') return 'compressed';
  try {
    return inflateSync(body, { maxOutputLength: maxBytes });
  } catch (error) {
    return error instanceof RangeError ? 'too-large' : 'compressed';
  }
}

/** Who waits for the answer to a body that is not parsed: its last `_msg_id` and `_reply_q` that are keys. */
function callerIn(body: Uint8Array): Fields {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const parts = [bytes.subarray(-PEEKED_BYTES), bytes.subarray(0, PEEKED_BYTES)].map((part) => part.toString('latin1'));
  const lastOf = (key: string): string | undefined => {
    // In an envelope a quote of the message has one backslash; a quote inside one of its strings has three.
    const pattern = new RegExp(String.raw`(?<!\\)(\\?)"${key}\1":\s?\1"([\w.-]{1,255})\1"`, 'g');
    return parts.flatMap((part) => [...part.matchAll(pattern)].at(-1)?.[2] ?? []).at(0);
  };
  return { _msg_id: lastOf('_msg_id'), _reply_q: lastOf('_reply_q') };
}

function sizes(byteLength: number, maxBytes: number): string {
  return `${byteLength} bytes, ${maxBytes} at most`;
}

type Read = { fields: Fields; oddity: Oddity | null } | RejectionReason;

function readOuter(body: Uint8Array): Read {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return 'not-utf8';
  }
  return readObject(text);
}

function readInner(text: unknown): Read {
  return typeof text === 'string' ? readObject(text) : 'envelope-message';
}

function readObject(text: string): Read {
  const parsed = parseJson(text);
  if (!parsed) return 'not-json';
  return isFields(parsed.value) ? { fields: parsed.value, oddity: parsed.oddity } : 'not-an-object';
}

// oslo refuses a body without content type; one that reads as JSON all the same does no harm.
function isJsonType({ contentType, contentEncoding }: BodyProperties): boolean {
  if (contentType !== undefined && contentType !== 'application/json') return false;
  return contentEncoding === undefined || isUtf8(contentEncoding);
}

function rejected(reason: RejectionReason, fields: Fields, detail?: string): { accepted: false; rejection: Rejection } {
  const { _msg_id: msgId, _reply_q: replyQueue } = fields;
  return {
    accepted: false,
    rejection: {
      reason,
      ...(detail !== undefined && { detail }),
      ...(typeof msgId === 'string' && msgId !== '' && { msgId }),
      ...(isRoutingKey(replyQueue) && { replyQueue }),
    },
  };
}

function contextOf(fields: Fields): Fields {
  // fromEntries defines keys instead of assigning them: a key named __proto__ stays a plain key.
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([key]) => key.startsWith(CONTEXT_PREFIX))
      .map(([key, value]) => [key.slice(CONTEXT_PREFIX.length), value]),
  );
}

function prefixed(context: Fields): Fields {
  return Object.fromEntries(Object.entries(context).map(([key, value]) => [CONTEXT_PREFIX + key, value]));
}

function seal(fields: Fields): string {
  return stringify({ 'oslo.version': ENVELOPE_VERSION, 'oslo.message': stringify(fields) });
}

function isUtf8(contentEncoding: unknown): boolean {
  return typeof contentEncoding === 'string' && /^utf-?8$/i.test(contentEncoding);
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

function isRoutingKey(value: unknown): value is string {
  return (
    typeof value === 'string' && value !== '' && new TextEncoder().encode(value).byteLength <= MAX_ROUTING_KEY_BYTES
  );
}
