/**
 * Fills Node's compile cache with everything the program loads, so that its first start costs what every later one
 * does: types stripped and code compiled once, at installation (`npm ci` runs this as the script `prepare`).
 */
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';

// The same folder as in the launcher, src/cli/hugenode.
enableCompileCache(join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'hugenode'));
await Promise.all([import('./program.ts'), import('./serve.ts'), import('./open_client.ts'), import('./tables.ts')]);
flushCompileCache();
