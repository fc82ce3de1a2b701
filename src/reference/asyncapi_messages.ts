/** The messages of the AsyncAPI document: what is inside oslo's envelope as schemas, and an example of each. Pure. */
import { API_VERSION } from '../api/endpoint.ts';
import { ERROR_MODULE } from '../api/faults.ts';
// The bodies alone, which rpc/'s door does not show: examples are written by what writes the real ones.
import { encodeFailure, encodeHeartbeat, encodeNotification, encodeRequest, encodeResult } from '../rpc/envelope.ts';
import type { Failure } from '../rpc/index.ts';
import { settingsSchema } from '../settings/schema.ts';
import { EXAMPLE_CALLS, EXAMPLE_HOST, exampleNotifications, exampleSamples } from './example_answers.ts';
import { exampleFailures } from './example_failures.ts';
import { inputSchema, jsonText, outputSchema, ref, type Json } from './json_schema.ts';
import { FAILURES, METHODS } from './methods.ts';
import { LIFECYCLE_ABOUT, LIFECYCLE_PAYLOADS, POLLING_PAYLOAD } from './notification_schemas.ts';

const { metering } = settingsSchema.parse({});

const MSG_ID = '17c587a1022f49fe9215c5eb9fd5ead0';
const UNIQUE_ID = '7779b8d457774d738ad70eb478ea11b2';
const REPLY_QUEUE = 'reply_99e7069a56774c80aa464efa0fb891ef';
const CONTEXT = { user_id: 'u-1', project_id: 'p-1', request_id: 'req-bc74d4d1-fc89-4565-8945-4bb4d50e94e7' };

/** Module of the classes that oslo.messaging raises itself. */
const DISPATCHER_MODULE = 'oslo_messaging.rpc.dispatcher';
const DISPATCHER_FAILURES = {
  NoSuchMethod: 'there is no method of that name; the class is oslo.messaging’s own',
  UnsupportedVersion: 'the namespace or version is not served; the class is oslo.messaging’s own',
};

export const requestName = (method: string): string => `${method}.request`;
export const resultName = (method: string): string => `${method}.result`;
export const failureName = (className: string): string => `failure.${className}`;
export const HEARTBEAT = 'heartbeat';
export const DEAD_LETTER = 'dead_letter';
export const SAMPLES = 'telemetry.polling';
export const REQUEST_NAMES = METHODS.map(({ name }) => requestName(name));
export const RESULT_NAMES = METHODS.map(({ name }) => resultName(name));
export const FAILURE_NAMES = [...Object.keys(FAILURES), ...Object.keys(DISPATCHER_FAILURES)].map(failureName);
export const LIFECYCLE_NAMES = { info: lifecycleNames('info'), error: lifecycleNames('error') };

type MessageText = { readonly name: string; readonly about: string; readonly correlation: string | null };

/** `components.messages`. */
export function messages(): Json {
  return {
    ...requests(),
    ...results(),
    ...failures(),
    heartbeat: heartbeat(),
    ...lifecycle(),
    [SAMPLES]: samples(),
    [DEAD_LETTER]: deadLetter(),
  };
}

/** `components.schemas`: what several messages have in common, and the arguments and results. */
export function schemas(): Json {
  const ofMethods = METHODS.flatMap(({ name, args, result }): [string, Json][] => [
    [`${name}.args`, inputSchema(args)],
    [`${name}.answer`, outputSchema(result)],
  ]);
  return {
    request: REQUEST,
    reply: REPLY,
    exception: EXCEPTION,
    notification: NOTIFICATION,
    ...Object.fromEntries(ofMethods),
  };
}

const text = (description: string): Json => ({ type: 'string', description });
const context = { '^_context_': { description: 'one key of the caller’s context each, such as _context_request_id' } };
const uniqueId = text('for the detection of duplicates');
const major = Number(API_VERSION.split('.')[0]);
const minors = Array.from({ length: Number(API_VERSION.split('.')[1]) + 1 }, (_, minor) => `${major}.${minor}`);

const REQUEST: Json = {
  type: 'object',
  description:
    'A request of oslo.messaging. Without _msg_id it is a cast: nobody is answered, not even with a failure.',
  required: ['method'],
  properties: {
    method: text('name of the method'),
    args: { type: 'object', description: 'keyword arguments; absent: none' },
    namespace: { type: 'null', description: 'absent or null: the API is in the null namespace' },
    version: { enum: minors, description: 'least version of the API that will do; absent: 1.0' },
    _msg_id: text('names the call; the replies carry it'),
    _reply_q: text('queue that the replies go to, by the default exchange'),
    _timeout: {
      type: ['number', 'null'],
      description: 'seconds of silence that the caller bears; asks for a heartbeat every half of it, from 2 s on',
    },
    _unique_id: { ...uniqueId, type: ['string', 'null'] },
  },
  patternProperties: context,
  dependencies: { _msg_id: ['_reply_q'] },
};

