/**
 * Writes docs/asyncapi.yaml: the bus as AsyncAPI 3.0 has it, from the schemas, classes, names and settings that the agent
 * itself uses. Pure.
 */
import { stringify } from 'yaml';
import { API_VERSION } from '../api/endpoint.ts';
import { parseTransportUrl } from '../rpc/index.ts';
import { settingsSchema } from '../settings/schema.ts';
import { BINDING, channels } from './asyncapi_channels.ts';
import {
  DEAD_LETTER,
  FAILURE_NAMES,
  HEARTBEAT,
  LIFECYCLE_NAMES,
  messages,
  REQUEST_NAMES,
  requestName,
  RESULT_NAMES,
  resultName,
  SAMPLES,
  schemas,
} from './asyncapi_messages.ts';
import { ref, type Json } from './json_schema.ts';
import { METHODS } from './methods.ts';

const HEADER = `# The bus of hugenode as AsyncAPI 3.0. Written by \`npm run docs:write\`; a test holds it to the code.
`;

const ABOUT = `A compute agent that speaks oslo.messaging (release 14 and what is compatible with it) over RabbitMQ. This document
is written from the agent's side: it receives requests and sends replies, notifications and samples.

**Names** and flags of queues are those of the default settings: exchange and topic \`hugenode\` are \`rpc.exchange\` and
\`rpc.topic\`, those of notifications and samples are in the sections \`notifications\` and \`metering\`; \`rpc.queues\` makes
queues durable or quorum queues, as all others on the bus have to have them, too.

**Envelope.** Every body is \`{"oslo.version": "2.0", "oslo.message": "<JSON text>"}\`: the message itself is JSON inside a
JSON string, and a failure in it is JSON inside a string once more. Schemas here are of the bytes on the wire, so a
payload is that envelope; what a string holds once it is parsed is its \`contentSchema\` (JSON Schema 2019-09), which
tools of draft-07 pass over. AsyncAPI's runtime expressions cannot look into a string either: \`#/oslo.message/_msg_id\`
means the key of the parsed text. A request without the two envelope keys is taken as the message itself, and
notifications have none where \`notifications.driver\` is \`messaging\`.

**Properties** of every message: content type \`application/json\`, content encoding \`utf-8\`, persistent, priority 0.
There is no \`correlation_id\` and no \`reply_to\`: both are in the body. Calls carry the caller's timeout as \`expiration\`.

**What JSON Schema cannot say** and the agent checks: texts are well-formed Unicode without control characters, and maps
have at most 256 entries. Times are UTC.`;

const { rpc } = settingsSchema.parse({});

/** The document as data. */
export function asyncApiDocument(): Json {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'hugenode',
      version: API_VERSION,
      description: ABOUT,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
      tags: [{ name: 'compute' }, { name: 'oslo.messaging' }],
    },
    defaultContentType: 'application/json',
    servers: { rabbitmq: server() },
    channels: channels(),
    operations: { ...methodOperations(), ...otherOperations() },
    components: {
      messages: messages(),
      schemas: schemas(),
      correlationIds: {
        call: {
          location: '$message.payload#/oslo.message/_msg_id',
          description: 'The id that the caller gave; in the text of oslo.message.',
        },
      },
      messageBindings: { oslo: { amqp: { contentEncoding: 'utf-8', ...BINDING } } },
      operationBindings: {
        request: { amqp: { ack: true, ...BINDING } },
        deadLetter: { amqp: { deliveryMode: 2, mandatory: true, ...BINDING } },
        notification: { amqp: { deliveryMode: 2, priority: 0, mandatory: false, ...BINDING } },
      },
      securitySchemes: { password: { type: 'plain', description: 'SASL PLAIN, as in the transport URL.' } },
    },
  };
}

/** The text of docs/asyncapi.yaml. */
export function asyncApiText(): string {
  return HEADER + stringify(asyncApiDocument(), { aliasDuplicateObjects: false, lineWidth: 0 });
}

function server(): Json {
  const { protocol, hosts, virtualHost } = parseTransportUrl(rpc.transport_url);
  const [first] = hosts;
  if (first === undefined) throw new Error('the default transport URL names no host');
  return {
    host: `${first.hostname}:${first.port}`,
    pathname: virtualHost,
    protocol,
    protocolVersion: '0.9.1',
    description: 'The default of `rpc.transport_url`. A rabbits:// or amqps:// URL, or `?ssl=true`, is AMQP over TLS.',
    security: [ref('securitySchemes', 'password')],
  };
}

const inChannel = (channel: string, names: readonly string[]): Json[] =>
  names.map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` }));

const toChannel = (channel: string): Json => ({ $ref: `#/channels/${channel}` });

function reply(results: readonly string[]): Json {
  return {
    address: {
      location: '$message.payload#/oslo.message/_reply_q',
      description: 'The queue that the caller named; in the text of oslo.message. Without it the request is a cast.',
    },
    channel: toChannel('replies'),
    messages: inChannel('replies', [...results, ...FAILURE_NAMES, HEARTBEAT]),
  };
}

function methodOperations(): Json {
  const list = METHODS.map(({ name, about }) => [
    name,
    {
      action: 'receive',
      channel: toChannel('oneHost'),
      summary: about,
      bindings: ref('operationBindings', 'request'),
      messages: inChannel('oneHost', [requestName(name)]),
      reply: reply([resultName(name)]),
    },
  ]);
  return Object.fromEntries(list);
}

function otherOperations(): Json {
  return {
    callAnyHost: {
      ...receive('anyHost', 'Any method, on whichever host is free.'),
      reply: reply(RESULT_NAMES),
    },
    castEveryHost: receive('everyHost', 'Any method, on every host; nobody answers.'),
    notifyLifecycle: send('lifecycleInfo', 'What happened to an instance, in Nova’s words.', LIFECYCLE_NAMES.info),
    notifyFailure: send('lifecycleError', 'An instance could not be built.', LIFECYCLE_NAMES.error),
    keepDeadLetter: {
      ...send('deadLetters', 'A request could not be read; its caller is answered where it can be found.', [
        DEAD_LETTER,
      ]),
      bindings: ref('operationBindings', 'deadLetter'),
    },
    sendSamples: send('samples', 'Memory samples of all instances, each period.', [SAMPLES]),
  };
}

function receive(channel: string, summary: string): Json {
  return {
    action: 'receive',
    channel: toChannel(channel),
    summary,
    bindings: ref('operationBindings', 'request'),
    messages: inChannel(channel, REQUEST_NAMES),
  };
}

function send(channel: string, summary: string, names: readonly string[]): Json {
  return {
    action: 'send',
    channel: toChannel(channel),
    summary,
    bindings: ref('operationBindings', 'notification'),
    messages: inChannel(channel, names),
  };
}
