/** `npm run docs:write`: writes the documents that come from the schemas. */
import { writeFileSync } from 'node:fs';
import { apiReference, errorsReference } from './api_reference.ts';
import { asyncApiText } from './asyncapi.ts';
import { asyncApiPage } from './asyncapi_page.ts';
import { settingsReference } from './settings_reference.ts';

const write = (path: string, text: string) => writeFileSync(new URL(`../../${path}`, import.meta.url), text);

write('config/hugenode.yaml', settingsReference());
write('docs/api.md', apiReference());
write('docs/errors.md', errorsReference());
write('docs/asyncapi.yaml', asyncApiText());
write('docs/asyncapi.md', asyncApiPage());
