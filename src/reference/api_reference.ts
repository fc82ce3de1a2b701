/** Writes docs/api.md and docs/errors.md from the schemas and classes that the API itself uses. Pure. */
import { z } from 'zod';
import { API_VERSION } from '../api/endpoint.ts';
import { ERROR_MODULE } from '../api/faults.ts';
import { fieldTable } from './field_table.ts';
import { FAILURES, METHODS } from './methods.ts';

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
  return [
    WRITTEN,
    '# Errors',
    `Each crosses the wire under its class name and the module \`${ERROR_MODULE}\`; the message has every number, the`,
    'keyword arguments (`kwargs`) have the same as data. `NoSuchMethod` and `UnsupportedVersion` are oslo.messaging’s own.',
    '',
    '| class | meaning |',
    '| --- | --- |',
    ...Object.entries(FAILURES).map(([name, meaning]) => `| ${name} | ${meaning} |`),
    '',
  ].join('\n');
}