const REPLY: Json = {
  type: 'object',
  description: 'A reply of oslo.messaging. Exactly one with `ending` true comes for each call.',
  required: ['result', 'failure', 'ending', '_msg_id', '_unique_id'],
  properties: {
    result: { description: 'the answer; null where there is a failure or nothing to say' },
    failure: { type: ['string', 'null'], description: 'null, or an exception as JSON text' },
    ending: { type: 'boolean' },
    _msg_id: text('of the request'),
    _unique_id: uniqueId,
  },
};

const EXCEPTION: Json = {
  type: 'object',
  description: 'An exception as oslo.messaging writes it; Python callers rebuild it where they allow the module.',
  required: ['class', 'module', 'message', 'tb', 'args', 'kwargs'],
  properties: {
    class: text('name of the class'),
    module: text('Python module that it claims to be from'),
    message: text('what went wrong, with every number'),
    tb: { type: 'array', items: { type: 'string' }, description: 'traceback; this agent sends none' },
    args: { type: 'array', description: 'the message' },
    kwargs: { type: 'object', description: 'the same as data' },
  },
};

const NOTIFICATION: Json = {
  type: 'object',
  description: 'A notification of oslo.messaging (driver messagingv2).',
  required: ['message_id', 'publisher_id', 'event_type', 'priority', 'payload', 'timestamp', '_unique_id'],
  properties: {
    message_id: { type: 'string', format: 'uuid' },
    publisher_id: text('who sent it'),
    event_type: text('what it tells of'),
    priority: { enum: ['INFO', 'ERROR', 'SAMPLE'], description: 'upper case here, lower case in the routing key' },
    payload: { type: 'object' },
    timestamp: {
      type: 'string',
      pattern: String.raw`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$`,
      description: 'UTC, without zone',
    },
    _unique_id: uniqueId,
  },
  patternProperties: context,
};

function requests(): Json {
  const list = METHODS.map(({ name, about, args }): [string, Json] => {
    const isNeeded = 'required' in inputSchema(args);
    const inner = {
      properties: { method: { const: name }, args: ref('schemas', `${name}.args`) },
      required: isNeeded ? ['method', 'args'] : ['method'],
    };
    const example = encodeRequest({
      method: name,
      args: { ...EXAMPLE_CALLS[name]?.args },
      namespace: null,
      version: API_VERSION,
      msgId: MSG_ID,
      replyQueue: REPLY_QUEUE,
      monitorTimeoutSeconds: null,
      uniqueId: UNIQUE_ID,
      context: CONTEXT,
    });
    const message = { name: requestName(name), about, correlation: 'call' };
    return [message.name, enveloped(message, 'request', inner, example)];
  });
  return Object.fromEntries(list);
}

function results(): Json {
  const list = METHODS.map(({ name }): [string, Json] => {
    const message = { name: resultName(name), about: `The answer to ${name}.`, correlation: 'call' };
    const inner = {
      properties: {
        result: ref('schemas', `${name}.answer`),
        failure: { type: 'null' },
        ending: { const: true },
      },
    };
    return [
      message.name,
      enveloped(message, 'reply', inner, encodeResult(MSG_ID, UNIQUE_ID, EXAMPLE_CALLS[name]?.result)),
    ];
  });
  return Object.fromEntries(list);
}

function failures(): Json {
  const examples = exampleFailures();
  const ours = Object.entries(FAILURES).map(([className, about]) => ({ className, about, module: ERROR_MODULE }));
  const oslos = Object.entries(DISPATCHER_FAILURES).map(([className, about]) => ({
    className,
    about,
    module: DISPATCHER_MODULE,
  }));
  return Object.fromEntries(
    [...ours, ...oslos].map((kind) => [failureName(kind.className), failure(kind, examples.get(kind.className))]),
  );
}

function failure(kind: { className: string; about: string; module: string }, example: Failure | undefined): Json {
  const { className, about, module } = kind;
  const exception = {
    allOf: [ref('schemas', 'exception'), { properties: { class: { const: className }, module: { const: module } } }],
  };
  const inner = {
    properties: {
      result: { type: 'null' },
      failure: jsonText(exception, 'the exception, as JSON text within the JSON text'),
      ending: { const: true },
    },
  };
  const body = example && encodeFailure(MSG_ID, UNIQUE_ID, example);
  return enveloped({ name: failureName(className), about: about, correlation: 'call' }, 'reply', inner, body);
}

