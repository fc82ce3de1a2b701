/** Writes docs/api.md and docs/errors.md from the schemas and classes that the API itself uses. Pure. */
import { z } from 'zod';
import { API_VERSION } from '../api/endpoint.ts';
import { ERROR_MODULE } from '../api/faults.ts';
import { createInstanceArgs, hostArgs, instanceArgs, noArgs } from '../api/schemas.ts';
import { hostView, instanceView } from '../api/views.ts';
import { ERROR_CLASSES } from '../errors.ts';

const METHODS = [
  {
    name: 'create_instance',
    about:
      'Builds an instance; answers when the guest runs on verified pages. The same request again gives the same answer.',
    args: createInstanceArgs,
    result: instanceView,
  },
  {
    name: 'delete_instance',
    about: 'Ends an instance; answers when its pages are back.',
    args: instanceArgs,
    result: z.null(),
  },
  { name: 'get_instance', about: 'One instance.', args: instanceArgs, result: instanceView },
  { name: 'list_instances', about: 'All instances of the host.', args: noArgs, result: z.array(instanceView) },
  {
    name: 'get_host',
    about:
      'The nodes of the host and their page pools, in pages. With `holders` (since 1.1) also who holds them, which costs a ' +
      'walk over all processes of the host: each page is counted with one process only, `also_mapped` are those counted ' +
      'with another one; `unexplained` are taken, and found with no process (files on a hugetlbfs that nobody maps, ' +
      'processes that cannot be seen or read); `promised` is host-wide. `available` is false where the kernel of the host ' +
      'cannot be asked; `unreadable` lists processes that hold pages and may not be looked into.',
    args: hostArgs,
    result: hostView,
  },
] as const;

const WRITTEN = '<!-- Written by `npm run docs:write`; a test holds it to the code. -->';

/** The text of docs/api.md. */
export function apiReference(): string {
  const methods = METHODS.flatMap(({ name, about, args, result }) => [
    `## ${name}`,
    about,
    '',
    'Arguments:',
    ...fieldTable(z.toJSONSchema(args, { io: 'input' })),
    '',
    'Result:',
    ...fieldTable(z.toJSONSchema(result)),
    '',
  ]);
  return [
    WRITTEN,
    `# API ${API_VERSION}`,
    'Called with oslo.messaging (null namespace) on the control exchange `rpc.exchange`, topic `rpc.topic`, server = the',
    'host. Memory is MiB (`_mb`), page sizes are KiB, pools are counted in pages, times are ISO 8601 in UTC. Errors are in',
    '[errors.md](errors.md).',
    '',
    ...methods,
  ].join('\n');
}

/** The text of docs/errors.md. */
export function errorsReference(): string {
  const rows: [string, string][] = [
    ['InvalidRequest', 'the arguments do not fit the schema; the message names every wrong field'],
    ...Object.entries(ERROR_CLASSES),
    ['InternalError', 'a bug of ours; the log of the host has the details under the request id'],
  ];
  return [
    WRITTEN,
    '# Errors',
    `Each crosses the wire under its class name and the module \`${ERROR_MODULE}\`; the message has every number, the`,
    'keyword arguments (`kwargs`) have the same as data. `NoSuchMethod` and `UnsupportedVersion` are oslo.messaging’s own.',
    '',
    '| class | meaning |',
    '| --- | --- |',
    ...rows.map(([name, meaning]) => `| ${name} | ${meaning} |`),
    '',
  ].join('\n');
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

function fieldTable(schema: JsonSchema): string[] {
  const rows = fieldRows(schema, '');
  if (rows.length === 0) return [schema.type === 'null' ? '`null`' : 'none'];
  return ['', '| field | type | required |', '| --- | --- | --- |', ...rows];
}

function fieldRows(schema: JsonSchema, prefix: string): string[] {
  const { items } = schema;
  if (typeof items === 'object' && !Array.isArray(items)) return fieldRows(items, `${prefix}[]`);
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (typeof field === 'boolean') return [];
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const below = fieldRows(field, path);
    return [`| ${path} | ${typeOf(field)} | ${required.has(name) ? 'yes' : 'no'} |`, ...below];
  });
}

function typeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  if (schema.enum !== undefined) return schema.enum.map(String).join(', ');
  if (schema.type === 'array') return 'list';
  const format = schema.format === undefined ? '' : ` (${schema.format})`;
  const least =
    schema.minimum !== undefined && schema.minimum > Number.MIN_SAFE_INTEGER ? `, from ${schema.minimum}` : '';
  const most = schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER ? ` to ${schema.maximum}` : '';
  const length = schema.maxLength === undefined ? '' : `, ${schema.minLength ?? 0} to ${schema.maxLength} characters`;
  return `${String(schema.type)}${format}${least}${most}${length}`;
}
