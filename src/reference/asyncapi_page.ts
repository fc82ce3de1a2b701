/**
 * Writes docs/asyncapi.md: docs/asyncapi.yaml for people, with the envelopes taken off, which renderers of AsyncAPI do
 * not do: they show a string where the message is. Pure.
 */
import { z } from 'zod';
import { asyncApiDocument } from './asyncapi.ts';
import { fieldTable, type JsonSchema } from './field_table.ts';

const binding = z.object({
  exchange: z.object({ name: z.string(), type: z.string() }).optional(),
  queue: z.object({ name: z.string() }).optional(),
  'x-queue': z.object({ name: z.string(), routingKey: z.string() }).optional(),
});
const reference = z.object({ $ref: z.string() });
const body = z.object({ 'oslo.message': z.string() });

/** Of the document only what the page shows. */
const shownDocument = z.object({
  info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
  servers: z.record(
    z.string(),
    z.object({ host: z.string(), pathname: z.string(), protocol: z.string(), description: z.string() }),
  ),
  channels: z.record(
    z.string(),
    z.object({
      title: z.string(),
      description: z.string().default(''),
      address: z.string().nullable(),
      bindings: z.object({ amqp: binding }),
    }),
  ),
  operations: z.record(
    z.string(),
    z.object({
      action: z.string(),
      channel: reference,
      messages: z.array(reference),
      reply: z.object({ channel: reference, messages: z.array(reference) }).optional(),
    }),
  ),
  components: z.object({
    messages: z.record(
      z.string(),
      z.object({
        summary: z.string(),
        headers: z.custom<JsonSchema>().optional(),
        payload: z.object({ properties: z.object({ 'oslo.message': z.custom<JsonSchema>() }).optional() }),
        examples: z.array(z.object({ payload: body })).default([]),
      }),
    ),
    schemas: z.record(z.string(), z.custom<JsonSchema>()),
  }),
});

type Shown = z.output<typeof shownDocument>;
type Message = Shown['components']['messages'][string];

const FAILURE = 'failure.';

/** The text of docs/asyncapi.md. */
export function asyncApiPage(): string {
  const shown = shownDocument.parse(asyncApiDocument());
  const { info, servers, channels, operations, components } = shown;
  const messages = Object.entries(components.messages);
  return [
    '<!-- Written by `npm run docs:write`; a test holds it to the code. -->',
    `# The bus of ${info.title}, API ${info.version}`,
    '[asyncapi.yaml](asyncapi.yaml) for people: messages and examples are shown as they are once `oslo.message`, and a',
    'failure in it, are parsed.',
    '',
    info.description,
    '',
    '## Servers',
    '| server | address | |',
    '| --- | --- | --- |',
    ...Object.entries(servers).map(
      ([name, { protocol, host, pathname, description }]) =>
        `| ${name} | \`${protocol}://${host}${pathname}\` | ${description} |`,
    ),
    '',
    '## Channels',
    '| channel | exchange | routing key | queue | |',
    '| --- | --- | --- | --- | --- |',
    ...Object.entries(channels).map(channelRow),
    '',
    '## Operations',
    'What the agent does. A failure may come in place of every result.',
    '',
    '| operation | | channel | messages | reply |',
    '| --- | --- | --- | --- | --- |',
    ...Object.entries(operations).map(operationRow),
    '',
    '## Messages',
    ...messages
      .filter(([name]) => !name.startsWith(FAILURE))
      .flatMap((entry) => messageSection(entry, components.schemas)),
    '## Failures',
    ...failureSection(messages, components.schemas),
    '',
  ].join('\n');
}

function channelRow([name, { title, description, bindings }]: [string, Shown['channels'][string]]): string {
  const { exchange, queue, 'x-queue': behind } = bindings.amqp;
  const exchangeText = exchange === undefined ? 'the default one' : `\`${exchange.name}\` (${exchange.type})`;
  const key = exchange?.type === 'fanout' ? 'empty' : `\`${behind?.routingKey ?? queue?.name}\``;
  const about = [title, description].filter((words) => words !== '').join('. ');
  return `| ${name} | ${exchangeText} | ${key} | \`${behind?.name ?? queue?.name}\` | ${about.replaceAll('\n', ' ')} |`;
}

