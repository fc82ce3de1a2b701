// Why a body that another process sent was refused, and what its sender is told.

export type RejectionReason =
  | 'too-large'
  | 'content-type'
  | 'compressed'
  | 'not-utf8'
  | 'not-json'
  | 'not-finite'
  | 'unsafe-integer'
  | 'not-an-object'
  | 'envelope-version'
  | 'envelope-message'
  | 'msg-id'
  | 'reply-queue'
  | 'timeout'
  | 'unique-id'
  | 'method'
  | 'args'
  | 'namespace'
  | 'version'
  | 'ending'
  | 'failure'
  | 'notification';

/** Why a body was refused; with both `msgId` and `replyQueue` its sender waits for an answer and can be given one. */
export interface Rejection {
  reason: RejectionReason;
  /** What exactly, where that can be said: a number as it was written, a size. */
  detail?: string;
  msgId?: string;
  replyQueue?: string;
}

const WORDS: Readonly<Record<RejectionReason, string>> = {
  'too-large': 'the message is larger than the receiver takes',
  'content-type': 'the content type is not application/json in UTF-8',
  compressed: 'the body is compressed in a way that is not understood (gzip is)',
  'not-utf8': 'the body is not UTF-8',
  'not-json': 'the body is not JSON',
  'not-finite': 'a number is neither finite nor JSON',
  'unsafe-integer': 'an integer is beyond 2^53 and would be rounded',
  'not-an-object': 'the message is not a JSON object',
  'envelope-version': 'oslo.version is not 2.0',
  'envelope-message': 'oslo.message is not a string',
  'msg-id': '_msg_id is not a string',
  'reply-queue': '_reply_q is not the name of a queue',
  timeout: '_timeout is not a number',
  'unique-id': '_unique_id is not a string',
  method: 'method is not a name',
  args: 'args is not an object',
  namespace: 'namespace is not a string',
  version: 'version is not a string',
  ending: 'ending is neither true nor false',
  failure: 'failure is not JSON',
  notification: 'event_type or priority is missing',
};

/** The rejection as its sender is told: the reason's name, its words, and what exactly. */
export function explainRejection({ reason, detail }: Rejection): string {
  return `The request cannot be read: ${reason}: ${WORDS[reason]}${detail === undefined ? '' : ` (${detail})`}`;
}