function heartbeat(): Json {
  const about = 'The method is still at work; sent to callers that asked for it with _timeout.';
  const inner = { properties: { result: { type: 'null' }, failure: { type: 'null' }, ending: { const: false } } };
  const example = encodeHeartbeat(MSG_ID, UNIQUE_ID);
  return enveloped({ name: HEARTBEAT, about, correlation: 'call' }, 'reply', inner, example);
}

function deadLetter(): Json {
  const time = { type: 'string', format: 'date-time' };
  return {
    name: DEAD_LETTER,
    summary: 'A body as it came, with the reason and its way in the headers.',
    headers: {
      type: 'object',
      required: ['x-hugenode-reason', 'x-hugenode-exchange', 'x-hugenode-routing-key', 'x-hugenode-received-at'],
      properties: {
        'x-hugenode-reason': text('why it could not be read, such as not-json'),
        'x-hugenode-exchange': text('exchange that it came by'),
        'x-hugenode-routing-key': text('routing key that it came with'),
        'x-hugenode-received-at': time,
      },
    },
    payload: { description: 'any bytes; content type and encoding are those of the sender' },
  };
}

function lifecycle(): Json {
  const list = exampleNotifications().map(({ eventType, priority, payload }): [string, Json] => {
    const kind = kindOf(eventType);
    const inner = notificationOf(eventType, priority, outputSchema(LIFECYCLE_PAYLOADS[kind]));
    const example = notificationBody(`compute.${EXAMPLE_HOST}`, eventType, priority, payload, CONTEXT);
    const message = { name: eventType, about: LIFECYCLE_ABOUT[kind], correlation: null };
    return [eventType, enveloped(message, 'notification', inner, example)];
  });
  return Object.fromEntries(list);
}

function samples(): Json {
  const about = 'Memory of instances, one sample per instance and meter, as Ceilometer’s own agent sends them.';
  const inner = notificationOf(SAMPLES, 'sample', outputSchema(POLLING_PAYLOAD));
  const example = notificationBody(metering.publisher_id, SAMPLES, 'sample', { samples: exampleSamples() }, {});
  return enveloped({ name: SAMPLES, about, correlation: null }, 'notification', inner, example);
}

function notificationOf(eventType: string, priority: string, payload: Json): Json {
  return { properties: { event_type: { const: eventType }, priority: { const: priority.toUpperCase() }, payload } };
}

function notificationBody(
  publisherId: string,
  eventType: string,
  priority: string,
  payload: Json,
  safeContext: Json,
): string {
  return encodeNotification({
    messageId: '4affbbd2-1029-455c-9b1b-de62119f164a',
    publisherId,
    eventType,
    priority: priority.toUpperCase(),
    payload,
    timestamp: '2026-11-22 01:41:18.904049',
    uniqueId: UNIQUE_ID,
    context: { ...safeContext },
  });
}

/** A message as it is on the wire: the schema is of what `oslo.message` holds once that text is parsed. */
function enveloped(
  { name, about, correlation }: MessageText,
  base: string,
  inner: Json,
  example: string | undefined,
): Json {
  return {
    name,
    summary: about,
    contentType: 'application/json',
    ...(correlation !== null && { correlationId: ref('correlationIds', correlation) }),
    bindings: ref('messageBindings', 'oslo'),
    payload: {
      type: 'object',
      required: ['oslo.version', 'oslo.message'],
      properties: {
        'oslo.version': { const: '2.0' },
        'oslo.message': jsonText({ allOf: [ref('schemas', base), inner] }, 'the message, as JSON text'),
      },
    },
    ...(example !== undefined && { examples: [{ name: 'wire', payload: JSON.parse(example) }] }),
  };
}

function lifecycleNames(priority: 'info' | 'error'): readonly string[] {
  return exampleNotifications().flatMap((one) => (one.priority === priority ? [one.eventType] : []));
}

function kindOf(eventType: string): keyof typeof LIFECYCLE_PAYLOADS {
  for (const kind of Object.keys(LIFECYCLE_PAYLOADS)) {
    if (isKind(kind) && eventType === `compute.instance.${kind}`) return kind;
  }
  throw new Error(`${eventType} has no schema`);
}

function isKind(kind: string): kind is keyof typeof LIFECYCLE_PAYLOADS {
  return kind in LIFECYCLE_PAYLOADS;
}
