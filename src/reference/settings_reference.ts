/** Writes the schema as a commented YAML file: every key, its default and what it means. Pure. */
import { stringify } from 'yaml';
import { z } from 'zod';
import { settingsSchema } from '../settings/schema.ts';

const HEADER = `# hugenode: every setting with its default.
# This file is written from the schema in src/settings/schema.ts (npm run docs:write); a test holds them together.
# A setting is also taken from the environment, HUGENODE_SECTION__KEY=value, and from the command line,
# --set section.key=value; the command line wins over the environment, the environment over this file.
`;

/** Defaults that belong to the machine are shown as comments: the file must read the same everywhere. */
const OF_THE_MACHINE = new Set(['host']);

/** The text of `config/hugenode.yaml`. */
export function settingsReference(): string {
  const lines = [HEADER];
  for (const [name, schema] of Object.entries(settingsSchema.shape)) {
    lines.push(`# ${describe(schema)}`);
    const section = unwrap(schema);
    if (section instanceof z.ZodObject) {
      lines.push(`${name}:`);
      for (const [key, leaf] of Object.entries(section.shape)) lines.push(...entry(key, leaf, '  '));
    } else {
      lines.push(...entry(name, schema, '').slice(1));
    }
    lines.push('');
  }
  return lines.join('\n');
}

function entry(key: string, schema: unknown, indent: string): string[] {
  const line = OF_THE_MACHINE.has(key)
    ? `# ${key}: compute-1`
    : `${key}: ${stringify(defaultOf(schema), { collectionStyle: 'flow', lineWidth: 0 }).trim()}`;
  return [`${indent}# ${describe(schema)}`, `${indent}${line}`];
}

function describe(schema: unknown): string {
  return schema instanceof z.ZodType ? (schema.description ?? '') : '';
}

function defaultOf(schema: unknown): unknown {
  return schema instanceof z.ZodType ? schema.parse(undefined) : undefined;
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault ? unwrap(schema.unwrap()) : schema;
}
