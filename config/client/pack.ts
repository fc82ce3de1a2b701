/**
 * What `npm pack` of hugenode does before and after. In this repository the package is its sources; below node_modules
 * Node strips no types, so what is packed is the client alone, as tsc has built it in dist/, and a manifest that names
 * that and what it needs. `prepack` completes dist/ and puts the manifest in place, `postpack` takes it back.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const DIST = join(ROOT, 'dist');
const MANIFEST = join(ROOT, 'package.json');
const KEPT_MANIFEST = join(DIST, 'package.json.kept');
const ENTRY = 'client/index';
const SPECIFIER = /(?<=\b(?:from|import\()\s*)'([^']+)'/g;

type Manifest = { dependencies: Record<string, string> } & Record<string, unknown>;

function prepack(): void {
  for (const path of filesOf(DIST)) if (path.endsWith('.d.ts')) pointToJavaScript(path);
  const { files, packages } = reachable([`${ENTRY}.js`, `${ENTRY}.d.ts`].map((name) => join(DIST, name)));
  for (const path of filesOf(DIST)) if (!files.has(path)) rmSync(path);
  renameSync(MANIFEST, KEPT_MANIFEST);
  writeFileSync(MANIFEST, `${JSON.stringify(published(packages), null, 2)}\n`);
}

function postpack(): void {
  renameSync(KEPT_MANIFEST, MANIFEST);
  rmSync(DIST, { recursive: true });
}

/** tsc leaves `./x.ts` in declarations as it is; that is no file of the package. */
function pointToJavaScript(path: string): void {
  const text = readFileSync(path, 'utf8');
  writeFileSync(
    path,
    text.replaceAll(SPECIFIER, (quoted) => quoted.replace(/^('\..*)\.ts'$/, "$1.js'")),
  );
}

/** Everything that these files lead to: code for code, declarations for declarations. */
function reachable(entries: readonly string[]): { files: Set<string>; packages: Set<string> } {
  const files = new Set(entries);
  const packages = new Set<string>();
  // A Set that grows while it is walked is walked to its new end.
  for (const path of files) {
    for (const [, specifier = ''] of readFileSync(path, 'utf8').matchAll(SPECIFIER)) {
      const target = join(dirname(path), specifier);
      if (specifier.startsWith('.')) files.add(path.endsWith('.d.ts') ? target.replace(/\.js$/, '.d.ts') : target);
      else if (!specifier.startsWith('node:')) packages.add(specifier);
    }
  }
  return { files, packages };
}

function published(packages: ReadonlySet<string>): Record<string, unknown> {
  const manifest: Manifest = JSON.parse(readFileSync(KEPT_MANIFEST, 'utf8'));
  const { name, version, license, private: isPrivate, type, engines, dependencies } = manifest;
  return {
    name,
    version,
    description: 'The client of hugenode: typed calls to its agents over RabbitMQ, and what they tell of instances',
    license,
    private: isPrivate,
    type,
    engines,
    exports: { '.': { types: `./dist/${ENTRY}.d.ts`, default: `./dist/${ENTRY}.js` } },
    files: ['dist', '!dist/package.json.kept'],
    sideEffects: false,
    dependencies: Object.fromEntries(Object.entries(dependencies).filter(([needed]) => packages.has(needed))),
  };
}

function filesOf(folder: string): string[] {
  if (!existsSync(folder)) throw new Error(`${folder} is not there: tsc -p config/client builds it`);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

const steps: Readonly<Record<string, () => void>> = { prepack, postpack };
const step = steps[process.argv[2] ?? ''];
if (step === undefined) throw new Error('usage: pack.ts prepack | postpack');
step();
