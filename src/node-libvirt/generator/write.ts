/**
 * `npm run generate -w node-libvirt`: writes calls/ and the README's table anew from the entries of procedures/. A test
 * compares what is checked in.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Procedures } from '../procedures/index.ts';
import { renderCalls } from './methods.ts';
import { withProcedureTable } from './procedure_table.ts';

const PACKAGE = join(import.meta.dirname, '..');
const README = join(PACKAGE, 'README.md');

/** Path and text of each generated file, in the project's format. */
export function generatedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const [name, text] of renderCalls(Procedures)) files.set(join(PACKAGE, 'calls', name), formatted(name, text));
  files.set(README, withProcedureTable(readFileSync(README, 'utf8'), Procedures));
  return files;
}

function formatted(name: string, text: string): string {
  const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
  const args = [biome, 'format', `--stdin-file-path=src/node-libvirt/calls/${name}`];
  return execFileSync(process.execPath, args, { input: text, encoding: 'utf8' });
}

if (import.meta.main) for (const [path, text] of generatedFiles()) writeFileSync(path, text);
