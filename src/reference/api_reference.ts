/** Writes docs/api.md and docs/errors.md from the schemas and classes that the API itself uses. Pure. */
import { z } from 'zod';
import { API_VERSION } from '../api/endpoint.ts';
import { ERROR_MODULE } from '../api/faults.ts';
import { planView } from '../api/plan_views.ts';
import { createInstanceArgs, hostArgs, instanceArgs, noArgs, planInstanceArgs } from '../api/schemas.ts';
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
      'cannot be asked; `unreadable` lists processes that hold pages and may not be looked into. ' +
      '`rules` and `capacity` (since 1.1) are what `hugenode plan --inventory` works on, as decisions count it: memory in ' +
      'KiB, `used` with what is promised, claimed and kept.',
    args: hostArgs,
    result: hostView,
  },
  {
    name: 'plan_instance',
    about:
      'Since 1.1. How many such instances the host would admit now, where each would be, and why not one more; claims and ' +
      'starts nothing, so by the time of a create_instance the host may be another. With `fill` as many as fit are counted ' +
      '(`count` does not matter then; `at_least` says that counting ended at a bound) and `nodes` is what they would have ' +
      'together; without it `instances` has each one. `refusal` is null where all fit, else it is of the next one: every ' +
      'guest cell on every node, and `advice` is what would make room for that one alone. `shut_off_instances` says whether ' +
      'the pages of instances that are shut off were counted as taken.',
    args: planInstanceArgs,
    result: planView,
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

type FieldRow = { readonly path: string; readonly type: string; readonly isRequired: boolean };

function fieldTable(schema: JsonSchema): string[] {
  const rows = fieldRows(schema, '');
  if (rows.length === 0) return [schema.type === 'null' ? '`null`' : 'none'];
  const lines = rows.map(({ path, type, isRequired }) => `| ${path} | ${type} | ${isRequired ? 'yes' : 'no'} |`);
  return ['', '| field | type | required |', '| --- | --- | --- |', ...lines];
}

function fieldRows(schema: JsonSchema, prefix: string): FieldRow[] {
  if (schema.anyOf !== undefined) return rowsOfKinds(schema.anyOf, prefix);
  const { items } = schema;
  if (typeof items === 'object' && !Array.isArray(items)) return fieldRows(items, `${prefix}[]`);
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (typeof field === 'boolean') return [];
    const path = prefix === '' ? name : `${prefix}.${name}`;
    return [{ path, type: typeOf(field), isRequired: required.has(name) }, ...fieldRows(field, path)];
  });
}

/** What may be of several kinds has the fields of all of them; one that not every kind has is not required. */
function rowsOfKinds(schemas: readonly JsonSchema[], prefix: string): FieldRow[] {
  const kinds = schemas.filter((kind) => kind.type !== 'null').map((kind) => fieldRows(kind, prefix));
  return [...new Set(kinds.flat().map(({ path }) => path))].map((path) => {
    const rows = kinds.flat().filter((row) => row.path === path);
    const type = [...new Set(rows.map((row) => row.type))].join(', ');
    return { path, type, isRequired: rows.length === kinds.length && rows.every((row) => row.isRequired) };
  });
}

function typeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(String).join(', ');
  if (schema.type === 'array') return 'list';
  const format = schema.format === undefined ? '' : ` (${schema.format})`;
  const least =
    schema.minimum !== undefined && schema.minimum > Number.MIN_SAFE_INTEGER ? `, from ${schema.minimum}` : '';
  const most = schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER ? ` to ${schema.maximum}` : '';
  const length = schema.maxLength === undefined ? '' : `, ${schema.minLength ?? 0} to ${schema.maxLength} characters`;
  return `${[schema.type].flat().join(' or ')}${format}${least}${most}${length}`;
}
