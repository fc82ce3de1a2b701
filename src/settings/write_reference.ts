/** `npm run config:write`: writes config/hugenode.yaml anew. */
import { writeFileSync } from 'node:fs';
import { settingsReference } from './reference.ts';

writeFileSync(new URL('../../config/hugenode.yaml', import.meta.url), settingsReference());
