/** A JSON Schema as a table of fields, for people. Pure. */
import type { z } from 'zod';

export type JsonSchema = z.core.JSONSchema.BaseSchema;

type FieldRow = { readonly path: string; readonly type: string; readonly isRequired: boolean; readonly about: string };

/** Lines of a Markdown table with every field by its path; one word where there is none. */
export function fieldTable(schema: JsonSchema): string[] {
  const rows = fieldRows(schema, '');
  if (rows.length === 0) return [schema.type === 'null' ? '`null`' : 'none'];
  const isTold = rows.some(({ about }) => about !== '');
  const lines = rows.map(
    ({ path, type, isRequired, about }) =>
      `| ${path} | ${type} | ${isRequired ? 'yes' : 'no'} |${isTold ? ` ${about} |` : ''}`,
  );
  const head = isTold
    ? ['| field | type | required | |', '| --- | --- | --- | --- |']
    : ['| field | type | required |', '| --- | --- | --- |'];
  return ['', ...head, ...lines];
}

function fieldRows(schema: JsonSchema, prefix: string): FieldRow[] {
  if (schema.anyOf !== undefined) return rowsOfKinds(schema.anyOf, prefix);
  const { items } = schema;
  if (typeof items === 'object' && !Array.isArray(items)) return fieldRows(items, `${prefix}[]`);
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (typeof field === 'boolean') return [];
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const about = field.description ?? '';
    return [{ path, type: typeOf(field), isRequired: required.has(name), about }, ...fieldRows(field, path)];
  });
}

/** What may be of several kinds has the fields of all of them; one that not every kind has is not required. */
function rowsOfKinds(schemas: readonly JsonSchema[], prefix: string): FieldRow[] {
  const kinds = schemas.filter((kind) => kind.type !== 'null').map((kind) => fieldRows(kind, prefix));
  return [...new Set(kinds.flat().map(({ path }) => path))].map((path) => {
    const rows = kinds.flat().filter((row) => row.path === path);
    const type = [...new Set(rows.map((row) => row.type))].join(', ');
    const about = [...new Set(rows.map((row) => row.about))].join(' ');
    return { path, type, isRequired: rows.length === kinds.length && rows.every((row) => row.isRequired), about };
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
