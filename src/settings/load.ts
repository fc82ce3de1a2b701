/**
 * Turns defaults, the configuration file, the environment and flags into one frozen value, later sources winning.
 * Nobody else reads the environment or the file. A key that the schema does not know is an error that names it.
 */
import { readFileSync } from 'node:fs';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { settingsSchema, type Settings } from './schema.ts';

/** A setting is wrong, or its file cannot be read; the message names every key concerned. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

export type SettingsSources = {
  /** YAML file; undefined: none, the defaults hold. */
  file?: string | undefined;
  env?: Readonly<Record<string, string | undefined>>;
  /** `section.key=value` pairs from the command line. */
  overrides?: readonly string[];
};

const ENV_PREFIX = 'HUGENODE_';

/** Variables that begin like settings and are none: the path of the file, and what the tests read. */
const NOT_SETTINGS = new Set([
  'HUGENODE_CONFIG',
  'HUGENODE_PAGES',
  'HUGENODE_RABBITMQ_IMAGE',
  'HUGENODE_FIT_VECTORS',
  'HUGENODE_CONSTRAINT_VECTORS',
  'HUGENODE_PROPERTY_RUNS',
  'HUGENODE_NOVA_RUNS',
  'HUGENODE_NOVA_SEED',
  'HUGENODE_NUMA_LAB',
  'HUGENODE_FAULT_ROUNDS',
]);

type Tree = { [key: string]: unknown };

/**
 * Loads the settings.
 * @throws {SettingsError} when the file cannot be read or parsed, a key is unknown or a value does not fit.
 */
export function loadSettings(sources: SettingsSources = {}): Settings {
  const tree: Tree = sources.file === undefined ? {} : readYamlFile(sources.file);
  for (const [path, value] of environmentEntries(sources.env ?? {})) assign(tree, path, value);
  for (const pair of sources.overrides ?? []) {
    const cut = pair.indexOf('=');
    if (cut < 1) throw new SettingsError(`«${pair}»: a setting is given as section.key=value`);
    assign(tree, pair.slice(0, cut).split('.'), pair.slice(cut + 1));
  }
  const parsed = settingsSchema.safeParse(tree);
  if (!parsed.success) throw new SettingsError(`settings: ${describeIssues(parsed.error)}`);
  return deepFreeze(parsed.data);
}

function readYamlFile(file: string): Tree {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingsError(`cannot read the configuration ${file}: ${String(error)}`, { cause: error });
  }
  try {
    const parsed: unknown = parseYaml(content) ?? {};
    if (!isTree(parsed)) throw new SettingsError(`${file}: the top level must be sections, not ${typeof parsed}`);
    return parsed;
  } catch (error) {
    if (error instanceof YAMLParseError) throw new SettingsError(`${file}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** `HUGENODE_SECTION__KEY=value` as (path, text). */
function* environmentEntries(env: Readonly<Record<string, string | undefined>>): Generator<[string[], string]> {
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || NOT_SETTINGS.has(name) || value === undefined) continue;
    yield [name.slice(ENV_PREFIX.length).toLowerCase().split('__'), value];
  }
}

/** Settings are sections of keys: a path has one or two parts. */
function assign(tree: Tree, path: readonly string[], value: string): void {
  const [section = '', key, ...deeper] = path;
  if (deeper.length > 0) throw new SettingsError(`unknown setting ${path.join('.')}`);
  const parsed = fromText(schemaAt(path), value);
  if (key === undefined) {
    tree[section] = parsed;
    return;
  }
  const below = tree[section];
  tree[section] = { ...(isTree(below) ? below : {}), [key]: parsed };
}

/** Text as the key's own type wants it: as it stands where it fits (a password of digits stays text), else as YAML. */
function fromText(schema: z.ZodType | undefined, value: string): unknown {
  if (schema === undefined || schema.safeParse(value).success) return value;
  try {
    return parseYaml(value);
  } catch {
    return value;
  }
}

function schemaAt(path: readonly string[]): z.ZodType | undefined {
  let schema: unknown = settingsSchema;
  for (const key of path) {
    while (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault) schema = schema.unwrap();
    if (!(schema instanceof z.ZodObject)) return undefined;
    schema = schema.shape[key];
  }
  return schema instanceof z.ZodType ? schema : undefined;
}

function describeIssues(error: z.ZodError): string {
  return error.issues
    .flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => `unknown setting ${[...issue.path, key].join('.')}`)
        : [`${issue.path.join('.') || 'top level'}: ${issue.message}`],
    )
    .join('; ');
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
