/** Channels of the AsyncAPI document: exchanges, routing keys and queues as oslo.messaging has them. Pure. */
import { deadLetterQueue, parseTransportUrl } from '../rpc/index.ts';
// Names only, which rpc/'s door does not show.
import { fanoutExchange, fanoutQueue, replyQueue, serverQueue } from '../rpc/topology.ts';
import { topologyFlags } from '../settings/broker_options.ts';
import { settingsSchema } from '../settings/schema.ts';
import {
  DEAD_LETTER,
  FAILURE_NAMES,
  HEARTBEAT,
  LIFECYCLE_NAMES,
  REQUEST_NAMES,
  RESULT_NAMES,
  SAMPLES,
} from './asyncapi_messages.ts';
import { ref, type Json } from './json_schema.ts';

/** Of AsyncAPI's binding for AMQP. */
export const BINDING = { bindingVersion: '0.3.0' };

const SETTINGS = settingsSchema.parse({});
const { rpc, metering, notifications } = SETTINGS;
const { topic } = rpc;
const vhost = parseTransportUrl(rpc.transport_url).virtualHost;
const FLAGS = topologyFlags(SETTINGS);
const TRANSIENT = { durable: false, autoDelete: false, arguments: { 'x-expires': FLAGS.transientExpiresMs } };
/** What rpc/dead_letters.ts declares; a test holds it to that. */
const KEPT = { 'x-max-length': 10_000, 'x-overflow': 'drop-head' };

/** `channels`. */
export function channels(): Json {
  return { ...requestChannels(), ...answerChannels(), ...toldChannels() };
}

function requestChannels(): Json {
  const control = topicExchange(rpc.exchange);
  const fanout = { ...control, name: fanoutExchange(topic), type: 'fanout', durable: false, autoDelete: true };
  const oneHost = serverQueue(topic, '{host}');
  const host = { description: 'The setting `host`, by default the host name.', examples: ['compute-1'] };
  return {
    oneHost: {
      address: oneHost,
      title: 'Requests to one host',
      description: 'The usual way: refusals are that host’s own.',
      parameters: { host },
      ...bound(control, { name: oneHost, routingKey: oneHost }),
      messages: refs(REQUEST_NAMES),
    },
    anyHost: {
      address: topic,
      title: 'Requests to any host',
      description: 'One queue for all agents; whichever is free takes the request.',
      ...bound(control, { name: topic, routingKey: topic }),
      messages: refs(REQUEST_NAMES),
    },
    everyHost: {
      address: fanout.name,
      title: 'Casts to every host',
      description: `Published with an empty routing key; the address is the exchange. Each agent has a queue of its own,
named with 32 hexadecimal digits, which it deletes when it stops and which outlives a crash by half an hour.`,
      ...bound(fanout, { name: fanoutQueue(topic, '{id}'), routingKey: topic, ...TRANSIENT }),
      messages: refs(REQUEST_NAMES),
    },
  };
}

function answerChannels(): Json {
  return {
    replies: {
      address: null,
      title: 'Replies to one caller',
      description: `The queue that the request names in \`_reply_q\`, by the default exchange, \`mandatory\`. Its caller declares
it, by custom as \`reply_\` and 32 hexadecimal digits. oslo.messaging’s are shared by all calls of a process and expire after
half an hour; those of our own client, which the binding shows, end with their connection.`,
      bindings: {
        amqp: {
          is: 'queue',
          queue: { name: replyQueue('{id}'), durable: false, autoDelete: true, exclusive: true, vhost },
          ...BINDING,
        },
      },
      messages: refs([...RESULT_NAMES, ...FAILURE_NAMES, HEARTBEAT]),
    },
    deadLetters: {
      address: deadLetterQueue(topic),
      title: 'Requests that could not be read',
      description: 'Unless `rpc.dead_letters` is off. By the default exchange; beyond 10,000 the oldest go.',
      bindings: {
        amqp: {
          is: 'queue',
          queue: {
            name: deadLetterQueue(topic),
            durable: true,
            autoDelete: false,
            exclusive: false,
            vhost,
          },
          'x-arguments': KEPT,
          ...BINDING,
        },
      },
      messages: refs([DEAD_LETTER]),
    },
  };
}

function toldChannels(): Json {
  const [infoTopic, errorTopic] = [`${notifications.topic}.info`, `${notifications.topic}.error`];
  const samplesTopic = `${metering.topic}.sample`;
  return {
    lifecycleInfo: {
      address: infoTopic,
      title: 'Lifecycle notifications',
      ...bound(topicExchange(notifications.exchange), { name: infoTopic, routingKey: infoTopic }),
      messages: refs(LIFECYCLE_NAMES.info),
    },
    lifecycleError: {
      address: errorTopic,
      title: 'Lifecycle notifications of failures',
      ...bound(topicExchange(notifications.exchange), { name: errorTopic, routingKey: errorTopic }),
      messages: refs(LIFECYCLE_NAMES.error),
    },
    samples: {
      address: samplesTopic,
      title: 'Samples for metering',
      ...bound(topicExchange(metering.exchange), { name: samplesTopic, routingKey: samplesTopic }),
      messages: refs([SAMPLES]),
    },
  };
}

function topicExchange(name: string) {
  return { name, type: 'topic', durable: FLAGS.durable, autoDelete: FLAGS.autoDelete, vhost };
}

/** A routing key on an exchange. The binding has no place for the queue behind it beside the exchange: `x-queue`. */
function bound(exchange: Json, queue: Json): Json {
  const flags = { durable: FLAGS.durable, autoDelete: FLAGS.autoDelete, exclusive: false };
  return { bindings: { amqp: { is: 'routingKey', exchange, 'x-queue': { ...flags, ...queue }, ...BINDING } } };
}

function refs(names: readonly string[]): Json {
  return Object.fromEntries(names.map((name) => [name, ref('messages', name)]));
}