function operationRow([name, operation]: [string, Shown['operations'][string]]): string {
  const { action, channel, messages, reply } = operation;
  return `| ${name} | ${action} | ${lastOf(channel)} | ${namesOf(messages)} | ${namesOf(reply?.messages ?? [])} |`;
}

/** Without the failures: any of them may come. */
function namesOf(references: readonly { readonly $ref: string }[]): string {
  const names = references.map(lastOf).filter((name) => !name.startsWith(FAILURE));
  return names.join(', ');
}

function lastOf({ $ref: path }: { readonly $ref: string }): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function messageSection([name, message]: [string, Message], schemas: Shown['components']['schemas']): string[] {
  return [
    `### ${name}`,
    message.summary,
    ...fieldTable(decodedSchema(message.payload.properties?.['oslo.message'] ?? message.headers ?? {}, schemas)),
    '',
    ...message.examples.flatMap(({ payload }) => fenced(decodedBody(payload))),
  ];
}

function failureSection(
  messages: readonly (readonly [string, Message])[],
  schemas: Shown['components']['schemas'],
): string[] {
  const failures = messages.filter(([name]) => name.startsWith(FAILURE));
  const refusal = failures.find(([name]) => name === `${FAILURE}ComputeResourcesUnavailable`)?.[1];
  const base = {
    allOf: [{ $ref: '#/components/schemas/reply' }, { properties: { failure: { contentSchema: EXCEPTION } } }],
  };
  return [
    'Replies in which `failure` is an exception. The texts are those of the examples in asyncapi.yaml.',
    ...fieldTable(decodedSchema(base, schemas)),
    '',
    ...(refusal?.examples ?? []).flatMap(({ payload }) => fenced(decodedBody(payload))),
    '| class | meaning | such as |',
    '| --- | --- | --- |',
    ...failures.map(([name, { summary, examples }]) => {
      const [text = ''] = examples.map(({ payload }) => exampleText(decodedBody(payload)));
      return `| ${name.slice(FAILURE.length)} | ${summary} | ${text.replaceAll('|', String.raw`\|`)} |`;
    }),
  ];
}

const EXCEPTION = { $ref: '#/components/schemas/exception' };

function exampleText(reply: unknown): string {
  return z.object({ failure: z.object({ message: z.string() }) }).parse(reply).failure.message;
}

function fenced(value: unknown): string[] {
  return ['```json', JSON.stringify(value, null, 2), '```', ''];
}

function decodedBody(payload: z.output<typeof body>): unknown {
  return JSON.parse(payload['oslo.message'], (key, value: unknown) =>
    key === 'failure' && typeof value === 'string' ? JSON.parse(value) : value,
  );
}

/** The schema of what is there after all JSON texts were parsed, without references and in one piece. */
function decodedSchema(schema: JsonSchema, schemas: Shown['components']['schemas']): JsonSchema {
  const decode = (part: JsonSchema): JsonSchema => decodedSchema(part, schemas);
  if (schema.$ref !== undefined) return decode(schemas[lastOf({ $ref: schema.$ref })] ?? {});
  const content: unknown = schema['contentSchema'];
  if (isSchema(content)) return decode(content);
  if (schema.allOf !== undefined) return schema.allOf.map(decode).reduce(merged, {});
  return {
    ...schema,
    ...(schema.properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(schema.properties).map(([key, part]) => [key, isSchema(part) ? decode(part) : part]),
      ),
    }),
    ...(isSchema(schema.items) && { items: decode(schema.items) }),
  };
}

function merged(one: JsonSchema, other: JsonSchema): JsonSchema {
  return {
    ...one,
    ...other,
    properties: { ...one.properties, ...other.properties },
    required: [...new Set([...(one.required ?? []), ...(other.required ?? [])])],
  };
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
