/**
 * What `npm pack` (and `npm publish`) of node-libvirt does before and after. In this repository the package is its
 * sources; below node_modules Node strips no types, so what is published is what tsc has built in dist/, and a manifest
 * that names that. `prepack` completes dist/ and puts the manifest in place, `postpack` takes it back.
 */
import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const PACKAGE = join(ROOT, 'src', 'node-libvirt');
const DIST = join(PACKAGE, 'dist');
const MANIFEST = join(PACKAGE, 'package.json');
const KEPT_MANIFEST = join(PACKAGE, 'dist', 'package.json.kept');
const LICENSE = join(PACKAGE, 'LICENSE');

type Manifest = { exports: Record<string, string>; scripts?: unknown } & Record<string, unknown>;

function prepack(): void {
  for (const path of readdirSync(DIST, { recursive: true, encoding: 'utf8' }))
    if (path.endsWith('.d.ts')) pointToJavaScript(join(DIST, path));
  copyFileSync(join(ROOT, 'LICENSE'), LICENSE);
  copyFileSync(MANIFEST, KEPT_MANIFEST);
  writeFileSync(MANIFEST, `${JSON.stringify(published(readManifest()), null, 2)}\n`);
}

function postpack(): void {
  renameSync(KEPT_MANIFEST, MANIFEST);
  rmSync(LICENSE);
  rmSync(DIST, { recursive: true });
}

/** tsc leaves `./x.ts` in declarations as it is; that is no file of the package. */
function pointToJavaScript(path: string): void {
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replaceAll(/((?:from|import\()\s*'\.[^']*)\.ts'/g, "$1.js'"));
}

function published(manifest: Manifest): Manifest {
  const { scripts: _, exports: sources, ...others } = manifest;
  const exports = Object.fromEntries(
    Object.entries(sources).map(([name, source]) => {
      const stem = source.replace(/^\.\//, './dist/').replace(/\.ts$/, '');
      return [name, { types: `${stem}.d.ts`, default: `${stem}.js` }];
    }),
  );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a manifest like any other, its exports two-fold
  return { ...others, exports } as unknown as Manifest;
}

function readManifest(): Manifest {
  return JSON.parse(readFileSync(MANIFEST, 'utf8'));
}

const steps: Readonly<Record<string, () => void>> = { prepack, postpack };
const step = steps[process.argv[2] ?? ''];
if (step === undefined) throw new Error('usage: pack.ts prepack | postpack');
step();
